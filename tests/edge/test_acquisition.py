"""The slot cycle with a scripted clock and scripted lines: every slot is told about."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from edge.scripted import ScriptedClock, ScriptedLine, bench, fails, reads, take
from tanzheng.core.batch import Event
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Miss, Round
from tanzheng.edge.room import Limits, Room
from tanzheng.edge.sources import SpoolSink, split
from tanzheng.edge.spool.records import ArrivalEntry, Cadence, Entry, GapEntry, SlotEntry
from tanzheng.edge.spool.store import SpoolError, SpoolFull
from tanzheng.edge.timekeeping.scheduler import Grid

GRID = Grid(60_000)
POINTS = ("m/active_power_kw", "g/gas_flow_nm3_per_h")
ALL = (Cadence(None, 60_000),)


async def acquire(folder: Path, clock: ScriptedClock, lines: Any, **options: Any) -> list[Entry]:
    async with bench(folder, GRID, clock, lines, POINTS, **options) as made:
        return list(await made.run())


async def test_a_failed_read_is_a_reason_in_its_place(tmp_path: Path) -> None:
    clock = ScriptedClock([60_000, 120_000])
    entries = await acquire(tmp_path, clock, [reads(0), fails(1)])
    assert entries == [
        SlotEntry(t, (take(t, [0], [1.5]),), (Miss((1,), "comms_timeout"),))
        for t in (60_000, 120_000)
    ]
    assert clock.told == [(60_000, 1, 1), (120_000, 1, 1)]


async def test_slots_passed_by_are_told_before_the_next(tmp_path: Path) -> None:
    """The first gap is the time the agent was down, a later one means that it was too slow."""
    entries = await acquire(tmp_path, ScriptedClock([180_000, 360_000]), [reads(0), fails(1)])
    assert [entry for entry in entries if isinstance(entry, GapEntry)] == [
        GapEntry(60_000, 180_000, "agent_down", ALL),
        GapEntry(240_000, 360_000, "overrun", ALL),
    ]


async def test_points_of_a_slow_class_miss_their_own_slots_only(tmp_path: Path) -> None:
    slow = ScriptedLine([1], lambda t: Round([take(t, [1], [2.0])]), every_ms=600_000)
    clock = ScriptedClock([60_000, 1_260_000])
    entries = await acquire(tmp_path, clock, [reads(0), slow])
    gap = entries[1]
    assert isinstance(gap, GapEntry)
    assert gap.cadences == (Cadence((0,), 60_000), Cadence((1,), 600_000))
    assert [list(each.slots(gap.from_ms, gap.to_ms)) for each in gap.cadences] == [
        list(range(120_000, 1_260_000, 60_000)), [600_000, 1_200_000],
    ]  # fmt: skip
    assert clock.told == [(60_000, 1, 0), (1_260_000, 1, 0)]  # not due: no outcome


async def test_an_unsynchronised_clock_marks_and_does_not_stop(tmp_path: Path) -> None:
    lines = [
        reads(0),
        ScriptedLine([1], lambda t: Round([take(t, [1], [2.0], Quality.FAULT)])),
    ]
    (entry,) = await acquire(tmp_path, ScriptedClock([60_000], synced=False), lines)
    assert isinstance(entry, SlotEntry)
    assert [each.quality[0] for each in entry.takes] == [Quality.UNCERTAIN_CLOCK, Quality.FAULT]


async def test_a_slot_is_never_taken_twice(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="expected a slot after 120000"):
        await acquire(tmp_path, ScriptedClock([120_000, 120_000]), [reads(0), fails(1)])


class NoSlot(ScriptedClock):
    """Time in which no slot ever comes."""

    async def next_slot(self) -> int | None:
        await asyncio.Event().wait()
        return None


async def test_a_stop_ends_the_wait_for_a_slot_however_often_it_is_said(tmp_path: Path) -> None:
    async with bench(tmp_path, GRID, NoSlot(()), [reads(0)], POINTS[:1]) as made:
        cycle = asyncio.create_task(made.acquisition.run(0))
        await asyncio.sleep(0.01)
        made.acquisition.stop()
        made.acquisition.stop()
        assert await cycle is False
        assert not cycle.cancelling()


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_cancelled_cycle_does_not_pass_for_a_stopped_one(
    tmp_path: Path, stopped: bool
) -> None:
    async with bench(tmp_path, GRID, NoSlot(()), [reads(0)], POINTS[:1]) as made:
        cycle = asyncio.create_task(made.acquisition.run(0))
        await asyncio.sleep(0.01)
        if stopped:
            made.acquisition.stop()
        cycle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cycle


async def test_events_are_told_with_the_next_slot(tmp_path: Path) -> None:
    async with bench(tmp_path, GRID, ScriptedClock([60_000]), [reads(0)], POINTS[:1]) as made:
        made.notes.add(Event(5, "limit_learned", {"registers": 40}))
        (entry,) = await made.run()
    assert isinstance(entry, SlotEntry)
    assert [event.kind for event in entry.events] == ["limit_learned"]


async def test_a_driver_that_fails_costs_its_own_points_only(tmp_path: Path) -> None:
    def broken(_slot_ms: int) -> Round:
        raise KeyError("a fault of ours")

    lines = [ScriptedLine([0], broken), reads(1)]
    first, second = await acquire(tmp_path, ScriptedClock([60_000, 120_000]), lines)
    for entry in (first, second):
        assert isinstance(entry, SlotEntry)
        assert entry.misses == (Miss((0,), "driver_error"),)
        assert [each.points for each in entry.takes] == [(1,)]


async def test_slots_granted_ahead_share_an_fsync_and_are_told_when_durable(tmp_path: Path) -> None:
    slots = range(60_000, 60_000 * 41, 60_000)
    clock = ScriptedClock(slots, ahead=16)
    line = reads(0)
    most = 0

    async with bench(tmp_path, GRID, clock, [line], POINTS[:1]) as made:
        done = clock.done

        def told(slot_ms: int, readings: int, missed: int) -> None:
            nonlocal most
            durable_ms = made.spool.durable_ms
            assert durable_ms is not None
            assert durable_ms >= slot_ms
            most = max(most, line.rounds - len(clock.told))
            done(slot_ms, readings, missed)

        clock.done = told  # type: ignore[method-assign]
        await made.run()
        assert made.writer.commits <= 6
    assert [slot_ms for slot_ms, _, _ in clock.told] == list(slots)
    assert 1 < most <= 17


class RealSlots(ScriptedClock):
    """Slots of real time, `interval_ms` apart."""

    def __init__(self, count: int, interval_ms: int) -> None:
        super().__init__((), waits=False)
        now_ms = time.time_ns() // 1_000_000
        self._first = now_ms - now_ms % interval_ms + interval_ms
        self._interval_ms, self._count, self._taken = interval_ms, count, 0

    async def start(self, durable_ms: int | None) -> int:
        return self._first - self._interval_ms

    async def next_slot(self) -> int | None:
        if self._taken == self._count:
            return None
        slot_ms = self._first + self._taken * self._interval_ms
        self._taken += 1
        await asyncio.sleep(slot_ms / 1000 - time.time())
        return slot_ms

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


async def test_a_slow_line_delays_no_other_and_its_readings_come_late(tmp_path: Path) -> None:
    """One line answers after 1.5 intervals: it misses a slot, and what it read is not lost."""
    grid, clock = Grid(200), RealSlots(4, 200)
    loop = asyncio.get_running_loop()
    slow = ScriptedLine([0], lambda _: None)

    def begin(_slot_ms: int) -> None:
        loop.call_later(0.3, lambda: slow.finish(Round([take(clock.now_ms(), [0], [7.0])])))

    slow._answer = begin
    async with bench(tmp_path, grid, clock, [slow, reads(1)], POINTS) as made:
        entries = await made.run()
        await asyncio.sleep(0.15)
    slots = [entry for entry in entries if isinstance(entry, SlotEntry)]
    assert len(slots) == len(entries) == 4
    assert [[each.points for each in entry.takes if each.points == (1,)] for entry in slots] == [
        [(1,)]
    ] * 4
    busy = [any(miss.reason == "line_busy" for miss in entry.misses) for entry in slots]
    late = [any(each.points == (0,) for each in entry.takes) for entry in slots]
    assert busy == [True, False, True, False]
    assert late == [False, True, False, True]
    for entry in slots:
        assert all(entry.slot_ms <= each.t_ms < entry.slot_ms + 200 for each in entry.takes)


async def test_a_reply_stamped_in_the_next_slot_leaves_a_gap_in_its_own(tmp_path: Path) -> None:
    """The process was held up while the answer lay in its socket."""
    clock = ScriptedClock([60_000, 120_000])
    held_up = ScriptedLine([0], lambda slot_ms: Round([take(slot_ms + 60_005, [0], [1.0])]))
    async with bench(tmp_path, GRID, clock, [held_up, reads(1)], POINTS) as made:
        entries = await made.run()
    assert [entry.misses for entry in entries if isinstance(entry, SlotEntry)] == [
        (Miss((0,), "overrun"),)
    ] * 2


@pytest.mark.parametrize("limit", [Limits(300, 0), Limits(1 << 30, 1 << 60)])
async def test_a_full_spool_drops_nothing_and_says_so(tmp_path: Path, limit: Limits) -> None:
    """No reading is asked for that could not be kept; the gap grows in place, in one entry."""
    clock, line = ScriptedClock(range(60_000, 6_060_000, 60_000)), reads(0)
    async with bench(tmp_path, GRID, clock, [line, fails(1)], POINTS, limits=limit) as made:
        entries = await made.run()
        durable_ms = made.spool.durable_ms
        used = made.spool.bytes_used
        found = made.spool.oldest(1000)
        assert found is not None
        assert used == sum(len(body) for _, body in found.entries)
    kept = [entry for entry in entries if isinstance(entry, SlotEntry)]
    gap = entries[-1]
    assert isinstance(gap, GapEntry)
    assert (gap.to_ms, gap.reason) == (6_060_000, "spool_full")
    assert len(entries) == len(kept) + 1
    assert gap.from_ms == 60_000 * (len(kept) + 1)
    assert line.rounds == len(kept)
    assert durable_ms == 6_000_000
    assert clock.told[-1] == (6_000_000, 0, 2)


async def test_too_old_a_spool_is_full(tmp_path: Path) -> None:
    clock = ScriptedClock([60_000, 120_000])
    async with bench(tmp_path, GRID, clock, [reads(0)], POINTS[:1]) as made:
        await made.run()
        room = Room(made.spool, tmp_path, Limits(1 << 30, 0, age_s_max=300))
        assert not room.look(60_000 + 300_000)
        assert room.oldest_ms == 60_000
        assert room.look(60_000 + 300_001)


async def test_keep_newest_turns_the_oldest_into_a_gap(tmp_path: Path) -> None:
    """However long: each slot is held or told as dropped, and the newest are held."""
    slots = range(60_000, 60_000 * 301, 60_000)
    limits = Limits(4000, 0, policy="keep_newest")
    lines = [reads(0), fails(1)]
    async with bench(tmp_path, GRID, ScriptedClock(slots), lines, POINTS, limits=limits) as made:
        entries = await made.run()
        assert made.spool.bytes_used <= 4000 + 200
        assert made.spool.durable_ms == slots[-1]
    held = [entry.slot_ms for entry in entries if isinstance(entry, SlotEntry)]
    dropped = {
        (point, slot)
        for entry in entries if isinstance(entry, GapEntry)
        for each in entry.cadences
        for point in each.points or (0, 1)
        for slot in each.slots(entry.from_ms, entry.to_ms)
        if entry.reason == "spool_dropped"
    }  # fmt: skip
    assert held == list(slots)[-len(held) :]
    assert len(held) > 10
    assert dropped == {(0, slot) for slot in slots if slot < held[0]}
    assert made.counters.dropped == len(dropped)


async def test_a_sink_returns_when_it_is_durable(tmp_path: Path) -> None:
    async with bench(tmp_path, GRID, ScriptedClock([]), [], POINTS) as made:
        sink = SpoolSink(made.writer, made.room, made.counters)
        await asyncio.gather(
            *[sink.commit([take(t, [0], [float(t)])]) for t in range(100)],
            sink.commit([], [Event(1, "frame", {"raw": "##0000"})]),
        )
        assert made.writer.commits <= 3  # the first, and all that came meanwhile
        entries = made.entries()
    arrivals = [entry for entry in entries if isinstance(entry, ArrivalEntry)]
    assert [each.t_ms for entry in arrivals for each in entry.takes] == list(range(100))
    assert made.counters.arrived == 100


async def test_a_full_spool_refuses_what_is_sent(tmp_path: Path) -> None:
    limits = Limits(1, 0)
    async with bench(tmp_path, GRID, ScriptedClock([]), [], POINTS, limits=limits) as made:
        sink = SpoolSink(made.writer, made.room, made.counters)
        await sink.commit([take(1, [0], [1.0])])
        with pytest.raises(SpoolFull):
            await sink.commit([take(2, [0], [1.0])])
        assert len(made.entries()) == 1


def test_what_a_batch_cannot_carry_is_split() -> None:
    month_ms = 30 * 86_400_000
    takes = [take(t, [0], [1.0]) for t in (5 * month_ms, 0, 1, month_ms, 2 * month_ms)]
    parts = [[each.t_ms for each in part] for part in split(takes)]
    assert parts == [[0, 1, month_ms], [2 * month_ms], [5 * month_ms]]


async def test_a_new_set_of_points_between_two_slots(tmp_path: Path) -> None:
    clock = ScriptedClock([60_000, 120_000])
    async with bench(tmp_path, GRID, clock, [reads(0), fails(1)], POINTS) as made:
        slots = made.acquisition

        async def go_over() -> None:
            async with slots.turn:
                await slots.use([reads(0, 2.5)], POINTS[1:])

        inner = clock.next_slot

        async def next_slot() -> int | None:
            slot_ms = await inner()
            if slot_ms == 120_000:
                await go_over()
            return slot_ms

        clock.next_slot = next_slot  # type: ignore[method-assign]
        await made.run()
        old = made.spool.oldest(10)
        assert old is not None
        assert (old.points, len(old.entries)) == (POINTS, 2)  # the slot, and what was left to tell
        assert made.spool.unsealed == 3
    assert clock.told == [(60_000, 1, 1), (120_000, 1, 0)]


def test_arrivals_move_no_slot() -> None:
    assert ArrivalEntry((take(7, [0], [1.0]),)).last_ms == 0
