"""A whole month: hand-computed figures, completeness, determinism, speed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.chains import sign_chain
from analytics.plants import (
    END_MS,
    ENERGY,
    MONTH,
    PLANT,
    PLANT_TOML,
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
from tanzheng.analytics.errors import RoleMissing
from tanzheng.analytics.month import compute
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import PointGap, Series, from_batches
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant

PACK, RULES = load_pack(), load_rules()
MINUTE = 60_000
TWO_RUNS = [
    Run(START_MS, hours_from_start(300)),
    Run(hours_from_start(400.5), hours_from_start(420)),
]


def month_of(
    series: Mapping[str, Series], gaps: Sequence[PointGap] = (), plant: Plant = PLANT
) -> MonthResult:
    return compute(plant, "G1", MONTH, series, gaps, PACK, RULES)


def outcome(result: MonthResult, rule: str) -> str:
    return next(item.outcome for item in result.rule_results if item.id == rule)


def codes(result: MonthResult) -> set[str]:
    return {finding.code for finding in result.findings}


def test_the_moment_of_a_reply_within_its_slot_changes_no_figure() -> None:
    on_time = record(TWO_RUNS)
    chance = np.random.default_rng(7)
    late = {
        name: Series(each.t_ms + chance.integers(0, MINUTE, len(each)), each.value, each.quality)
        for name, each in on_time.items()
    }
    assert month_of(late).values() == month_of(on_time).values()
    assert month_of(late).findings == month_of(on_time).findings


def test_a_month_computed_by_hand() -> None:
    values = {name: str(value) for name, value in month_of(record(TWO_RUNS)).values().items()}
    assert values == {
        "rated_capacity_mw": "300.000",
        "generation_mwh": "76680.000",  # 240 MW × 319.5 h
        "heat_supplied_gj": "0.00",
        "operating_hours_h": "319.49",  # 300 + 19.5 h less half a minute: two stops, one start
        "load_factor_percent": "80.00",
        "fuel_gas_1e4nm3": "1437.75",  # 4.5 × 319.5
        "gas_ncv_gj_per_1e4nm3": "389.310",
        "gas_carbon_tc_per_gj": "0.01532",
        "gas_carbon_tc_per_1e4nm3": "5.9642",
        "oxidation_percent": "99",
        "co2_calculated_t": "31127.35",  # 1437.75 × 21.650046 = 31127.3536…
        "co2_intensity_t_per_mwh": "0.4059",
        "co2_cems_t": "31949.17",  # 100 t/h × 319.49166… h
        "coverage_percent": "100.00",
    }


def test_a_device_may_be_read_less_often_than_its_gateway_asks() -> None:
    """The stack sends each five minutes, the meters are read each minute: no slot is missing."""
    at = PLANT_TOML.index(b"[[device.point]]", PLANT_TOML.index(b'id = "cems"'))
    plant = Plant.parse(PLANT_TOML[:at] + b"interval_s = 300\n" + PLANT_TOML[at:])
    stack = {p.name for d in plant.devices if d.id == "cems" for p in d.points}
    series = {
        name: each.on_grid(5 * MINUTE, START_MS) if name in stack else each
        for name, each in record(TWO_RUNS).items()
    }
    result = month_of(series, plant=plant)
    assert result.slots.unexplained == {}
    assert set(month_of(series).slots.unexplained) == stack, "by the gateway's interval"
    mass, exact = result.values()["co2_cems_t"], Decimal("31949.17")
    assert abs(mass - exact) / exact < Decimal("0.001")


def test_a_month_standing_still() -> None:
    result = month_of(record([]))
    values = result.values()
    assert values["generation_mwh"] == values["co2_calculated_t"] == values["co2_cems_t"] == 0
    assert values["load_factor_percent"] == values["operating_hours_h"] == 0
    assert not {"co2_intensity_t_per_mwh", "coverage_percent"} & values.keys()
    assert outcome(result, "GAS-T03") == outcome(result, "GAS-T04") == "not_applicable"
    assert not [item for item in result.rule_results if item.blocks_deposit]


FULL = record([Run(START_MS, hours_from_start(333.3)), Run(hours_from_start(401.7), END_MS)])
HOLES = st.lists(
    st.tuples(st.sampled_from(sorted(FULL)), st.integers(1, 669 * 60), st.integers(1, 120)),
    max_size=12,
)


@settings(deadline=None, max_examples=25)
@given(HOLES)
def test_whatever_is_missing_inside_the_month(holes: list[tuple[str, int, int]]) -> None:
    """Counters keep their totals; no tonne is negative or lost; every slot is accounted for."""
    series, gaps = dict(FULL), []
    for point, minute, length in holes:
        begin, end = START_MS + minute * MINUTE, START_MS + (minute + length) * MINUTE
        series[point] = without(series[point], begin, end)
        gaps.append(PointGap(point, begin, end, MINUTE, "device_silent"))
    result, whole = month_of(series, gaps), month_of(FULL)
    for name in ("generation_mwh", "fuel_gas_1e4nm3", "co2_calculated_t"):
        assert result.values()[name] == whole.values()[name]
    assert not result.slots.unexplained
    assert result.slots.readings + result.slots.in_gaps == whole.slots.readings
    assert all(hour.co2_t is not None and hour.co2_t >= 0 for hour in result.hours)
    # rates are constant here, so only the operating time can differ: half of each unseen change
    lost = abs(result.values()["co2_cems_t"] - whole.values()["co2_cems_t"])
    assert lost <= 100 * sum(length for point, _, length in holes if point == RUN) / Decimal(60)


def test_every_slot_is_accounted_for() -> None:
    result = month_of(record(TWO_RUNS))
    assert result.slots.readings == 9 * (672 * 60 + 1)
    assert result.slots.in_gaps == 0
    assert not result.slots.unexplained
    assert codes(result) == set()


def test_gap_records_explain_missing_slots_and_nothing_else_does() -> None:
    begin, end = hours_from_start(10), hours_from_start(10) + 10 * MINUTE
    series = {point: without(readings, begin, end) for point, readings in record(TWO_RUNS).items()}
    gaps = [PointGap(point, begin, end, MINUTE, "agent_down") for point in series]
    result = month_of(series, gaps)
    assert (result.slots.in_gaps, dict(result.slots.unexplained)) == (90, {})
    assert codes(result) == {"gap_recorded"}
    assert len(result.findings) == 1
    assert result.findings[0].en == (
        "9 points have no reading for 10 min from 2018-02-01T10:00+08:00: agent_down"
    )
    assert outcome(result, "GAS-L06") == "passed"

    dropped = month_of(series, [gap for gap in gaps if gap.point != POWER])
    assert dict(dropped.slots.unexplained) == {POWER: 10}
    assert outcome(dropped, "GAS-L06") == "failed"
    assert "slots_unexplained" in codes(dropped)


def test_a_gap_does_not_touch_what_counters_give() -> None:
    begin = hours_from_start(10)
    series = {
        point: without(readings, begin, begin + 10 * MINUTE)
        for point, readings in record(TWO_RUNS).items()
    }
    assert month_of(series).values() == month_of(record(TWO_RUNS)).values() | {
        "coverage_percent": month_of(series).values()["coverage_percent"]
    }


def test_readings_outside_the_month_are_ignored() -> None:
    series = record(TWO_RUNS)
    wider = {
        point: Series(
            np.concatenate([[START_MS - 1], readings.t_ms, [END_MS + 1]]),
            np.concatenate([[9e9], readings.value, [9e9]]),
            np.concatenate([[0], readings.quality, [0]]).astype(np.uint8),
        )
        for point, readings in series.items()
    }
    before = PointGap(POWER, START_MS - 120_000, START_MS, MINUTE, "agent_down")
    foreign = PointGap("other/co2_dry_percent", START_MS, END_MS, MINUTE, "agent_down")
    assert month_of(wider, [before, foreign]) == month_of(series)


def test_rows_and_batches_lead_to_the_same_bytes() -> None:
    series = record(TWO_RUNS)
    gaps = [PointGap(POWER, START_MS + MINUTE, START_MS + 2 * MINUTE, MINUTE, "device_silent")]
    series[POWER] = without(series[POWER], START_MS + MINUTE, START_MS + 2 * MINUTE)
    recorded = from_batches(reversed([s.batch for s in sign_chain(series, gaps)]), PLANT)
    ours, theirs = month_of(series, gaps), month_of(recorded.series, recorded.gaps)
    assert ours == theirs
    assert ours.hours_json() == theirs.hours_json()


def test_a_counter_that_runs_backwards_blocks_the_month() -> None:
    series = record(TWO_RUNS)
    value = series[VOLUME].value.copy()
    value[5000:] -= 400_000
    series[VOLUME] = Series(series[VOLUME].t_ms, value, series[VOLUME].quality)
    result = month_of(series)
    assert "counter_decreased" in codes(result)
    assert outcome(result, "GAS-L03") == "failed"
    assert result.values()["fuel_gas_1e4nm3"] == Decimal("1397.75")


def test_an_open_boundary_is_a_finding() -> None:
    series = record(TWO_RUNS)
    series[ENERGY] = without(series[ENERGY], START_MS, START_MS + MINUTE)
    result = month_of(series)
    assert {"boundary_reading_nearest", "slots_unexplained"} == codes(result)
    assert result.values()["generation_mwh"] == Decimal("76676.000")


def test_power_and_counter_that_disagree_are_noticed() -> None:
    series = record(TWO_RUNS)
    power = series[POWER]
    series[POWER] = Series(power.t_ms, power.value * 1.02, power.quality)
    assert outcome(month_of(series), "GAS-L04") == "failed"
    assert outcome(month_of(record(TWO_RUNS)), "GAS-L04") == "passed"


def test_generation_while_standing_is_noticed() -> None:
    series = record(TWO_RUNS)
    value = series[ENERGY].value.copy()
    value[350 * 60 :] += 6_000
    series[ENERGY] = Series(series[ENERGY].t_ms, value, series[ENERGY].quality)
    assert outcome(month_of(series), "GAS-L05") == "failed"


def test_invalid_readings_are_counted() -> None:
    series = record(TWO_RUNS)
    quality = series[POWER].quality.copy()
    quality[:3] = 5
    series[POWER] = replace(series[POWER], quality=quality)
    assert codes(month_of(series)) == {"readings_not_valid"}


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        (b'kind = "gas"', b'kind = "wind"', BadInput, "expected kind 'gas' or 'coal', got 'wind'"),
        (b'role = "power"', b"", RoleMissing, "got none for power"),
    ],
)
def test_a_plant_file_that_does_not_fit(
    old: bytes, new: bytes, error: type[BadInput], message: str
) -> None:
    plant = Plant.parse(PLANT_TOML.replace(old, new))
    with pytest.raises(error, match=message):
        month_of({}, plant=plant)


def test_an_unknown_unit_is_named() -> None:
    with pytest.raises(BadInput, match="G1"):
        compute(PLANT, "G2", MONTH, {}, (), PACK, RULES)


def test_half_a_million_readings_take_less_than_two_seconds() -> None:
    series = record([Run(START_MS, END_MS)])
    began = time.process_time()
    result = month_of(series)
    assert time.process_time() - began < 2
    assert result.slots.readings > 360_000
