"""Books as the shared tables `unit_month`, `lab_report`, `point_month`, and the labels."""

import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from anomaly.booking import book, calculated_co2
from anomaly.faults import SHARE_OF_PLANT_MONTHS, Label, inject
from anomaly.fleet import Array, Books, Plants, make_plants, month_of

PLANTS, MONTHS = 500, 24
# Dictionary name, name in the books, decimals (standards.md a.4).
COAL = (
    ("coal_t", "fuel", 2),
    ("coal_ncv_gj_per_t", "ncv", 3),
    ("coal_carbon_tc_per_t", "carbon", 4),
)
GAS = (("fuel_gas_1e4nm3", "fuel", 2), ("gas_ncv_gj_per_1e4nm3", "ncv", 3),
       ("gas_carbon_tc_per_1e4nm3", "carbon", 4))  # fmt: skip
COMMON = (
    ("generation_mwh", "generation", 3),
    ("net_generation_mwh", "net", 3),
    ("auxiliary_electricity_mwh", "auxiliary", 3),
    ("settled_electricity_mwh", "settled", 3),
    ("heat_supplied_gj", "heat", 2),
    ("heat_settled_gj", "heat_settled", 2),
    ("boiler_heat_gj", "boiler_heat", 2),
    ("operating_hours_h", "hours", 2),
    ("co2_cems_t", "cems", 2),
    ("coal_opening_stock_t", "opening", 2),
    ("coal_received_t", "received", 2),
    ("coal_closing_stock_t", "closing", 2),
)
LAB = (
    ("coal_carbon_ad_tc_per_t", "report_carbon", 4),
    ("coal_ncv_gj_per_t", "report_ncv", 3),
    ("coal_hydrogen_ad_percent", "report_hydrogen", 2),
    ("coal_sulphur_ad_percent", "report_sulphur", 2),
    ("coal_moisture_percent", "report_moisture", 2),
    ("coal_moisture_ad_percent", "report_moisture_ad", 2),
)


GAS_LAB = (
    ("gas_carbon_tc_per_1e4nm3", "report_carbon", 4),
    ("gas_ncv_gj_per_1e4nm3", "report_ncv", 3),
)


@dataclass(frozen=True)
class LabelledSet:
    """The shared tables of a fleet and what is wrong in them."""

    unit_month: pl.DataFrame
    lab_report: pl.DataFrame
    point_month: pl.DataFrame
    labels: pl.DataFrame


def generate(
    seed: int, plants: int = PLANTS, months: int = MONTHS, share: float = SHARE_OF_PLANT_MONTHS
) -> LabelledSet:
    """The set of a seed; the same seed gives the same bytes on the same numpy."""
    rng = np.random.default_rng(seed)
    fleet = make_plants(rng, plants)
    books = book(rng, fleet, months)
    labels = inject(rng, fleet, books, share)
    keys = _keys(fleet, months)
    unit_month = _unit_month(fleet, books, keys)
    return LabelledSet(
        unit_month,
        _lab_report(fleet, books, keys),
        _point_month(fleet, books, keys),
        labels_frame(labels),
    )


def unit_name(plant: int) -> str:
    return f"P{plant:03d}-1"


def _keys(fleet: Plants, months: int) -> pl.DataFrame:
    count = len(fleet.capacity_mw)
    days = [month_of(index).first_day for index in range(months)]
    return pl.DataFrame(
        {
            "enterprise": np.repeat([f"P{index:03d}" for index in range(count)], months).tolist(),
            "unit": np.repeat([unit_name(index) for index in range(count)], months).tolist(),
            "month": days * count,
        }
    )


def _column(values: Array, decimals: int) -> pl.Series:
    return pl.Series(np.round(values.ravel(), decimals)).fill_nan(None)


