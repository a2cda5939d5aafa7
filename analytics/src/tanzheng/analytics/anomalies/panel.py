"""The shared tables as arrays: one row a unit, one column a month, a name for each figure."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from tanzheng.analytics.anomalies.robust import Array
from tanzheng.core.errors import BadInput

# Figure of the panel: columns of `unit_month` in order of preference.
FIGURES = {
    "fuel": ("coal_t", "fuel_gas_1e4nm3"),
    "ncv": ("coal_ncv_gj_per_t", "gas_ncv_gj_per_1e4nm3"),
    "carbon": ("coal_carbon_tc_per_t", "gas_carbon_tc_per_1e4nm3"),
    "ash": ("coal_ash_ad_percent",),
    "generation": ("generation_mwh",),
    "net": ("net_generation_mwh",),
    "auxiliary": ("auxiliary_electricity_mwh",),
    "settled": ("settled_electricity_mwh",),
    "heat": ("heat_supplied_gj",),
    "heat_settled": ("heat_settled_gj",),
    "boiler_heat": ("boiler_heat_gj",),
    "capacity": ("rated_capacity_mw",),
    "hours": ("operating_hours_h",),
    "cems": ("co2_cems_t",),
    "co2": ("co2_calculated_t",),
    "opening": ("coal_opening_stock_t",),
    "received": ("coal_received_t",),
    "other_use": ("coal_other_use_t",),
    "closing": ("coal_closing_stock_t",),
}
REPORT = {
    "report_carbon": ("coal_carbon_ad_tc_per_t", "gas_carbon_tc_per_1e4nm3"),
    "report_ncv": ("coal_ncv_gj_per_t", "gas_ncv_gj_per_1e4nm3"),
    "report_hydrogen": ("coal_hydrogen_ad_percent",),
    "report_sulphur": ("coal_sulphur_ad_percent",),
    "report_moisture": ("coal_moisture_percent",),
    "report_moisture_ad": ("coal_moisture_ad_percent",),
}
KEYS = ("enterprise", "unit", "unit_class", "fuel", "month")


@dataclass(frozen=True)
class Panel:
    """`figures[name]` has shape (units, months), NaN where not known; `divisions` are the
    administrative division codes (GB/T 2260) of the units, "" where the table has none."""

    units: tuple[tuple[str, str], ...]
    months: tuple[date, ...]
    unit_class: tuple[str, ...]
    divisions: tuple[str, ...]
    figures: dict[str, Array]

    def named(self, row: int, column: int) -> str:
        """A unit's month as evidence calls it."""
        return f"{' '.join(self.units[row])} {self.months[column]:%Y-%m}"

    def scaled(self, names: tuple[str, ...], factor: float) -> "Panel":
        """The panel with some figures multiplied; a booked total follows its parts elsewhere."""
        changed = {name: self.figures[name] * factor for name in names}
        return replace(self, figures=self.figures | changed)


def panel(unit_month: pl.DataFrame, lab_report: pl.DataFrame) -> Panel:
    """The power units of the tables; `BadInput` names the key columns that lack."""
    missing = [name for name in (*KEYS, "sector") if name not in unit_month.columns]
    if missing:
        raise BadInput(f"unit_month: expected the columns {missing}, got {unit_month.columns}")
    table = unit_month.filter(pl.col("sector") == "power").sort("enterprise", "unit", "month")
    twice = table.select(pl.struct("enterprise", "unit", "month").is_duplicated()).to_series()
    if table.is_empty() or twice.any():
        found = "none" if table.is_empty() else f"{int(twice.sum())} rows that share theirs"
        raise BadInput(f"unit_month: expected one row a power unit and month, got {found}")
    if "division_code" not in table.columns:
        table = table.with_columns(division_code=pl.lit(""))
    units = table.select("enterprise", "unit", "unit_class", "division_code").unique(
        ["enterprise", "unit"], maintain_order=True
    )
    months = tuple(table["month"].unique().sort().to_list())
    rows = units.with_row_index("row").select("enterprise", "unit", "row")
    shape = (len(units), len(months))
    figures = _grid(table, rows, months, FIGURES, shape)
    figures |= _grid(lab_report, rows, months, REPORT, shape)
    figures["other_use"] = np.nan_to_num(figures["other_use"])
    figures["default"] = np.zeros(shape)
    if "carbon_source" in table.columns:
        flag = table.with_columns(default=(pl.col("carbon_source") == "default").cast(pl.Float64))
        figures["default"] = np.nan_to_num(
            _grid(flag, rows, months, {"default": ("default",)}, shape)["default"]
        )
    names = tuple((row[0], row[1]) for row in units.iter_rows())
    classes, divisions = (tuple(units[name].to_list()) for name in ("unit_class", "division_code"))
    return Panel(names, months, classes, divisions, figures)


def place(
    table: pl.DataFrame, rows: pl.DataFrame, months: tuple[date, ...]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table's rows that belong to known units and months, and their (row, column)."""
    columns = pl.DataFrame({"month": months}).with_row_index("column")
    joined = table.join(rows, on=["enterprise", "unit"]).join(columns, on="month")
    return joined, joined.select("row", "column")


def _grid(
    table: pl.DataFrame,
    rows: pl.DataFrame,
    months: tuple[date, ...],
    names: dict[str, tuple[str, ...]],
    shape: tuple[int, int],
) -> dict[str, Array]:
    joined, at = place(table, rows, months)
    where = (at["row"].to_numpy(), at["column"].to_numpy())
    grids: dict[str, Array] = {}
    for name, columns in names.items():
        grids[name] = np.full(shape, np.nan)
        present = [pl.col(column) for column in columns if column in table.columns]
        if present:
            values = joined.select(pl.coalesce(present).cast(pl.Float64)).to_series()
            grids[name][where] = values.fill_null(np.nan).to_numpy()
    return grids
