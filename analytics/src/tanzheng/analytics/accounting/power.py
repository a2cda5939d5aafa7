"""Power generation: the input of a unit's month and its figures."""

from typing import Literal

from pydantic import Field

from tanzheng.analytics.accounting.combustion import fuel_co2
from tanzheng.analytics.accounting.document import Input, Name, Quantity, UnitMonth
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.sector import Sector
from tanzheng.analytics.accounting.tree import Node


class FuelUse(Input):
    """A fuel of the pack's table, in t or 10⁴ Nm³ as the table has it."""

    fuel: Name
    consumed: Quantity


class PowerMonth(UnitMonth):
    """A unit's month."""

    sector: Literal["power"]
    fuels: tuple[FuelUse, ...] = Field(default=(), max_length=40)


def account(model: PowerMonth, pack: Pack) -> tuple[Node, ...]:
    """The CO2 of the month."""
    parts = tuple(fuel_co2(item.fuel, item.consumed, pack) for item in model.fuels)
    return (
        Node(
            "co2_calculated_t",
            sum((part.value for part in parts), pack.constant("biomass.co2_t_per_gj").value),
            "t",
            "Σ fuels",
            parts,
        ),
    )


SECTOR = Sector("power", "power generation", "发电", PowerMonth, account)
