"""A small made-up fleet to try the commands on: the physics closes, three figures are wrong.

Nothing in it is a finding about real plants, and nothing is measured on it: figures for quality
come from the labelled set of the benchmark (docs/performance.md), which was made before any
detector.
"""

from collections.abc import Callable, Mapping
from datetime import date

import numpy as np
import polars as pl

from tanzheng.analytics.anomalies.robust import Array
from tanzheng.core.hashing import sha256

SEED = 20250401
UNITS, MONTHS, FIRST_YEAR = 24, 24, 2023
CLASSES = ("coal_over_300mw", "coal_up_to_300mw")
# Suzhou and Wuxi in Jiangsu, Ningbo in Zhejiang: county codes of GB/T 2260.
DIVISIONS = ("320583", "320282", "330212")
# Unit, months, figure, factor: what somebody booked wrongly.
FAULTS = (
    (3, range(20, 21), "fuel", 0.90),
    (10, range(18, 22), "cems", 0.85),
)
REUSED = (17, 21, 4)
"""A unit, a month, and the unit of another city whose report it files as its own."""


def example_tables(faults: bool = True) -> dict[str, pl.DataFrame]:
    """`unit_month`, `lab_report` and `point_month` of a fleet; the same at each call."""
    rng = np.random.default_rng(SEED)
    books = _books(rng)
    if faults:
        for unit, months, name, factor in FAULTS:
            books[name][unit, months] *= factor
        _reuse(books, *REUSED)
    keys = _keys()
    return {
        "unit_month": _unit_month(books, keys),
        "lab_report": _lab_report(books, keys),
        "point_month": _point_month(books, keys),
    }


