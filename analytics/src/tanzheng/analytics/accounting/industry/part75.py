"""40 CFR Part 75: CO2 mass by Appendix G, heat input and diluent conversions by Appendix F.

Short tons, pounds, standard cubic feet (68 °F, 29.92 inHg), mmBtu. Equations keep their numbers.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from tanzheng.analytics.accounting.document import Input, Name, Percent, Quantity, UnitMonth
from tanzheng.analytics.accounting.industry.common import factor, reported
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import quotient, rounded
from tanzheng.analytics.accounting.sector import Sector
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.errors import InputInvalid

HOURS_MAX = 31 * 24
DAYS_MAX = 31


class HeatHour(Input):
    """An hour of gas or oil: its heat input, or fuel and gross calorific value."""

    at: Name
    fuel: Name = "natural_gas"
    heat_mmbtu: Quantity | None = None
    gas_100scf: Quantity | None = None
    gcv_btu_per_100scf: Quantity | None = None
    oil_lb: Quantity | None = None
    gcv_btu_per_lb: Quantity | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        gas, oil = (self.gas_100scf, self.gcv_btu_per_100scf), (self.oil_lb, self.gcv_btu_per_lb)
        given = [self.heat_mmbtu is not None, None not in gas, None not in oil]
        stray = sum(value is not None for value in (*gas, *oil)) % 2
        if sum(given) != 1 or stray:
            raise ValueError(
                "expected one of: heat_mmbtu; gas_100scf with gcv_btu_per_100scf; "
                "oil_lb with gcv_btu_per_lb"
            )
        return self


class StackHour(Input):
    """An hour of a stack: wet flow, wet CO2 and the operating time (h, 0 to 1)."""

    at: Name
    flow_scfh: Quantity
    co2_wet_percent: Percent
    op_time_h: Decimal = Field(ge=0, le=1, default=Decimal(1))


class CoalDay(Input):
    """A day of coal (short tons) with its carbon; `ash_…` subtract what the ash keeps (G-2),
    `burned` "default" takes the default share of carbon that burns (G-3)."""

    at: Name
    fuel: Name = "bituminous"
    coal_tons: Quantity
    carbon_percent: Percent | None = None
    ash_percent: Percent | None = None
    ash_carbon_percent: Percent | None = None
    burned: Literal["all", "default"] = "all"

    @model_validator(mode="after")
    def _ash_whole(self) -> Self:
        ash = [self.ash_percent is not None, self.ash_carbon_percent is not None]
        if any(ash) != all(ash) or (any(ash) and self.burned == "default"):
            raise ValueError(
                "expected ash_percent with ash_carbon_percent (G-2), or burned default (G-3)"
            )
        return self


class Part75Month(UnitMonth):
    """A unit's month: hours by heat input, hours by stack, days of coal."""

    sector: Literal["us_part75"]  # pyright: ignore[reportIncompatibleVariableOverride] - frozen
    hours: tuple[HeatHour, ...] = Field(default=(), max_length=HOURS_MAX)
    stack_hours: tuple[StackHour, ...] = Field(default=(), max_length=HOURS_MAX)
    coal_days: tuple[CoalDay, ...] = Field(default=(), max_length=DAYS_MAX)

    @model_validator(mode="after")
    def _each_time_once(self) -> Self:
        hours = [row.at for row in self.hours] + [row.at for row in self.stack_hours]
        for times in (hours, [row.at for row in self.coal_days]):
            if twice := sorted({at for at in times if times.count(at) > 1}):
                raise ValueError(f"expected every time once, got {twice[0]} twice")
        if not hours and not self.coal_days:
            raise ValueError("expected hours, stack_hours or coal_days")
        return self


def heat_input(hour: HeatHour, pack: Pack) -> Node:
    """Heat input of an hour (mmBtu): as given, or F-20 for gas, F-19 for oil."""
    places = pack.decimals("heat")
    if hour.heat_mmbtu is not None:
        return reported("heat_mmbtu", hour.heat_mmbtu, "mmBtu", places)
    divisor = pack.constant("btu_per_mmbtu")
    if hour.gas_100scf is not None and hour.gcv_btu_per_100scf is not None:
        fuel = Node("gas_100scf", hour.gas_100scf, "100 scf")
        gcv = Node("gcv_btu_per_100scf", hour.gcv_btu_per_100scf, "Btu/100 scf")
        formula = "F-20: Q × GCV / B"
    else:
        assert hour.oil_lb is not None
        assert hour.gcv_btu_per_lb is not None
        fuel = Node("oil_lb", hour.oil_lb, "lb")
        gcv = Node("gcv_btu_per_lb", hour.gcv_btu_per_lb, "Btu/lb")
        formula = "F-19: M × GCV / B"
    value = quotient(fuel.value * gcv.value, divisor.value, places)
    return Node("heat_mmbtu", value, "mmBtu", formula, (fuel, gcv, divisor))


