"""Power generation: the input of a unit's month, and its figures (standards.md a)."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tanzheng.analytics.accounting import coal, production
from tanzheng.analytics.accounting.combustion import (
    fuel_co2,
    heating_value,
    measure_of,
    measured,
)
from tanzheng.analytics.accounting.document import (
    Content,
    Input,
    Name,
    Percent,
    Quantity,
    UnitMonth,
)
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import quotient
from tanzheng.analytics.accounting.sector import Sector
from tanzheng.analytics.accounting.tree import Node
from tanzheng.core.errors import BadInput

UnitClass = Literal["coal_over_300mw", "coal_up_to_300mw", "coal_unconventional", "gas"]
Share = Annotated[Quantity, Field(le=1)]
Moisture = Annotated[Percent, Field(lt=100)]


class CoalAnalysis(Input):
    """What was measured of coal; carbon on one basis only (as received, air dried, dry)."""

    coal_ncv_gj_per_t: Content | None = None
    coal_carbon_tc_per_t: Share | None = None
    coal_carbon_ad_tc_per_t: Share | None = None
    coal_carbon_d_tc_per_t: Share | None = None
    coal_moisture_percent: Moisture | None = None
    coal_moisture_ad_percent: Moisture | None = None

    @model_validator(mode="after")
    def _one_basis(self) -> Self:
        bases = (
            self.coal_carbon_tc_per_t,
            self.coal_carbon_ad_tc_per_t,
            self.coal_carbon_d_tc_per_t,
        )
        if sum(carbon is not None for carbon in bases) > 1:
            raise ValueError("expected carbon on one basis, got several")
        return self

    def analysis(self) -> coal.Analysis:
        """The same for the pure functions."""
        return coal.Analysis(
            self.coal_ncv_gj_per_t,
            self.coal_carbon_tc_per_t,
            self.coal_carbon_ad_tc_per_t,
            self.coal_carbon_d_tc_per_t,
            self.coal_moisture_percent,
            self.coal_moisture_ad_percent,
        )


class CoalLot(CoalAnalysis):
    """A day's burned coal, or a received batch; `of` is the day or the number of the batch."""

    of: Name
    coal_t: Quantity


class CoalUse(CoalAnalysis):
    """One coal of the month: burned tonnes or the `days` they add up from, and its analysis.

    `batches` are of received coal: they weigh heating value and carbon, not the tonnes burned.
    Carbon of the month beside `days` is that of the monthly composite sample.
    """

    coal: Name = "coal"
    coal_t: Quantity | None = None
    days: tuple[CoalLot, ...] = Field(default=(), max_length=62)
    batches: tuple[CoalLot, ...] = Field(default=(), max_length=2000)

    @model_validator(mode="after")
    def _tonnes_once(self) -> Self:
        if (self.coal_t is None) == (not self.days):
            raise ValueError("expected either coal_t or days")
        if self.days and self.batches:
            raise ValueError("expected either days or batches")
        return self


class FuelUse(Input):
    """Another fuel of the pack's table, in t or 10⁴ Nm³ as the table has it."""

    fuel: Name
    fuel_t: Quantity | None = None
    fuel_1e4nm3: Quantity | None = None
    fuel_ncv_gj_per_t: Content | None = None
    fuel_ncv_gj_per_1e4nm3: Content | None = None
    fuel_carbon_tc_per_gj: Share | None = None
    fuel_carbon_tc_per_t: Share | None = None
    fuel_carbon_tc_per_1e4nm3: Content | None = None

    def figures(self, per: str) -> tuple[Decimal, Decimal | None, Decimal | None]:
        """Quantity, heating value and carbon per t or 10⁴ Nm³; `BadInput` for the other unit."""
        other = "t" if per == "1e4nm3" else "1e4nm3"
        names = ("fuel_", "fuel_ncv_gj_per_", "fuel_carbon_tc_per_")
        for name in names:
            if getattr(self, name + other) is not None:
                raise BadInput(f"{self.fuel}: expected {name}{per}, got {name}{other}")
        consumed, ncv, carbon = (getattr(self, name + per) for name in names)
        if consumed is None:
            raise BadInput(f"{self.fuel}: fuel_{per}: expected the quantity burned, got none")
        return consumed, ncv, carbon


class Machine(Input):
    """A machine of the unit, where several are reported as one."""

    machine: Name
    rated_capacity_mw: Quantity
    operating_hours_h: Quantity


class Steam(Input):
    """Steam supplied to customers."""

    of: Name
    steam_t: Quantity
    enthalpy_kj_per_kg: Content


class HotWater(Input):
    """Hot water supplied to customers."""

    of: Name
    water_t: Quantity
    temperature_c: Content


