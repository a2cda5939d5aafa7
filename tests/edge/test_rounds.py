"""What each slot gets of the lines' rounds: forgotten points, sources, lines that are closed."""

import asyncio
from pathlib import Path

from edge.scripted import ScriptedClock, ScriptedLine, bench, reads, take
from tanzheng.edge.abc import Miss, Round
from tanzheng.edge.sources import SpoolSink
from tanzheng.edge.spool.records import ArrivalEntry, SlotEntry
from tanzheng.edge.timekeeping.scheduler import Grid

GRID = Grid(60_000)
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

    class Quiet(ScriptedLine):
        async def run(self, _sink: SpoolSink) -> None:
            await asyncio.Event().wait()

    quiet = Quiet([2], lambda _t: Round())
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