def co2_by_heat(hour: HeatHour, pack: Pack) -> Node:
    """CO2 (short tons) of an hour of gas or oil (G-4): Fc × H × U_f × MW_CO2 / 2000."""
    heat = heat_input(hour, pack)
    per_heat = factor(pack, "fuel", hour.fuel, "fc_scf_per_mmbtu")
    volume = pack.constant("molar_volume_scf_per_lbmol")
    mass, ton = pack.constant("molar_mass_co2_lb_per_lbmol"), pack.constant("lb_per_short_ton")
    lb = per_heat.value * heat.value * mass.value
    inputs = (per_heat, heat, mass, volume, ton)
    value = quotient(lb, volume.value * ton.value, pack.decimals("co2"))
    return Node("co2_short_tons", value, "ton", "G-4: Fc × H × MW / (V × T)", inputs, of=hour.at)


def co2_by_stack(hour: StackHour, pack: Pack) -> Node:
    """CO2 (short tons) of an hour of a stack (F-11, times the operating time): K × C × Q × t."""
    inputs = (
        pack.constant("co2_tons_per_scf_percent"),
        reported("co2_wet_percent", hour.co2_wet_percent, "%", pack.decimals("concentration")),
        Node("flow_scfh", hour.flow_scfh, "scf/h"),
        Node("op_time_h", hour.op_time_h, "h"),
    )
    exact = inputs[0].value * inputs[1].value * inputs[2].value * inputs[3].value
    value = rounded(exact, pack.decimals("co2"))
    return Node("co2_short_tons", value, "ton", "F-11: K × C × Q × t", inputs, of=hour.at)


def co2_by_carbon(day: CoalDay, pack: Pack) -> Node:
    """CO2 (short tons) of a day of coal: G-1 by carbon burned, then G-2 or G-3 if asked for."""
    coal = Node("coal_tons", day.coal_tons, "ton")
    carbon = _coal_carbon(day, pack)
    ton = pack.constant("lb_per_short_ton")
    burned = Node(
        "carbon_lb",
        coal.value * ton.value * carbon.value / 100,
        "lb",
        "coal × T × C/100",
        (coal, ton, carbon),
    )
    masses = (
        pack.constant("molar_mass_carbon_lb_per_lbmol"),
        pack.constant("molar_mass_oxygen_lb_per_lbmol"),
    )
    lb = (masses[0].value + masses[1].value) * burned.value
    value = quotient(lb, ton.value * masses[0].value, pack.decimals("co2_day"))
    inputs = (*masses, burned, ton)
    formula = "G-1: (MW_C + MW_O2) × W_C / (T × MW_C)"
    gross = Node("co2_short_tons", value, "ton", formula, inputs, of=day.at)
    if day.burned == "default":
        return _by_default_burned(gross, pack)
    if day.ash_percent is not None and day.ash_carbon_percent is not None:
        ash = Node("ash_percent", day.ash_percent, "%")
        left = Node("ash_carbon_percent", day.ash_carbon_percent, "%")
        return _less_ash(gross, coal, ash, left, pack)
    return gross


def _coal_carbon(day: CoalDay, pack: Pack) -> Node:
    if day.carbon_percent is None:
        return factor(pack, "fuel", day.fuel, "carbon_missing_percent")
    return reported("carbon_percent", day.carbon_percent, "%", pack.decimals("carbon"))


def _by_default_burned(gross: Node, pack: Pack) -> Node:
    share = pack.constant("carbon_burned_default")
    value = rounded(share.value * gross.value, pack.decimals("co2_day"))
    return replace(gross, value=value, formula="G-3: f × W_CO2", inputs=(share, gross))


def _less_ash(gross: Node, coal: Node, ash: Node, carbon: Node, pack: Pack) -> Node:
    ratio = (
        pack.constant("molar_mass_co2_lb_per_lbmol"),
        pack.constant("molar_mass_carbon_lb_per_lbmol"),
    )
    # One division for the difference: 44/12 has no end.
    kept = ratio[0].value * ash.value * carbon.value * coal.value
    parts = 10000 * ratio[1].value
    value = quotient(gross.value * parts - kept, parts, pack.decimals("co2_day"))
    if value < 0:
        raise InputInvalid(
            f"{gross.of}: expected no more carbon in the ash than in the coal, got {value} tons"
        )
    formula = "G-2: W_CO2 − MW_CO2/MW_C × A/100 × C/100 × W_coal"
    return replace(gross, value=value, formula=formula, inputs=(gross, *ratio, ash, carbon, coal))


def account(month: Part75Month, pack: Pack) -> tuple[Node, ...]:
    """CO2 (t) of the unit: Σ hours by heat, hours by stack, days of coal, then tonnes."""
    parts = (
        *(co2_by_heat(hour, pack) for hour in month.hours),
        *(co2_by_stack(hour, pack) for hour in month.stack_hours),
        *(co2_by_carbon(day, pack) for day in month.coal_days),
    )
    places = pack.decimals("co2")
    sum_ = sum((part.value for part in parts), Decimal(0).scaleb(-places))
    tons = Node("co2_short_tons", sum_, "ton", "Σ hours and days", parts)
    ratio = pack.constant("tonnes_per_short_ton")
    value = rounded(tons.value * ratio.value, places)
    return (Node("co2_calculated_t", value, "t", "W × t_per_ton", (tons, ratio)),)


SECTOR = Sector(
    "us_part75", "US power generation, 40 CFR Part 75", "美国发电（40 CFR 第75部分）",
    Part75Month, account,
)  # fmt: skip
