"""From a plant's hour to what its instruments show. Pure arithmetic on exact fractions.

Every constant stands in `data/physics.toml` with its source.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from importlib import resources

from tanzheng.hardware.epa import Hour


@dataclass(frozen=True, slots=True)
class Constants:
    """The table of `data/physics.toml`; units are in the names."""

    gj_per_mmbtu: Fraction
    lower_per_higher_heating_value: Fraction
    gas_lower_heating_value_gj_per_1e4nm3: Fraction
    tonnes_per_short_ton: Fraction
    co2_kg_per_nm3: Fraction
    zero_celsius_k: Fraction
    normal_pressure_kpa: Fraction
    co2_dry_percent_at_no_load: Fraction
    co2_dry_percent_per_load: Fraction
    co2_dry_percent_without_excess_air: Fraction
    o2_percent_of_air: Fraction
    stack_temperature_degc_at_no_load: Fraction
    stack_temperature_degc_per_load: Fraction
    stack_temperature_degc_standing: Fraction
    stack_pressure_kpa: Fraction
    stack_moisture_percent_at_no_load: Fraction
    stack_moisture_percent_per_load: Fraction
    stack_moisture_percent_standing: Fraction
    meter_start_kwh: Fraction
    gas_meter_start_nm3: Fraction
    gas_counter_nm3_per_count: Fraction


@cache
def constants() -> Constants:
    """The shipped constants."""
    path = resources.files("tanzheng.hardware") / "data" / "physics.toml"
    table: Mapping[str, Mapping[str, str]] = tomllib.loads(path.read_text(encoding="utf-8"))
    return Constants(
        **{item.name: Fraction(table[item.name]["value"]) for item in fields(Constants)}
    )


def energy_kwh(hour: Hour) -> Fraction:
    """Electricity of the hour: the load is a rate, so MW × operating hours."""
    return Fraction(hour.load_mw) * Fraction(hour.op_time) * 1000


def gas_nm3(hour: Hour, c: Constants) -> Fraction:
    """Fuel gas of the hour at 0 °C and 101.325 kPa: the heat input is a total."""
    lower_gj = Fraction(hour.heat_mmbtu) * c.gj_per_mmbtu * c.lower_per_higher_heating_value
    return lower_gj / c.gas_lower_heating_value_gj_per_1e4nm3 * 10_000


def co2_tonnes(hour: Hour, c: Constants) -> Fraction:
    """Stack CO2 of the hour: the mass is a total, never multiplied by the operating time."""
    return Fraction(hour.co2_short_tons) * c.tonnes_per_short_ton


def stack_channels(co2_t_per_h: Fraction, load: Fraction, c: Constants) -> dict[str, Fraction]:
    """What the CEMS shows while the unit fires `co2_t_per_h` at `load` (share of rated, 0 to 1).

    HJ 75-2017: G = Q_dry,normal × φ/100 × ρ_CO2 / 1000 with
    Q_dry,normal = Q_wet × 273/(273+t) × p/101.325 × (1−X/100); solved for Q_wet.
    O2 follows from CO2 by Bunte's line.
    """
    co2 = c.co2_dry_percent_at_no_load + load * c.co2_dry_percent_per_load
    temperature = c.stack_temperature_degc_at_no_load + load * c.stack_temperature_degc_per_load
    moisture = c.stack_moisture_percent_at_no_load + load * c.stack_moisture_percent_per_load
    dry_nm3_per_h = co2_t_per_h * 1000 / (co2 / 100 * c.co2_kg_per_nm3)
    to_dry_normal = (
        c.zero_celsius_k
        / (c.zero_celsius_k + temperature)
        * c.stack_pressure_kpa
        / c.normal_pressure_kpa
        * (1 - moisture / 100)
    )
    return {
        "co2_dry_percent": co2,
        "o2_dry_percent": c.o2_percent_of_air * (1 - co2 / c.co2_dry_percent_without_excess_air),
        "stack_flow_wet_m3_per_h": dry_nm3_per_h / to_dry_normal,
        "stack_temperature_degc": temperature,
        "stack_pressure_kpa": c.stack_pressure_kpa,
        "stack_moisture_percent": moisture,
    }


def standing_channels(c: Constants) -> dict[str, Fraction]:
    """What the CEMS shows while the unit stands: air, no flow."""
    return {
        "co2_dry_percent": Fraction(0),
        "o2_dry_percent": c.o2_percent_of_air,
        "stack_flow_wet_m3_per_h": Fraction(0),
        "stack_temperature_degc": c.stack_temperature_degc_standing,
        "stack_pressure_kpa": c.stack_pressure_kpa,
        "stack_moisture_percent": c.stack_moisture_percent_standing,
    }
