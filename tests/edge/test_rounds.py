"""What each slot gets of the lines' rounds: forgotten points, sources, lines that are closed."""

from pathlib import Path

from edge.scripted import ScriptedClock, ScriptedLine, ScriptedSource, bench, reads, take
from tanzheng.edge.abc import Miss, Round
from tanzheng.edge.spool.records import ArrivalEntry, Cadence, GapEntry, SlotEntry
from tanzheng.edge.timekeeping.scheduler import Grid

GRID = Grid(60_000)
TEN = range(60_000, 660_000, 60_000)
POINTS = ("m/active_power_kw", "g/gas_flow_nm3_per_h")


async def test_points_that_a_driver_forgets_are_told(tmp_path: Path) -> None:
    """Each due point of each slot has an outcome, whatever a driver does."""
    forgetful = ScriptedLine([0, 1], lambda t: Round([take(t, [1], [2.0])]))
    async with bench(tmp_path, GRID, ScriptedClock([60_000]), [forgetful], POINTS) as made:
        (entry,) = await made.run()
    assert isinstance(entry, SlotEntry)
    assert entry.misses == (Miss((0,), "driver_error"),)


async def test_what_sends_by_itself_owes_no_slot(tmp_path: Path) -> None:
    """A logger that is heard once a minute is no driver's fault in the seconds between; a polled
    point that is forgotten beside it is."""

    quiet = ScriptedSource([2], 60_000)
    forgetful = ScriptedLine([0, 1], lambda t: Round([take(t, [1], [2.0])]))
    async with bench(tmp_path, GRID, ScriptedClock([60_000]), [quiet, reads(0)], POINTS) as made:
        (entry,) = await made.run()
    assert isinstance(entry, SlotEntry)
    assert entry.misses == ()
    points, lines = (*POINTS, "l/so2_mg_per_m3"), [quiet, forgetful]
    async with bench(tmp_path / "b", GRID, ScriptedClock([60_000]), lines, points) as made:
        (entry,) = await made.run()
    assert isinstance(entry, SlotEntry)
    assert entry.misses == (Miss((0,), "driver_error"),)


async def test_what_a_round_had_read_when_the_agent_ended_is_kept(tmp_path: Path) -> None:
    class Slow(ScriptedLine):
        def close(self) -> None:
            self.finish(Round([take(60_400, [1], [2.0])]))

    slow = Slow([1], lambda _: None)
    clock = ScriptedClock([60_000], waits=False)
    async with bench(tmp_path, GRID, clock, [reads(0), slow], POINTS) as made:
        made.acquisition.rounds.begin(60_000)
        await made.acquisition.close()
        assert made.entries() == (
            ArrivalEntry((take(60_000, [0], [1.5]), take(60_400, [1], [2.0])), ()),
        )


async def test_what_nobody_could_judge_any_more_is_a_gap_after_a_restart(tmp_path: Path) -> None:
    """The newest slots of a source are judged late; whoever should have done it was killed."""
    source = ScriptedSource([1], 120_000)
    async with bench(tmp_path, GRID, ScriptedClock(TEN), [reads(0), source], POINTS) as made:
        assert not [e for e in await made.run() if isinstance(e, GapEntry)], "never ran before"
    clock = ScriptedClock([660_000, 720_000])
    async with bench(tmp_path, GRID, clock, [reads(0), source], POINTS) as made:
        gaps = [entry for entry in await made.run() if isinstance(entry, GapEntry)]
    assert gaps == [GapEntry(540_000, 660_000, "agent_down", (Cadence((1,), 120_000),))]


async def test_the_gap_of_the_agents_absence_is_not_that_of_the_sources(tmp_path: Path) -> None:
    source = ScriptedSource([1], 60_000)
    for slots in (TEN, [780_000]):
        lines = [reads(0), source]
        async with bench(tmp_path, GRID, ScriptedClock(slots), lines, POINTS) as made:
            entries = await made.run()
    assert [entry for entry in entries if isinstance(entry, GapEntry)] == [
        GapEntry(600_000, 660_000, "agent_down", (Cadence((1,), 60_000),)),
        GapEntry(660_000, 780_000, "agent_down", (Cadence(None, 60_000),)),
    ]


async def test_a_source_is_settled_before_its_line_is_replaced(tmp_path: Path) -> None:
    source = ScriptedSource([1], 60_000, windows=3)
    async with bench(tmp_path, GRID, ScriptedClock(TEN), [reads(0), source], POINTS) as made:
        await made.run()
        await made.acquisition.use([reads(0)], POINTS[:1])
        *_, gap, _ = made.entries()
    assert gap == GapEntry(480_000, 660_000, "not_received", (Cadence((1,), 60_000),))


async def test_cadences_are_found_wherever_their_slots_lie(tmp_path: Path) -> None:
    """A device of a half-hour zone: its hours begin at thirty past, by the world's clock."""

    class Shifted(ScriptedLine):
        def due(self, slot_ms: int) -> tuple[int, ...]:
            return self._points if slot_ms % 3_600_000 == 1_800_000 else ()

    lines = [reads(0), Shifted([1], lambda _: Round())]
    async with bench(tmp_path, GRID, ScriptedClock([]), lines, POINTS) as made:
        found = made.acquisition.rounds.cadences(2, 60_000, 0)
    assert found == (Cadence((0,), 60_000), Cadence((1,), 3_600_000, 1_800_000))
