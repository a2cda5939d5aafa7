"""Months whose figures agree with one another, by the formulas of the guidelines."""

import numpy as np
import polars as pl

from tanzheng.core.fields import FIELDS

CARBON = 44 / 12
GJ_PER_TCE = 29.3076


def consistent(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """`frame` with independent figures varied and the others computed from them."""
    jitter = {
        f"_{n}": pl.Series(1 + rng.uniform(-0.03, 0.03, frame.height), dtype=pl.Float64)
        for n in range(4)
    }
    frame = frame.with_columns(**jitter)
    kind = frame["unit_class"][0]
    steps = {
        "gas": _gas,
        "clinker_line": _cement,
        "electrolysis": _aluminium,
        "steel_works": _steel,
    }
    made = steps.get(kind, _coal)(frame)
    return made.drop(list(jitter))


def _set(frame: pl.DataFrame, **figures: pl.Expr) -> pl.DataFrame:
    """The figures with the decimals that are reported."""
    return frame.with_columns(
        **{
            name: value.round(FIELDS[name].decimals or 0, mode="half_away_from_zero")
            for name, value in figures.items()
        }
    )


c = pl.col


def _coal(frame: pl.DataFrame) -> pl.DataFrame:
    hours = c("month").dt.month_end().dt.day().cast(pl.Float64) * 24
    frame = _set(
        frame,
        coal_ncv_gj_per_t=c("coal_ncv_gj_per_t") * c("_0"),
        coal_moisture_percent=c("coal_moisture_percent") * c("_1"),
        operating_hours_h=hours * (0.95 + (c("_2") - 1)),
        generation_mwh=c("generation_mwh") * 0.95,
        auxiliary_electricity_mwh=c("generation_mwh") * 0.95 * 0.06 * c("_3"),
    )
    frame = _set(
        frame,
        coal_t=c("generation_mwh") * 10 / c("coal_ncv_gj_per_t") * c("_1"),
        coal_carbon_tc_per_t=c("coal_ncv_gj_per_t") * 0.026 * c("_2"),
        net_generation_mwh=c("generation_mwh") - c("auxiliary_electricity_mwh"),
        house_load_percent=100 * c("auxiliary_electricity_mwh") / c("generation_mwh"),
        load_factor_percent=100
        * c("generation_mwh")
        / c("rated_capacity_mw")
        / c("operating_hours_h"),
    )
    dry, wet = 100 - c("coal_moisture_ad_percent"), 100 - c("coal_moisture_percent")
    heat = c("coal_t") * c("coal_ncv_gj_per_t") + c("oil_t") * c("oil_ncv_gj_per_t")
    oil = c("oil_t") * c("oil_ncv_gj_per_t") * c("oil_carbon_tc_per_gj") * 0.98
    co2 = (c("coal_t") * c("coal_carbon_tc_per_t") * 0.99 + oil) * CARBON
    stock = c("coal_opening_stock_t") + c("coal_received_t") - c("coal_other_use_t")
    frame = _set(
        frame,
        coal_carbon_tc_per_gj=c("coal_carbon_tc_per_t") / c("coal_ncv_gj_per_t"),
        coal_carbon_ad_tc_per_t=c("coal_carbon_tc_per_t") * dry / wet,
        coal_carbon_d_tc_per_t=c("coal_carbon_tc_per_t") * 100 / wet,
        settled_electricity_mwh=c("net_generation_mwh") * 0.998,
        coal_equivalent_tce=heat / GJ_PER_TCE,
        boiler_heat_gj=heat * 0.92,
        coal_closing_stock_t=stock - c("coal_t"),
        co2_combustion_t=co2,
        co2_calculated_t=co2,
    )
    # Carbon per heat by the default formula is not asked of months that were measured.
    frame = _set(frame, heat_share_percent=100 * c("heat_supplied_gj") / c("boiler_heat_gj"))
    rest, share = 1 - c("heat_share_percent") / 100, c("heat_share_percent") / 100
    return _set(
        frame,
        gross_coal_rate_tce_per_mwh=rest * c("coal_equivalent_tce") / c("generation_mwh"),
        net_coal_rate_tce_per_mwh=rest * c("coal_equivalent_tce") / c("net_generation_mwh"),
        heat_coal_rate_tce_per_gj=share * c("coal_equivalent_tce") / c("heat_supplied_gj"),
        co2_intensity_t_per_mwh=rest * c("co2_calculated_t") / c("generation_mwh"),
        co2_intensity_t_per_gj=share * c("co2_calculated_t") / c("heat_supplied_gj"),
        co2_cems_t=c("co2_calculated_t") * c("_3"),
    )


def _gas(frame: pl.DataFrame) -> pl.DataFrame:
    hours = c("month").dt.month_end().dt.day().cast(pl.Float64) * 24
    frame = _set(
        frame,
        fuel_gas_1e4nm3=c("generation_mwh") * 0.0192 * c("_0"),
        operating_hours_h=hours * (0.95 + (c("_1") - 1)),
        auxiliary_electricity_mwh=c("generation_mwh") * 0.02 * c("_2"),
    )
    return _set(
        frame,
        net_generation_mwh=c("generation_mwh") - c("auxiliary_electricity_mwh"),
        house_load_percent=100 * c("auxiliary_electricity_mwh") / c("generation_mwh"),
        load_factor_percent=100
        * c("generation_mwh")
        / c("rated_capacity_mw")
        / c("operating_hours_h"),
        coal_equivalent_tce=c("fuel_gas_1e4nm3") * c("gas_ncv_gj_per_1e4nm3") / GJ_PER_TCE,
        co2_calculated_t=c("fuel_gas_1e4nm3") * c("gas_carbon_tc_per_1e4nm3") * 0.99 * CARBON,
        co2_intensity_t_per_mwh=c("fuel_gas_1e4nm3")
        * c("gas_carbon_tc_per_1e4nm3")
        * 0.99
        * CARBON
        / c("generation_mwh"),
    )


def _cement(frame: pl.DataFrame) -> pl.DataFrame:
    frame = _set(
        frame,
        coal_ncv_gj_per_t=c("coal_ncv_gj_per_t") * c("_0"),
        raw_meal_t=c("clinker_t") * 1.55 * c("_1"),
        raw_substitute_t=c("raw_substitute_t") * c("_2"),
    )
    frame = _set(frame, coal_t=c("clinker_t") * 3.15 * c("_3") / c("coal_ncv_gj_per_t"))
    stock = c("coal_opening_stock_t") + c("coal_received_t") - c("coal_other_use_t")
    frame = _set(
        frame,
        co2_combustion_t=c("coal_t") * c("coal_ncv_gj_per_t") * 0.026 * 0.99 * CARBON,
        co2_process_t=c("clinker_t") * 0.535 - c("raw_substitute_t") * 0.48,
        coal_closing_stock_t=stock - c("coal_t"),
    )
    frame = _set(frame, co2_calculated_t=c("co2_combustion_t") + c("co2_process_t"))
    return _set(frame, co2_intensity_t_per_t=c("co2_calculated_t") / c("clinker_t"))


def _aluminium(frame: pl.DataFrame) -> pl.DataFrame:
    frame = _set(
        frame,
        anode_t=c("aluminium_liquid_t") * 0.47 * c("_0"),
        ac_electricity_mwh=c("aluminium_liquid_t") * 13.6 * c("_1"),
    )
    frame = _set(
        frame,
        co2_process_t=c("anode_t") * (1 - 0.1518) * (1 - 0.024) * CARBON,
        co2e_pfc_t=c("aluminium_liquid_t") * (0.02 * 6630 + 0.0011 * 11100) / 1000,
    )
    frame = _set(frame, co2e_calculated_t=c("co2_process_t") + c("co2e_pfc_t"))
    return _set(frame, co2_intensity_t_per_t=c("co2e_calculated_t") / c("aluminium_liquid_t"))


def _steel(frame: pl.DataFrame) -> pl.DataFrame:
    frame = _set(
        frame,
        coal_ncv_gj_per_t=c("coal_ncv_gj_per_t") * c("_0"),
        pig_iron_t=c("crude_steel_t") * 0.92 * c("_1"),
        sinter_t=c("crude_steel_t") * 1.25 * c("_2"),
        coal_t=c("crude_steel_t") * 0.55 * c("_3"),
    )
    carbon = c("coal_t") * c("coal_ncv_gj_per_t") * c("coal_carbon_tc_per_gj")
    frame = _set(frame, co2_combustion_t=carbon * 0.98 * CARBON)
    frame = _set(frame, co2_calculated_t=c("co2_combustion_t") + c("co2_process_t"))
    return _set(frame, co2_intensity_t_per_t=c("co2_calculated_t") / c("crude_steel_t"))
