"""CO2 of burned fuel: E = FC · C_ar · OF · 44/12, with C_ar = NCV · CC where it is not measured.

Source: standards.md a.1 formulas A1 and A2, a.4 rounding: every reported quantity is rounded
first, and the next step computes with the rounded value. One way for every fuel and sector.
"""

from dataclasses import dataclass
from decimal import Decimal

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import quotient, rounded
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.errors import PackInvalid

NATURAL_GAS = "natural_gas"


@dataclass(frozen=True, slots=True)
class Measure:
    """In what a fuel is counted: the endings of its names, and its units."""

    per: str
    unit: str


TONNE = Measure("t", "t")
NORMAL_1E4 = Measure("1e4nm3", "1e4Nm3")


def measure_of(fuel: str, pack: Pack) -> Measure:
    """Tonnes or 10⁴ Nm³, as the pack's fuel table has it; `PackInvalid` for an unknown fuel."""
    for measure in (TONNE, NORMAL_1E4):
        if pack.has(f"fuel.{fuel}.ncv_gj_per_{measure.per}"):
            return measure
    known = sorted({name.split(".")[1] for name in pack.values if name.startswith("fuel.")})
    raise PackInvalid(f"pack {pack.name}: expected a fuel among {', '.join(known)}, got {fuel!r}")


def fuel_co2(
    fuel: str,
    consumed: Decimal,
    pack: Pack,
    *,
    ncv: Decimal | None = None,
    carbon_per_heat: Decimal | None = None,
    carbon: Decimal | None = None,
) -> Node:
    """CO2 (t) of `consumed` of a fuel of the pack's table, in t or 10⁴ Nm³ (`measure_of`).

    Measured values stand before defaults: `carbon` (tC per t or 10⁴ Nm³) before `ncv` (GJ) times
    `carbon_per_heat` (tC/GJ), each of these before the table's. Not for coal of a power plant,
    whose defaults are others: see `coal`.
    """
    measure = measure_of(fuel, pack)
    if carbon is not None:
        content = measured(
            f"fuel_carbon_tc_per_{measure.per}", carbon, f"tC/{measure.unit}", "carbon", pack
        )
    else:
        content = _carbon(fuel, measure, ncv, carbon_per_heat, pack)
    quantity = measured(f"fuel_{measure.per}", consumed, measure.unit, "fuel", pack)
    oxidation = pack.constant(f"fuel.{fuel}.oxidation_percent").named("oxidation_percent")
    return burned(quantity, content, oxidation, pack, f"fuel.{fuel}")


def burned(quantity: Node, carbon: Node, oxidation: Node, pack: Pack, of: str) -> Node:
    """CO2 (t) of a quantity of fuel with so much carbon, of which `oxidation` % burns (A1)."""
    co2, c = pack.constant("carbon.co2_mass"), pack.constant("carbon.carbon_mass")
    # The quotient 44/12 has no end: multiply first, divide and round once.
    value = quotient(
        quantity.value * carbon.value * oxidation.value * co2.value,
        100 * c.value,
        pack.decimals("emission"),
    )
    inputs = (quantity, carbon, oxidation, co2, c)
    return Node("co2_combustion_t", value, "t", "FC × C × OF/100 × 44/12", inputs, of=of)


def measured(name: str, value: Decimal, unit: str, quantity: str, pack: Pack, of: str = "") -> Node:
    """A figure of the input, rounded as it is reported."""
    return Node(name, rounded(value, pack.decimals(quantity)), unit, of=of)


def _carbon(
    fuel: str, measure: Measure, ncv: Decimal | None, per_heat: Decimal | None, pack: Pack
) -> Node:
    """Carbon (tC per t or 10⁴ Nm³) from heat: C = NCV · CC (A2)."""
    heat = heating_value(fuel, ncv, pack)
    content = (
        pack.constant(f"fuel.{fuel}.carbon_tc_per_gj").named("fuel_carbon_tc_per_gj")
        if per_heat is None
        else measured("fuel_carbon_tc_per_gj", per_heat, "tC/GJ", "carbon_per_heat", pack)
    )
    return carbon_by_heat(
        f"fuel_carbon_tc_per_{measure.per}", f"tC/{measure.unit}", heat, content, pack
    )


def heating_value(fuel: str, ncv: Decimal | None, pack: Pack) -> Node:
    """Lower heating value of a fuel of the table (GJ per t or 10⁴ Nm³): measured, or default."""
    measure = measure_of(fuel, pack)
    name = f"fuel_ncv_gj_per_{measure.per}"
    if ncv is None:
        return pack.constant(f"fuel.{fuel}.ncv_gj_per_{measure.per}").named(name)
    return measured(name, ncv, f"GJ/{measure.unit}", "ncv", pack)


def carbon_by_heat(name: str, unit: str, heat: Node, content: Node, pack: Pack) -> Node:
    """Carbon of a fuel from its heating value and its carbon per heat: C = NCV · CC (A2)."""
    value = rounded(heat.value * content.value, pack.decimals("carbon"))
    return Node(name, value, unit, "NCV × CC", (heat, content))


def gas_co2(fuel_1e4nm3: Decimal, pack: Pack) -> Node:
    """CO2 (t) of `fuel_1e4nm3` of natural gas (10⁴ Nm³ at 0 °C, 101.325 kPa)."""
    return fuel_co2(NATURAL_GAS, fuel_1e4nm3, pack).named("co2_calculated_t")
