"""Time-weighted means of a gauge by hour: over clock time, over operating time."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanzheng.analytics.gauges import GAUGE_MAX, gauge_hours, weighted_sums
from tanzheng.analytics.running import Segments, segments
from tanzheng.analytics.series import Series

MINUTE = 60_000
HOUR = 60 * MINUTE


def readings(*rows: tuple[float, float]) -> Series:
    """(minute, value), all good."""
    t_ms = np.array([round(minute * MINUTE) for minute, _ in rows], dtype=np.int64)
    value = np.array([value for _, value in rows], dtype=np.float64)
    return Series(t_ms, value, np.zeros(len(rows), np.uint8))


def each(first: int, last: int, value: float, step: int = 10) -> list[tuple[float, float]]:
    return [(minute, value) for minute in range(first, last, step)]


def running(*rows: tuple[float, float]) -> Segments:
    return segments(readings(*rows), 0, 2 * HOUR, 10 * MINUTE)


def test_a_mean_over_clock_time_by_hand() -> None:
    """40 minutes at 10 and 20 at 40: (400 + 800) ÷ 60 = 20; the next hour holds 40."""
    series = readings(*each(0, 40, 10.0), *each(40, 120, 40.0))
    first, second = gauge_hours(series, 10 * MINUTE, 0, 2 * HOUR)
    assert (first.mean, first.coverage_percent) == (Decimal("20.000000"), Decimal("100.00"))
    assert second.mean == Decimal("40.000000")
    assert first.expected_half_ms == 2 * HOUR


def test_readings_off_the_grid_count_by_their_time() -> None:
    """1 for 17 s, then 2: (17 + 2 · 3583) ÷ 3600 = 1.995278."""
    hours = gauge_hours(readings((0, 1.0), (17 / 60, 2.0)), HOUR, 0, HOUR)
    assert hours[0].mean == Decimal("1.995278")


def test_a_reading_holds_for_one_interval() -> None:
    (hour,) = gauge_hours(readings((0, 5.0), (50, 7.0)), 10 * MINUTE, 0, HOUR)
    assert hour.mean == Decimal("6.000000")
    assert hour.coverage_percent == Decimal("33.33")


def test_a_reading_before_the_hour_reaches_into_it() -> None:
    hours = gauge_hours(readings((55, 5.0)), 10 * MINUTE, 0, 2 * HOUR)
    assert [hour.valid_half_ms for hour in hours] == [2 * 5 * MINUTE, 2 * 5 * MINUTE]
    before = gauge_hours(readings((55, 5.0)), 10 * MINUTE, HOUR, 2 * HOUR)
    assert before == hours[1:]


def test_over_operating_time_standing_minutes_weigh_nothing() -> None:
    """Runs from 0:30 on (the sample before stood at 0:20: the ten minutes between count half).

    Operating: 5 + 30 = 35 min. 100 until 0:40, then 130: (5 + 10) · 100 + 20 · 130 = 4100; ÷ 35.
    """
    cut = running(*each(0, 30, 0.0), *each(30, 130, 1.0))
    series = readings(*each(0, 40, 100.0), *each(40, 120, 130.0))
    first, _ = gauge_hours(series, 10 * MINUTE, 0, 2 * HOUR, cut)
    assert first.expected_half_ms == 2 * 35 * MINUTE
    assert first.mean == Decimal("117.142857")


def test_an_hour_that_stood_has_no_mean_and_no_coverage() -> None:
    cut = running(*each(0, 130, 0.0))
    hour = gauge_hours(readings(*each(0, 120, 1.0)), 10 * MINUTE, 0, 2 * HOUR, cut)[0]
    assert (hour.mean, hour.coverage_percent) == (None, None)


def test_bad_and_impossible_readings_are_not_valid() -> None:
    series = readings((0, 5.0), (10, 2 * GAUGE_MAX), (20, -3.0))
    quality = np.array([0, 0, 5], np.uint8)
    (hour,) = gauge_hours(Series(series.t_ms, series.value, quality), 10 * MINUTE, 0, HOUR)
    assert (hour.mean, hour.valid_half_ms) == (Decimal("5.000000"), 20 * MINUTE)
    assert gauge_hours(readings(), 10 * MINUTE, 0, HOUR)[0].mean is None


@given(
    st.lists(st.tuples(st.integers(-(10**18), 10**18), st.integers(0, 7_200_000)), min_size=1,
             max_size=744)
)  # fmt: skip
def test_sums_are_exact_to_the_bounds(rows: list[tuple[int, int]]) -> None:
    value, weight = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    assert weighted_sums(value, weight, np.array([0])) == [sum(v * w for v, w in rows)]


def test_a_whole_month_at_the_bounds_does_not_overflow() -> None:
    value, weight = np.full(744, -(10**18)), np.full(744, 7_200_000)
    assert weighted_sums(value, weight, np.array([0])) == [-(10**18) * 7_200_000 * 744]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 119), st.integers(-999, 999)),
        min_size=1,
        max_size=30,
        unique_by=lambda row: row[0],
    )
)
def test_the_mean_is_that_of_every_minute(rows: list[tuple[int, int]]) -> None:
    """Against a plain walk over minutes."""
    rows.sort()
    hours = gauge_hours(readings(*rows), 7 * MINUTE, 0, 2 * HOUR)
    for number, hour in enumerate(hours):
        held = []
        for minute in range(60 * number, 60 * number + 60):
            known = [(at, value) for at, value in rows if at <= minute]
            if known and minute - known[-1][0] < 7:
                held.append(known[-1][1])
        assert hour.valid_half_ms == 2 * MINUTE * len(held)
        mean = Fraction(sum(held), len(held)) if held else None
        assert (hour.mean is None) is (mean is None)
        if mean is not None:
            assert float(hour.mean or 0) == pytest.approx(float(mean), abs=1e-6)
