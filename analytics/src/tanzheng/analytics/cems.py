"""CO2 mass flow of a stack from what its CEMS measures.

    G [t/h] = Q_wet · 273/(273 + t) · p/101.325 · (1 − X/100) · φ/100 · ρ · 10⁻³

Q_wet actual wet flow (m³/h), t temperature (°C), p absolute pressure (kPa), X moisture (%), φ dry
CO2 (%), ρ density of CO2 (kg/Nm³). Source: HJ 75-2017 App. A by way of standards.md g, with its
273 K for 0 °C.
"""

from collections.abc import Mapping

import numpy as np

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.series import Bool, Float64, Int64, Series
from tanzheng.core.plant import Role

INPUTS = (
    Role.CEMS_CO2,
    Role.CEMS_FLOW,
    Role.CEMS_TEMPERATURE,
    Role.CEMS_PRESSURE,
    Role.CEMS_MOISTURE,
)
RATE_T_PER_H_MAX = 100_000.0
"""A hundred times the largest unit: such a sample is a fault, and sums stay within int64."""


def rates(t_ms: Int64, inputs: Mapping[Role, tuple[Series, int]], pack: Pack) -> tuple[Int64, Bool]:
    """CO2 mass rate in whole grams per hour at each instant of `t_ms`, and where it is valid.

    `inputs` gives for each of `INPUTS` its series and interval (ms): an instant takes the newest
    reading that is less than one interval old. Rates are whole grams per hour so that all sums
    over them are exact and depend on no order of addition, processor or library.
    """
    columns, valid = {}, np.ones(len(t_ms), dtype=np.bool_)
    for role in INPUTS:
        series, interval_ms = inputs[role]
        columns[role], fresh = held(series.usable(), t_ms, interval_ms)
        valid &= fresh
    rate = _rate_t_per_h(columns, pack)
    moisture, temperature = columns[Role.CEMS_MOISTURE], columns[Role.CEMS_TEMPERATURE]
    valid &= (moisture >= 0) & (moisture < 100) & (temperature > -273)
    valid &= (columns[Role.CEMS_CO2] >= 0) & (columns[Role.CEMS_CO2] <= 100)
    valid &= (rate >= 0) & (rate <= RATE_T_PER_H_MAX)
    grams = np.rint(np.where(valid, rate, 0.0) * 1e6).astype(np.int64)
    return grams, valid


def held(series: Series, t_ms: Int64, interval_ms: int) -> tuple[Float64, Bool]:
    """The newest value of `series` at each of `t_ms`; whether it is younger than `interval_ms`."""
    if not len(series):
        return np.zeros(len(t_ms)), np.zeros(len(t_ms), dtype=np.bool_)
    index = np.searchsorted(series.t_ms, t_ms, side="right") - 1
    known = np.maximum(index, 0)
    fresh = (index >= 0) & (t_ms - series.t_ms[known] < interval_ms)
    return series.value[known], fresh


def _rate_t_per_h(columns: Mapping[Role, Float64], pack: Pack) -> Float64:
    co2, flow, temperature, pressure, moisture = (columns[role] for role in INPUTS)
    kelvin = float(pack.constant("cems.standard_temperature_k").value)
    normal_kpa = float(pack.constant("cems.standard_pressure_kpa").value)
    density = float(pack.constant("cems.co2_density_kg_per_nm3").value)
    with np.errstate(all="ignore"):  # a reading outside physics gives inf or nan: not valid
        dry = flow * kelvin / (kelvin + temperature) * pressure / normal_kpa * (1 - moisture / 100)
        return dry * co2 / 100 * density / 1000
