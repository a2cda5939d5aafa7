"""The close of a fleet from stored hours: by hand, exact, whatever the order and the bounds."""

import json
from decimal import Decimal
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.analytics.fleet import (
    METHODS,
    VALUE_MICRO_MAX,
    HourFrame,
    Kind,
    StoredPoint,
    close_fleet,
    close_plant,
    plant_json,
)
from tanzheng.analytics.hours import Method
from tanzheng.core.calendar import HOUR_MS, Month
from tanzheng.core.errors import BadInput

MONTH = Month(2026, 2)
COAL = StoredPoint("scale/coal_t", "coal_t", Kind.TOTAL)
FLOW = StoredPoint("cems/stack_flow_wet_m3_per_h", "stack_flow_wet_m3_per_h", Kind.MEAN)
MEASURED, STOOD, BAD, MISSING = (
    METHODS.index(method)
    for method in (
        Method.MEASURED,
        Method.NOT_OPERATING,
        Method.SUBSTITUTED_720,
        Method.MISSING,
    )
)
Columns = dict[str, np.ndarray[Any, Any]]


def columns(points: int = 1, value: int = 10_000_000) -> Columns:
    """Every hour measured in full at one value."""
    rows = points * MONTH.hours
    return {
        "point": np.repeat(np.arange(points, dtype=np.uint16), MONTH.hours),
        "hour": np.tile(np.arange(MONTH.hours, dtype=np.uint16), points),
        "value_micro": np.full(rows, value, np.int64),
        "weight_ms": np.full(rows, HOUR_MS, np.int32),
        "valid_ms": np.full(rows, HOUR_MS, np.int32),
        "method": np.full(rows, MEASURED, np.uint8),
    }


def frame(made: Columns, *points: StoredPoint, name: str = "P1") -> HourFrame:
    return HourFrame.of(name, MONTH, points, made)


def test_a_total_by_hand() -> None:
    """672 h: 100 stand, 2 substituted at 12.005 t, the rest 10 t: 570 · 10 + 24.01."""
    made = columns()
    made["method"][:100], made["method"][100:102] = STOOD, BAD
    made["value_micro"][:100], made["value_micro"][100:102] = 0, 12_005_000
    made["weight_ms"][:100] = made["valid_ms"][:102] = 0
    (coal,) = close_plant(frame(made, COAL))
    assert (coal.value, coal.substituted) == (Decimal("5724.01"), Decimal("24.01"))
    assert (coal.minimum, coal.maximum) == (Decimal("10.00"), Decimal("12.01"))
    assert coal.coverage_percent == Decimal("99.65")  # 570 ÷ 572
    assert coal.hours == {
        Method.MEASURED: 570,
        Method.NOT_OPERATING: 100,
        Method.SUBSTITUTED_720: 2,
    }


def test_a_mean_is_weighted_by_time() -> None:
    """671 h at 100 and one at 900 for a quarter of an hour: (67100 + 225) ÷ 671.25."""
    made = columns(value=100_000_000)
    made["value_micro"][7], made["weight_ms"][7], made["valid_ms"][7] = 900_000_000, 900_000, 0
    (flow,) = close_plant(frame(made, FLOW))
    assert flow.value == Decimal("100.297952")
    assert flow.substituted is None


def test_an_hour_without_a_value_leaves_no_total_but_a_mean_of_the_rest() -> None:
    made = columns(2)
    made["method"][[5, MONTH.hours + 5]] = MISSING
    made["value_micro"][[5, MONTH.hours + 5]] = 77
    made["valid_ms"][[5, MONTH.hours + 5]] = 0
    coal, flow = close_plant(frame(made, COAL, FLOW))
    assert (coal.value, coal.hours[Method.MISSING]) == (None, 1)
    assert (flow.value, flow.coverage_percent) == (Decimal("10.000000"), Decimal("99.85"))
    assert coal.minimum == Decimal("10.00")


