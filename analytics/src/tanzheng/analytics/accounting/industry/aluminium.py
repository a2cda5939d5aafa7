"""Aluminium electrolysis (CETS-AG-04.01-V01-2024; standards.md C1 to C3).

A unit is one electrolysis process: E = E_anode + E_PFC, the boundary of allowances. Fuel,
carbonates and facilities by their own guideline belong to the company: to a unit without metal,
or to the only one. Electricity is auxiliary.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from tanzheng.analytics.accounting.document import Input, Name, Percent, Quantity
from tanzheng.analytics.accounting.industry.common import (
    LINES_MAX,
    IndustryMonth,
    electricity_co2,
    facilities_co2,
    factor,
    intensity,
    purchased_co2,
    reported,
    total,
    with_alternatives,
)
from tanzheng.analytics.accounting.industry.fuels import FuelLine, fuels_co2
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import quotient, rounded
from tanzheng.analytics.accounting.sector import Sector
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.errors import InputInvalid
from tanzheng.core.calendar import Month


class Carbonate(Input):
    """Carbonate used, and its purity."""

    carbonate: Name
    carbonate_t: Quantity
    purity_percent: Percent = Decimal(100)


class Electrolysis(Input):
    """The two parameters of an electrolysis process.

    `pfc` is "default" (factors valid in the month) or "anode_effect" (option of the older guide:
    slope by the minutes a cell and day).
    """

    aluminium_liquid_t: Quantity
    anode_t: Quantity
    anode_sulphur_percent: Percent | None = None
    anode_ash_percent: Percent | None = None
    pfc: Literal["default", "anode_effect"] = "default"
    anode_effect_min_per_d: Quantity | None = None
    ac_electricity_mwh: Quantity | None = None

    @model_validator(mode="after")
    def _minutes_for_their_method(self) -> Self:
        if (self.pfc == "anode_effect") != (self.anode_effect_min_per_d is not None):
            raise ValueError("expected anode_effect_min_per_d with pfc anode_effect, only there")
        return self


class AluminiumMonth(IndustryMonth):
    """An electrolysis process's month, and the extras of the company."""

    sector: Literal["aluminium"]  # pyright: ignore[reportIncompatibleVariableOverride] - frozen
    electrolysis: Electrolysis | None = None
    fuels: tuple[FuelLine, ...] = Field(default=(), max_length=LINES_MAX)
    carbonates: tuple[Carbonate, ...] = Field(default=(), max_length=LINES_MAX)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.electrolysis or self.fuels or self.carbonates or self.facilities):
            raise ValueError("expected electrolysis, fuels, carbonates or facilities")
        return self


def anode_co2(process: Electrolysis, pack: Pack) -> Node:
    """CO2 (t) of the anode (C2): M × (1 − butts) × (1 − S − A) × 44/12."""
    anode = reported("anode_t", process.anode_t, "t", pack.decimals("anode"))
    butts = pack.constant("anode.butt_percent")
    sulphur = _percent("sulphur", process.anode_sulphur_percent, pack)
    ash = _percent("ash", process.anode_ash_percent, pack)
    ratio = pack.constant("carbon.co2_mass"), pack.constant("carbon.carbon_mass")
    carbon = 100 - sulphur.value - ash.value
    if carbon < 0:
        raise InputInvalid(
            f"anode: expected sulphur and ash of at most 100 %, got {sulphur.value} and {ash.value}"
        )
    mass = anode.value * (100 - butts.value) * carbon * ratio[0].value
    value = quotient(mass, 10000 * ratio[1].value, pack.decimals("emission"))
    formula = "M × (1 − butts/100) × (1 − S/100 − A/100) × 44/12"
    return Node("co2_anode_t", value, "t", formula, (anode, butts, sulphur, ash, *ratio))


def _percent(what: str, measured: Decimal | None, pack: Pack) -> Node:
    if measured is None:
        return pack.constant(f"anode.{what}_percent")
    return reported(f"anode_{what}_percent", measured, "%", pack.decimals("percent"))


