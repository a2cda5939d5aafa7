"""40 CFR Part 75, Appendix F: CO2 from O2, heat input from flow and diluent, heat input of coal.

Flow is wet (scf/h), concentrations are percent; `wet` or `dry` says on which basis.
"""

from decimal import Decimal

from tanzheng.analytics.accounting.industry.common import factor
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import quotient
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.errors import InputInvalid


def co2_from_o2_dry(o2_dry_percent: Decimal, fuel: str, pack: Pack) -> Node:
    """CO2, dry (%), from O2, dry (F-14a): 100 × Fc/F × (20.9 − O2)/20.9."""
    air, oxygen = pack.constant("oxygen_of_air_percent"), _o2(o2_dry_percent, pack)
    dry, carbon = _factors(fuel, pack)
    part = 100 * carbon.value * (air.value - oxygen.value)
    value = quotient(part, dry.value * air.value, pack.decimals("concentration"))
    formula = "F-14a: 100 × Fc/F × (A − O2)/A"
    return Node("co2_dry_percent", value, "%", formula, (carbon, dry, air, oxygen))


def co2_from_o2_wet(o2_wet: Decimal, moisture: Decimal, fuel: str, pack: Pack) -> Node:
    """CO2, wet (%), from O2, wet, and moisture (%) (F-14b)."""
    air, oxygen, water = pack.constant("oxygen_of_air_percent"), _o2(o2_wet, pack), _h2o(moisture)
    dry, carbon = _factors(fuel, pack)
    left = max(air.value * (100 - water.value) - 100 * oxygen.value, Decimal(0))
    value = quotient(carbon.value * left, air.value * dry.value, pack.decimals("concentration"))
    formula = "F-14b: 100/A × Fc/F × (A × (100 − H2O)/100 − O2)"
    return Node("co2_wet_percent", value, "%", formula, (air, carbon, dry, water, oxygen))


def heat_by_co2_wet(flow: Decimal, co2_wet: Decimal, fuel: str, pack: Pack) -> Node:
    """Heat input rate (mmBtu/h) by wet CO2 (F-15): Q × CO2/100 / Fc."""
    stack, co2 = _flow(flow), Node("co2_wet_percent", co2_wet, "%")
    _, carbon = _factors(fuel, pack)
    inputs, formula = (stack, co2, carbon), "F-15: Q × CO2/100 / Fc"
    return _heat(stack.value * co2.value, 100 * carbon.value, formula, inputs, pack)


def heat_by_co2_dry(
    flow: Decimal, co2_dry: Decimal, moisture: Decimal, fuel: str, pack: Pack
) -> Node:
    """Heat input rate (mmBtu/h) by dry CO2 and moisture (F-16)."""
    stack, co2, water = _flow(flow), Node("co2_dry_percent", co2_dry, "%"), _h2o(moisture)
    _, carbon = _factors(fuel, pack)
    part = stack.value * (100 - water.value) * co2.value
    formula = "F-16: Q × (100 − H2O)/(100 × Fc) × CO2/100"
    return _heat(part, 10000 * carbon.value, formula, (stack, water, carbon, co2), pack)


def heat_by_o2_wet(
    flow: Decimal, o2_wet: Decimal, moisture: Decimal, fuel: str, pack: Pack
) -> Node:
    """Heat input rate (mmBtu/h) by wet O2 and moisture (F-17)."""
    air, stack = pack.constant("oxygen_of_air_percent"), _flow(flow)
    oxygen, water = _o2(o2_wet, pack), _h2o(moisture)
    dry, _ = _factors(fuel, pack)
    left = max(air.value * (100 - water.value) - 100 * oxygen.value, Decimal(0))
    formula = "F-17: Q / F × (A/100 × (100 − H2O) − O2)/A"
    inputs = (stack, dry, air, water, oxygen)
    return _heat(stack.value * left, 100 * dry.value * air.value, formula, inputs, pack)


def heat_by_o2_dry(
    flow: Decimal, o2_dry: Decimal, moisture: Decimal, fuel: str, pack: Pack
) -> Node:
    """Heat input rate (mmBtu/h) by dry O2 and moisture (F-18)."""
    air, stack = pack.constant("oxygen_of_air_percent"), _flow(flow)
    oxygen, water = _o2(o2_dry, pack), _h2o(moisture)
    dry, _ = _factors(fuel, pack)
    part = stack.value * (100 - water.value) * (air.value - oxygen.value)
    formula = "F-18: Q × (100 − H2O)/(100 × F) × (A − O2)/A"
    inputs = (stack, water, dry, air, oxygen)
    return _heat(part, 100 * dry.value * air.value, formula, inputs, pack)


def coal_heat(coal_tons: Decimal, gcv_btu_per_lb: Decimal, pack: Pack) -> Node:
    """Heat input of coal (mmBtu) (F-21): M × GCV / 500."""
    coal, gcv = (
        Node("coal_tons", coal_tons, "ton"),
        Node("gcv_btu_per_lb", gcv_btu_per_lb, "Btu/lb"),
    )
    divisor = pack.constant("coal_heat_divisor")
    product, inputs = coal.value * gcv.value, (coal, gcv, divisor)
    return _heat(product, divisor.value, "F-21: M × GCV / D", inputs, pack)


def _heat(
    part: Decimal, divisor: Decimal, formula: str, inputs: tuple[Node, ...], pack: Pack
) -> Node:
    value = quotient(part, divisor, pack.decimals("heat"))
    return Node("heat_mmbtu", value, "mmBtu", formula, inputs)


def _factors(fuel: str, pack: Pack) -> tuple[Node, Node]:
    return (
        factor(pack, "fuel", fuel, "f_dscf_per_mmbtu"),
        factor(pack, "fuel", fuel, "fc_scf_per_mmbtu"),
    )


def _flow(value: Decimal) -> Node:
    return Node("flow_scfh", value, "scf/h")


def _o2(value: Decimal, pack: Pack) -> Node:
    air = pack.constant("oxygen_of_air_percent")
    if not 0 <= value <= air.value:
        raise InputInvalid(f"O2: expected 0 to {air.value} %, got {value}")
    return Node("o2_percent", value, "%")


def _h2o(value: Decimal) -> Node:
    if not 0 <= value < 100:
        raise InputInvalid(f"H2O: expected 0 to below 100 %, got {value}")
    return Node("moisture_percent", value, "%")