def _unit_month(fleet: Plants, books: Books, keys: pl.DataFrame) -> pl.DataFrame:
    months = books["fuel"].shape[1]
    gas = np.repeat(fleet.gas, months)
    capacity = fleet.capacity_mw[:, None] + np.zeros_like(books["fuel"])
    load = books["generation"] / (capacity * books["hours"])
    default = books["is_default"].ravel() > 0
    columns: dict[str, pl.Expr | pl.Series] = {
        "sector": pl.lit("power"),
        "unit_class": pl.Series(np.repeat(fleet.unit_class, months).tolist()),
        "fuel": pl.Series(np.repeat(fleet.fuel, months).tolist()),
        "rated_capacity_mw": _column(capacity, 3),
        "load_factor_percent": _column(load * 100, 2),
        "co2_calculated_t": _column(_rounded_co2(books), 2),
        "carbon_source": pl.Series(np.where(default, "default", "monthly_composite").tolist()),
    }
    for rows, applies in ((COAL, ~gas), (GAS, gas)):
        for name, key, decimals in rows:
            columns[name] = _column(np.where(applies, books[key].ravel(), np.nan), decimals)
    for name, key, decimals in COMMON:
        columns[name] = _column(books[key], decimals)
    columns["coal_ash_ad_percent"] = _column(books["ash_ad"], 2)
    return keys.with_columns(**columns)


def _rounded_co2(books: Books) -> Array:
    rounded = {"fuel": np.round(books["fuel"], 2), "carbon": np.round(books["carbon"], 4)}
    return calculated_co2(rounded)


def _lab_report(fleet: Plants, books: Books, keys: pl.DataFrame) -> pl.DataFrame:
    """One report a measured plant-month; a reused file keeps the number and digest it had."""
    months = books["fuel"].shape[1]
    source = books["report_source"].ravel()
    owner = np.where(source >= 0, source, np.repeat(np.arange(len(source) // months), months))
    gas = np.repeat(fleet.gas, months)
    serial = [f"R{int(who):03d}{at % months:02d}" for at, who in enumerate(owner)]
    digest = [hashlib.sha256(text.encode()).hexdigest() for text in serial]
    table = keys.with_columns(
        report_id=pl.Series(serial),
        report_sha256=pl.Series(digest),
        **{
            name: _column(np.where(applies, books[key].ravel(), np.nan), decimals)
            for rows, applies in ((LAB, ~gas), (GAS_LAB, gas))
            for name, key, decimals in rows
        },
    )
    return table.filter(pl.any_horizontal(pl.col(LAB[0][0], GAS_LAB[0][0]).is_not_null()))


def _point_month(fleet: Plants, books: Books, keys: pl.DataFrame) -> pl.DataFrame:
    """Marks of the readings of the fuel counter and of the stack flow, one reading a minute."""
    expected = pl.Series((books["hours"].ravel() * 60).astype(np.int64))
    none = np.zeros_like(books["decreases"])
    counter = np.where(np.repeat(fleet.gas, none.shape[1]), "gas_volume_m3", "flow_mass_kg")
    flow = np.full(none.size, "gas_velocity_m_per_s")
    points = (
        ("scale", counter, books["fuel_run_h"], books["decreases"]),
        ("stack", flow, books["cems_run_h"], none),
    )
    return pl.concat(
        keys.with_columns(
            point=pl.Series([f"{device}/{name}" for name in names.tolist()]),
            field=pl.Series(names.tolist()),
            readings=expected,
            expected_readings=expected,
            longest_constant_run=pl.Series((run.ravel() * 60).astype(np.int64)),
            decreases=pl.Series(decreases.ravel().astype(np.int64)),
        )
        for device, names, run, decreases in points
    )


def labels_frame(labels: list[Label]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "unit": [unit_name(label.plant) for label in labels],
            "month": [month_of(label.month).first_day for label in labels],
            "kind": [label.kind for label in labels],
            "effect": [label.effect for label in labels],
            "blamed": [label.blamed for label in labels],
            "variant": [label.variant for label in labels],
            "episode": [label.episode for label in labels],
        }
    )