class PowerMonth(UnitMonth):
    """The month of a unit. What is left out is not known: figures that need it are not formed."""

    sector: Literal["power"]  # pyright: ignore[reportIncompatibleVariableOverride] - frozen
    unit_class: UnitClass
    coals: tuple[CoalUse, ...] = Field(default=(), max_length=40)
    fuels: tuple[FuelUse, ...] = Field(default=(), max_length=40)
    machines: tuple[Machine, ...] = Field(default=(), max_length=40)
    generation_mwh: Quantity | None = None
    auxiliary_electricity_mwh: Quantity | None = None
    purchased_electricity_mwh: Quantity | None = None
    grid: Name = "national"
    heat_supplied_gj: Quantity | None = None
    steam: tuple[Steam, ...] = Field(default=(), max_length=100)
    hot_water: tuple[HotWater, ...] = Field(default=(), max_length=100)
    boiler_heat_gj: Quantity | None = None
    boiler_efficiency_percent: Percent | None = None
    heat_share_percent: Percent | None = None
    biomass: bool = False

    @model_validator(mode="after")
    def _heat_once(self) -> Self:
        if self.heat_supplied_gj is not None and (self.steam or self.hot_water):
            raise ValueError("expected either heat_supplied_gj, or steam and hot_water")
        needs = (self.boiler_heat_gj, self.boiler_efficiency_percent)
        if self.biomass and None in needs:
            raise ValueError("biomass: expected boiler_heat_gj and boiler_efficiency_percent")
        if len(self.coals) + len(self.fuels) == 0 and self.generation_mwh:
            raise ValueError("expected a fuel, for something was generated")
        return self


def account(model: PowerMonth, pack: Pack) -> tuple[Node, ...]:
    """CO2 of the month, then what it is compared with. Pure."""
    burned = [*(_coal(item, model, pack) for item in model.coals)]
    burned += [_fuel(item, pack) for item in model.fuels]
    parts = tuple(co2 for co2, _ in burned)
    total = Node(
        "co2_calculated_t", sum((part.value for part in parts), Decimal("0.00")), "t", "Σ fuels",
        parts,
    )  # fmt: skip
    heats = [heat for _, heat in burned if heat is not None]
    known = len(heats) == len(burned)
    if model.biomass and not known:
        raise BadInput("biomass: expected the heating value of every coal, got carbon alone")
    tce = production.standard_coal(heats, pack) if heats and known else None
    return (total, *_given(_production(model, total, tce, heats if known else [], pack)))


def _given(figures: Iterator[Node | None]) -> Iterator[Node]:
    return (node for node in figures if node is not None)


def _coal(item: CoalUse, model: PowerMonth, pack: Pack) -> tuple[Node, Node | None]:
    """CO2 of a coal; its heat where its heating value was measured or stood in for carbon."""
    lots = [coal.Lot(lot.of, lot.coal_t, lot.analysis()) for lot in (*item.days, *item.batches)]
    ncv, carbon = coal.month_analysis(lots, item.analysis(), pack, item.coal)
    tonnes = _burned(item, pack)
    co2 = coal.coal_co2(tonnes, ncv, carbon, model.period, pack, item.coal)
    if ncv is None and carbon is None:
        ncv = co2.find(coal.NCV)
    return co2, production.fuel_heat(tonnes, ncv, pack, item.coal) if ncv else None


def _burned(item: CoalUse, pack: Pack) -> Node:
    if item.coal_t is not None:
        return measured("coal_t", item.coal_t, "t", "fuel", pack)
    total = sum((Fraction(lot.coal_t) for lot in item.days), Fraction(0))
    days = tuple(Node("coal_t", lot.coal_t, "t", of=lot.of) for lot in item.days)
    value = quotient(total, Fraction(1), pack.decimals("fuel"))
    return Node("coal_t", value, "t", "Σ days", days)


def _fuel(item: FuelUse, pack: Pack) -> tuple[Node, Node]:
    measure = measure_of(item.fuel, pack)
    consumed, ncv, carbon = item.figures(measure.per)
    co2 = fuel_co2(
        item.fuel,
        consumed,
        pack,
        ncv=ncv,
        carbon_per_heat=item.fuel_carbon_tc_per_gj,
        carbon=carbon,
    )
    quantity = co2.find(f"fuel_{measure.per}")
    heat = heating_value(item.fuel, ncv, pack)
    return co2, production.fuel_heat(quantity, heat, pack, item.fuel)


