"""The account of a gas-fired unit: all by its meters, heating value and carbon by default."""

from decimal import Decimal

from tanzheng.analytics.accounting.combustion import gas_co2
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.metered import MeteredMonth
from tanzheng.analytics.result import Accounted


def gas_account(metered: MeteredMonth, pack: Pack) -> Accounted:
    """Round each reported figure first and compute with the rounded ones (standards.md a.4)."""
    _, fuel = metered.counters
    calculation = gas_co2(fuel.total.scaleb(-4), pack)
    energy, time = metered.generation_mwh, metered.operating_hours_h
    capacity = metered.inputs.unit.rated_capacity_mw
    figures = {
        "rated_capacity_mw": capacity,
        "generation_mwh": energy,
        "heat_supplied_gj": Decimal(0),  # this class of unit has no heat meter: none is supplied
        "operating_hours_h": time,
        "load_factor_percent": 100 * energy / (capacity * time) if time else Decimal(0),
        "fuel_gas_1e4nm3": calculation.find("fuel_1e4nm3").value,
        "gas_ncv_gj_per_1e4nm3": calculation.find("fuel_ncv_gj_per_1e4nm3").value,
        "gas_carbon_tc_per_gj": calculation.find("fuel_carbon_tc_per_gj").value,
        "gas_carbon_tc_per_1e4nm3": calculation.find("fuel_carbon_tc_per_1e4nm3").value,
        "oxidation_percent": calculation.find("oxidation_percent").value,
        "co2_calculated_t": calculation.value,
    }
    if energy > 0:
        figures["co2_intensity_t_per_mwh"] = calculation.value / energy
    return Accounted(figures | metered.cems(), calculation)
