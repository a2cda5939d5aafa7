"""The language of fleet rules: what is refused when read, and two back ends that agree."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.rule_conditions import (
    CONDITIONS,
    FLOATS,
    NUMBERS,
    SCHEMA,
    as_fleet,
    exactly,
    frame_of,
    rule_of,
    tables,
)
from tanzheng.analytics.errors import PackInvalid
from tanzheng.analytics.rules.compiled import Screen
from tanzheng.analytics.rules.expression import Expression
from tanzheng.analytics.rules.fleet import Judge, RulePlan
from tanzheng.analytics.rules.frame import prepared
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.rules.tables import TABLES

ROWS = tables(NUMBERS) | tables(NUMBERS | FLOATS)


@settings(deadline=None, max_examples=300)
@given(CONDITIONS, ROWS)
def test_both_back_ends_agree(text: str, rows: list[dict[str, Any]]) -> None:
    condition = Expression.parse(text, SCHEMA)
    assert as_fleet(condition, rows) == exactly(condition, rows)


@pytest.mark.parametrize("close", [False, True])
@settings(deadline=None, max_examples=300)
@given(texts=st.tuples(CONDITIONS, CONDITIONS), rows=ROWS)
def test_what_is_not_doubtful_is_exact(
    close: bool, texts: tuple[str, str], rows: list[dict[str, Any]]
) -> None:
    """Without the help of `exact`: bounds of a column, and bounds of a row. The rules share steps:
    one asks where the other applies, and neither may change what the other is told."""
    when, condition = (Expression.parse(text, SCHEMA) for text in texts)
    rules = [rule_of(condition, when), rule_of(when), rule_of(condition)]
    rules = [replace(rule, id=str(number)) for number, rule in enumerate(rules)]
    [(_, table)] = prepared(frame_of(rows), "here").sectors()
    judge = Judge(RulePlan(rules), table)
    screen = Screen(judge.plan, table, close)
    asked, held_to = exactly(when, rows), exactly(condition, rows)
    both = [answer if there else None for there, answer in zip(asked, held_to, strict=True)]
    for rule, expected in zip(rules, (both, asked, held_to), strict=True):
        held, failed, doubt = judge.screened(rule, screen)
        for number, place in enumerate(table.place):
            if number not in doubt:
                answer = expected[place]
                assert (held[number], failed[number]) == (answer is True, answer is False)


def test_a_number_before_a_look_back_that_is_never_known() -> None:
    condition = Expression.parse("(0.00) < earlier(min(raw_meal_t, coal_t), 2)", SCHEMA)
    keys = {"enterprise": "E1", "unit": "U1", "sector": "power"}
    rows = [
        {**keys, "month": date(2026, month, 1), "coal_t": None, "raw_meal_t": None}
        for month in (1, 2)
    ]
    assert as_fleet(condition, rows) == exactly(condition, rows) == [None, None]


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("coal_t * 3 <= 0.3", "0.1", True),
        ("coal_t + 0.2 == 0.3", "0.1", True),
        ("coal_t + 0.2 != 0.3", "0.1", False),
        ("coal_t < 0.35", "0.35", False),
        ("coal_t < 0.35", "0.34999", True),
        ("0.35 <= coal_t <= 0.35", "0.35001", False),
        ("rounded(coal_t, 2) == 2.68", "2.675", True),
        ("rounded(coal_t, 2) == -2.68", "-2.675", True),
        ("last_digit(coal_t, 2) == 8", "2.675", True),
        ("coal_t / (coal_t - 1) > 0", "1", None),
        ("is_known(coal_t / (coal_t - 1))", "1", False),
        ("coal_t / 0 > 0 or coal_t == 1", "1", True),
    ],
)
def test_values_on_the_boundary(text: str, value: str, expected: bool | None) -> None:
    condition = Expression.parse(text, SCHEMA)
    row = {
        "enterprise": "E1", "unit": "U1", "sector": "power", "month": date(2026, 1, 1),
        "coal_t": Decimal(value),
    }  # fmt: skip
    assert exactly(condition, [row]) == as_fleet(condition, [row]) == [expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("generation_mwh + heat_supplied_gj > 0", "mixes MWh and GJ"),
        ("generation_mwh <= heat_supplied_gj", "mixes MWh and GJ"),
        ("min(coal_t, generation_mwh) > 0", "mixes t and MWh"),
        ("coal_tonnes > 0", "expected a column or a parameter, got 'coal_tonnes'"),
        ("fuel < 'lignite'", "outside the rule language"),
        ("fuel == 1", "compares what is not alike"),
        ("coal_t in ('a', 'b')", "expected TEXT in"),
        ("fuel in (coal_t,)", "expected TEXT in"),
        ("(coal_t > 1) == (coal_t > 2)", "compares what is not alike"),
        ("earlier(coal_t, 25) > 0", "expected a count"),
        ("earlier(coal_t, limit) > 0", "expected a count"),
        ("rounded(coal_t, True) > 0", "expected a count"),
        ("count_last(coal_t, 3) > 0", "expected a truth"),
        ("days(coal_t, month) > 0", "expected a date"),
        ("rank(fuel, fuel, 'a') > 0", "expected a literal"),
        ("units_sharing('a') > 1", "expected a column"),
        ("previous(0.1 + limit) > 1", "looks back at no column"),
        ("count_last(1 < 2, 3) > 1", "looks back at no column"),
        ("previous() > 1", "has not the arguments"),
        ("previous(coal_t, coal_t) > 1", "has not the arguments"),
        ("eval(coal_t) > 1", "outside the rule language"),
    ],
)
def test_what_is_outside_is_refused_when_read(text: str, message: str) -> None:
    with pytest.raises(PackInvalid, match=message):
        Expression.parse(text, SCHEMA)


def test_a_factor_joins_two_units() -> None:
    Expression.parse("3.6 * generation_mwh + heat_supplied_gj > 0", SCHEMA)


def test_a_table_without_series_knows_no_month_before() -> None:
    with pytest.raises(PackInvalid, match="outside the rule language"):
        Expression.parse("previous(coal_ncv_gj_per_t) > 0", TABLES["lab_report"].schema({}))


@pytest.mark.parametrize("text", ["is_known(a)", "previous(a) > 1", "a == 'x'", "a in ('x',)"])
def test_a_month_s_condition_speaks_arithmetic_only(text: str) -> None:
    with pytest.raises(PackInvalid):
        Expression.parse(text)


def test_rules_in_evidence_divide_by_numbers_only() -> None:
    """A division by zero would be "not known"; in a signed month there is none."""
    for rule in load_rules().rules:
        for value in ("0", "1"):
            assert rule.condition.holds(
                dict.fromkeys(rule.condition.names, Decimal(value)) | dict(rule.parameters)
            ) in {True, False}
        divisors = [part.split("/")[1].split()[0] for part in [rule.condition.text] if "/" in part]
        assert all(divisor.strip("()").replace(".", "").isdigit() for divisor in divisors)
