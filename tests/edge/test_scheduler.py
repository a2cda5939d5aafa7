"""The grid: slots are instants of the month, none is taken twice, none is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.errors import BadInput
from tanzheng.edge.backoff import Backoff
from tanzheng.edge.timekeeping.scheduler import Grid

INTERVALS = st.sampled_from([1_000, 10_000, 60_000, 300_000, 900_000, 3_600_000])
INSTANTS = st.integers(1_500_000_000_000, 1_600_000_000_000)


@given(INTERVALS, INSTANTS, st.lists(st.integers(-7_200_000, 7_200_000), max_size=20))
def test_slots_and_missed_ranges_tile_time(
    interval_ms: int, start_ms: int, steps: list[int]
) -> None:
    """However the clock jumps, slots and missed ranges together are every grid instant once."""
    grid = Grid(interval_ms)
    first = last = grid.at_or_before(start_ms)
    now_ms, covered = start_ms, []
    for step in steps:
        now_ms += step
        slot = grid.due(last, now_ms)
        assert slot > last
        if slot > now_ms:
            continue  # not begun: nothing is read ahead of time
        missed = grid.missed(last, slot)
        covered += list(range(*missed, interval_ms)) if missed else []
        covered.append(slot)
        last = slot
    assert covered == list(range(first + interval_ms, last + 1, interval_ms))


@given(INTERVALS, INSTANTS, st.data())
def test_the_phase_moves_every_slot(interval_ms: int, t_ms: int, data: st.DataObject) -> None:
    phase_ms = data.draw(st.integers(0, interval_ms - 1))
    slot = Grid(interval_ms, phase_ms).at_or_before(t_ms)
    assert slot <= t_ms < slot + interval_ms
    assert slot % interval_ms == phase_ms


@pytest.mark.parametrize("interval_ms", [0, -1, 7_000, 7_200_000])
def test_intervals_that_do_not_divide_the_hour(interval_ms: int) -> None:
    with pytest.raises(BadInput, match="divides the hour"):
        Grid(interval_ms)


def test_back_off_grows_to_its_limit_and_forgets() -> None:
    backoff = Backoff(delay_s_max=8.0)
    delays = []
    for _ in range(7):
        backoff.failed(100.0)
        delays.append(backoff.next_try_s - 100.0)
    assert delays == [0, 1, 2, 4, 8, 8, 8]
    assert not backoff.ready(107.9)
    assert backoff.ready(108.0)
    backoff.succeeded()
    backoff.failed(200.0)
    assert backoff.ready(200.0)
