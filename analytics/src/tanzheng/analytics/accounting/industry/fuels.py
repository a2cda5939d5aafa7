"""CO2 of burned fuel in cement, aluminium and steel: E = FC × C_ar × OF × 44/12.

C_ar is measured, or NCV × CC with the heating value and the carbon per heat measured or the
pack's default (standards.md A1, A2, B2, D2). What is biogenic counts nothing. A fuel that the
table lacks, such as waste, is measured throughout; its oxidation is that of its furnace.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Self

from pydantic import model_validator

from tanzheng.analytics.accounting.combustion import (
    NORMAL_1E4,
    TONNE,
    Measure,
    burned,
    carbon_by_heat,
    measured,
)
from tanzheng.analytics.accounting.document import Input, Name, Percent, Quantity
from tanzheng.analytics.accounting.industry.common import factor, reported, total
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import quotient
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.errors import InputInvalid


class FuelLine(Input):
    """Fuel burned, in t or in 10⁴ Nm³; what is not measured is the pack's default.

    `furnace` is for solid fuel in cement only; without it, the kiln.
    """

    fuel: Name
    fuel_t: Quantity | None = None
    fuel_1e4nm3: Quantity | None = None
    fuel_ncv_gj_per_t: Quantity | None = None
    fuel_ncv_gj_per_1e4nm3: Quantity | None = None
    fuel_carbon_tc_per_gj: Quantity | None = None
    fuel_carbon_tc_per_t: Quantity | None = None
    fuel_carbon_tc_per_1e4nm3: Quantity | None = None
    furnace: Name | None = None
    biogenic_percent: Percent | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if (self.fuel_t is None) == (self.fuel_1e4nm3 is None):
            raise ValueError("expected one of fuel_t and fuel_1e4nm3")
        other = NORMAL_1E4.per if self.measure is TONNE else TONNE.per
        for name in (f"fuel_ncv_gj_per_{other}", f"fuel_carbon_tc_per_{other}"):
            if getattr(self, name) is not None:
                raise ValueError(f"expected {name} only beside fuel_{other}")
        by_heat = [self.fuel_carbon_tc_per_gj, self.of_unit("fuel_ncv_gj_per")]
        if self.of_unit("fuel_carbon_tc_per") is not None and by_heat != [None, None]:
            raise ValueError("expected the carbon measured or by heat, got both")
        return self

    @property
    def measure(self) -> Measure:
        """In what the fuel is counted."""
        return NORMAL_1E4 if self.fuel_t is None else TONNE

    def of_unit(self, quantity: str) -> Decimal | None:
        """`quantity` a unit of fuel, where it was measured."""
        value: Decimal | None = getattr(self, f"{quantity}_{self.measure.per}")
        return value


def fuels_co2(name: str, lines: Sequence[FuelLine], pack: Pack) -> Node:
    """CO2 (t) of all `lines`: each is rounded, then summed."""
    return total(name, [line_co2(line, pack) for line in lines], "Σ fuels", pack)


def line_co2(line: FuelLine, pack: Pack) -> Node:
    """CO2 (t) of one fuel; `InputInvalid` where neither a measured nor a default value is there."""
    measure = line.measure
    amount = line.of_unit("fuel")
    assert amount is not None
    fuel = measured(f"fuel_{measure.per}", amount, measure.unit, "fuel", pack)
    carbon, oxidation = _carbon(line, pack), _oxidation(line, pack)
    if line.biogenic_percent is not None:
        fuel = _fossil(fuel, line.biogenic_percent, pack)
    return burned(fuel, carbon, oxidation, pack, f"fuel.{line.fuel}")


def _fossil(fuel: Node, percent: Decimal, pack: Pack) -> Node:
    """The share of `fuel` that is not biogenic; not a reported figure, hence not rounded."""
    biogenic = reported("biogenic_percent", percent, "%", pack.decimals("percent"))
    value = fuel.value * (100 - biogenic.value) / 100
    name = fuel.name.replace("fuel_", "fuel_fossil_")
    return Node(name, value, fuel.unit, "FC × (1 − biogenic/100)", (fuel, biogenic))


def _carbon(line: FuelLine, pack: Pack) -> Node:
    per, unit = line.measure.per, line.measure.unit
    name = f"fuel_carbon_tc_per_{per}"
    if (value := line.of_unit("fuel_carbon_tc_per")) is not None:
        return measured(name, value, f"tC/{unit}", "carbon", pack)
    if (value := line.of_unit("fuel_ncv_gj_per")) is not None:
        heat = measured(f"fuel_ncv_gj_per_{per}", value, f"GJ/{unit}", "ncv", pack)
    else:
        default = factor(pack, "fuel", line.fuel, f"ncv_gj_per_{per}")
        heat = default.named(f"fuel_ncv_gj_per_{per}")
    if (value := line.fuel_carbon_tc_per_gj) is not None:
        content = measured("fuel_carbon_tc_per_gj", value, "tC/GJ", "carbon_per_heat", pack)
    else:
        default = factor(pack, "fuel", line.fuel, "carbon_tc_per_gj")
        content = default.named("fuel_carbon_tc_per_gj")
    return carbon_by_heat(name, f"tC/{unit}", heat, content, pack)


def _oxidation(line: FuelLine, pack: Pack) -> Node:
    """The fuel's own oxidation; in cement, solid fuel has that of its furnace, else of the kiln."""
    own = pack.has(f"fuel.{line.fuel}.oxidation_percent") or not pack.constants_under("furnace")
    if not own:
        default = factor(pack, "furnace", line.furnace or "kiln", "oxidation_percent")
        return default.named("oxidation_percent")
    if line.furnace is not None:
        raise InputInvalid(
            f"furnace: expected none for {line.fuel} in pack {pack.name}, got {line.furnace!r}"
        )
    return factor(pack, "fuel", line.fuel, "oxidation_percent").named("oxidation_percent")


def dry_fuel(fuel_t: Decimal, moisture_percent: Decimal, pack: Pack) -> Node:
    """Solid fuel as dry (t), auxiliary in steel: AD × (1 − M/100)."""
    fuel = measured("fuel_t", fuel_t, "t", "fuel", pack)
    moisture = reported("moisture_percent", moisture_percent, "%", pack.decimals("percent"))
    value = quotient(fuel.value * (100 - moisture.value), Decimal(100), pack.decimals("fuel"))
    return Node("fuel_dry_t", value, "t", "AD × (1 − M/100)", (fuel, moisture))
