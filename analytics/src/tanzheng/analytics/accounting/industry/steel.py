"""Steel (CETS-AG-03.01-V01-2024; standards.md D1 to D4): a balance of carbon in and carbon out.

A unit is a works: E = E_fuel + E_flux + E_electrode + E_material − E_product, fuel sold taken
off, plus facilities by their own guideline. Process level: fuel in − fuel out + power × EF +
heat × EF. More carbon out than in is no result but a mistake in the figures: it is refused.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tanzheng.analytics.accounting.document import Input, Name, Percent, Quantity
from tanzheng.analytics.accounting.industry.common import (
    LINES_MAX,
    IndustryMonth,
    electricity_co2,
    facilities_co2,
    factor,
    heat_co2,
    intensity,
    purchased_co2,
    reported,
    total,
    with_alternatives,
)
from tanzheng.analytics.accounting.industry.fuels import FuelLine, dry_fuel, fuels_co2
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.accounting.sector import Sector
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.errors import InputInvalid

FuelLines = Annotated[tuple[FuelLine, ...], Field(max_length=LINES_MAX)]


class SteelFuel(FuelLine):
    """Net fuel; with its moisture, the dry mass is reported beside it."""

    moisture_percent: Percent | None = None

    @model_validator(mode="after")
    def _moisture_of_a_mass(self) -> Self:
        if self.moisture_percent is not None and self.fuel_t is None:
            raise ValueError("expected moisture_percent only beside fuel_t")
        return self


class Material(Input):
    """Flux, electrode or purchased material that carries carbon in; `t_per_t` where measured."""

    material: Name
    carbon_material_t: Quantity
    t_per_t: Quantity | None = None


class Product(Input):
    """A product that carries carbon out of the works; `t_per_t` where measured."""

    product: Name
    carbon_product_t: Quantity
    t_per_t: Quantity | None = None


class Process(Input):
    """One process: fuel in and out, electricity and heat used, what it made (t)."""

    process: Name
    fuels_in: FuelLines = ()
    fuels_out: FuelLines = ()
    electricity_mwh: Quantity = Decimal(0)
    heat_gj: Quantity = Decimal(0)
    product_t: Quantity | None = None


class MeteredPower(Input):
    """Electricity by method 1: what the meters at the fence say, less what is not fossil."""

    method: Literal["metered"]
    in_mwh: Quantity
    in_non_fossil_mwh: Quantity = Decimal(0)
    out_mwh: Quantity = Decimal(0)
    out_non_fossil_mwh: Quantity = Decimal(0)

    @model_validator(mode="after")
    def _parts_within(self) -> Self:
        if self.in_non_fossil_mwh > self.in_mwh or self.out_non_fossil_mwh > self.out_mwh:
            raise ValueError("expected no more non-fossil electricity than electricity")
        return self


class UsedPower(Input):
    """Electricity by method 2: what is used, less direct non-fossil supply and own generation."""

    method: Literal["used"]
    used_mwh: Quantity
    direct_non_fossil_mwh: Quantity = Decimal(0)
    own_generation_mwh: Quantity = Decimal(0)


Power = Annotated[MeteredPower | UsedPower, Field(discriminator="method")]
Materials = Annotated[tuple[Material, ...], Field(max_length=LINES_MAX)]


class SteelMonth(IndustryMonth):
    """A works's month: what carries carbon in and out, its processes and its electricity."""

    sector: Literal["steel"]  # pyright: ignore[reportIncompatibleVariableOverride] - frozen
    crude_steel_t: Quantity
    fuels: tuple[SteelFuel, ...] = Field(default=(), max_length=LINES_MAX)
    fuels_sold: FuelLines = ()
    fluxes: Materials = ()
    electrodes: Materials = ()
    materials: Materials = ()
    products: tuple[Product, ...] = Field(default=(), max_length=LINES_MAX)
    processes: tuple[Process, ...] = Field(default=(), max_length=LINES_MAX)
    power: Power | None = None


def materials_co2(name: str, rows: Sequence[Material], pack: Pack) -> Node:
    """CO2 (t) of what carries carbon in (D3): Σ AD × EF."""
    parts = [
        _times(row.material, "material", row.carbon_material_t, row.t_per_t, pack) for row in rows
    ]
    return total(name, parts, "Σ AD × EF", pack)


def products_co2(rows: Sequence[Product], pack: Pack) -> Node:
    """CO2 (t) that leaves in products (D3): Σ output × EF."""
    parts = [
        _times(row.product, "product", row.carbon_product_t, row.t_per_t, pack) for row in rows
    ]
    return total("co2_product_t", parts, "Σ output × EF", pack)


def _times(key: str, group: str, mass_t: Decimal, measured: Decimal | None, pack: Pack) -> Node:
    mass = reported(f"carbon_{group}_t", mass_t, "t", pack.decimals("material"))
    if measured is None:
        per_mass = factor(pack, group, key, "t_per_t")
    else:
        places = pack.decimals(f"{group}_factor")
        per_mass = reported(f"{group}_t_per_t", measured, "tCO2/t", places)
    value = rounded(mass.value * per_mass.value, pack.decimals("emission"))
    return Node(f"co2_{group}_t", value, "t", "AD × EF", (mass, per_mass), of=f"{group}.{key}")