def test_a_plant_that_stood_all_month() -> None:
    made = columns(2, value=0)
    made["method"][:], made["weight_ms"][:], made["valid_ms"][:] = STOOD, 0, 0
    coal, flow = close_plant(frame(made, COAL, FLOW))
    assert (coal.value, coal.minimum, coal.coverage_percent) == (Decimal("0.00"), None, None)
    assert flow.value is None


@given(st.lists(st.integers(-VALUE_MICRO_MAX, VALUE_MICRO_MAX), min_size=4, max_size=4))
def test_sums_are_exact_up_to_the_bounds(values: list[int]) -> None:
    made = columns(2)
    for place, value in enumerate(values):
        made["value_micro"][place :: len(values)] = value
    coal, flow = close_plant(frame(made, COAL, FLOW))
    total = sum(values) * (MONTH.hours // 4)
    assert coal.value == (Decimal(total) / 10**6).quantize(Decimal("0.01"), "ROUND_HALF_UP")
    mean = Decimal(sum(values)) / (4 * 10**6)
    assert flow.value == mean.quantize(Decimal("0.000001"), "ROUND_HALF_UP")


@pytest.mark.parametrize(
    ("name", "row", "value", "told"),
    [
        ("hour", 700, 3, "each point and hour once, in order, got another at point 1, hour 28"),
        ("point", 700, 0, "each point and hour once"),
        ("weight_ms", 9, HOUR_MS + 1, "weight_ms within the hour, got another at point 0, hour 9"),
        ("weight_ms", 9, -1, "weight_ms within the hour"),
        ("valid_ms", 9, -1, "valid_ms within weight_ms"),
        ("weight_ms", 9, HOUR_MS - 1, "valid_ms within weight_ms"),
        ("method", 9, len(METHODS), f"a method below {len(METHODS)}"),
        ("value_micro", 9, VALUE_MICRO_MAX + 1, "values of a register"),
        ("value_micro", 9, np.iinfo(np.int64).min, "values of a register"),
    ],
)
def test_what_no_hour_can_hold_is_refused(name: str, row: int, value: int, told: str) -> None:
    made = columns(2)
    made[name][row] = value
    with pytest.raises(BadInput, match=f"P1 2026-02: expected {told}"):
        frame(made, COAL, FLOW)


def test_hours_that_lack_are_refused() -> None:
    with pytest.raises(BadInput, match="point: expected 1344 rows, got 672"):
        frame(columns(1), COAL, FLOW)
    made = columns()
    del made["valid_ms"]
    with pytest.raises(BadInput, match="valid_ms: expected 672 rows, got none"):
        frame(made, COAL)


def test_a_null_is_no_whole_number() -> None:
    made = columns()
    made["value_micro"] = made["value_micro"].astype(np.float64)
    with pytest.raises(BadInput, match="value_micro: expected whole numbers, got float64"):
        frame(made, COAL)


def test_a_method_is_not_cut_to_eight_bits() -> None:
    made = columns()
    made["method"] = made["method"].astype(np.int64)
    made["method"][3] = 256
    with pytest.raises(BadInput, match="a method below"):
        frame(made, COAL)


def test_a_fleet_is_its_plants_lines_in_order() -> None:
    plants = [frame(columns(value=n * 10**6), COAL, name=f"P{n}") for n in range(3)]
    seen: list[int] = []
    written: list[bytes] = []
    done = close_fleet(map(plant_json, plants), seen.append, written.append)
    assert (done.plants, seen) == (3, [1, 2, 3])
    assert done.sha256 == sha256(b"".join(written)).digest()
    assert done.size_bytes == len(b"".join(written))
    lines = [json.loads(line) for line in written]
    assert [line["enterprise"] for line in lines] == ["P0", "P1", "P2"]
    assert lines[2]["points"][0]["value"] == "1344.00"
    assert close_fleet(map(plant_json, reversed(plants))).sha256 != done.sha256
