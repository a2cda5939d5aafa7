"""Late data: the hours it touches are computed again, equal to a full computation, and no other."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.plants import (
    CEMS_POINTS,
    CO2,
    END_MS,
    ENERGY,
    FLOW,
    MONTH,
    PLANT,
    POWER,
    RUN,
    START_MS,
    VOLUME,
    Run,
    hours_from_start,
    record,
    without,
)
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.hours import Hour, Method
from tanzheng.analytics.inputs import MonthInputs
from tanzheng.analytics.series import Series, merged
from tanzheng.analytics.steps import CounterStep
from tanzheng.analytics.unit_hours import month_hours, recompute, touched
from tanzheng.core import canonical_json
from tanzheng.core.calendar import HOUR_MS

PACK = load_pack()
MINUTE = 60_000
STEP_MS = 15 * MINUTE
"""A quarter of an hour between readings: the rules are the same and the month is quick."""
NOTHING: Mapping[str, int] = {}
WHOLE = record(
    [
        Run(START_MS, hours_from_start(200), co2_t_per_h=110.0),
        Run(hours_from_start(230.5), hours_from_start(400), co2_t_per_h=90.0),
        Run(hours_from_start(401), END_MS),
    ],
    STEP_MS,
)


def inputs(
    series: Mapping[str, Series],
    steps: Sequence[CounterStep] = (),
    faster: Mapping[str, int] = NOTHING,
) -> MonthInputs:
    made = MonthInputs.of(PLANT, "G1", MONTH, series, (), steps)
    slow = dict.fromkeys(made.intervals_ms, STEP_MS) | dict(faster)
    return MonthInputs(
        made.unit, made.zone, made.month, made.start_ms, made.end_ms,
        made.points, slow, made.series, made.gaps, made.steps,
    )  # fmt: skip


def holed(holes: Sequence[tuple[str, int, int]]) -> dict[str, Series]:
    """The month without these readings: point, first slot, how many."""
    series = dict(WHOLE)
    for point, slot, length in holes:
        begin = START_MS + slot * STEP_MS
        series[point] = without(series[point], begin, begin + length * STEP_MS)
    return series


def as_bytes(hours: Sequence[Hour]) -> list[bytes]:
    return [canonical_json.dumps(hour.to_json()) for hour in hours]


def late(before: MonthInputs, now: MonthInputs) -> tuple[set[int], list[int]]:
    """Checks the promise; gives the touched hours and those that came out different, by number."""
    old, full = month_hours(before, PACK), month_hours(now, PACK)
    starts = touched(before, now, old, PACK)
    assert as_bytes(recompute(before, now, old, PACK)) == as_bytes(full)
    differing = [
        number
        for number, (was, shall) in enumerate(zip(as_bytes(old), as_bytes(full), strict=True))
        if was != shall
    ]
    numbers = {(start - START_MS) // HOUR_MS for start in starts}
    assert numbers >= set(differing)
    return numbers, differing


USED = [ENERGY, VOLUME, RUN, *CEMS_POINTS]
HOLES = st.lists(
    st.tuples(st.sampled_from(USED), st.integers(1, 2550), st.integers(1, 130)), max_size=5
)
NARROW = st.lists(
    st.tuples(st.sampled_from(USED), st.integers(1, 2680), st.integers(1, 8)), max_size=4
)


@settings(deadline=None, max_examples=25)
@given(HOLES, NARROW)
def test_late_data_gives_the_bytes_of_a_full_computation(
    lost: list[tuple[str, int, int]], coming: list[tuple[str, int, int]]
) -> None:
    late(inputs(holed([*lost, *coming])), inputs(holed(lost)))


@settings(deadline=None, max_examples=12)
@given(HOLES, NARROW)
def test_readings_that_are_taken_back_do_as_well(
    lost: list[tuple[str, int, int]], revoked: list[tuple[str, int, int]]
) -> None:
    late(inputs(holed(lost)), inputs(holed([*lost, *revoked])))


def test_nothing_late_touches_nothing() -> None:
    assert late(inputs(WHOLE), inputs(WHOLE)) == (set(), [])


@pytest.mark.parametrize(
    ("point", "slot", "numbers"),
    [
        (CO2, 41, {10}),  # 10:15, held until 10:30
        (FLOW, 40, {9, 10}),  # 10:00: the sample there has a say in the quarter before as well
        (RUN, 41, {10}),
        (RUN, 40, {9, 10}),
        (ENERGY, 41, set()),  # a counter counts at the ends of hours
        (ENERGY, 40, {9, 10}),
        (POWER, 41, set()),  # no part of an hour
    ],
)
def test_one_late_reading_touches_the_hours_it_reaches(
    point: str, slot: int, numbers: set[int]
) -> None:
    assert late(inputs(holed([(point, slot, 1)])), inputs(WHOLE))[0] == numbers


def test_a_late_reading_is_held_by_every_sample_of_its_interval() -> None:
    """Run state each five minutes, CO2 each fifteen: the one of 10:50 holds until 11:05."""
    run = record([Run(START_MS, END_MS)], 5 * MINUTE)[RUN]
    co2 = without(WHOLE[CO2], hours_from_start(10.7), hours_from_start(11.2))
    at = hours_from_start(10) + 50 * MINUTE
    late_co2 = merged(
        np.append(co2.t_ms, at), np.append(co2.value, 4.0), np.append(co2.quality, np.uint8(0))
    )
    series = {**WHOLE, RUN: run, CO2: co2}
    faster = {RUN: 5 * MINUTE}
    before, now = inputs(series, (), faster), inputs({**series, CO2: late_co2}, (), faster)
    assert late(before, now) == ({10, 11}, [10, 11])


def test_a_gap_that_closes_touches_every_substituted_hour_of_the_quarter() -> None:
    """The capture rate changes, and with it what each of them says."""
    rest = (CO2, 50 * 4, 8)
    numbers, differing = late(inputs(holed([rest, (CO2, 300 * 4, 8)])), inputs(holed([rest])))
    assert numbers == {50, 51, 299, 300, 301}
    assert differing == [50, 51, 300, 301]


def test_another_rate_touches_the_substitutes_that_look_at_it() -> None:
    """Hour 10 becomes 500 t/h: the failure at hour 150 looks at it, the one at hour 380 does not
    (180 valid hours back from there begin at hour 169)."""
    series = holed([(CO2, 150 * 4, 4), (CO2, 380 * 4, 4)])
    flow = series[FLOW]
    value = flow.value.copy()
    hour = (flow.t_ms >= hours_from_start(10)) & (flow.t_ms < hours_from_start(11))
    value[hour] *= 500 / 110
    changed = {**series, FLOW: Series(flow.t_ms, value, flow.quality)}
    numbers, differing = late(inputs(series), inputs(changed))
    assert numbers == {9, 10, 150}
    assert differing == [10, 150]
    assert month_hours(inputs(series), PACK)[380].method is Method.SUBSTITUTED_180


def test_a_late_swap_record_touches_the_hour_of_the_swap() -> None:
    energy = WHOLE[ENERGY]
    at = int(np.searchsorted(energy.t_ms, hours_from_start(100.25)))
    value = energy.value.copy()
    lift = value[at - 1] + 7.0
    value[at:] -= lift
    series = {**WHOLE, ENERGY: Series(energy.t_ms, value, energy.quality)}
    final = month_hours(inputs(WHOLE), PACK)[100].generation_mwh
    told = _swap(int(energy.t_ms[at]), float(lift), 0.0)
    numbers, differing = late(inputs(series), inputs(series, [told]))
    assert (numbers, differing) == ({100}, [100])
    assert month_hours(inputs(series, [told]), PACK)[100].generation_mwh == final


def _swap(t_ms: int, final: float, initial: float) -> CounterStep:
    ends = Decimal(repr(final)), Decimal(repr(initial))
    return CounterStep(ENERGY, t_ms, "meter_swap", *ends, ends[0] - ends[1])
