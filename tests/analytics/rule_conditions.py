"""Conditions and tables made up by Hypothesis, and what each back end says of them."""

import math
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import strategies as st

from tanzheng.analytics.rules import fleet
from tanzheng.analytics.rules.catalogue import FleetRule, load_catalogue
from tanzheng.analytics.rules.exact import Rows, evaluate
from tanzheng.analytics.rules.examples import replace_values, with_calendar
from tanzheng.analytics.rules.expression import Expression
from tanzheng.analytics.rules.frame import DTYPES
from tanzheng.analytics.rules.tables import TABLES

SHAPE = TABLES["unit_month"]
PARAMETERS = {"limit": Decimal("0.35"), "tenth": Decimal("0.1")}
SCHEMA = SHAPE.schema(PARAMETERS)
RULE = load_catalogue().rule("PWR-E-001")
NAMES = ("coal_t", "raw_meal_t", "clinker_t")
"""Three columns of one unit: any may be added to any."""

# Two decimals, and values that float64 cannot hold: 0.1 + 0.2, 0.35, 2.675 lie among them.
NUMBERS = st.integers(-400, 400).map(lambda n: Decimal(n).scaleb(-2))
FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.1 + 0.2, 0.35, 2.675, 1e15 + 0.125, 5e-324, 1.7e308, -0.0]),
    NUMBERS.map(lambda n: math.nextafter(float(n), math.inf)),
    st.integers(-(10**17), 10**17).map(float),
).map(lambda x: Decimal(repr(x)))
"""Any float64, as the decimal that it is printed as: neighbours of round numbers, the widest."""
LEAVES = st.sampled_from([*NAMES, *PARAMETERS]) | NUMBERS.map(lambda n: f"({n})")


def numbers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        pair.map(lambda t: f"min({t[0]}, {t[1]})"),
        pair.map(lambda t: f"max({t[0]}, {t[1]})"),
        inner.map(lambda a: f"abs({a})"),
        inner.map(lambda a: f"-({a})"),
        st.tuples(inner, st.integers(0, 3)).map(lambda t: f"rounded({t[0]}, {t[1]})"),
        pair.map(lambda t: f"({t[0]} / {t[1]})"),
        inner.map(lambda a: f"mean_before(coal_t + {a}, 3)"),
        inner.map(lambda a: f"previous(coal_t - {a})"),
        inner.map(lambda a: f"earlier(min(raw_meal_t, {a}), 2)"),
        inner.map(lambda a: f"spread_last(clinker_t * {a}, 3)"),
    )


VALUES = st.one_of(LEAVES, numbers(LEAVES), numbers(numbers(LEAVES)))
ATOMS = st.one_of(
    st.tuples(VALUES, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), VALUES).map(" ".join),
    st.tuples(LEAVES, VALUES, LEAVES).map(" <= ".join),
    st.sampled_from(NAMES).map(lambda name: f"is_known({name})"),
    st.tuples(VALUES, st.integers(0, 2)).map(lambda t: f"last_digit({t[0]}, {t[1]}) == 5"),
    st.sampled_from(['fuel == "lignite"', 'fuel in ("lignite", "gangue")', 'fuel != "gangue"']),
    st.just('rank(fuel, "gangue", "lignite") <= rank(previous(fuel), "gangue", "lignite")'),
    st.just("days(deposited_on, month_end) >= 12"),
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


def tables(values: st.SearchStrategy[Decimal]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to six months of two units, with numbers of `values`."""
    row = st.fixed_dictionaries(
        {
            **{name: st.none() | values for name in NAMES},
            "fuel": st.sampled_from([None, "lignite", "gangue", "bituminous"]),
            "deposited_on": st.sampled_from([None, date(2026, 1, 19), date(2026, 2, 16)]),
            "enterprise": st.just("E1"),
            "sector": st.just("power"),
            "unit": st.sampled_from(["U1", "U2"]),
            "month": st.integers(1, 5).map(lambda n: date(2026, n, 1)),
        }
    )
    return st.lists(row, min_size=1, max_size=6, unique_by=lambda row: (row["unit"], row["month"]))


def exactly(condition: Expression, rows: list[dict[str, Any]]) -> list[object]:
    table = Rows([with_calendar(row) for row in rows], SHAPE.series_key)
    known = [replace_values(table[n], PARAMETERS) for n in range(len(rows))]
    return [evaluate(condition.tree, row) for row in known]


def rule_of(condition: Expression, when: Expression | None = None) -> FleetRule:
    return replace(RULE, when=when, condition=condition, parameters=PARAMETERS)


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    plain = [{k: float(v) if isinstance(v, Decimal) else v for k, v in row.items()} for row in rows]
    return pl.DataFrame(plain, schema={k: DTYPES[SHAPE.columns[k].kind] for k in plain[0]})


def as_fleet(condition: Expression, rows: list[dict[str, Any]]) -> list[object]:
    return list(fleet.answers(frame_of(rows), rule_of(condition), "here"))
