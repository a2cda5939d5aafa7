"""The year follows from its months: sums, ratios of sums, order, and the sectors' own trees."""

import json
import tomllib
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.worked_examples import examples
from analytics.years import (
    ENTERPRISE,
    LOAD,
    YEAR,
    accounts,
    coal_input,
    coal_year,
    gas_year,
)
from tanzheng.analytics.annual.accounts import read_accounts
from tanzheng.analytics.annual.assemble import annual_report
from tanzheng.analytics.annual.figures import Figure, Ratio, joined, values
from tanzheng.analytics.annual.months import Origin, PackRef, UnitMonth
from tanzheng.analytics.annual.report import decode
from tanzheng.analytics.annual.year import enterprise_figures, unit_year
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

INDUSTRY = Path(__file__).parents[1] / "industry" / "examples"


def half_up(value: Fraction, places: int) -> Decimal:
    """An independent rounding: through a long decimal."""
    long = Decimal(value.numerator) / Decimal(value.denominator)
    return long.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def test_a_coal_year_is_what_a_person_computes_from_its_months() -> None:
    (unit, _) = annual_report(coal_year()).units
    coal = next(line for line in unit.lines if line.of == "bituminous")
    months = coal_input("1")["months"]
    tonnes = [Fraction(month["coals"][0]["coal_t"]) for month in months]
    heats = [Fraction(month["coals"][0]["coal_ncv_gj_per_t"]) for month in months]
    year = values(coal.figures)
    assert year["coal_t"] == half_up(sum(tonnes, Fraction(0)), 2)
    weighted = sum((t * q for t, q in zip(tonnes, heats, strict=True)), Fraction(0)) / sum(tonnes)
    assert year["coal_ncv_gj_per_t"] == half_up(weighted, 3)
    assert year["coal_ncv_gj_per_t"] != half_up(sum(heats, Fraction(0)) / 12, 3)
    hours = [Fraction(month["machines"][0]["operating_hours_h"]) for month in months]
    generation = [Fraction(month["generation_mwh"]) for month in months]
    figures = values(unit.figures)
    assert figures["operating_hours_h"] == half_up(sum(hours, Fraction(0)), 2)
    load = 100 * sum(generation, Fraction(0)) / (600 * sum(hours, Fraction(0)))
    assert figures["load_factor_percent"] == half_up(load, 2)


def test_months_without_heat_do_not_hide_the_years_heat() -> None:
    """Seven months supply none: their share is 0, their intensity of heat is not formed."""
    (unit, _) = annual_report(coal_year()).units
    figures = values(unit.figures)
    by_heat = Decimal(0)
    for month in unit.months:
        known = values(month.figures)
        by_heat += known["heat_share_percent"] * known["co2_calculated_t"] / 100
    assert 0 < figures["heat_share_percent"] < 5
    assert figures["co2_intensity_t_per_gj"] == half_up(
        Fraction(by_heat) / Fraction(figures["heat_supplied_gj"]), 4
    )


def test_a_fuel_burned_in_some_months_only_counts_as_nothing_in_the_others() -> None:
    document = coal_input("1")
    for month in document["months"][3:]:
        month["fuels"] = []
    (unit,) = annual_report(read_accounts(accounts(document), "one.json")).units
    diesel = next(line for line in unit.lines if line.of == "fuel.diesel")
    burned = sum(Decimal(f"{Decimal(40) / (load + 1):.2f}") for load in LOAD[:3])
    assert values(diesel.figures)["fuel_t"] == burned


def test_a_figure_that_a_month_lacks_is_not_formed_and_said() -> None:
    document = coal_input("1")
    del document["months"][5]["auxiliary_electricity_mwh"]
    report = annual_report(read_accounts(accounts(document), "one.json"))
    assert "net_generation_mwh" not in values(report.figures)
    said = [note.words.en for note in report.notes if note.code == "not_formed"]
    assert any(text.startswith("electricity supplied (net)") for text in said)


