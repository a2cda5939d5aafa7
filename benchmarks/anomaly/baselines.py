"""What one would try first: ranges of the standard, a z-score a parameter, an isolation forest.

The two with a dial are given the dial position with the best F1 on the tuning seeds.
"""

from collections.abc import Callable, Iterable

import numpy as np
import polars as pl
from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]

from anomaly.evaluate import Flag, Score, judge
from anomaly.fleet import Array
from anomaly.frames import LabelledSet
from tanzheng.analytics.anomalies.robust import median, scale

RAW = (
    "coal_t", "coal_ncv_gj_per_t", "coal_carbon_tc_per_t", "fuel_gas_1e4nm3",
    "gas_ncv_gj_per_1e4nm3", "gas_carbon_tc_per_1e4nm3", "generation_mwh",
    "net_generation_mwh", "settled_electricity_mwh", "heat_supplied_gj", "boiler_heat_gj",
    "co2_cems_t", "co2_calculated_t",
)  # fmt: skip


def ratios() -> dict[str, pl.Expr]:
    """What a careful analyst would divide by what."""
    fuel = pl.coalesce("coal_t", "fuel_gas_1e4nm3")
    heat = fuel * pl.coalesce("coal_ncv_gj_per_t", "gas_ncv_gj_per_1e4nm3")
    carbon = fuel * pl.coalesce("coal_carbon_tc_per_t", "gas_carbon_tc_per_1e4nm3")
    ledger = (
        pl.col("coal_opening_stock_t") + pl.col("coal_received_t") - pl.col("coal_closing_stock_t")
    )
    power = pl.col("generation_mwh")
    return {
        "rate": heat / (power * 8.5 + pl.col("heat_supplied_gj").fill_null(0) * 1.15),
        "carbon_heat": carbon / heat,
        "cems": pl.col("co2_cems_t") / pl.col("co2_calculated_t"),
        "boiler": pl.col("boiler_heat_gj") / heat,
        "stock": fuel / ledger,
        "house": pl.col("auxiliary_electricity_mwh") / power,
        "settled": pl.col("settled_electricity_mwh") / pl.col("net_generation_mwh"),
    }


def thresholds(of: LabelledSet) -> list[Flag]:
    """Alarm limits of standards f.2."""
    ratio = ratios()
    coal = pl.col("unit_class") != "gas"
    share = pl.col("heat_supplied_gj") / (pl.col("generation_mwh") * 3.6)
    tce = pl.col("coal_t") * pl.col("coal_ncv_gj_per_t") / 29.3076
    rate = (tce - pl.col("heat_supplied_gj") * 0.040) / pl.col("net_generation_mwh") * 1000
    change = [
        (pl.col(name) / pl.col(name).shift(1).over("unit") - 1).abs() > 0.20
        for name in ("coal_ncv_gj_per_t", "coal_carbon_tc_per_t")
    ]
    outside = pl.any_horizontal(
        (coal & (share < 1) & ~rate.is_between(240, 500)).fill_null(value=False),
        (coal & ~(ratio["house"] * 100).is_between(1, 15)).fill_null(value=False),
        ~pl.col("load_factor_percent").is_between(20, 100),
        (~pl.col("coal_ncv_gj_per_t").is_between(3, 30)).fill_null(value=False),
        (~pl.col("coal_carbon_tc_per_t").is_between(0.10, 0.80)).fill_null(value=False),
        (coal & ~ratio["carbon_heat"].is_between(0.0230, 0.0310)).fill_null(value=False),
        *(expression.fill_null(value=False) for expression in change),
    )
    table = of.unit_month.with_columns(flag=outside)
    return _runs(table, table["flag"].to_numpy().astype(float), 0.5)


def z_scores(of: LabelledSet) -> Array:
    """The largest robust z of any parameter against the unit's own months."""
    standard = _standard(of, [pl.col(name) for name in RAW])
    return np.asarray(np.nanmax(np.abs(standard), axis=1))


def isolation(of: LabelledSet) -> Array:
    """Isolation forest over ratios that were made comparable between units first."""
    features = np.nan_to_num(np.clip(_standard(of, list(ratios().values())), -50, 50))
    forest = IsolationForest(n_estimators=200, random_state=0).fit(features)
    return np.asarray(-forest.score_samples(features))


def _standard(of: LabelledSet, columns: Iterable[pl.Expr]) -> Array:
    """(unit-months, columns) as robust z within the unit; rows are in the order of the table."""
    months = of.unit_month["month"].n_unique()
    table = of.unit_month.select(
        item.cast(pl.Float64).fill_null(np.nan).alias(str(at)) for at, item in enumerate(columns)
    ).to_numpy()
    values = table.reshape(-1, months, table.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        standard = (values - median(values, 1)) / scale(values, 1)
    standard[~np.isfinite(standard)] = np.nan
    return np.asarray(standard.reshape(table.shape))


def _runs(table: pl.DataFrame, values: Array, limit: float) -> list[Flag]:
    """Months over the limit; neighbours of one unit are one alert."""
    flags: list[Flag] = []
    before = -2
    units, months = table["unit"].to_list(), table["month"].to_list()
    for at in np.flatnonzero(values > limit).tolist():
        month = f"{months[at]:%Y-%m}"
        if at == before + 1 and units[at] == units[before]:
            flags[-1] = Flag(units[at], (*flags[-1].months, month))
        else:
            flags.append(Flag(units[at], (month,)))
        before = at
    return flags


def tuned(
    method: Callable[[LabelledSet], Array], tuning: list[LabelledSet]
) -> Callable[[LabelledSet], list[Flag]]:
    """The method at the limit that has the best F1 over the tuning sets."""
    scored = [(one, method(one)) for one in tuning]
    pooled = np.concatenate([values for _, values in scored])
    best, limit = -1.0, 0.0
    for quantile in (0.95, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999):
        tried = float(np.nanquantile(pooled, quantile))
        total = Score()
        for one, values in scored:
            judge(_runs(one.unit_month, values, tried), one.labels, 1.0, total)
        if total.f1 > best:
            best, limit = total.f1, tried
    return lambda of: _runs(of.unit_month, method(of), limit)