def pfc_factors(process: Electrolysis, month: Month, pack: Pack) -> tuple[Node, Node]:
    """CF4 and C2F6 (kg a tonne of liquid aluminium), by the method of the process."""
    if process.anode_effect_min_per_d is None:
        names = ("pfc.cf4_kg_per_t", "pfc.c2f6_kg_per_t")
        return pack.constant(names[0], month), pack.constant(names[1], month)
    places = pack.decimals("anode_effect")
    minutes = reported("anode_effect_min_per_d", process.anode_effect_min_per_d, "min/d", places)
    slope = pack.constant("anode_effect.cf4_kg_per_t_per_min")
    ratio = pack.constant("anode_effect.c2f6_per_cf4")
    first = rounded(slope.value * minutes.value, pack.decimals("cf4_factor"))
    cf4 = Node("cf4_kg_per_t", first, "kg/t", "slope × minutes", (slope, minutes))
    second = rounded(ratio.value * cf4.value, pack.decimals("c2f6_factor"))
    return cf4, Node("c2f6_kg_per_t", second, "kg/t", "ratio × CF4", (ratio, cf4))


def pfc_co2e(process: Electrolysis, month: Month, pack: Pack) -> Node:
    """Perfluorocarbons as CO2 (t) (C3): Q × (EF_CF4 × GWP_CF4 + EF_C2F6 × GWP_C2F6) / 1000."""
    places = pack.decimals("product")
    metal = reported("aluminium_liquid_t", process.aluminium_liquid_t, "t", places)
    cf4, c2f6 = pfc_factors(process, month, pack)
    warming = pack.constant("pfc.cf4_gwp"), pack.constant("pfc.c2f6_gwp")
    per_metal = cf4.value * warming[0].value + c2f6.value * warming[1].value
    value = quotient(metal.value * per_metal, Decimal(1000), pack.decimals("emission"))
    formula = "Q × (EF_CF4 × GWP_CF4 + EF_C2F6 × GWP_C2F6) / 1000"
    return Node("co2e_pfc_t", value, "t", formula, (metal, cf4, warming[0], c2f6, warming[1]))


def electrolysis_co2e(process: Electrolysis, month: Month, pack: Pack) -> Node:
    """CO2e (t) of one electrolysis process (C1): the figure that allowances are given for."""
    parts = [anode_co2(process, pack), pfc_co2e(process, month, pack)]
    return total("co2e_electrolysis_t", parts, "E_anode + E_PFC", pack)


def carbonates_co2(rows: Sequence[Carbonate], pack: Pack) -> Node:
    """CO2 (t) of carbonates: Σ AD × EF × purity."""
    return total("co2_carbonate_t", [_carbonate(row, pack) for row in rows], "Σ carbonates", pack)


def _carbonate(row: Carbonate, pack: Pack) -> Node:
    mass = reported("carbonate_t", row.carbonate_t, "t", pack.decimals("carbonate"))
    per_mass = factor(pack, "carbonate", row.carbonate, "t_per_t")
    purity = reported("purity_percent", row.purity_percent, "%", pack.decimals("percent"))
    exact = mass.value * per_mass.value * purity.value
    value = quotient(exact, Decimal(100), pack.decimals("emission"))
    inputs, of = (mass, per_mass, purity), f"carbonate.{row.carbonate}"
    return Node("co2_carbonate_t", value, "t", "AD × EF × purity/100", inputs, of=of)


def account(month: AluminiumMonth, pack: Pack) -> tuple[Node, ...]:
    """CO2e (t) of the unit; then intensity, AC electricity and what was purchased."""
    pack = with_alternatives(pack, month.alternatives)
    parts, auxiliary = dict[str, Node](), list[Node]()
    if month.electrolysis is not None:
        process = electrolysis_co2e(month.electrolysis, month.period, pack)
        parts["E_process"] = process
        metal = process.find("aluminium_liquid_t")
        auxiliary += intensity(process, metal, pack, "co2e_intensity_t_per_t")
        auxiliary += _ac_electricity(month.electrolysis, pack)
    if month.fuels:
        parts["E_fuel"] = fuels_co2("co2_combustion_t", month.fuels, pack)
    if month.carbonates:
        parts["E_carbonate"] = carbonates_co2(month.carbonates, pack)
    if month.facilities:
        parts["E_other"] = facilities_co2(month.facilities, pack)
    emission = total("co2e_calculated_t", tuple(parts.values()), " + ".join(parts), pack)
    return emission, *auxiliary, *purchased_co2(month, pack)


def _ac_electricity(process: Electrolysis, pack: Pack) -> list[Node]:
    if (power := process.ac_electricity_mwh) is None:
        return []
    places = pack.decimals("electricity")
    return [electricity_co2(reported("ac_electricity_mwh", power, "MWh", places), pack)]


SECTOR = Sector("aluminium", "aluminium electrolysis", "铝电解", AluminiumMonth, account)
