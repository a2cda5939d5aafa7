"""The language of fleet rules: what is refused when read, and two back ends that agree."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanzheng.analytics.errors import PackInvalid
from tanzheng.analytics.rules import fleet
from tanzheng.analytics.rules.compiled import Compiler
from tanzheng.analytics.rules.exact import Rows, evaluate
from tanzheng.analytics.rules.examples import replace_values, with_calendar
from tanzheng.analytics.rules.expression import Expression
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.rules.tables import TABLES

SHAPE = TABLES["unit_month"]
PARAMETERS = {"limit": Decimal("0.35"), "tenth": Decimal("0.1")}
SCHEMA = SHAPE.schema(PARAMETERS)
NAMES = ("coal_t", "raw_meal_t", "clinker_t")
"""Three columns of one unit: any may be added to any."""

# Two decimals, and values that float64 cannot hold: 0.1 + 0.2, 0.35, 2.675 lie among them.
NUMBERS = st.integers(-400, 400).map(lambda n: Decimal(n).scaleb(-2))
LEAVES = st.sampled_from([*NAMES, *PARAMETERS]) | NUMBERS.map(lambda n: f"({n})")


def numbers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        pair.map(lambda t: f"min({t[0]}, {t[1]})"),
        pair.map(lambda t: f"max({t[0]}, {t[1]})"),
        inner.map(lambda a: f"abs({a})"),
        inner.map(lambda a: f"-({a})"),
        inner.map(lambda a: f"rounded({a}, 1)"),
        inner.map(lambda a: f"previous(coal_t - {a})"),
        inner.map(lambda a: f"earlier(min(raw_meal_t, {a}), 2)"),
        inner.map(lambda a: f"spread_last(clinker_t * {a}, 3)"),
    )


# Products of three factors have six decimals, the finest step that is a hundred slacks wide.
VALUES = st.one_of(LEAVES, numbers(LEAVES))
ATOMS = st.one_of(
    st.tuples(VALUES, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), VALUES).map(" ".join),
    st.tuples(LEAVES, VALUES, LEAVES).map(" <= ".join),
    st.sampled_from(NAMES).map(lambda name: f"is_known({name})"),
    st.sampled_from(NAMES).map(lambda name: f"last_digit({name}, 2) == 5"),
    st.sampled_from(['fuel == "lignite"', 'fuel in ("lignite", "gangue")', 'fuel != "gangue"']),
    st.just('rank(fuel, "gangue", "lignite") <= rank(previous(fuel), "gangue", "lignite")'),
    st.just("days(deposited_on, month_end) >= 12"),
    st.just("coal_t / raw_meal_t <= 2"),
    st.just("mean_before(coal_t, 3) <= limit"),
    st.just("units_sharing(fuel) == 1 or months_sharing(fuel) == 2"),
)
CONDITIONS = st.one_of(
    ATOMS,
    ATOMS.map(lambda a: f"not ({a})"),
    st.tuples(ATOMS, st.sampled_from([" and ", " or "]), ATOMS).map(
        lambda t: f"({t[0]}){t[1]}({t[2]})"
    ),
    ATOMS.map(lambda a: f"count_last(coal_t > 0 or ({a}), 3) < 2"),
)
ROW = st.fixed_dictionaries({
    **{name: st.none() | NUMBERS for name in NAMES},
    "fuel": st.sampled_from([None, "lignite", "gangue", "bituminous"]),
    "deposited_on": st.sampled_from([None, date(2026, 1, 19), date(2026, 2, 16)]),
    "enterprise": st.just("E1"), "sector": st.just("power"),
    "unit": st.sampled_from(["U1", "U2"]),
    "month": st.integers(1, 5).map(lambda n: date(2026, n, 1)),
})  # fmt: skip
TABLE = st.lists(ROW, min_size=1, max_size=6, unique_by=lambda row: (row["unit"], row["month"]))


def exactly(condition: Expression, rows: list[dict[str, Any]]) -> list[object]:
    table = Rows([with_calendar(row) for row in rows], SHAPE.series_key)
    known = [replace_values(table[n], PARAMETERS) for n in range(len(rows))]
    return [evaluate(condition.tree, row) for row in known]


def as_fleet(condition: Expression, rows: list[dict[str, Any]]) -> list[object]:
    plain = [{k: float(v) if isinstance(v, Decimal) else v for k, v in row.items()} for row in rows]
    frame = pl.DataFrame(plain, schema={k: fleet.DTYPES[SHAPE.columns[k].kind] for k in plain[0]})
    months: set[int] = set()
    answer = Compiler(PARAMETERS, months)(condition.tree).alias("_answer")
    table = fleet.prepared(frame, SHAPE, "here")
    whole = fleet.with_calendar(fleet.dense(table, SHAPE.series_key, months))
    judged = whole.with_columns(answer).filter(pl.col(fleet.NUMBER).is_not_null())
    return judged.sort(fleet.NUMBER)["_answer"].to_list()


@settings(deadline=None, max_examples=200)
@given(CONDITIONS, TABLE)
def test_both_back_ends_agree(text: str, rows: list[dict[str, Any]]) -> None:
    condition = Expression.parse(text, SCHEMA)
    assert as_fleet(condition, rows) == exactly(condition, rows)


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