def _keys() -> pl.DataFrame:
    months = [date(FIRST_YEAR + at // 12, at % 12 + 1, 1) for at in range(MONTHS)]
    names = np.repeat([f"E{unit + 1:03d}" for unit in range(UNITS)], MONTHS).tolist()
    return pl.DataFrame({"enterprise": names, "month": months * UNITS}).with_columns(
        unit=pl.lit("U1")
    )


def _books(rng: np.random.Generator) -> dict[str, Array]:
    """Booked figures (units, months): coal by composition, heat balance, ledger, cross-sources."""
    shape = (UNITS, MONTHS)

    def about(spread: float, size: tuple[int, int] = shape) -> Array:
        return np.asarray(1 + spread * rng.standard_normal(size))

    capacity = np.where(np.arange(UNITS) % 2 == 0, 600.0, 200.0)[:, None] * np.ones(shape)
    hours, load = rng.uniform(600, 700, shape), rng.uniform(0.55, 0.80, shape)
    generation = capacity * hours * load
    rate = rng.uniform(8.2, 8.8, (UNITS, 1)) * 1.015 ** (16 - 20 * load) * about(0.006)
    heat = np.where(
        np.arange(UNITS)[:, None] % 3 == 0, generation * rng.uniform(0.3, 1.2, shape), 0
    )
    fuel_heat = generation * rate + 1.15 * heat
    coal = _coal(rng, shape)
    fuel = fuel_heat / coal["ncv"] * about(0.002)
    house = rng.uniform(4.5, 6.5, (UNITS, 1)) - 2 * (load - 0.7) + 0.12 * (about(1) - 1)
    net = generation * (1 - house / 100)
    return coal | _ledger(rng, fuel, about) | {
        "capacity": capacity, "hours": hours, "generation": generation, "fuel": fuel,
        "auxiliary": generation - net, "net": net, "settled": 0.996 * net * about(0.001),
        "heat": heat, "heat_settled": 0.97 * heat * about(0.008),
        "boiler_heat": 0.91 * fuel_heat * about(0.010),
        "cems": fuel * coal["carbon"] * 3.63 * about(0.05, (UNITS, 1)) * about(0.012),
    }  # fmt: skip


def _coal(rng: np.random.Generator, shape: tuple[int, int]) -> dict[str, Array]:
    """Composition as received by way of air-dried; the heating value by a Dulong-type formula."""
    ash, moisture = rng.uniform(14, 24, shape), rng.uniform(9, 14, shape)
    inherent = moisture * rng.uniform(0.20, 0.35, shape)
    organic = (99 - ash) / 100
    carbon = 81.0 * organic + 0.3 * rng.standard_normal(shape)
    hydrogen = 5.1 * organic + 0.08 * rng.standard_normal(shape)
    oxygen = 99 - ash - carbon - hydrogen
    gross = 0.3383 * carbon + 1.443 * (hydrogen - oxygen / 8) + 0.0942
    ncv = (gross - 0.206 * hydrogen) * (100 - moisture) / 100 - 0.023 * moisture
    dry = (100 - inherent) / 100
    return {
        "ash_ad": ash * dry, "moisture": moisture, "moisture_ad": inherent,
        "carbon_ad": carbon * dry / 100, "hydrogen_ad": hydrogen * dry, "sulphur_ad": dry,
        "carbon": carbon / 100 * (100 - moisture) / 100,
        "ncv": ncv + 0.02 * rng.standard_normal(shape),
        "report_ncv": ncv + 0.10 * rng.standard_normal(shape),
    }  # fmt: skip


def _ledger(rng: np.random.Generator, fuel: Array, about: Callable[..., Array]) -> dict[str, Array]:
    """Stock at both ends of each month, and what came in; the survey of the pile errs."""
    stock = fuel.mean(axis=1, keepdims=True) * rng.uniform(0.4, 0.8, (UNITS, MONTHS + 1))
    received = (fuel + np.diff(stock, axis=1)) * about(0.003)
    seen = stock * about(0.006, (UNITS, MONTHS + 1))
    return {"opening": seen[:, :-1], "closing": seen[:, 1:], "received": received}


LAB = {
    "coal_carbon_ad_tc_per_t": ("carbon_ad", 4), "coal_ncv_gj_per_t": ("report_ncv", 3),
    "coal_hydrogen_ad_percent": ("hydrogen_ad", 2), "coal_sulphur_ad_percent": ("sulphur_ad", 2),
    "coal_moisture_percent": ("moisture", 2), "coal_moisture_ad_percent": ("moisture_ad", 2),
}  # fmt: skip
BOOKED = {
    "rated_capacity_mw": ("capacity", 0), "operating_hours_h": ("hours", 2),
    "coal_t": ("fuel", 2), "coal_ncv_gj_per_t": ("ncv", 3), "coal_carbon_tc_per_t": ("carbon", 4),
    "coal_ash_ad_percent": ("ash_ad", 2), "generation_mwh": ("generation", 3),
    "net_generation_mwh": ("net", 3), "auxiliary_electricity_mwh": ("auxiliary", 3),
    "settled_electricity_mwh": ("settled", 3), "heat_supplied_gj": ("heat", 2),
    "heat_settled_gj": ("heat_settled", 2), "boiler_heat_gj": ("boiler_heat", 2),
    "co2_cems_t": ("cems", 2), "coal_opening_stock_t": ("opening", 2),
    "coal_received_t": ("received", 2), "coal_closing_stock_t": ("closing", 2),
}  # fmt: skip


def _reuse(books: dict[str, Array], unit: int, month: int, of: int) -> None:
    for name, _ in LAB.values():
        books[name][unit, month] = books[name][of, month]
    share = (100 - books["moisture"]) / (100 - books["moisture_ad"])
    books["carbon"][unit, month] = (books["carbon_ad"] * share)[of, month]


def _rounded(books: dict[str, Array], names: Mapping[str, tuple[str, int]]) -> list[pl.Series]:
    return [
        pl.Series(column, np.round(books[name].ravel(), places))
        for column, (name, places) in names.items()
    ]


def _unit_month(books: dict[str, Array], keys: pl.DataFrame) -> pl.DataFrame:
    def of(values: tuple[str, ...]) -> list[str]:
        return [values[unit % len(values)] for unit in range(UNITS) for _ in range(MONTHS)]

    table = keys.with_columns(
        sector=pl.lit("power"),
        division_code=pl.Series(of(DIVISIONS)),
        unit_class=pl.Series(of(CLASSES)),
        fuel=pl.lit("bituminous"),
        carbon_source=pl.lit("monthly_composite"),
    ).with_columns(_rounded(books, BOOKED))
    co2 = pl.col("coal_t") * pl.col("coal_carbon_tc_per_t") * 0.99 * 44 / 12
    return table.with_columns(co2_calculated_t=co2.round(2))


def _lab_report(books: dict[str, Array], keys: pl.DataFrame) -> pl.DataFrame:
    names = [f"R{unit + 1:03d}-{month + 1:02d}" for unit in range(UNITS) for month in range(MONTHS)]
    digests = [sha256(name.encode()).hex() for name in names]
    return keys.with_columns(
        report_id=pl.Series(names), report_sha256=pl.Series(digests)
    ).with_columns(_rounded(books, LAB))


def _point_month(books: dict[str, Array], keys: pl.DataFrame) -> pl.DataFrame:
    """The fuel counter, a reading a minute."""
    readings = (books["hours"].ravel() * 60).astype(np.int64)
    run = np.random.default_rng(SEED).integers(5, 90, readings.size)
    return keys.with_columns(
        point=pl.lit("scale/coal"),
        field=pl.lit("flow_mass_kg"),
        readings=pl.Series(readings),
        expected_readings=pl.Series(readings),
        longest_constant_run=pl.Series(run),
        decreases=pl.lit(0),
    )