def _balance(
    name: str, into: Sequence[Node], out: Sequence[Node], formula: str, pack: Pack
) -> Node:
    gross = total(name, into, formula, pack)
    value = gross.value - sum((node.value for node in out), Decimal(0))
    if value < 0:
        left = ", ".join(f"{node.name} {node.value}" for node in out)
        raise InputInvalid(
            f"{name}: expected no more carbon out than in, got {gross.value} t of CO2 in and {left}"
        )
    return replace(gross, value=value, inputs=(*into, *out))


def steel_co2(month: SteelMonth, pack: Pack) -> Node:
    """CO2 (t) of the works (D1); `InputInvalid` where more carbon leaves than enters."""
    into = [
        fuels_co2("co2_combustion_t", month.fuels, pack),
        materials_co2("co2_flux_t", month.fluxes, pack),
        materials_co2("co2_electrode_t", month.electrodes, pack),
        materials_co2("co2_material_t", month.materials, pack),
    ]
    out = [products_co2(month.products, pack)]
    formula = "E_fuel + E_flux + E_electrode + E_material − E_product"
    if month.fuels_sold:
        out.append(fuels_co2("co2_fuel_sold_t", month.fuels_sold, pack))
        formula += " − E_fuel_sold"
    return _balance("co2_calculated_t", into, out, formula, pack)


def process_co2(process: Process, pack: Pack) -> Node:
    """CO2 (t) of one process (D4), indirect included: fuel in − out + power + heat."""
    power = reported(
        "electricity_mwh", process.electricity_mwh, "MWh", pack.decimals("electricity")
    )
    heat = reported("heat_gj", process.heat_gj, "GJ", pack.decimals("heat"))
    into = [
        fuels_co2("co2_fuel_in_t", process.fuels_in, pack),
        electricity_co2(power, pack),
        heat_co2(heat, pack),
    ]
    out = [fuels_co2("co2_fuel_out_t", process.fuels_out, pack)]
    formula = "E_fuel_in + E_power + E_heat − E_fuel_out"
    node = _balance("co2_process_level_t", into, out, formula, pack)
    return replace(node, of=f"process.{process.process}")


def net_power(power: MeteredPower | UsedPower, pack: Pack) -> Node:
    """Electricity that the grid factor applies to (MWh); below 0 where a works exports it."""
    formula = "(in − in_non_fossil) − (out − out_non_fossil)"
    signs = {"in_mwh": 1, "in_non_fossil_mwh": -1, "out_mwh": -1, "out_non_fossil_mwh": 1}
    if isinstance(power, UsedPower):
        formula = "used − direct_non_fossil − own_generation"
        signs = {"used_mwh": 1, "direct_non_fossil_mwh": -1, "own_generation_mwh": -1}
    places = pack.decimals("electricity")
    nodes = tuple(reported(name, getattr(power, name), "MWh", places) for name in signs)
    start = Decimal(0).scaleb(-places)
    value = sum((sign * n.value for sign, n in zip(signs.values(), nodes, strict=True)), start)
    return Node("net_electricity_mwh", value, "MWh", formula, nodes)


def account(month: SteelMonth, pack: Pack) -> tuple[Node, ...]:
    """CO2 (t) of the unit; then intensity, dry fuel, process level and electricity."""
    pack = with_alternatives(pack, month.alternatives)
    works = emission = steel_co2(month, pack)
    if month.facilities:
        parts = [works, facilities_co2(month.facilities, pack)]
        emission = total("co2_calculated_t", parts, "E_works + E_other", pack)
    crude = reported("crude_steel_t", month.crude_steel_t, "t", pack.decimals("product"))
    auxiliary = intensity(works, crude, pack, "co2_intensity_t_per_t")
    for line in month.fuels:
        if line.moisture_percent is not None and line.fuel_t is not None:
            dry = dry_fuel(line.fuel_t, line.moisture_percent, pack)
            auxiliary.append(replace(dry, of=f"fuel.{line.fuel}"))
    for process in month.processes:
        auxiliary += _process_level(process, pack)
    if month.power is not None:
        auxiliary.append(electricity_co2(net_power(month.power, pack), pack))
    return emission, *auxiliary, *purchased_co2(month, pack)


def _process_level(process: Process, pack: Pack) -> list[Node]:
    if f"process.{process.process}" not in pack.labels:
        known = [key.removeprefix("process.") for key in pack.labels if key.startswith("process.")]
        raise InputInvalid(f"process: expected one of {', '.join(known)}, got {process.process!r}")
    level = process_co2(process, pack)
    if process.product_t is None:
        return [level]
    made = reported("product_t", process.product_t, "t", pack.decimals("product"))
    rate = intensity(level, made, pack, "co2_process_intensity_t_per_t")
    return [level, *(replace(node, of=level.of) for node in rate)]


SECTOR = Sector("steel", "steel", "钢铁", SteelMonth, account)
