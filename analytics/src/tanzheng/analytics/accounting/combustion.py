"""CO2 of burned gas by the power guideline: E = FC · C_ar · OF · 44/12 with C_ar = NCV · CC.

Source: standards.md a.1 formulas A1 and A2, a.4 rounding: every reported quantity is rounded
first, and the next step computes with the rounded value.
"""

from decimal import Decimal

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.accounting.tree import Node


def gas_co2(fuel_1e4nm3: Decimal, pack: Pack) -> Node:
    """CO2 (t) of `fuel_1e4nm3` of natural gas (10⁴ Nm³ at 0 °C, 101.325 kPa)."""
    fuel = Node("fuel_gas_1e4nm3", rounded(fuel_1e4nm3, pack.decimals("fuel")), "1e4Nm3")
    carbon = gas_carbon(pack)
    oxidation = pack.constant("oxidation_percent")
    ratio = pack.constant("co2_per_carbon_44"), pack.constant("co2_per_carbon_12")
    # The quotient 44/12 has no end: multiply first, divide once.
    mass = fuel.value * carbon.value * oxidation.value * ratio[0].value
    co2 = rounded(mass / (100 * ratio[1].value), pack.decimals("emission"))
    return Node(
        "co2_calculated_t",
        co2,
        "t",
        "FC × C_ar × OF/100 × 44/12",
        (fuel, carbon, oxidation, *ratio),
    )


def gas_carbon(pack: Pack) -> Node:
    """Carbon of natural gas (tC/10⁴Nm³) from its heat: C_ar = NCV · CC."""
    heat = pack.constant("gas_ncv_gj_per_1e4nm3")
    content = pack.constant("gas_carbon_tc_per_gj")
    return Node(
        "gas_carbon_tc_per_1e4nm3",
        rounded(heat.value * content.value, pack.decimals("carbon")),
        "tC/1e4Nm3",
        "NCV × CC",
        (heat, content),
    )
