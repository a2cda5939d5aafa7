"""Cement clinker (CETS-AG-02.01-V01-2024; standards.md B1 to B3).

A unit is one clinker line: E = E_comb + E_proc, E_proc = Q_clk × EF_clk − Σ M_j × K_j, not below
0. What burns fuel beside the lines, and facilities by their own guideline, is a unit without
clinker; the enterprise is the sum. Electricity is auxiliary.
"""

from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from tanzheng.analytics.accounting.document import Input, Name, Quantity
from tanzheng.analytics.accounting.industry.common import (
    LINES_MAX,
    IndustryMonth,
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
from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.accounting.sector import Sector
from tanzheng.analytics.accounting.tree import Node


class Substitute(Input):
    """Raw material without carbonate, in place of limestone."""

    material: Name
    raw_substitute_t: Quantity


class CementMonth(IndustryMonth):
    """A clinker line's month: clinker, substitutes, fuel, heating value."""

    sector: Literal["cement"]  # pyright: ignore[reportIncompatibleVariableOverride] - frozen
    clinker: Name = "portland"
    clinker_t: Quantity | None = None
    substitutes: tuple[Substitute, ...] = Field(default=(), max_length=LINES_MAX)
    fuels: tuple[FuelLine, ...] = Field(default=(), max_length=LINES_MAX)

    @model_validator(mode="after")
    def _substitutes_of_clinker(self) -> Self:
        if self.substitutes and self.clinker_t is None:
            raise ValueError("expected clinker_t beside substitutes")
        if self.clinker_t is None and not self.fuels and not self.facilities:
            raise ValueError("expected clinker_t, fuels or facilities")
        return self


def process_co2(month: CementMonth, clinker_t: Decimal, pack: Pack) -> Node:
    """CO2 (t) of the raw meal (B3), floored at 0 after the deductions."""
    places = pack.decimals("emission")
    clinker = reported("clinker_t", clinker_t, "t", pack.decimals("product"))
    per_clinker = factor(pack, "clinker", month.clinker, "t_per_t")
    deductions = [_deduction(row, pack) for row in month.substitutes]
    deducted = sum((row.value for row in deductions), Decimal(0))
    net = clinker.value * per_clinker.value - deducted
    inputs = (clinker, per_clinker, *deductions)
    formula = "Q × EF" + "".join(f" − R{i}" for i in range(1, len(deductions) + 1))
    if net < 0:
        net, formula = Decimal(0), f"max(0, {formula})"
    return Node("co2_process_t", rounded(net, places), "t", formula, inputs)


def _deduction(row: Substitute, pack: Pack) -> Node:
    """Not a reported figure: exact here, so that the emission of the process is rounded once."""
    mass = reported("raw_substitute_t", row.raw_substitute_t, "t", pack.decimals("substitute"))
    per_mass = factor(pack, "substitute", row.material, "t_per_t")
    of = f"substitute.{row.material}"
    return Node(
        "co2_replaced_t", mass.value * per_mass.value, "t", "M × K", (mass, per_mass), of=of
    )


def account(month: CementMonth, pack: Pack) -> tuple[Node, ...]:
    """CO2 (t) of the unit; then intensity and what was purchased."""
    pack = with_alternatives(pack, month.alternatives)
    parts = {"E_comb": fuels_co2("co2_combustion_t", month.fuels, pack)}
    if month.clinker_t is not None:
        parts["E_proc"] = process_co2(month, month.clinker_t, pack)
    if month.facilities:
        parts["E_other"] = facilities_co2(month.facilities, pack)
    emission = total("co2_calculated_t", tuple(parts.values()), " + ".join(parts), pack)
    auxiliary = purchased_co2(month, pack)
    if month.clinker_t is not None:
        clinker = emission.find("clinker_t")
        auxiliary = [*intensity(emission, clinker, pack, "co2_intensity_t_per_t"), *auxiliary]
    return emission, *auxiliary


SECTOR = Sector("cement", "cement clinker", "水泥熟料", CementMonth, account)
