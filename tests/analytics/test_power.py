"""Power generation: every formula on worked examples to the last digit, and what always holds."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.worked_examples import Example, examples, reported, wrong_lines
from tanzheng.analytics.accounting.arithmetic import put_in
from tanzheng.analytics.accounting.engine import Accounted, account_document
from tanzheng.analytics.accounting.tree import Node
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import FIELDS

EXAMPLES = examples("power")
FORMULAS = {f"A{number}" for number in range(1, 15)}

quick = settings(deadline=None, max_examples=40)
tonnes = st.decimals(0, 10**6, places=3, allow_nan=False)
heats = st.decimals(5, 30, places=4, allow_nan=False)
carbons = st.decimals(0, 1, places=5, allow_nan=False)


def account(*months: dict[str, Any]) -> Accounted:
    document = {"version": 1, "enterprise": "E", "months": months}
    return account_document(json.dumps(document, default=str).encode(), "test.json")


def month(unit: str = "1", of: str = "2024-03", **given: Any) -> dict[str, Any]:
    head = {"sector": "power", "unit": unit, "month": of, "unit_class": "coal_over_300mw"}
    return {**head, **given}


def co2(result: Accounted) -> Decimal:
    return result.months[0].figures[0].value


def figure(result: Accounted, name: str) -> Node:
    for node in result.months[0].figures:
        for below in node.walk():
            if below.name == name:
                return below
    raise AssertionError(f"no figure {name}")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_the_engine_gives_the_worked_figures(example: Example) -> None:
    result = account_document(
        f'{{"version": 1, "enterprise": "E", "months": [{example.month}]}}'.encode(), "worked"
    )
    found = {name: f"{figure(result, name).value:f}" for name in example.expected}
    assert found == example.expected


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_the_arithmetic_of_an_example_is_right(example: Example) -> None:
    assert list(wrong_lines(example)) == []
    assert set(example.expected.values()) <= reported(example)


def test_a_wrong_line_of_arithmetic_is_seen() -> None:
    for line in (
        "E: 2 × 3 = 6 → 6.01",
        "E: 2 × 3 = 7 → 6.00",
        "E: 1/3 = 0.3334… → 0.33",
        "E: 1/8 = 0.125 → 0.12",
    ):
        assert list(wrong_lines(replace(EXAMPLES[0], arithmetic=(line,)))) == [line]


def test_every_formula_has_an_example() -> None:
    # A6, the sum over units and months, is in test_account.
    assert {name for example in EXAMPLES for name in example.formulas} == FORMULAS - {"A6"}


def test_formulas_say_what_was_computed() -> None:
    """Numbers put into the printed formula give the printed value, for every formula without Σ."""
    filled = set()
    for example in EXAMPLES:
        raw = f'{{"version": 1, "enterprise": "E", "months": [{example.month}]}}'.encode()
        for top in account_document(raw, "worked").months[0].figures:
            for node in top.walk():
                if node.formula and "Σ" not in node.formula:
                    assert put_in(node), node.formula
                    filled.add(node.formula)
    assert len(filled) >= 11


def test_every_figure_is_in_the_dictionary_with_its_unit_and_decimals() -> None:
    for example in EXAMPLES:
        raw = f'{{"version": 1, "enterprise": "E", "months": [{example.month}]}}'.encode()
        for node in account_document(raw, "worked").months[0].figures:
            entry = FIELDS[node.name]
            exponent = node.value.as_tuple().exponent
            assert (node.unit, -int(exponent)) == (entry.unit, entry.decimals), node.name


# ---------------------------------------------------------------- what always holds


def burn(coal_t: Decimal, ncv: Decimal, carbon: Decimal | None = None) -> Decimal:
    coal = {"coal_t": coal_t, "coal_ncv_gj_per_t": ncv}
    if carbon is not None:
        coal["coal_carbon_tc_per_t"] = carbon
    return co2(account(month(coals=[coal])))


@quick
@given(tonnes, tonnes, heats)
def test_more_coal_never_means_less_co2(a: Decimal, b: Decimal, ncv: Decimal) -> None:
    low, high = sorted((a, b))
    assert 0 <= burn(low, ncv) <= burn(high, ncv)


@quick
@given(tonnes, carbons, carbons)
def test_more_carbon_never_means_less_co2(coal_t: Decimal, a: Decimal, b: Decimal) -> None:
    low, high = sorted((a, b))
    assert 0 <= burn(coal_t, Decimal(20), low) <= burn(coal_t, Decimal(20), high)


@quick
@given(tonnes, heats)
def test_rounding_is_idempotent(coal_t: Decimal, ncv: Decimal) -> None:
    once = account(month(coals=[{"coal_t": coal_t, "coal_ncv_gj_per_t": ncv}]))
    again = {
        "coal_t": figure(once, "coal_t").value,
        "coal_ncv_gj_per_t": figure(once, "coal_ncv_gj_per_t").value,
    }
    assert account(month(coals=[again])).months[0].figures == once.months[0].figures


days = st.lists(st.tuples(tonnes, heats, carbons), min_size=1, max_size=8)


@quick
@given(days, st.randoms(use_true_random=False))
def test_the_order_of_days_and_fuels_does_not_matter(
    lots: list[tuple[Decimal, Decimal, Decimal]], random: Any
) -> None:
    rows = [
        {"of": str(i), "coal_t": t, "coal_ncv_gj_per_t": q, "coal_carbon_tc_per_t": c}
        for i, (t, q, c) in enumerate(lots)
    ]
    other = random.sample(rows, len(rows))
    fuels = [{"fuel": "diesel", "fuel_t": 3}, {"fuel": "natural_gas", "fuel_1e4nm3": 2}]
    one = account(month(coals=[{"days": rows}], fuels=fuels, generation_mwh=9))
    two = account(month(coals=[{"days": other}], fuels=fuels[::-1], generation_mwh=9))
    assert [node.value for node in one.months[0].figures] == [
        node.value for node in two.months[0].figures
    ]


@quick
@given(days)
def test_a_mean_lies_between_the_days(lots: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    burned = [(t, q) for t, q, _ in lots if t >= Decimal("0.01")]
    rows = [{"of": str(i), "coal_t": t, "coal_ncv_gj_per_t": q} for i, (t, q) in enumerate(burned)]
    if rows:
        mean = figure(account(month(coals=[{"days": rows}])), "coal_ncv_gj_per_t").value
        half = Decimal("0.0005")
        assert min(q for _, q in burned) - half <= mean <= max(q for _, q in burned) + half


@quick
@given(tonnes, st.decimals(1, 60, places=2), st.decimals(0, 20, places=2), carbons)
def test_drying_and_wetting_again_gives_the_carbon_back(
    coal_t: Decimal, wet: Decimal, inherent: Decimal, carbon: Decimal
) -> None:
    """A3 both ways, within the digits that each basis is reported with."""
    as_received = Fraction(carbon) * Fraction(100 - wet) / Fraction(100 - inherent)
    coal = {
        "coal_t": coal_t,
        "coal_carbon_ad_tc_per_t": carbon,
        "coal_moisture_percent": wet,
        "coal_moisture_ad_percent": inherent,
    }
    found = figure(account(month(coals=[coal])), "coal_carbon_tc_per_t").value
    assert abs(Fraction(found) - as_received) <= Fraction(13, 10**5) + as_received / 10**4


@quick
@given(tonnes, tonnes, heats)
def test_two_coals_are_the_sum_of_each(a: Decimal, b: Decimal, ncv: Decimal) -> None:
    coals = [{"coal_t": t, "coal_ncv_gj_per_t": ncv} for t in (a, b)]
    assert co2(account(month(coals=coals))) == burn(a, ncv) + burn(b, ncv)


# ---------------------------------------------------------------- what is refused, what is absent


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"coals": [{"coal_t": 1, "coal_carbon_ad_tc_per_t": 0.5}]}, "total moisture"),
        (
            {"coals": [{"coal_t": 1, "coal_carbon_ad_tc_per_t": 0.5, "coal_moisture_percent": 9}]},
            "coal_moisture_ad_percent: expected it with air-dried carbon",
        ),
        (
            {"coals": [{"days": [{"of": "1", "coal_t": 1, "coal_ncv_gj_per_t": 20},
                                 {"of": "2", "coal_t": 1}]}]},
            "of every day or batch or of none, got 1 of 2",
        ),
        ({"fuels": [{"fuel": "diesel", "fuel_1e4nm3": 1}]}, "expected fuel_t, got fuel_1e4nm3"),
        ({"fuels": [{"fuel": "diesel"}]}, "fuel_t: expected the quantity burned, got none"),
        ({"fuels": [{"fuel": "peat", "fuel_t": 1}]}, "expected a fuel among .*diesel.*'peat'"),
        (
            {"machines": [{"machine": "1", "rated_capacity_mw": 1, "operating_hours_h": 745}]},
            "at most the 744 h of 2024-03, got 745",
        ),
        ({"steam": [{"of": "s", "steam_t": 1, "enthalpy_kj_per_kg": 80}]}, "water at 20"),
        ({"heat_supplied_gj": 11, "boiler_heat_gj": 10}, "at most the heat produced, 10.00 GJ"),
        (
            {"coals": [{"coal_t": 9, "coal_ncv_gj_per_t": 20}], "biomass": True,
             "boiler_heat_gj": 90, "boiler_efficiency_percent": 90},
            "at most 100.00 GJ of fossil fuel",
        ),
        (
            {"coals": [{"coal_t": 9, "coal_carbon_tc_per_t": 0.5}], "biomass": True,
             "boiler_heat_gj": 90, "boiler_efficiency_percent": 90},
            "heating value of every coal",
        ),
        ({"purchased_electricity_mwh": 1, "grid": "atlantis"}, "a constant grid.atlantis"),
        ({"generation_mwh": 1}, "expected a fuel, for something was generated"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=rf"months\[0\].*{message}"):
        account(month(**given))


def test_a_figure_that_cannot_be_formed_is_absent() -> None:
    standing = account(month(coals=[{"coal_t": 0}], generation_mwh=0, heat_supplied_gj=0))
    names = {node.name for node in standing.months[0].figures}
    assert "co2_intensity_t_per_mwh" not in names
    assert "load_factor_percent" not in names
    carbon_only = account(month(coals=[{"coal_t": 5, "coal_carbon_tc_per_t": 0.5}]))
    assert "coal_equivalent_tce" not in {node.name for node in carbon_only.months[0].figures}


def test_a_standing_unit_may_take_more_than_it_gives() -> None:
    result = account(month(generation_mwh=0, auxiliary_electricity_mwh=3))
    assert figure(result, "net_generation_mwh").value == Decimal("-3.000")
