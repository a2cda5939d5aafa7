"""What the industries' documents must not say, and what their packs promise."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from tanzheng.analytics.accounting.pack import load_pack, pack_for
from tanzheng.analytics.accounting.sectors import SECTORS
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.errors import InputInvalid, PackInvalid
from tanzheng.core.calendar import Month
from tanzheng.core.fields import FIELDS

PACKS = {
    "cement": "cets_cement/2024",
    "aluminium": "cets_aluminium/2024",
    "steel": "cets_steel/2024",
    "us_part75": "us_part75/2008",
}


def account(sector: str, figures: dict[str, Any]) -> tuple[Node, ...]:
    known = SECTORS[sector]
    document = {"sector": sector, "unit": "1", "month": "2025-03", **figures}
    return known.account(known.model.model_validate(document), load_pack(PACKS[sector]))


COAL = {"fuel": "bituminous", "fuel_t": 1}
METAL = {"aluminium_liquid_t": 1, "anode_t": 1}
STEEL: dict[str, Any] = {"crude_steel_t": 0}


@pytest.mark.parametrize(
    ("sector", "figures", "message"),
    [
        ("cement", {}, "expected clinker_t, fuels or facilities"),
        ("cement", {"clinker_t": -1}, "greater than or equal to 0"),
        ("cement", {"clinker_t": "NaN"}, "finite"),
        ("cement", {"clinker_t": 1, "clinkers": 1}, "Extra inputs"),
        (
            "cement",
            {"substitutes": [{"material": "red_mud", "raw_substitute_t": 1}], "fuels": [COAL]},
            "expected clinker_t beside substitutes",
        ),
        ("cement", {"fuels": [{"fuel": "coke"}]}, "expected one of fuel_t and fuel_1e4nm3"),
        (
            "cement",
            {"fuels": [{**COAL, "fuel_1e4nm3": 1}]},
            "expected one of fuel_t and fuel_1e4nm3",
        ),
        (
            "cement",
            {"fuels": [{**COAL, "fuel_ncv_gj_per_1e4nm3": 1}]},
            "expected fuel_ncv_gj_per_1e4nm3 only beside fuel_1e4nm3",
        ),
        (
            "cement",
            {"fuels": [{**COAL, "fuel_carbon_tc_per_t": 1, "fuel_ncv_gj_per_t": 20}]},
            "expected the carbon measured or by heat, got both",
        ),
        ("cement", {"fuels": [{**COAL, "biogenic_percent": 101}]}, "less than or equal to 100"),
        ("aluminium", {}, "expected electrolysis, fuels, carbonates or facilities"),
        (
            "aluminium",
            {"electrolysis": {**METAL, "pfc": "anode_effect"}},
            "expected anode_effect_min_per_d with pfc anode_effect",
        ),
        (
            "aluminium",
            {"electrolysis": {**METAL, "anode_effect_min_per_d": 1}},
            "expected anode_effect_min_per_d with pfc anode_effect",
        ),
        (
            "steel",
            {**STEEL, "fuels": [{"fuel": "natural_gas", "fuel_1e4nm3": 1, "moisture_percent": 1}]},
            "expected moisture_percent only beside fuel_t",
        ),
        (
            "steel",
            {**STEEL, "power": {"method": "metered", "in_mwh": 1, "in_non_fossil_mwh": 2}},
            "expected no more non-fossil electricity than electricity",
        ),
        ("us_part75", {}, "expected hours, stack_hours or coal_days"),
        (
            "us_part75",
            {"hours": [{"at": "1", "heat_mmbtu": 1}, {"at": "1", "heat_mmbtu": 2}]},
            "expected every time once, got 1 twice",
        ),
        ("us_part75", {"hours": [{"at": "1"}]}, "expected one of: heat_mmbtu"),
        (
            "us_part75",
            {"hours": [{"at": "1", "heat_mmbtu": 1, "oil_lb": 1}]},
            "expected one of: heat_mmbtu",
        ),
        (
            "us_part75",
            {"coal_days": [{"at": "1", "coal_tons": 1, "ash_percent": 1}]},
            "expected ash_percent with ash_carbon_percent",
        ),
    ],
)
def test_a_document_that_contradicts_itself(
    sector: str, figures: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        account(sector, figures)


@pytest.mark.parametrize(
    ("sector", "figures", "message"),
    [
        ("cement", {"clinker_t": 1, "clinker": "grey"}, r"clinker: .*portland.*got 'grey'"),
        (
            "cement",
            {"clinker_t": 1, "substitutes": [{"material": "mud", "raw_substitute_t": 1}]},
            r"substitute: .*red_mud.*got 'mud'",
        ),
        ("cement", {"fuels": [{"fuel": "peat", "fuel_t": 1}]}, r"ncv_gj_per_t .*coke.*got 'peat'"),
        ("cement", {"fuels": [{**COAL, "furnace": "oven"}]}, r"furnace: .*kiln.*got 'oven'"),
        (
            "cement",
            {"fuels": [{"fuel": "diesel", "fuel_t": 1, "furnace": "kiln"}]},
            "furnace: expected none for diesel",
        ),
        (
            "cement",
            {"clinker_t": 1, "alternatives": ["clinker.portland.t_per_t"]},
            r"alternatives: expected one of .*got 'clinker.portland.t_per_t'",
        ),
        (
            "aluminium",
            {"electrolysis": {**METAL, "anode_sulphur_percent": 99.7}},
            "expected sulphur and ash of at most 100 %, got 99.70 and 0.4",
        ),
        (
            "steel",
            {**STEEL, "fuels": [{**COAL, "furnace": "kiln"}]},
            "furnace: expected none for bituminous",
        ),
        (
            "steel",
            {**STEEL, "products": [{"product": "crude_steel", "carbon_product_t": 1}]},
            "expected no more carbon out than in, got 0.00 t of CO2 in and co2_product_t 0.04",
        ),
        ("steel", {**STEEL, "processes": [{"process": "magic"}]}, r"sintering.*got 'magic'"),
        (
            "us_part75",
            {"hours": [{"at": "1", "fuel": "steam", "heat_mmbtu": 1}]},
            r"natural_gas.*got 'steam'",
        ),
        (
            "us_part75",
            {
                "coal_days": [
                    {
                        "at": "1",
                        "coal_tons": 10,
                        "carbon_percent": 1,
                        "ash_percent": 50,
                        "ash_carbon_percent": 50,
                    }
                ]
            },
            "expected no more carbon in the ash than in the coal",
        ),
    ],
)
def test_figures_that_the_standard_does_not_know(
    sector: str, figures: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputInvalid, match=message):
        account(sector, figures)


def test_the_choice_of_a_value_in_conflict_shows_in_the_result() -> None:
    name = "fuel.bituminous.carbon_tc_per_gj"
    usual = account("steel", {**STEEL, "fuels": [COAL], "alternatives": [name]})[0]
    leaf = usual.find("fuel_carbon_tc_per_gj")
    assert leaf.value == Decimal("0.02618")
    assert leaf.source is not None
    assert leaf.source.unverified
    plain = account("steel", {**STEEL, "fuels": [COAL]})[0].find("fuel_carbon_tc_per_gj")
    assert plain.value == Decimal("0.02308")


@pytest.mark.parametrize("sector", PACKS)
def test_the_pack_of_the_month_is_found(sector: str) -> None:
    pack = pack_for(sector, Month(2025, 3))
    assert pack.name == PACKS[sector]
    assert pack.sector == sector
    assert pack.evidence
    assert pack.deadlines


@pytest.mark.parametrize("sector", ["cement", "aluminium", "steel"])
def test_evidence_is_due_after_forty_days(sector: str) -> None:
    pack = load_pack(PACKS[sector])
    assert pack.deadline("monthly_evidence").days == 40
    assert {row.parameter for row in pack.evidence if row.required} <= set(FIELDS)


def test_the_parameters_to_deposit() -> None:
    required = {
        sector: [row.parameter for row in load_pack(PACKS[sector]).evidence if row.required]
        for sector in ("cement", "aluminium")
    }
    assert required == {
        "cement": ["clinker_t", "raw_substitute_t", "fuel_t", "fuel_ncv_gj_per_t"],
        "aluminium": ["anode_t", "aluminium_liquid_t"],
    }


def test_older_factors_are_those_of_their_months() -> None:
    pack = load_pack("cets_aluminium/2024")
    name = "pfc.cf4_kg_per_t"
    assert pack.constant(name, Month(2023, 12)).value == Decimal("0.034")
    assert pack.constant(name, Month(2024, 1)).value == Decimal("0.020")
    with pytest.raises(PackInvalid, match="expected a month"):
        pack.constant(name)


def test_derived_figures_of_the_notes() -> None:
    """standards.md: 3.03543 tCO2 a tonne of anode, 0.1448 tCO2e PFC, tar 33.453 × 0.022 × 44/12."""
    metal = {"aluminium_liquid_t": 10000, "anode_t": 100000}
    tree = account("aluminium", {"electrolysis": metal})[0]
    assert tree.find("co2_anode_t").value == Decimal("303542.51")
    assert tree.find("co2e_pfc_t").value == Decimal("1448.10")
    tar = load_pack("cets_steel/2024").constant("product.coal_tar.t_per_t").value
    assert tar == round(Decimal("33.453") * Decimal("0.022") * 44 / 12, 3)


@pytest.mark.parametrize("sector", PACKS)
def test_each_group_of_constants_has_its_name(sector: str) -> None:
    pack = load_pack(PACKS[sector])
    groups = ("clinker", "substitute", "furnace", "fuel", "carbonate", "material", "product")
    for name in pack.values:
        group, _, rest = name.partition(".")
        if group in groups:
            label = pack.label(f"{group}.{rest.rpartition('.')[0]}")
            assert label.en
            assert label.zh
