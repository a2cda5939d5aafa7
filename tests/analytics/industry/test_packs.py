"""The values of the packs, written down a second time from the domain notes (b, c, d)."""

import pytest

from tanzheng.analytics.accounting.pack import load_pack

CLINKER = {
    "0.535": "portland",
    "0.550": "white",
    "0.413": "sulphoaluminate",
    "0.292": "aluminate",
}
SUBSTITUTES = {
    "0.600": "desulphurisation_powder slaked_lime",
    "0.480": "carbide_slag magnesium_slag",
    "0.375": "paper_white_mud calcium_fluoride_sludge phosphorus_slag",
    "0.305": "vanadium_titanium_slag nitrogen_slag fly_ash_incineration ferroalloy_slag",
    "0.245": "desulphurisation_gypsum phosphogypsum titanium_gypsum fluorogypsum borogypsum "
    "mould_gypsum citric_acid_residue",
    "0.215": "steel_slag nickel_slag",
    "0.135": "manganese_slag zinc_slag tin_slag",
    "0.055": "municipal_sludge aluminium_slag pyrite_cinder copper_slag lead_zinc_slag "
    "coal_fly_ash red_mud",
}
CARBONATES = {
    "0.4400": "calcium_carbonate",
    "0.5220": "magnesium_carbonate",
    "0.4149": "sodium_carbonate",
    "0.5237": "sodium_bicarbonate",
    "0.4773": "dolomite",
}
MATERIALS = {
    "0.440": "limestone",
    "0.471": "dolomite",
    "3.663": "electrode",
    "0.172": "pig_iron",
    "0.073": "direct_reduced_iron",
    "0.037": "ferronickel scrap",
    "0.007": "ferrosilicon",
    "0.018": "ferromolybdenum",
    "0.092": "silicomanganese",
    "0.011": "silicomanganese_low_carbon",
    "0.275": "ferromanganese_blast_furnace ferromanganese_high_carbon",
    "0.004": "ferromanganese_micro_carbon",
    "0.348": "ferrochrome_high_carbon",
}
PRODUCTS = {
    "0.172": "pig_iron",
    "0.037": "crude_steel",
    "2.699": "coal_tar",
    "3.382": "crude_benzene",
}
F_FACTORS = {
    "natural_gas": "8710 1040",
    "oil": "9190 1420",
    "anthracite": "10100 1970",
    "bituminous": "9780 1800",
    "subbituminous": "9820 1840",
    "lignite": "9860 1910",
    "propane": "8710 1190",
    "butane": "8710 1250",
    "wood_bark": "9600 1920",
    "wood_residue": "9240 1830",
}


@pytest.mark.parametrize(
    ("standard", "group", "table"),
    [
        ("cets_cement/2024", "clinker", CLINKER),
        ("cets_cement/2024", "substitute", SUBSTITUTES),
        ("cets_aluminium/2024", "carbonate", CARBONATES),
        ("cets_steel/2024", "material", MATERIALS),
        ("cets_steel/2024", "product", PRODUCTS),
    ],
)
def test_factors_a_tonne(standard: str, group: str, table: dict[str, str]) -> None:
    noted = {f"{key}.t_per_t": value for value, keys in table.items() for key in keys.split()}
    held = load_pack(standard).constants_under(group)
    assert {name: f"{node.value:f}" for name, node in held.items()} == noted


def test_f_factors_of_part_75() -> None:
    pack = load_pack("us_part75/2008")
    for fuel, pair in F_FACTORS.items():
        names = (f"fuel.{fuel}.f_dscf_per_mmbtu", f"fuel.{fuel}.fc_scf_per_mmbtu")
        assert " ".join(f"{pack.constant(name).value:f}" for name in names) == pair


@pytest.mark.parametrize(
    ("standard", "decimals"),
    [
        ("cets_cement/2024", "fuel 2 ncv 3 carbon_per_heat 5 product 2 substitute 2 emission 2"),
        (
            "cets_aluminium/2024",
            "product 2 anode 2 cf4_factor 3 c2f6_factor 4 emission 2 electricity 3 heat 2",
        ),
        (
            "cets_steel/2024",
            "material 2 material_factor 3 product_factor 4 emission 2 electricity 3 heat 2",
        ),
        ("us_part75/2008", "co2 1 co2_day 1 heat 1"),
    ],
)
def test_decimals(standard: str, decimals: str) -> None:
    words = decimals.split()
    pack = load_pack(standard)
    held = {name: pack.decimals(name) for name in words[::2]}
    assert held == dict(zip(words[::2], map(int, words[1::2]), strict=True))


def test_oxidation_by_furnace_and_by_sector() -> None:
    cement, steel = load_pack("cets_cement/2024"), load_pack("cets_steel/2024")
    held = cement.constants_under("furnace")
    assert {name.split(".")[0]: str(node.value) for name, node in held.items()} == {
        "kiln": "99",
        "power_boiler": "95",
        "industrial_boiler": "85",
    }
    assert not cement.has("fuel.bituminous.oxidation_percent")
    for fuel, percent in (("bituminous", "98"), ("diesel", "98"), ("natural_gas", "99")):
        assert str(steel.constant(f"fuel.{fuel}.oxidation_percent").value) == percent