def test_the_total_is_rounded_once_and_last() -> None:
    """Two units of x.30 t each: their whole tonnes are 2 x, the enterprise's is one more."""
    months = {
        unit: [_month(number, Decimal("10.00")) for number in range(1, 12)]
        + [_month(12, Decimal("10.30"))]
        for unit in ("A", "B")
    }
    units = [unit_year(name, "power", rows) for name, rows in months.items()]
    assert [unit.emission.value for unit in units] == [Decimal("120.30")] * 2
    assert enterprise_figures(units)[0].value == Decimal("240.60")


def _month(number: int, emission: Decimal, figures: Sequence[Figure] = ()) -> UnitMonth:
    return UnitMonth(
        Month(YEAR, number),
        PackRef("cets_power/2023-2024", "1", bytes(32)),
        Origin("account", bytes(32)),
        (Figure("co2_calculated_t", "t", emission), *figures),
        (),
    )


tonnes = st.decimals(0, 10**7, places=2)


@given(st.lists(st.tuples(tonnes, tonnes), min_size=2, max_size=24), st.randoms())
def test_ratios_do_not_depend_on_grouping_or_order(
    rows: list[tuple[Decimal, Decimal]], random: Random
) -> None:
    figures = [
        Figure("co2_intensity_t_per_mwh", "t/MWh", Decimal(0), Ratio(top, below, "generation_mwh"))
        for top, below in rows
    ]
    at = len(figures) // 2
    whole = joined(figures)
    halves = [joined(part) for part in (figures[:at], figures[at:])]
    known = [half for half in halves if half is not None]
    random.shuffle(figures)
    assert joined(figures) == whole
    if len(known) == 2:
        assert joined(known) == whole


@settings(max_examples=25, deadline=None)
@given(st.randoms())
def test_the_order_of_inputs_does_not_matter(random: Random) -> None:
    evidence = [*gas_year()]
    random.shuffle(evidence)
    assert annual_report(evidence).encode() == annual_report(gas_year()).encode()


@settings(max_examples=25, deadline=None)
@given(st.lists(tonnes, min_size=12, max_size=12), st.lists(tonnes, min_size=12, max_size=12))
def test_units_add_up_to_the_enterprise(first: list[Decimal], second: list[Decimal]) -> None:
    units = [
        unit_year(name, "power", [_month(n, value) for n, value in enumerate(rows, 1)])
        for name, rows in (("A", first), ("B", second))
    ]
    whole = enterprise_figures(units)
    assert whole[0].value == sum(first, Decimal(0)) + sum(second, Decimal(0))
    assert whole == enterprise_figures(units[::-1])


def test_different_weights_are_never_mixed() -> None:
    figures = [
        Figure("co2_intensity_t_per_t", "t/t", Decimal(1), Ratio(Decimal(1), Decimal(1), by))
        for by in ("clinker_t", "crude_steel_t")
    ]
    with pytest.raises(BadInput, match="one weight"):
        joined(figures)


@pytest.mark.parametrize("sector", ["aluminium", "cement", "steel"])
def test_every_worked_example_of_the_industries_has_a_year(sector: str) -> None:
    """One month of each: the year is the month, and each of its figures has a rule."""
    for example in _industry(sector):
        report = annual_report(read_accounts(example, sector), partial=True)
        (unit,) = report.units
        assert decode(report.encode()) == report
        assert unit.lines
        for figure in unit.months[0].figures:
            if figure.name in values(unit.figures):
                assert values(unit.figures)[figure.name] == figure.value
        assert unit.emission.value == unit.months[0].emission.value


def _industry(sector: str) -> list[bytes]:
    """Account results of each example that lies in the validity of the pack."""
    table = tomllib.loads((INDUSTRY / f"{sector}.toml").read_text())
    months = [json.loads(row["input"]) for row in table["example"]]
    return [
        accounts({"version": 1, "enterprise": ENTERPRISE, "months": [month]})
        for month in months
        if month["month"] >= "2024"
    ]


def test_every_worked_example_of_power_has_a_year() -> None:
    for example in examples("power"):
        month = json.loads(example.month)
        raw = accounts({"version": 1, "enterprise": ENTERPRISE, "months": [month]})
        report = annual_report(read_accounts(raw, example.id), partial=True)
        (unit,) = report.units
        expected = Decimal(example.expected.get("co2_calculated_t", str(unit.emission.value)))
        assert unit.emission.value == expected
