"""The slot cycle: wait for the slot, one round on every line, make it durable, tell the clock.

Where slots come faster than the disk takes them, the next round does not wait for the fsync of the
last: several slots share one, on plant time as many as its source allows. A slot that the disk
refused is a gap, told as soon as it takes writes again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tanzheng.core.batch import Event
from tanzheng.edge import log
from tanzheng.edge.abc import Clock, Line, Miss, Take
from tanzheng.edge.counters import Counters
from tanzheng.edge.room import Room
from tanzheng.edge.rounds import Rounds
from tanzheng.edge.spool.records import (
    ArrivalEntry,
    Cadence,
    Entry,
    GapEntry,
    SlotEntry,
    readings_of,
)
from tanzheng.edge.spool.store import Spool, SpoolError, SpoolFull, SpoolRefused
from tanzheng.edge.spool.writer import Writer
from tanzheng.edge.timekeeping.scheduler import Grid

AGENT_DOWN = "agent_down"
OVERRUN = "overrun"
CLOCK_STEP = "clock_step"
SPOOL_FULL = "spool_full"
NOTES_MAX = 10_000
DEADLINE_PART = 0.02
DEADLINE_MS_MAX = 100.0
"""A slot's round ends this part of the interval before the next slot, at most so much."""
ALIVE_S = 10.0


def stamped_beyond(takes: Sequence[Take], end_ms: int) -> tuple[Miss, ...]:
    """What a slot lacks because the reply bears an instant of the next one: a process that was held
    up finds answers that came in time when their slot is over."""
    return tuple(Miss(take.points, OVERRUN) for take in takes if take.t_ms >= end_ms)


def _gap_of(miss: Miss) -> GapEntry:
    """What a source owes, as an entry of its own."""
    assert miss.slots is not None
    start, step = miss.slots.start, miss.slots.step
    cadence = Cadence(miss.points, step, start % step)
    return GapEntry(start, miss.slots.stop, miss.reason, (cadence,))


class Notes:
    """Events to be told with the next slot, the first `NOTES_MAX`."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._events: list[Event] = []

    def add(self, event: Event) -> None:
        """Tell `event`."""
        if len(self._events) < NOTES_MAX:
            self._events.append(event)
        else:
            self._counters.events_dropped += 1

    def take(self) -> tuple[Event, ...]:
        """All of them; they are the caller's now."""
        events, self._events = tuple(self._events), []
        return events

    def give_back(self, events: Sequence[Event]) -> None:
        """These could not be told: with the next slot then."""
        later, self._events = self._events, []
        for event in (*events, *later):
            self.add(event)


@dataclass(slots=True)
class Account:
    """Where readings end: the spool and what watches over it."""

    spool: Spool
    writer: Writer
    room: Room
    counters: Counters
    notes: Notes


@dataclass(slots=True)
class _Flight:
    """A slot on its way to the disk, without its readings: these are bytes there. `gaps` went with
    it."""

    slot_ms: int
    readings: int
    misses: Sequence[Miss]
    events: Sequence[Event]
    gaps: list[GapEntry]


@dataclass(frozen=True, slots=True)
class _Growing:
    """The newest entry of a full spool, as long as nothing was committed after it."""

    gap: GapEntry
    commits: int


