"""What a unit gives, and how much CO2 and coal each MWh and GJ of it takes.

Source: standards.md a.1 formulas A7 to A14. Every argument is a reported figure, rounded already;
each result is rounded to its decimals and used so further on. A figure that cannot be formed
(nothing was generated, no heat supplied) is None.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import quotient, rounded
from tanzheng.analytics.accounting.tree import Node
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

HUNDRED = Decimal(100)


def electricity_co2(purchased: Node, pack: Pack, month: Month, grid: str = "national") -> Node:
    """CO2 (t) of purchased electricity by the grid factor of the month's year (A7, auxiliary)."""
    factor = pack.constant(f"grid.{grid}", month)
    value = rounded(purchased.value * factor.value, pack.decimals("emission"))
    return Node("co2_electricity_t", value, "t", "AD × EF", (purchased, factor))


def biomass_share(
    boiler_heat: Node, efficiency: Node, fuel_heat: Sequence[Node], pack: Pack
) -> Node:
    """Share of biomass in the heat (%), what the fossil fuels do not explain (A8).

    P = (Q/η − ΣFC·NCV) / (Q/η). `BadInput` where the fossil fuels alone are more than the boiler
    can have had: one of the figures is wrong.
    """
    if not boiler_heat.value or not efficiency.value:
        raise BadInput("biomass: expected heat of the boiler and an efficiency above 0")
    fossil = sum((node.value for node in fuel_heat), Decimal(0))
    given = HUNDRED * boiler_heat.value
    rest = given - efficiency.value * fossil
    if rest < 0:
        raise BadInput(
            f"biomass: expected at most {quotient(given, efficiency.value, 2)} GJ of fossil fuel "
            f"(boiler heat over efficiency), got {fossil} GJ"
        )
    value = quotient(HUNDRED * rest, given, pack.decimals("ratio"))
    formula = "(Q/η − ΣFC·NCV) / (Q/η) × 100"
    inputs = (boiler_heat, efficiency, *fuel_heat)
    return Node("biomass_heat_share_percent", value, "%", formula, inputs)


def net_generation(generated: Node, auxiliary: Node) -> Node:
    """Electricity supplied (A9); below 0 where a standing unit took more than it gave."""
    value = generated.value - auxiliary.value
    return Node("net_generation_mwh", value, "MWh", "W_gen − W_aux", (generated, auxiliary))


def steam_heat(tonnes: Decimal, enthalpy_kj_per_kg: Decimal, pack: Pack, of: str) -> Node:
    """Heat (GJ) of supplied steam above water at 20 °C (A10)."""
    mass, enthalpy = Node("steam_t", tonnes, "t"), Node("enthalpy", enthalpy_kj_per_kg, "kJ/kg")
    water = pack.constant("heat_supply.feedwater_kj_per_kg")
    kj_per_kg = Fraction(enthalpy.value) - Fraction(water.value)
    return _heat(kj_per_kg, "D × (h − 83.74)/1000", (mass, enthalpy, water), pack, of)


def water_heat(tonnes: Decimal, temperature_c: Decimal, pack: Pack, of: str) -> Node:
    """Heat (GJ) of supplied hot water above 20 °C (A10)."""
    mass, warm = Node("water_t", tonnes, "t"), Node("temperature", temperature_c, "°C")
    cold = pack.constant("heat_supply.water_reference_c")
    capacity = pack.constant("heat_supply.water_kj_per_kg_k")
    kj_per_kg = (Fraction(warm.value) - Fraction(cold.value)) * Fraction(capacity.value)
    inputs = (mass, warm, cold, capacity)
    return _heat(kj_per_kg, "D × (T − 20) × 4.1868/1000", inputs, pack, of)


def _heat(kj_per_kg: Fraction, formula: str, inputs: tuple[Node, ...], pack: Pack, of: str) -> Node:
    """`inputs[0]` is the mass (t): what the meters show is not rounded before the product."""
    if kj_per_kg < 0:
        raise BadInput(f"{of}: expected more heat than water at 20 °C has, got less")
    gj = quotient(Fraction(inputs[0].value) * kj_per_kg, Decimal(1000), pack.decimals("heat"))
    return Node("heat_supplied_gj", gj, "GJ", formula, inputs, of=of)