def _production(
    model: PowerMonth, co2: Node, tce: Node | None, heats: list[Node], pack: Pack
) -> Iterator[Node | None]:
    generated = _optional("generation_mwh", model.generation_mwh, "MWh", "electricity", pack)
    auxiliary = _optional(
        "auxiliary_electricity_mwh", model.auxiliary_electricity_mwh, "MWh", "electricity", pack
    )
    net = production.net_generation(generated, auxiliary) if generated and auxiliary else None
    supplied, produced = _heat(model, pack), _boiler(model, pack)
    yield from (generated, net, supplied)
    yield from _running(model, generated, pack)
    share = _share(model, supplied, produced, pack)
    yield share
    if model.biomass and produced:
        efficiency = measured(
            "boiler_efficiency_percent",
            model.boiler_efficiency_percent or Decimal(0),
            "%",
            "ratio",
            pack,
        )
        yield production.biomass_share(produced, efficiency, heats, pack)
    yield tce
    if share:
        yield from _rates(co2, tce, share, (generated, net, supplied), pack)
    purchased = _optional(
        "purchased_electricity_mwh", model.purchased_electricity_mwh, "MWh", "electricity", pack
    )
    if purchased:
        yield production.electricity_co2(purchased, pack, model.period, model.grid)


def _running(model: PowerMonth, generated: Node | None, pack: Pack) -> Iterator[Node | None]:
    machines = [
        (
            measured("rated_capacity_mw", m.rated_capacity_mw, "MW", "capacity", pack, m.machine),
            measured("operating_hours_h", m.operating_hours_h, "h", "hours", pack, m.machine),
        )
        for m in model.machines
    ]
    hours = model.period.hours
    for item in model.machines:
        if item.operating_hours_h > hours:
            raise BadInput(
                f"machine {item.machine}: operating_hours_h: expected at most the {hours} h of "
                f"{model.month}, got {item.operating_hours_h}"
            )
    yield production.operating_hours(machines, pack)
    if generated:
        yield production.load_factor(generated, machines, pack)


def _heat(model: PowerMonth, pack: Pack) -> Node | None:
    """Heat supplied: as given, or summed from steam and hot water, each rounded first (A10)."""
    if not model.steam and not model.hot_water:
        return _optional("heat_supplied_gj", model.heat_supplied_gj, "GJ", "heat", pack)
    parts = [
        production.steam_heat(s.steam_t, s.enthalpy_kj_per_kg, pack, s.of) for s in model.steam
    ]
    parts += [
        production.water_heat(w.water_t, w.temperature_c, pack, w.of) for w in model.hot_water
    ]
    total = sum((part.value for part in parts), Decimal(0))
    return Node("heat_supplied_gj", total, "GJ", "Σ steam and hot water", tuple(parts))


def _boiler(model: PowerMonth, pack: Pack) -> Node | None:
    return _optional("boiler_heat_gj", model.boiler_heat_gj, "GJ", "heat", pack)


def _share(
    model: PowerMonth, supplied: Node | None, produced: Node | None, pack: Pack
) -> Node | None:
    """The heat share as given, as formed, or 0 where no heat is supplied; None if not known."""
    if model.heat_share_percent is not None:
        return measured("heat_share_percent", model.heat_share_percent, "%", "ratio", pack)
    if supplied is not None and supplied.value == 0:
        return measured("heat_share_percent", Decimal(0), "%", "ratio", pack)
    return production.heat_share(supplied, produced, pack) if supplied and produced else None


def _rates(
    co2: Node,
    tce: Node | None,
    share: Node,
    outputs: tuple[Node | None, Node | None, Node | None],
    pack: Pack,
) -> Iterator[Node | None]:
    """Coal rates and intensities (A13)."""
    generated, net, supplied = outputs
    rate, intensity = pack.decimals("coal_rate"), pack.decimals("intensity")
    by_electricity, by_heat = production.per_electricity, production.per_heat
    if tce and generated:
        yield by_electricity("gross_coal_rate_tce_per_mwh", "tce/MWh", tce, share, generated, rate)
    if tce and net:
        yield by_electricity("net_coal_rate_tce_per_mwh", "tce/MWh", tce, share, net, rate)
    if tce and supplied:
        yield by_heat("heat_coal_rate_tce_per_gj", "tce/GJ", tce, share, supplied, rate)
    if generated:
        yield by_electricity("co2_intensity_t_per_mwh", "t/MWh", co2, share, generated, intensity)
    if supplied:
        yield by_heat("co2_intensity_t_per_gj", "t/GJ", co2, share, supplied, intensity)


def _optional(
    name: str, value: Decimal | None, unit: str, quantity: str, pack: Pack
) -> Node | None:
    return None if value is None else measured(name, value, unit, quantity, pack)


SECTOR = Sector("power", "power generation", "发电", PowerMonth, account)
