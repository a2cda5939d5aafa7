"""Lines, a clock and a machine time that do what a test says: nothing waits, nothing is random."""

import asyncio
from array import array
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tanzheng.core.batch import ClockState
from tanzheng.edge.abc import Line, Miss, Round, Take
from tanzheng.edge.acquisition import Account, Acquisition, Notes
from tanzheng.edge.counters import Counters
from tanzheng.edge.owed import OwedSlots
from tanzheng.edge.room import Limits, Room
from tanzheng.edge.spool.records import Entry, decode_entry
from tanzheng.edge.spool.store import Spool
from tanzheng.edge.spool.writer import Writer
from tanzheng.edge.timekeeping.kernel_clock import KernelState
from tanzheng.edge.timekeeping.scheduler import Grid


def take(t_ms: int, points: Sequence[int], values: Sequence[float], quality: int = 0) -> Take:
    """A take of equal quality."""
    return Take(t_ms, tuple(points), array("d", values), bytes([quality]) * len(points))


class ScriptedClock:
    """Offers the given slots; tells what was done with them. Time is the present slot."""

    def __init__(
        self, slots: Sequence[int], synced: bool = True, waits: bool = True, ahead: int = 0
    ) -> None:
        self._slots = iter(slots)
        self._state = ClockState("script", synced)
        self._now_ms = 0
        self.waits, self.ahead = waits, ahead
        self.told: list[tuple[int, int, int]] = []

    async def start(self, durable_ms: int | None) -> int:
        return 0 if durable_ms is None else durable_ms

    async def next_slot(self) -> int | None:
        slot_ms = next(self._slots, None)
        self._now_ms = slot_ms or self._now_ms
        return slot_ms

    def done(self, slot_ms: int, readings: int, missed: int) -> None:
        self.told.append((slot_ms, readings, missed))

    def now_ms(self) -> int:
        return self._now_ms

    def state(self) -> ClockState:
        return self._state

    def synced_at(self, _t_ms: int) -> bool:
        return self._state.synced

    def close(self) -> None:
        """Nothing is held."""


class ScriptedLine:
    """A line whose rounds come from `answer(slot_ms)`; None: it stays busy until `finish`."""

    def __init__(
        self,
        points: Sequence[int],
        answer: Callable[[int], Round | None],
        every_ms: int = 1,
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.rounds = 0
        self.finish: Callable[[Round], None] = lambda _round: None
        self._points, self._answer, self._every_ms = tuple(points), answer, every_ms

    def due(self, slot_ms: int) -> tuple[int, ...]:
        return self._points if slot_ms % self._every_ms == 0 else ()

    def start(self, slot_ms: int, finished: Callable[[Round], None]) -> None:
        self.rounds += 1
        self.finish = finished
        answer = self._answer(slot_ms) if self.due(slot_ms) else Round()
        if answer is not None:
            finished(answer)

    def status(self) -> Mapping[str, Any]:
        return {}

    def close(self) -> None:
        """Nothing is held."""


class ScriptedSource(ScriptedLine):
    """A source that hears only what a test says to `owed`."""

    def __init__(self, points: Sequence[int], interval_ms: int, windows: int = 1) -> None:
        self.owed = [OwedSlots(points, Grid(interval_ms), windows * interval_ms)]
        super().__init__(points, self._judged, interval_ms, "source")

    def _judged(self, slot_ms: int) -> Round:
        return Round((), self.owed[0].misses(slot_ms, lambda _point: None))

    async def run(self, _sink: Any) -> None:
        await asyncio.Event().wait()


def reads(point: int, value: float = 1.5) -> ScriptedLine:
    """A line with one point that always answers."""
    return ScriptedLine([point], lambda slot_ms: Round([take(slot_ms, [point], [value])]))


def fails(point: int, reason: str = "comms_timeout") -> ScriptedLine:
    """A line with one point that never answers."""
    return ScriptedLine([point], lambda _: Round((), [Miss((point,), reason)]))


class Bench:
    """An acquisition over scripted lines, its spool in `folder`."""

    def __init__(
        self,
        folder: Path,
        grid: Grid,
        clock: Any,
        lines: Sequence[Line],
        names: Sequence[str],
        limits: Limits | None = None,
    ) -> None:
        self.spool = Spool(folder, "lg-gw1", names)
        self.counters = Counters()
        self.writer = Writer(self.spool)
        self.room = Room(self.spool, folder, limits or Limits(1 << 30, 0))
        self.notes = Notes(self.counters)
        self.clock = clock
        self.acquisition = Acquisition(
            grid, clock, lines, len(names),
            Account(self.spool, self.writer, self.room, self.counters, self.notes), lambda: None,
        )  # fmt: skip

    async def run(self) -> tuple[Entry, ...]:
        """To the clock's end; the entries in the spool."""
        last_ms = await self.clock.start(self.spool.durable_ms)
        assert await self.acquisition.run(last_ms)
        return self.entries()

    def entries(self) -> tuple[Entry, ...]:
        found = self.spool.oldest(100_000)
        return tuple(decode_entry(body) for _, body in found.entries) if found else ()

    def close(self) -> None:
        self.writer.close()
        self.spool.close()


@asynccontextmanager
async def bench(*arguments: Any, **options: Any) -> AsyncIterator[Bench]:
    """A `Bench` for the length of a test."""
    made = Bench(*arguments, **options)
    try:
        yield made
    finally:
        made.close()


class FakeTimes:
    """A machine whose clocks are set by the test; sleeping passes time at once.

    `steps`: at that monotonic second the wall clock is set by so many milliseconds.
    """

    def __init__(self, wall_ms: float, synced: bool = True) -> None:
        self.seconds = 1000.0
        self.offset_ms = wall_ms - self.seconds * 1000
        self.synced = synced
        self.steps: list[tuple[float, float, bool]] = []

    def step_at(self, seconds: float, step_ms: float, synced: bool) -> None:
        """After `seconds` the wall clock steps, and the kernel then says `synced`."""
        self.steps.append((self.seconds + seconds, step_ms, synced))

    def monotonic_s(self) -> float:
        return self.seconds

    def wall_ms(self) -> float:
        return self.seconds * 1000 + self.offset_ms

    def kernel(self) -> KernelState:
        return KernelState(self.synced, 0)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        while self.steps and self.steps[0][0] <= self.seconds:
            _, step_ms, self.synced = self.steps.pop(0)
            self.offset_ms += step_ms
        await asyncio.sleep(0)