class Acquisition:
    """Reads slot after slot until the clock ends or `stop` is called."""

    def __init__(
        self,
        grid: Grid,
        clock: Clock,
        lines: Sequence[Line],
        points: int,
        account: Account,
        after_slot: Callable[[], None],
    ) -> None:
        self._grid, self._clock = grid, clock
        self._spool, self._writer = account.spool, account.writer
        self._room, self._counters = account.room, account.counters
        self._after_slot = after_slot
        self.rounds = Rounds(lines)
        self._notes = account.notes
        self._under_way: deque[asyncio.Future[None]] = deque()
        """Slots that are handed to the disk and not durable yet, oldest first."""
        self._owed: list[GapEntry] = []
        self._gap_reason = AGENT_DOWN
        self._full: _Growing | None = None
        self._last_ms: int | None = None
        self._use(points)
        self.turn = asyncio.Lock()
        """Held while a slot is taken: who holds it stands between two slots."""
        self._stopping = False
        self._waiting: asyncio.Task[Any] | None = None
        self._beat_s = time.monotonic()
        self.lateness_ms = 0
        """From the last slot's instant to its being durable."""

    @property
    def alive(self) -> bool:
        """Whether the slot cycle goes round: for the watchdog."""
        quiet_s = time.monotonic() - self._beat_s
        return self._clock.waits or quiet_s < 2 * self._grid.interval_ms / 1000 + ALIVE_S

    def leapt(self) -> None:
        """The clock stepped forward and was right: the slots left out are its doing."""
        self._gap_reason = CLOCK_STEP

    async def use(self, lines: Sequence[Line], points: Sequence[str]) -> None:
        """From now on read `lines` for the point set `points`. The lines before are closed.

        To be called with `turn` held, where nobody else puts anything into the spool.
        """
        takes = self.rounds.leave(self._clock.synced_at)
        await self._writer.flush()
        owed, self._owed = [*self._owed, *self._settled()], []
        notes = self._notes.take()
        try:
            last: list[Entry] = [*owed, ArrivalEntry(takes, notes)]
            await asyncio.shield(self._writer.put(last, urgent=True))
            owed = []
        except SpoolRefused:
            self._notes.give_back(notes)
        await self._writer.run(lambda: self._spool.use_points(points))
        self.rounds = Rounds(lines)
        self._use(len(points))
        for gap in owed:  # nothing was read at all: true of the new points, too
            self._owe(gap.from_ms, gap.to_ms, gap.reason)

    async def close(self) -> None:
        """Close the lines; what their unfinished rounds had read is durable when this returns."""
        self.rounds.close()
        takes = self.rounds.leave(self._clock.synced_at)
        await self._writer.flush()
        if takes:
            try:
                await self._writer.put([ArrivalEntry(takes, ())], urgent=True)
            except SpoolRefused as error:
                log.error("disk_refuses", reason=error.reason, detail=str(error))

    async def run(self, last_ms: int) -> bool:
        """Take the slots after `last_ms`, where the clock was started.

        True where the clock came to its end, False where `stop` was called.
        """
        if (durable_ms := self._spool.durable_ms) is not None:
            self._owe_unjudged(durable_ms)
        while (slot_ms := await self._next_slot()) is not None:
            if slot_ms <= last_ms:
                raise SpoolError(
                    f"expected a slot after {last_ms}, the newest durable one, got {slot_ms}"
                )
            self._beat_s = time.monotonic()
            if (missed := self._grid.missed(last_ms, slot_ms)) is not None:
                self._owe(*missed, self._gap_reason)
            async with self.turn:
                await self._take(slot_ms)
            self._last_ms = last_ms = slot_ms
            self._gap_reason = OVERRUN
            self._after_slot()
        await self._writer.flush()
        return not self._stopping

    def stop(self) -> None:
        """Finish the slot that is being read; begin no other."""
        if self._waiting is not None and not self._stopping:
            self._waiting.cancel()
        self._stopping = True

    async def _next_slot(self) -> int | None:
        if self._stopping:
            return None
        return await self._wait_for_slot()

    async def _wait_for_slot(self) -> int | None:
        # Cancelled itself and not a task of its own: that would be two turns of the loop a slot.
        task = self._waiting = asyncio.current_task()
        assert task is not None
        try:
            return await self._clock.next_slot()
        except asyncio.CancelledError:
            if not self._stopping or task.uncancel():
                raise
            return None
        finally:
            self._waiting = None

    async def _take(self, slot_ms: int) -> None:
        if self._room.look(slot_ms) and not await self._make_room(slot_ms):
            await self._take_nothing(slot_ms)
            return
        self._full = None
        self.rounds.begin(slot_ms)
        await self.rounds.wait(None if self._clock.waits else self._remaining_s(slot_ms))
        takes, misses = self.rounds.end(slot_ms, self._clock.synced_at)
        beyond = stamped_beyond(takes, slot_ms + self._grid.interval_ms)
        entry = SlotEntry(slot_ms, takes, (*misses, *beyond), self._notes.take())
        gaps, self._owed = self._owed, []
        await self._keep(entry, gaps)

    def _remaining_s(self, slot_ms: int) -> float:
        """Until just before the next slot."""
        interval_ms = self._grid.interval_ms
        before_ms = min(DEADLINE_PART * interval_ms, DEADLINE_MS_MAX)
        return (slot_ms + interval_ms - before_ms - self._clock.now_ms()) / 1000

    async def _keep(self, entry: SlotEntry, gaps: list[GapEntry]) -> None:
        """Hand the slot to the disk; wait only where the clock does, or where the disk lags."""
        entries: list[Entry] = [*gaps, entry]
        waits, ahead = self._clock.waits, self._clock.ahead
        try:
            durable = self._writer.put(entries, urgent=waits and not ahead)
        except SpoolFull:  # the disk is far behind: the next slots wait and become an overrun
            await self._writer.flush()
            durable = self._writer.put(entries)
        flight = _Flight(entry.slot_ms, readings_of(entry), entry.misses, entry.events, gaps)
        self._under_way.append(durable)
        durable.add_done_callback(lambda done: self._kept(flight, done))
        while waits and len(self._under_way) > ahead:
            await asyncio.wait([self._under_way[0]])

    def _kept(self, flight: _Flight, done: "asyncio.Future[None]") -> None:
        self._under_way.popleft()
        counters, error = self._counters, done.exception()
        if isinstance(error, SpoolRefused):
            self._refused(flight, error)
            return
        if error is not None:
            raise error  # in a callback: the agent's handler ends the process
        missed = 0
        counters.slots += 1
        counters.readings += flight.readings
        for miss in flight.misses:
            count = len(miss.points) * (1 if miss.slots is None else len(miss.slots))
            counters.miss(miss.reason, count)
            missed += count
        self.lateness_ms = self._clock.now_ms() - flight.slot_ms
        self._clock.done(flight.slot_ms, flight.readings, missed)

    def _refused(self, flight: _Flight, error: SpoolRefused) -> None:
        """Nothing of the slot is durable: it becomes a gap, told with a later slot."""
        slot_ms = flight.slot_ms
        if not self._counters.slots_refused & (self._counters.slots_refused + 1):
            log.error("disk_refuses", reason=error.reason, detail=str(error), slot_ms=slot_ms)
        self._counters.slots_refused += 1
        self._owed = [*flight.gaps, *self._owed]
        self._owe(slot_ms, slot_ms + self._grid.interval_ms, error.reason)
        self._notes.give_back(flight.events)
        self._clock.done(slot_ms, 0, self._points)

    def _owe(self, from_ms: int, to_ms: int, reason: str) -> None:
        """A gap to be told with the next slot; neighbours for one reason are one gap."""
        last = self._owed[-1] if self._owed else None
        mine = from_ms, reason, self._cadences
        if last is not None and (last.to_ms, last.reason, last.cadences) == mine:
            self._owed[-1] = GapEntry(last.from_ms, to_ms, reason, last.cadences)
        else:
            self._owed.append(GapEntry(from_ms, to_ms, reason, self._cadences))

    def _owe_unjudged(self, durable_ms: int) -> None:
        """Whoever was to judge the newest slots of the sources died: gaps, but for what is read."""
        end_ms = durable_ms + self._grid.interval_ms
        for owed in self.rounds.owed:
            cadence = Cadence(owed.points, owed.grid.interval_ms, owed.grid.phase_ms)
            gap = GapEntry(end_ms - owed.window_ms, end_ms, AGENT_DOWN, (cadence,))
            self._owed.append(gap)

    def _settled(self) -> list[GapEntry]:
        """What the sources owe up to the last slot: their lines are closed."""
        if self._last_ms is None:
            return []
        return [_gap_of(miss) for owed in self.rounds.owed for miss in owed.settle(self._last_ms)]

    async def _make_room(self, slot_ms: int) -> bool:
        """Let the oldest go where that is the policy; whether there is room now."""
        if not self._room.drops:
            return False
        await self._writer.flush()
        try:
            remains = await self._writer.run(lambda: self._room.make_room(self._grid))
        except SpoolRefused:
            return False
        if remains is None:
            return False
        self._counters.dropped += remains.readings
        self._counters.events_dropped += remains.events
        log.error("spool_dropped", readings=remains.readings, events=remains.events)
        return not self._room.look(slot_ms)

    async def _take_nothing(self, slot_ms: int) -> None:
        """A slot without room is one gap, visible to the platform; the gap grows in place."""
        end_ms = slot_ms + self._grid.interval_ms
        await self._writer.flush()
        growing, owed = self._full, self._owed
        try:
            if growing and growing.commits == self._writer.commits and not owed:
                grown = GapEntry(growing.gap.from_ms, end_ms, SPOOL_FULL, self._cadences)
                await self._writer.run(lambda: self._spool.replace_last(grown))
            else:
                log.error("spool_full", bytes_used=self._spool.bytes_used, since_ms=slot_ms)
                grown = GapEntry(slot_ms, end_ms, SPOOL_FULL, self._cadences)
                self._owed = []
                await asyncio.shield(self._writer.put([*owed, grown], urgent=True))
            self._full = _Growing(grown, self._writer.commits)
        except SpoolRefused as error:
            self._full, self._owed = None, [*owed, *self._owed]
            self._owe(slot_ms, end_ms, error.reason)
        self._clock.done(slot_ms, 0, self._points)
        self._counters.slots += 1
        self._counters.slots_spool_full += 1
        self._counters.miss(SPOOL_FULL, self._points)

    def forget_full_gap(self) -> None:
        """The gap that was growing is sealed: the next one is a new entry."""
        self._full = None

    def _use(self, points: int) -> None:
        self._points = points
        grid = self._grid
        self._cadences = self.rounds.cadences(points, grid.interval_ms, grid.phase_ms)
        self._full = None
