"""A gas-fired unit whose month is known by construction: readings computed from stated hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tanzheng.analytics.series import Float64, Int64, Series
from tanzheng.analytics.steps import CounterStep
from tanzheng.core.calendar import HOUR_MS, Month
from tanzheng.core.plant import Plant

MONTH = Month(2018, 2)
PLANT_TOML = b"""
version = 1
enterprise = "TEST-1"
name = "A plant on paper"
name_zh = "\xe7\xba\xb8\xe4\xb8\x8a\xe7\x94\xb5\xe5\x8e\x82"
utc_offset = "+08:00"

[[unit]]
id = "G1"
kind = "gas"
rated_capacity_mw = "300"
rated_capacity_source = "assumed for tests"

[[gateway]]
id = "gw1"
interval_s = 60

[[device]]
id = "meter"
gateway = "gw1"
unit = "G1"
profile = "energy"
[[device.point]]
field = "active_energy_export_kwh"
role = "generation"
[[device.point]]
field = "active_power_kw"
role = "power"

[[device]]
id = "gas"
gateway = "gw1"
unit = "G1"
profile = "gas"
[[device.point]]
field = "gas_volume_nm3"
role = "fuel_gas"

[[device]]
id = "cems"
gateway = "gw1"
unit = "G1"
profile = "cems"
[[device.point]]
field = "co2_dry_percent"
role = "cems_co2"
[[device.point]]
field = "stack_flow_wet_m3_per_h"
role = "cems_flow"
[[device.point]]
field = "stack_temperature_degc"
role = "cems_temperature"
[[device.point]]
field = "stack_pressure_kpa"
role = "cems_pressure"
[[device.point]]
field = "stack_moisture_percent"
role = "cems_moisture"
[[device.point]]
field = "run_state"
role = "run_state"
"""
PLANT = Plant.parse(PLANT_TOML)
START_MS, END_MS = MONTH.bounds_ms(PLANT.zone)

ENERGY = "meter/active_energy_export_kwh"
POWER = "meter/active_power_kw"
VOLUME = "gas/gas_volume_nm3"
CO2 = "cems/co2_dry_percent"
FLOW = "cems/stack_flow_wet_m3_per_h"
TEMPERATURE = "cems/stack_temperature_degc"
PRESSURE = "cems/stack_pressure_kpa"
MOISTURE = "cems/stack_moisture_percent"
RUN = "cems/run_state"
CEMS_POINTS = (CO2, FLOW, TEMPERATURE, PRESSURE, MOISTURE)


@dataclass(frozen=True)
class Run:
    """The unit fires in [from_ms, to_ms) at constant rates."""

    from_ms: int
    to_ms: int
    mw: float = 240.0
    nm3_per_h: float = 45_000.0
    co2_t_per_h: float = 100.0


def hours_from_start(hours: float) -> int:
    """The instant so many hours after the month's start."""
    return START_MS + round(hours * HOUR_MS)


def grid(interval_ms: int = 60_000) -> Int64:
    """Every slot of the month and the closing slot."""
    return np.arange(START_MS, END_MS + 1, interval_ms, dtype=np.int64)


def record(runs: Sequence[Run], interval_ms: int = 60_000) -> dict[str, Series]:
    """The readings of a month in which the unit ran in `runs`, which do not overlap."""
    t_ms = grid(interval_ms)
    columns = {point: np.zeros(len(t_ms)) for point in (POWER, FLOW, RUN, CO2)}
    energy, volume = np.full(len(t_ms), 1_000_000.0), np.full(len(t_ms), 500_000.0)
    for run in runs:
        # the closing slot shows what was running until then
        at = (t_ms >= run.from_ms) & (
            (t_ms < run.to_ms) | ((t_ms == END_MS) & (run.to_ms == END_MS))
        )
        elapsed_h = (np.clip(t_ms, run.from_ms, run.to_ms) - run.from_ms) / HOUR_MS
        energy += elapsed_h * run.mw * 1000
        volume += elapsed_h * run.nm3_per_h
        columns[POWER][at] = run.mw * 1000
        columns[RUN][at] = 1
        columns[CO2][at] = 4.0
        columns[FLOW][at] = wet_flow(run.co2_t_per_h, 4.0)
    columns |= {ENERGY: energy.round(6), VOLUME: volume.round(6)}
    columns |= {
        TEMPERATURE: np.full(len(t_ms), 91.0),
        PRESSURE: np.full(len(t_ms), 101.325),
        MOISTURE: np.full(len(t_ms), 10.0),
    }
    return {point: series(t_ms, value) for point, value in columns.items()}


def wet_flow(co2_t_per_h: float, co2_percent: float) -> float:
    """Wet flow at 91 °C, 101.325 kPa and 10 % moisture that carries `co2_t_per_h`."""
    return co2_t_per_h / (co2_percent / 100 * 1.9647e-3) * (273 + 91) / 273 / 0.9


def series(t_ms: Int64, value: Float64) -> Series:
    """Good readings."""
    return Series(t_ms, np.asarray(value, np.float64), np.zeros(len(t_ms), np.uint8))


def without(readings: Series, from_ms: int, to_ms: int) -> Series:
    """The readings but those of [from_ms, to_ms)."""
    return readings.where((readings.t_ms < from_ms) | (readings.t_ms >= to_ms))


def rolled_over(limit: float = 1_000_000_000.0) -> tuple[dict[str, Series], CounterStep]:
    """A month whose energy meter goes through its limit at hour 100."""
    series = record([Run(START_MS, END_MS)])
    energy = series[ENERGY]
    lift = limit - (1_000_000.0 + 100 * 240_000.0 + 4_000.0)
    value = energy.value + lift
    at = int(np.flatnonzero(value >= limit)[0])
    value[at:] -= limit
    series[ENERGY] = Series(energy.t_ms, value, energy.quality)
    return series, CounterStep(
        ENERGY,
        int(energy.t_ms[at]) + 417,  # the moment of its reply
        "rollover",
        Decimal(repr(float(value[at - 1]))),
        Decimal(repr(float(value[at]))),
        Decimal(repr(limit)),
    )