def heat_share(supplied: Node, produced: Node, pack: Pack) -> Node | None:
    """Share of the heat supplied in the heat produced, % (A11); `BadInput` above 100 %."""
    if not produced.value:
        return None
    if supplied.value > produced.value:
        raise BadInput(
            f"heat_supplied_gj: expected at most the heat produced, {produced.value} GJ, "
            f"got {supplied.value}"
        )
    value = quotient(HUNDRED * supplied.value, produced.value, pack.decimals("ratio"))
    inputs = (supplied, produced)
    return Node("heat_share_percent", value, "%", "Q_supplied / Q_produced × 100", inputs)


def operating_hours(machines: Sequence[tuple[Node, Node]], pack: Pack) -> Node | None:
    """Hours of merged machines, weighted by capacity: Σ(P·t) / ΣP (A12); pairs of P and t."""
    capacity = sum((p.value for p, _ in machines), Decimal(0))
    if not capacity:
        return None
    value = quotient(_capacity_hours(machines), capacity, pack.decimals("hours"))
    inputs = tuple(node for pair in machines for node in pair)
    return Node("operating_hours_h", value, "h", "Σ(P·t) / ΣP", inputs)


def load_factor(generated: Node, machines: Sequence[tuple[Node, Node]], pack: Pack) -> Node | None:
    """Load (output) factor, %: W / Σ(P·t) over one or several machines (A12)."""
    possible = _capacity_hours(machines)
    if not possible:
        return None
    value = quotient(HUNDRED * generated.value, possible, pack.decimals("ratio"))
    inputs = (generated, *(node for pair in machines for node in pair))
    return Node("load_factor_percent", value, "%", "W_gen / Σ(P·t) × 100", inputs)


def _capacity_hours(machines: Sequence[tuple[Node, Node]]) -> Decimal:
    return sum((p.value * t.value for p, t in machines), Decimal(0))


def fuel_heat(consumed: Node, ncv: Node, pack: Pack, of: str) -> Node:
    """Heat (GJ) of a fuel: FC · NCV."""
    value = rounded(consumed.value * ncv.value, pack.decimals("heat"))
    return Node("fuel_heat_gj", value, "GJ", "FC × NCV", (consumed, ncv), of=of)


def standard_coal(heats: Sequence[Node], pack: Pack) -> Node:
    """Fuel as standard coal (tce): ΣFC·NCV / 29.3076 (A14)."""
    per_tce = pack.constant("standard_coal.gj_per_tce")
    gj = sum((node.value for node in heats), Decimal(0))
    value = quotient(gj, per_tce.value, pack.decimals("coal_equivalent"))
    return Node("coal_equivalent_tce", value, "tce", "ΣQ_fuel / 29.3076", (*heats, per_tce))


def per_electricity(
    name: str, unit: str, whole: Node, share: Node, electricity: Node, decimals: int
) -> Node | None:
    """(1 − a)·x / W: what of coal or CO2 each MWh takes (A13); None without electricity."""
    if electricity.value <= 0:
        return None
    part = (HUNDRED - share.value) * whole.value
    value = quotient(part, HUNDRED * electricity.value, decimals)
    formula = "(1 − a/100) × B / W" if whole.unit == "tce" else "(1 − a/100) × E / W"
    return Node(name, value, unit, formula, (share, whole, electricity))


def per_heat(
    name: str, unit: str, whole: Node, share: Node, heat: Node, decimals: int
) -> Node | None:
    """a·x / Q: what of coal or CO2 each GJ of heat takes (A13); None without heat supplied."""
    if heat.value <= 0:
        return None
    value = quotient(share.value * whole.value, HUNDRED * heat.value, decimals)
    formula = "a/100 × B / Q" if whole.unit == "tce" else "a/100 × E / Q"
    return Node(name, value, unit, formula, (share, whole, heat))
