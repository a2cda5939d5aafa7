"""One round on every line at each slot, and what each slot got of it.

A line that is still busy when a slot begins is not started; a line that is still busy when a slot
ends gives its points of that slot a miss. What it reads comes late and is taken in the slot in
which it finishes, with the instants at which it was read.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from tanzheng.core.quality import Quality
from tanzheng.edge import log
from tanzheng.edge.abc import Line, Miss, Round, Take, is_source
from tanzheng.edge.owed import OwedSlots
from tanzheng.edge.spool.records import Cadence

LINE_BUSY = "line_busy"
DRIVER_ERROR = "driver_error"
CADENCE_SLOTS_MAX = 10_000
"""A point that is not due once in so many slots has no cadence of its own."""

_POINTS_OF = attrgetter("points")
_UNCERTAIN = bytes(Quality.UNCERTAIN_CLOCK if code == Quality.GOOD else code for code in range(256))


class _Seat:
    """A line and its present round."""

    def __init__(self, rounds: "Rounds", line: Line) -> None:
        self.line = line
        self.busy = False
        self.late: Round | None = None
        self._rounds = rounds

    def finished(self, round_: Round) -> None:
        if self.busy:
            self.busy = False
            self._rounds.take(self, round_)


class Rounds:
    """The lines of a plan. Lives in the event loop."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self._seats = [_Seat(self, line) for line in lines]
        self._polled = [line for line in lines if not is_source(line)]
        self._points = 0
        self._late: list[_Seat] = []
        self._takes: list[Take] = []
        self._misses: list[Miss] = []
        self._busy = 0
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def busy(self) -> int:
        """How many lines are in a round."""
        return self._busy

    def begin(self, slot_ms: int) -> None:
        """Start every idle line."""
        self._late = [seat for seat in self._seats if seat.busy]
        for seat in self._seats:
            if seat.busy:
                continue
            seat.busy = True
            self._busy += 1
            try:
                seat.line.start(slot_ms, seat.finished)
            except Exception as error:  # noqa: BLE001 - a driver's fault must not cost others a slot
                log.exception("driver_error", error, line=seat.line.name)
                seat.finished(Round((), [Miss(seat.line.due(slot_ms), DRIVER_ERROR)]))

    async def wait(self, seconds: float | None) -> None:
        """Until all lines finished, at most so long (None: however long it takes)."""
        if not self._busy:
            return
        loop = asyncio.get_running_loop()
        idle: asyncio.Future[None] = loop.create_future()
        self._waiters.add(idle)
        timer = None if seconds is None else loop.call_later(max(seconds, 0.0), _wake, idle)
        try:
            await idle
        finally:
            self._waiters.discard(idle)
            if timer is not None:
                timer.cancel()

    def take(self, seat: _Seat, round_: Round) -> None:
        """`seat` finished its round."""
        self._takes += round_.takes
        self._misses += round_.misses
        if seat in self._late:
            seat.late = round_
        self._busy -= 1
        if not self._busy:
            for idle in self._waiters:
                _wake(idle)

    def end(
        self, slot_ms: int, synced_at: Callable[[int], bool]
    ) -> tuple[tuple[Take, ...], tuple[Miss, ...]]:
        """What came since the last slot's end. Good readings of an instant at which the clock was
        not synchronised are marked uncertain."""
        misses, self._misses = self._misses, []
        if self._busy or self._late:
            misses += self._overrun(slot_ms)
        else:
            misses += self._untold(slot_ms, misses)
        return self.leave(synced_at), tuple(miss for miss in misses if miss.points)

    def leave(self, synced_at: Callable[[int], bool]) -> tuple[Take, ...]:
        """Readings that no slot has got yet, by their points: so slots of the same takes are alike,
        whoever answered first."""
        takes, self._takes = tuple(sorted(self._takes, key=_POINTS_OF)), []
        for take in takes:
            if not synced_at(take.t_ms):
                take.quality = take.quality.translate(_UNCERTAIN)
        return takes

    def cadences(self, points: int, interval_ms: int, phase_ms: int) -> tuple[Cadence, ...]:
        """Which points are read at the same slots, found by asking the lines."""
        first: dict[int, int] = {}
        groups: dict[tuple[int, int], list[int]] = {}
        left = points
        for number in range(CADENCE_SLOTS_MAX):
            if not left:
                break
            for line in self.lines:
                for point in line.due(phase_ms + number * interval_ms):
                    begin = first.setdefault(point, number)
                    if 0 <= begin < number:
                        every_ms = (number - begin) * interval_ms
                        at_ms = (phase_ms + begin * interval_ms) % every_ms
                        groups.setdefault((every_ms, at_ms), []).append(point)
                        first[point] = -1
                        left -= 1
        self._points = points - left
        if not left and list(groups) == [(interval_ms, phase_ms)]:
            return (Cadence(None, interval_ms, phase_ms),)
        return tuple(Cadence(tuple(sorted(found)), *key) for key, found in sorted(groups.items()))

    @property
    def owed(self) -> list[OwedSlots]:
        """The accounts of all devices that send by themselves."""
        return [owed for line in self.lines if is_source(line) for owed in line.owed]

    def status(self) -> dict[str, Mapping[str, Any]]:
        """For people: what each line says of its devices."""
        return {line.name: line.status() for line in self.lines}

    def close(self) -> None:
        """Let go of every endpoint; `leave` has what rounds under way had read."""
        for line in self.lines:
            line.close()

    def _untold(self, slot_ms: int, misses: Sequence[Miss]) -> list[Miss]:
        """Points that were due and that no line gave an account of: a driver's fault, told. What
        sends by itself owes no slot."""
        polled = self._polled
        if len(polled) == len(self.lines):
            told = sum([len(take.points) for take in self._takes])
            told += sum([len(miss.points) for miss in misses])
            if told >= self._points or told >= sum(len(line.due(slot_ms)) for line in polled):
                return []
        known = {point for take in self._takes for point in take.points}
        known |= {point for miss in misses for point in miss.points}
        due = [(line.name, [p for p in line.due(slot_ms) if p not in known]) for line in polled]
        names = [name for name, points in due if points]
        if names:
            log.error("points_untold", slot_ms=slot_ms, lines=names)
        return [Miss(tuple(points), DRIVER_ERROR) for _, points in due]

    def _overrun(self, slot_ms: int) -> list[Miss]:
        """The points that were due in this slot and belong to a line that had no time for them."""
        missed = []
        for seat in self._seats:
            if seat.busy:
                missed.append(Miss(seat.line.due(slot_ms), LINE_BUSY))
            elif seat.late is not None:
                told = {point for miss in seat.late.misses for point in miss.points}
                for take in seat.late.takes:
                    told.update(take.points if take.t_ms >= slot_ms else ())
                due = tuple(point for point in seat.line.due(slot_ms) if point not in told)
                missed.append(Miss(due, LINE_BUSY))
            seat.late = None
        self._late = []
        return missed


def _wake(idle: "asyncio.Future[None]") -> None:
    if not idle.done():
        idle.set_result(None)
