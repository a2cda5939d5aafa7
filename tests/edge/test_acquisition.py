"""The slot cycle with a scripted clock and scripted devices: every slot is told about."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from edge.world import GATEWAY
from tanzheng.core.batch import ClockState
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Outcome
from tanzheng.edge.acquisition import Acquisition, Room
from tanzheng.edge.clock import ClockLost, MachineClock, PlantClock
from tanzheng.edge.counters import Counters
from tanzheng.edge.scheduler import Grid
from tanzheng.edge.spool.records import Entry, GapEntry, SlotEntry
from tanzheng.edge.spool.store import Spool, SpoolError

GRID = Grid(60_000)
POINTS = ("m/active_power_kw", "g/gas_flow_nm3_per_h")


class ScriptedClock:
    """Offers the given slots; tells what was done with them."""

    def __init__(self, slots: Sequence[int], synced: bool = True) -> None:
        self._slots = iter(slots)
        self._state = ClockState("script", synced)
        self.told: list[tuple[int, int, int]] = []

    async def start(self, durable_ms: int | None) -> int:
        return 0 if durable_ms is None else durable_ms

    async def next_slot(self) -> int | None:
        return next(self._slots, None)

    def done(self, slot_ms: int, readings: int, missed: int) -> None:
        self.told.append((slot_ms, readings, missed))

    def now_ms(self) -> int:
        return 0

    def state(self) -> ClockState:
        return self._state

    def close(self) -> None:
        pass


class ScriptedDriver:
    """A device with one point."""

    device_id = "scripted"

    def __init__(self, answer: Callable[[], Outcome]) -> None:
        self._answer = answer
        self.reads = 0

    async def read(self) -> Sequence[Outcome]:
        self.reads += 1
        return [self._answer()]

    def close(self) -> None:
        pass


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path, GATEWAY, POINTS)
    yield spool
    spool.close()


def acquire(
    spool: Spool,
    tmp_path: Path,
    clock: ScriptedClock,
    drivers: Sequence[ScriptedDriver],
    **limits: int,
) -> tuple[Entry, ...]:
    """Run to the clock's end; the entries in the spool."""
    bytes_max = limits.get("bytes_max", 1 << 30)
    room = Room(spool, tmp_path, bytes_max, limits.get("disk_free_bytes_min", 0))
    acquisition = Acquisition(
        GRID, clock, drivers, len(POINTS), spool, room, Counters(), lambda: None
    )
    last_ms = asyncio.run(clock.start(spool.durable_ms))
    assert asyncio.run(acquisition.run(last_ms))
    found = spool.oldest(1000)
    return found.entries if found else ()


def two_devices() -> list[ScriptedDriver]:
    return [ScriptedDriver(lambda: 1.5), ScriptedDriver(lambda: "comms_timeout")]


def test_a_failed_read_is_a_reason_in_its_place(spool: Spool, tmp_path: Path) -> None:
    clock = ScriptedClock([60_000, 120_000])
    entries = acquire(spool, tmp_path, clock, two_devices())
    assert entries == tuple(
        SlotEntry(t, Quality.GOOD, (1.5, "comms_timeout")) for t in (60_000, 120_000)
    )
    assert clock.told == [(60_000, 1, 1), (120_000, 1, 1)]


def test_slots_passed_by_are_told_before_the_next(spool: Spool, tmp_path: Path) -> None:
    """The first gap is the time the agent was down, a later one means that it was too slow."""
    entries = acquire(spool, tmp_path, ScriptedClock([180_000, 360_000]), two_devices())
    assert [entry for entry in entries if isinstance(entry, GapEntry)] == [
        GapEntry(60_000, 180_000, 60_000, "agent_down"),
        GapEntry(240_000, 360_000, 60_000, "overrun"),
    ]


def test_an_unsynchronised_clock_marks_and_does_not_stop(spool: Spool, tmp_path: Path) -> None:
    (entry,) = acquire(spool, tmp_path, ScriptedClock([60_000], synced=False), two_devices())
    assert isinstance(entry, SlotEntry)
    assert entry.quality == Quality.UNCERTAIN_CLOCK


def test_a_slot_is_never_taken_twice(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="expected a slot after 120000"):
        acquire(spool, tmp_path, ScriptedClock([120_000, 120_000]), two_devices())


@pytest.mark.parametrize("limit", [{"bytes_max": 300}, {"disk_free_bytes_min": 1 << 60}])
def test_a_full_spool_drops_nothing_and_says_so(
    spool: Spool, tmp_path: Path, limit: dict[str, int]
) -> None:
    """No reading is asked for that could not be kept; the gap grows in place, in one entry."""
    clock, devices = ScriptedClock(range(60_000, 6_060_000, 60_000)), two_devices()
    entries = acquire(spool, tmp_path, clock, devices, **limit)
    kept = [entry for entry in entries if isinstance(entry, SlotEntry)]
    gap = entries[-1]
    assert isinstance(gap, GapEntry)
    assert (gap.to_ms, gap.reason) == (6_060_000, "spool_full")
    assert len(entries) == len(kept) + 1
    assert gap.from_ms == 60_000 * (len(kept) + 1)
    assert devices[0].reads == len(kept)
    assert spool.durable_ms == 6_000_000
    assert clock.told[-1] == (6_000_000, 0, 2)


async def test_the_machines_clock_gives_each_grid_instant_once() -> None:
    clock = MachineClock(Grid(1_000))
    last = await clock.start(None)
    before = time.time()
    slots = [await clock.next_slot() for _ in range(2)]
    assert slots == [last + 1_000, last + 2_000]
    assert slots[-1] / 1000 <= time.time() < before + 2.5
    assert clock.state().source == "machine"


async def test_the_machines_clock_starts_after_the_newest_durable_slot() -> None:
    clock = MachineClock(Grid(1_000))
    assert await clock.start(5_000) == 5_000
    assert abs(await clock.next_slot() - clock.now_ms()) < 1_500


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": "busy"}, "got 'busy'"),
        ({"now_ms": 1}, "expected start_ms as a whole number, got None"),
        ([], "expected plant time, got \\[\\]"),
        (None, "got 'the connection was closed'"),
    ],
)
async def test_plant_time_that_does_not_keep_to_the_protocol(
    tmp_path: Path, answer: object, message: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        if answer is not None:
            writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()
        await writer.wait_closed()

    path = str(tmp_path / "t.sock")
    async with await asyncio.start_unix_server(serve, path):
        clock = PlantClock(path, 60_000)
        with pytest.raises(ClockLost, match=message):
            await clock.start(None)
        clock.close()


async def test_no_plant_time_at_all(tmp_path: Path) -> None:
    with pytest.raises(ClockLost, match="expected plant time"):
        await PlantClock(str(tmp_path / "none.sock"), 60_000).start(None)
