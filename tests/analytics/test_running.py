"""Operating time from run-state samples: the error bound, gaps, hours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.plants import END_MS, START_MS, Run, hours_from_start, series
from tanzheng.analytics.errors import NothingRecorded
from tanzheng.analytics.running import run_samples, segments, transitions
from tanzheng.analytics.series import Series
from tanzheng.core.calendar import HOUR_MS

MINUTE = 60_000


def operating_ms(samples: Series, interval_ms: int = MINUTE) -> int:
    cut = segments(samples, START_MS, END_MS, interval_ms)
    return int(cut.half_ms.sum()) // 2


def samples_of(run: Run | None = None, interval_ms: int = MINUTE) -> Series:
    t_ms = np.arange(START_MS, END_MS + 1, interval_ms)
    on = (t_ms >= run.from_ms) & ((t_ms < run.to_ms) | (run.to_ms == END_MS)) if run else t_ms < 0
    return run_samples(series(t_ms, on.astype(float)), START_MS, END_MS)


def test_whole_month_is_exact() -> None:
    assert operating_ms(samples_of(Run(START_MS, END_MS))) == END_MS - START_MS


def test_a_unit_that_stands_has_no_operating_time() -> None:
    assert operating_ms(samples_of()) == 0


@settings(deadline=None)
@given(
    st.integers(1, 600 * HOUR_MS),
    st.integers(1, 60 * HOUR_MS),
    st.sampled_from([15_000, MINUTE, 300_000]),
)
def test_each_start_and_stop_costs_at_most_half_an_interval(
    begin: int, length: int, interval_ms: int
) -> None:
    samples = samples_of(Run(START_MS + begin, START_MS + begin + length), interval_ms=interval_ms)
    error = operating_ms(samples, interval_ms) - length
    if transitions(samples):
        assert abs(error) <= 2 * interval_ms // 2
    else:  # a run between two samples is not seen
        assert error == -length > -interval_ms


def test_hours_sum_to_the_month_and_hold_their_own_part() -> None:
    samples = samples_of(Run(hours_from_start(10.5), hours_from_start(12.25)))
    cut = segments(samples, START_MS, END_MS, MINUTE)
    by_hour = cut.by_hour(cut.half_ms) // 2 // 1000
    assert by_hour[9:14].tolist() == [0, 1830, 3600, 870, 0]


@pytest.mark.parametrize(
    ("before", "after", "expected"), [(1, 1, 600), (0, 0, 0), (0, 1, 300), (1, 0, 300)]
)
def test_a_gap_takes_the_state_of_its_sides_and_is_not_measured(
    before: int, after: int, expected: int
) -> None:
    t_ms = np.array([START_MS, START_MS + 10 * MINUTE, END_MS])
    samples = series(t_ms, np.array([before, after, after], float))
    cut = segments(samples, START_MS, END_MS, MINUTE)
    first = cut.half_ms[0] // 2 // 1000
    assert first == expected
    assert not cut.measured.any()


def test_the_ends_of_the_month_hold_the_nearest_state() -> None:
    t_ms = np.array([START_MS + 5 * MINUTE, START_MS + 6 * MINUTE])
    cut = segments(series(t_ms, np.ones(2)), START_MS, END_MS, MINUTE)
    assert int(cut.half_ms.sum()) == 2 * (END_MS - START_MS)
    assert cut.measured.tolist().count(True) == 1


def test_values_that_are_no_state_and_invalid_samples_are_left_out() -> None:
    t_ms = np.array([START_MS, START_MS + MINUTE, START_MS + 2 * MINUTE])
    readings = Series(t_ms, np.array([1.0, 0.5, 1.0]), np.array([0, 0, 5], np.uint8))
    assert run_samples(readings, START_MS, END_MS).t_ms.tolist() == [START_MS]


def test_no_state_at_all_is_named() -> None:
    empty = series(np.empty(0, np.int64), np.empty(0))
    with pytest.raises(NothingRecorded, match="run state"):
        run_samples(empty, START_MS, END_MS)
