"""A fleet's table against one rule: order, sectors, shared texts, limits, absurd figures."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from analytics.rule_conditions import RULE, SCHEMA, as_fleet, exactly, rule_of
from tanzheng.analytics.rules import fleet, frame
from tanzheng.analytics.rules.catalogue import load_catalogue
from tanzheng.analytics.rules.compiled import Screen
from tanzheng.analytics.rules.expression import Expression
from tanzheng.analytics.rules.fleet import Judge, RulePlan
from tanzheng.analytics.rules.report import Report
from tanzheng.analytics.rules.suppression import Suppressions

MONTHS = [date(2025 + n // 12, n % 12 + 1, 1) for n in range(24)]


def table(units: int, **figures: Sequence[object] | NDArray[np.float64]) -> pl.DataFrame:
    """24 months of each unit; figures are given a row."""
    rows = units * len(MONTHS)
    return pl.DataFrame(
        {
            "enterprise": np.repeat([f"E{n}" for n in range(units)], len(MONTHS)),
            "unit": ["U1"] * rows,
            "sector": ["power"] * rows,
            "month": MONTHS * units,
            **figures,
        }
    )


def doubts(condition: str, frame_: pl.DataFrame, close: bool) -> int:
    """How many rows are left to `exact`."""
    rule = rule_of(Expression.parse(condition, SCHEMA))
    [(_, rows)] = frame.prepared(frame_, "here").sectors()
    judge = Judge(RulePlan([rule]), rows)
    return len(judge.screened(rule, Screen(judge.plan, rows, close))[2])


def answers(condition: str, frame_: pl.DataFrame) -> list[bool | None]:
    return fleet.answers(frame_, rule_of(Expression.parse(condition, SCHEMA)), "here")


def test_the_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    sorted_ = table(20, coal_t=rng.integers(0, 100, 480) / 100).sample(fraction=0.8, seed=1)
    sorted_ = sorted_.with_columns(sector=pl.Series(rng.choice(["power", "cement"], 384)))
    sorted_ = sorted_.sort("enterprise", "unit", "month")
    condition = (
        "coal_t <= max(earlier(coal_t, 2), mean_before(coal_t, 3))"
        " and count_last(coal_t > 0.5, 12) < 7"
    )
    found = answers(condition, sorted_)
    order = rng.permutation(sorted_.height)
    assert {*found} == {True, False, None}
    assert answers(condition, sorted_[order]) == [found[n] for n in order]


def test_failures_stand_in_the_order_of_the_file_with_their_own_values() -> None:
    frame_ = table(3, operating_hours_h=[*range(700, 772)]).reverse()
    report = Report(b"", Suppressions())
    report.add(fleet.run(frame_, load_catalogue().rules, "here"), "here")
    found = [item for item in report.failures if item.rule.id == "PWR-E-001"]
    assert found
    assert [item.row for item in found] == sorted(item.row for item in found)
    for item in found:
        assert item.values["operating_hours_h"] == str(771 - item.row)
        assert item.keys["month"] == f"{frame_['month'][item.row]:%Y-%m}"
        assert str(771 - item.row) in item.zh


def test_a_text_is_shared_over_the_whole_table_whatever_the_sector() -> None:
    frame_ = table(2, fuel=["gas", *["  "] * 23, "gas", *[None] * 23]).with_columns(
        sector=pl.Series(["power"] * 24 + ["cement"] * 24)
    )
    found = answers("units_sharing(fuel) == 2 and months_sharing(fuel) == 1", frame_)
    assert [found[0], found[24]] == [True, True]
    assert {*found} == {True, None}


def test_series_of_many_keys_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    frame_ = table(5, coal_t=[*range(120)])
    found = answers("coal_t == previous(coal_t) + 1", frame_)
    monkeypatch.setattr(frame, "CODES_MAX", 1)
    assert answers("coal_t == previous(coal_t) + 1", frame_) == found
    assert found.count(None) == 5


@pytest.mark.parametrize(
    "condition",
    [
        "net_generation_mwh == generation_mwh - auxiliary_electricity_mwh",
        "coal_t * 0.01 == raw_meal_t",
    ],
)
def test_equal_sums_of_reported_decimals_need_no_row_in_decimal(condition: str) -> None:
    rng = np.random.default_rng(2)
    thousandths = rng.integers(1, 10**9, (2, 480))
    coal = rng.integers(1, 10**8, 480)
    off = rng.random(480) < 0.1
    frame_ = table(
        20,
        generation_mwh=thousandths.sum(axis=0) / 1000,
        auxiliary_electricity_mwh=thousandths[0] / 1000,
        net_generation_mwh=(thousandths[1] + off) / 1000,
        coal_t=coal / 100,
        raw_meal_t=(coal + off) / 10_000,
    )
    assert doubts(condition, frame_, close=False) > fleet.FEW
    assert doubts(condition, frame_, close=True) == 0
    assert answers(condition, frame_) == [not wrong for wrong in off]


def test_what_is_closer_than_float64_is_settled_in_decimal() -> None:
    """0.1 + 0.2 beside the neighbours of 0.3, more of them than are settled at once."""
    values = [np.nextafter(0.3, end) for end in (0, 1) for _ in range(40)] + [0.3] * 16
    condition = "coal_t - 0.1 == 0.2"
    frame_ = table(4, coal_t=values)
    assert doubts(condition, frame_, close=True) >= 80
    assert answers(condition, frame_) == [value == 0.3 for value in values]


def test_one_absurd_figure_costs_no_other_row_its_certainty() -> None:
    values = [1000.0 + n for n in range(48)]
    values[7] = 1e300
    condition = "abs(coal_t - raw_meal_t * 1.5 / clinker_t) <= 0.01"
    frame_ = table(2, coal_t=values, raw_meal_t=values, clinker_t=[1.5] * 47 + [1e-300])
    assert doubts(condition, frame_, close=False) == 48
    assert doubts(condition, frame_, close=True) <= 2
    found = answers(condition, frame_)
    rows = [
        {k: Decimal(repr(v)) if isinstance(v, float) else v for k, v in row.items()}
        for row in frame_.iter_rows(named=True)
    ]
    assert found == exactly(Expression.parse(condition, SCHEMA), rows)
    assert as_fleet(Expression.parse(condition, SCHEMA), rows) == found
    assert found[:46].count(False) <= 1


def test_a_rule_that_applies_nowhere_is_not_computed() -> None:
    when = Expression.parse('fuel == "natural_gas"', SCHEMA)
    rule = replace(RULE, when=when)
    assert {*fleet.answers(table(1, operating_hours_h=[9e9] * 24), rule, "here")} == {None}
