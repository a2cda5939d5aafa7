"""What holds for any figures: monotone, additive, never negative, stable under rounding."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.accounting.sectors import SECTORS
from tanzheng.analytics.accounting.tree import Node

STANDARDS = {
    "cement": "cets_cement/2024",
    "aluminium": "cets_aluminium/2024",
    "steel": "cets_steel/2024",
    "us_part75": "us_part75/2008",
}
amounts = st.decimals(0, 10**7, places=3, allow_nan=False)
quick = settings(deadline=None, max_examples=40)


def account(sector: str, **figures: Any) -> tuple[Node, ...]:
    known = SECTORS[sector]
    document = {"sector": sector, "unit": "1", "month": "2025-03", **figures}
    return known.account(known.model.model_validate(document), load_pack(STANDARDS[sector]))


def emission(sector: str, **figures: Any) -> Decimal:
    return account(sector, **figures)[0].value


def coal(amount: Decimal) -> list[dict[str, Any]]:
    return [{"fuel": "bituminous", "fuel_t": amount}]


def electrolysis(metal: Decimal, anode: Decimal) -> dict[str, Any]:
    return {"aluminium_liquid_t": metal, "anode_t": anode}


UP: dict[str, Callable[[Decimal], Decimal]] = {
    "clinker": lambda x: emission("cement", clinker_t=x),
    "kiln coal": lambda x: emission("cement", clinker_t=0, fuels=coal(x)),
    "metal": lambda x: emission("aluminium", electrolysis=electrolysis(x, Decimal(0))),
    "anode": lambda x: emission("aluminium", electrolysis=electrolysis(Decimal(0), x)),
    "works coal": lambda x: emission("steel", crude_steel_t=0, fuels=coal(x)),
    "electrode": lambda x: emission(
        "steel", crude_steel_t=0, electrodes=[{"material": "electrode", "carbon_material_t": x}]
    ),
    "gas": lambda x: emission("us_part75", hours=[{"at": "1", "heat_mmbtu": x}]),
    "US coal": lambda x: emission(
        "us_part75", coal_days=[{"at": "1", "coal_tons": x, "carbon_percent": 70}]
    ),
}
"""Emissions that grow with one figure."""


@pytest.mark.parametrize("what", UP)
@quick
@given(a=amounts, b=amounts)
def test_more_never_means_less(what: str, a: Decimal, b: Decimal) -> None:
    low, high = sorted((a, b))
    assert 0 <= UP[what](low) <= UP[what](high)


REPORTED = ("clinker", "kiln coal", "metal", "anode", "works coal", "electrode")


@pytest.mark.parametrize("what", REPORTED)
@quick
@given(a=amounts)
def test_rounding_is_stable(what: str, a: Decimal) -> None:
    assert UP[what](rounded(a, 2)) == UP[what](a)


@quick
@given(clinker=amounts, slag=amounts, more=amounts)
def test_a_substitute_never_adds_and_never_goes_below_zero(
    clinker: Decimal, slag: Decimal, more: Decimal
) -> None:
    def process(amount: Decimal) -> Decimal:
        row = {"material": "carbide_slag", "raw_substitute_t": amount}
        return emission("cement", clinker_t=clinker, substitutes=[row])

    assert 0 <= process(slag + more) <= process(slag) <= emission("cement", clinker_t=clinker)


@quick
@given(amount=amounts, share=st.decimals(0, 100, places=2, allow_nan=False))
def test_biogenic_fuel_counts_less_and_never_below_zero(amount: Decimal, share: Decimal) -> None:
    fuel = {"fuel": "refuse", "fuel_t": amount, "fuel_carbon_tc_per_t": "0.3"}
    whole = emission("cement", fuels=[fuel])
    assert 0 <= emission("cement", fuels=[{**fuel, "biogenic_percent": share}]) <= whole
    assert emission("cement", fuels=[{**fuel, "biogenic_percent": 100}]) == 0


@quick
@given(rows=st.lists(amounts, min_size=1, max_size=6))
def test_the_sum_of_lines_is_the_sum_of_units(rows: list[Decimal]) -> None:
    fuels = [coal(row)[0] for row in rows]
    together = emission("cement", fuels=fuels)
    assert together == sum(emission("cement", fuels=[fuel]) for fuel in fuels)
    carbonates = [{"carbonate": "dolomite", "carbonate_t": row} for row in rows]
    apart = sum(emission("aluminium", carbonates=[row]) for row in carbonates)
    assert emission("aluminium", carbonates=carbonates) == apart
    hours = [{"at": str(i), "heat_mmbtu": row} for i, row in enumerate(rows)]
    node = account("us_part75", hours=hours)[0].find("co2_short_tons")
    singly = [account("us_part75", hours=[hour])[0].find("co2_short_tons") for hour in hours]
    assert node.value == sum(item.value for item in singly)


@quick
@given(fuel=amounts, product=amounts)
def test_a_steel_balance_is_the_difference_or_refused(fuel: Decimal, product: Decimal) -> None:
    into = emission("steel", crude_steel_t=0, fuels=coal(fuel))
    row = {"product": "crude_steel", "carbon_product_t": product}
    out = rounded(rounded(product, 2) * Decimal("0.037"), 2)
    if out > into:
        with pytest.raises(Exception, match="no more carbon out than in"):
            emission("steel", crude_steel_t=0, fuels=coal(fuel), products=[row])
    else:
        net = emission("steel", crude_steel_t=0, fuels=coal(fuel), products=[row])
        assert net == into - out


@quick
@given(metal=amounts, minutes=st.decimals(0, 5, places=3, allow_nan=False))
def test_more_minutes_of_anode_effect_never_mean_less(metal: Decimal, minutes: Decimal) -> None:
    def pfc(at: Decimal) -> Decimal:
        process = electrolysis(metal, Decimal(0))
        process |= {"pfc": "anode_effect", "anode_effect_min_per_d": at}
        return emission("aluminium", electrolysis=process)

    assert 0 <= pfc(minutes) <= pfc(minutes + Decimal("0.5"))
