"""Clock hours: coverage, method codes, mass, substitution."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import pytest

from analytics.plants import (
    CEMS_POINTS,
    CO2,
    END_MS,
    FLOW,
    MOISTURE,
    MONTH,
    PLANT,
    RUN,
    START_MS,
    TEMPERATURE,
    Run,
    hours_from_start,
    record,
    without,
)
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.hours import Hour, Method
from tanzheng.analytics.month import compute
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import Series

MINUTE = 60_000
ALL = Run(START_MS, END_MS)


def result_of(series: Mapping[str, Series]) -> MonthResult:
    return compute(PLANT, "G1", MONTH, series, (), load_pack(), load_rules())


def hours_of(series: Mapping[str, Series]) -> tuple[Hour, ...]:
    return result_of(series).hours


def with_quality(readings: Series, from_ms: int, to_ms: int, code: int) -> Series:
    quality = readings.quality.copy()
    quality[(readings.t_ms >= from_ms) & (readings.t_ms < to_ms)] = code
    return Series(readings.t_ms, readings.value, quality)


def test_a_full_hour_is_measured() -> None:
    hour = hours_of(record([ALL]))[5]
    assert hour.method is Method.MEASURED
    assert hour.coverage_percent == Decimal("100.00")
    assert hour.rate_t_per_h == hour.co2_t == Decimal("100.000000")
    assert hour.generation_mwh == Decimal("240.000000")
    assert hour.fuel_gas_1e4nm3 == Decimal("4.500000")


def test_mass_is_mean_rate_times_operating_time() -> None:
    hour = hours_of(record([Run(hours_from_start(10.5), hours_from_start(20))]))[10]
    # 30 minutes and half of the minute before the start
    assert hour.operating_half_ms == 2 * 30.5 * MINUTE
    assert hour.co2_t == Decimal("50.833333")
    assert hour.generation_mwh == Decimal("120.000000")


def test_a_standing_hour_has_no_mass() -> None:
    hour = hours_of(record([Run(hours_from_start(10), hours_from_start(20))]))[30]
    assert (hour.method, hour.co2_t, hour.coverage_percent) == (
        Method.NOT_OPERATING,
        Decimal("0.000000"),
        None,
    )


@pytest.mark.parametrize(
    ("minutes", "method"), [(15, Method.MEASURED), (16, Method.SUBSTITUTED_180)]
)
@pytest.mark.parametrize("point", CEMS_POINTS)
def test_75_percent_of_the_operating_minutes_are_enough(
    point: str, minutes: int, method: Method
) -> None:
    series = record([ALL])
    begin = hours_from_start(200)
    series[point] = without(series[point], begin, begin + minutes * MINUTE)
    hour = hours_of(series)[200]
    assert hour.method is method
    assert hour.valid_half_ms == 2 * (60 - minutes) * MINUTE
    assert hour.co2_t == Decimal("100.000000")


def test_invalid_quality_counts_like_no_reading() -> None:
    series = record([ALL])
    begin = hours_from_start(200)
    series[FLOW] = with_quality(series[FLOW], begin, begin + 16 * MINUTE, 4)
    assert hours_of(series)[200].method is Method.SUBSTITUTED_180
    series[FLOW] = with_quality(series[FLOW], begin, begin + 16 * MINUTE, 1)
    assert hours_of(series)[200].method is Method.MEASURED


def test_coverage_counts_operating_minutes_only() -> None:
    """CEMS silent while the unit stands takes nothing from the hour."""
    series = record([Run(hours_from_start(10.5), hours_from_start(20))])
    begin = hours_from_start(10)
    for point in CEMS_POINTS:
        series[point] = without(series[point], begin, begin + 29 * MINUTE)
    assert hours_of(series)[10].coverage_percent == Decimal("100.00")


def test_an_outage_of_ten_minutes_leaves_the_hour_measured() -> None:
    """All points silent: the operating time is interpolated, but not valid."""
    begin = hours_from_start(100) + 20 * MINUTE
    series = {p: without(s, begin, begin + 10 * MINUTE) for p, s in record([ALL]).items()}
    hour = hours_of(series)[100]
    assert hour.operating_half_ms == 2 * 60 * MINUTE
    assert hour.valid_half_ms == 2 * 49 * MINUTE  # the interval into the gap is unknown too
    assert hour.method is Method.MEASURED
    assert hour.co2_t == Decimal("100.000000")
    assert hour.generation_mwh == Decimal("240.000000")


def test_an_hour_without_data_is_substituted_by_the_maximum_of_180_valid_hours() -> None:
    runs = [
        Run(START_MS, hours_from_start(10), co2_t_per_h=500.0),
        Run(hours_from_start(10), hours_from_start(100), co2_t_per_h=110.0),
        Run(hours_from_start(100), END_MS, co2_t_per_h=100.0),
    ]
    series = record(runs)
    for hole in (150, 195):
        begin = hours_from_start(hole)
        series = {p: without(s, begin, hours_from_start(hole + 1)) for p, s in series.items()}
    hours = hours_of(series)
    assert hours[150].rate_t_per_h == Decimal("500.000000")
    assert hours[195].method is Method.SUBSTITUTED_180
    # hour 195: the last 180 valid hours begin at hour 14, after the 500 t/h
    assert hours[195].rate_t_per_h == Decimal("110.000000")
    assert hours[195].co2_t == Decimal("110.000000")


def test_a_hole_at_the_beginning_takes_the_first_valid_hours() -> None:
    series = record([ALL])
    for point in CEMS_POINTS:
        series[point] = without(series[point], START_MS, hours_from_start(2))
    hours = hours_of(series)
    assert [hour.method for hour in hours[:3]] == [
        Method.SUBSTITUTED_180,
        Method.SUBSTITUTED_180,
        Method.MEASURED,
    ]


def test_without_any_valid_hour_the_mass_is_missing_not_zero() -> None:
    series = record([ALL])
    series[CO2] = without(series[CO2], START_MS, END_MS + 1)
    result = result_of(series)
    assert {hour.method for hour in result.hours} == {Method.MISSING}
    assert "co2_cems_t" not in result.values()
    assert "hours_missing" in {finding.code for finding in result.findings}
    assert result.values()["co2_calculated_t"] > 0


def test_a_silent_stretch_between_two_stops_is_assumed_standing() -> None:
    series = record([Run(hours_from_start(10), hours_from_start(20))])
    series[RUN] = without(series[RUN], hours_from_start(40), hours_from_start(50))
    hours = hours_of(series)
    assert hours[45].method is Method.ASSUMED_STANDING
    assert hours[39].method is Method.NOT_OPERATING


@pytest.mark.parametrize(
    ("point", "value"), [(MOISTURE, 100.0), (TEMPERATURE, -273.0), (CO2, 101.0), (FLOW, -1.0)]
)
def test_values_outside_physics_are_not_valid(point: str, value: float) -> None:
    series = record([ALL])
    wrong = series[point].value.copy()
    wrong[
        (series[point].t_ms >= hours_from_start(7)) & (series[point].t_ms < hours_from_start(8))
    ] = value
    series[point] = Series(series[point].t_ms, wrong, series[point].quality)
    assert hours_of(series)[7].method is Method.SUBSTITUTED_180


def test_huge_values_neither_overflow_nor_count() -> None:
    series = record([ALL])
    for point in (*CEMS_POINTS, RUN):
        wrong = series[point].value.copy()
        wrong[500:900] = 1.7e308
        series[point] = Series(series[point].t_ms, wrong, series[point].quality)
    hours = hours_of(series)
    assert hours[10].method is Method.SUBSTITUTED_180
    assert np.isfinite(float(sum(hour.co2_t or 0 for hour in hours)))
