"""Counters: totals over gaps, boundaries, running backwards."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.plants import (
    END_MS,
    ENERGY,
    START_MS,
    Run,
    hours_from_start,
    record,
    series,
    without,
)
from tanzheng.analytics.counters import counter_month, hourly_differences
from tanzheng.analytics.errors import CounterBoundaryMissing
from tanzheng.analytics.ledger import mend
from tanzheng.analytics.series import Series
from tanzheng.core.calendar import HOUR_MS

MINUTE = 60_000


def month_of(readings: Series) -> Decimal:
    return counter_month(ENERGY, readings, START_MS, END_MS).total


MONTH_OF_ENERGY = record([Run(START_MS, END_MS)])[ENERGY]


def energy() -> Series:
    return MONTH_OF_ENERGY


def test_total_is_closing_less_opening() -> None:
    assert month_of(energy()) == 240_000 * 672


@settings(deadline=None)
@given(st.integers(1, 600), st.integers(1, 70))
def test_a_gap_inside_the_month_changes_nothing(begin: int, hours: int) -> None:
    holed = without(energy(), hours_from_start(begin), hours_from_start(begin + hours))
    assert month_of(holed) == 240_000 * 672


def test_float_noise_does_not_reach_the_total() -> None:
    """0.3 − 0.1 is 0.19999999999999998 in float64."""
    readings = series(np.array([START_MS, END_MS]), np.array([0.1, 0.3]))
    assert month_of(readings) == Decimal("0.2")


@pytest.mark.parametrize("minutes", [1, 60])
def test_the_nearest_reading_stands_in_at_a_boundary(minutes: int) -> None:
    readings = without(energy(), START_MS, START_MS + minutes * MINUTE)
    counter = counter_month(ENERGY, readings, START_MS, END_MS)
    assert not counter.opening.exact
    assert counter.closing.exact
    assert counter.total == 240_000 * 672 - 4_000 * minutes


def test_a_boundary_without_a_reading_is_refused() -> None:
    readings = without(energy(), END_MS - 61 * MINUTE + 1, END_MS + 1)
    with pytest.raises(CounterBoundaryMissing, match="within 60 minutes of 2018-02-28T16:00:00"):
        counter_month(ENERGY, readings, START_MS, END_MS)
    with pytest.raises(CounterBoundaryMissing, match="none in the month"):
        counter_month(ENERGY, without(readings, 0, END_MS + 1), START_MS, END_MS)


def test_an_invalid_boundary_reading_does_not_count() -> None:
    readings = energy()
    quality = readings.quality.copy()
    quality[0] = 5
    counter = counter_month(
        ENERGY, Series(readings.t_ms, readings.value, quality), START_MS, END_MS
    )
    assert counter.opening.t_ms == START_MS + MINUTE


def test_running_backwards_is_reported_with_its_instant() -> None:
    readings = energy()
    value = readings.value.copy()
    value[1000:] -= 500_000
    counter = counter_month(
        ENERGY, Series(readings.t_ms, value, readings.quality), START_MS, END_MS
    )
    assert counter.decreases_ms == (int(readings.t_ms[1000]),)


def test_hourly_differences_need_both_ends() -> None:
    starts = list(range(START_MS, END_MS, HOUR_MS))
    holed = without(energy(), hours_from_start(5), hours_from_start(5) + MINUTE)
    differences = hourly_differences(mend(holed, ()), starts)
    assert differences[3:7] == [Decimal(240_000), None, None, Decimal(240_000)]
    assert differences[-1] == Decimal(240_000)
    assert hourly_differences(mend(holed.between(0, 1), ()), starts) == [None] * 672
