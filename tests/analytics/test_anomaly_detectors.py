"""Each residual and each mark alone: it finds its own fault, and leaves an honest fleet alone.

For a residual every column that another one needs is taken away, so that nothing else could have
found the fault. A mark is looked for by itself, then held to what it does to an alert.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from tanzheng.analytics.anomalies import marks
from tanzheng.analytics.anomalies.detect import detect, examine
from tanzheng.analytics.anomalies.example import example_tables
from tanzheng.analytics.anomalies.graph import load_graph
from tanzheng.analytics.anomalies.panel import panel
from tanzheng.analytics.anomalies.residuals import LABELS, NAMES, fit, residuals

KEYS = {
    "enterprise", "unit", "month", "sector", "division_code", "unit_class", "fuel", "report_id",
    "point", "field",
}  # fmt: skip
UNIT, MONTH = "E013", date(2024, 5, 1)
OTHER = date(2024, 9, 1)


@dataclass(frozen=True)
class Fleet:
    """The three tables, changed one step at a time."""

    unit_month: pl.DataFrame
    lab_report: pl.DataFrame
    point_month: pl.DataFrame

    def only(self, unit_month: str, lab_report: str = "") -> "Fleet":
        """Without the columns that are not named, keys aside, and without points."""
        unit, lab = (
            table.select(name for name in table.columns if name in KEYS | {*names.split()})
            for table, names in ((self.unit_month, unit_month), (self.lab_report, lab_report))
        )
        return Fleet(unit, lab, self.point_month.clear())

    def put(self, name: str, value: pl.Expr, table: str = "unit_month", of: str = UNIT) -> "Fleet":
        """With another value of a column in the month."""
        here = (pl.col("enterprise") == of) & (pl.col("month") == MONTH)
        old: pl.DataFrame = getattr(self, table)
        changed = pl.when(here).then(value.cast(old.schema[name])).otherwise(pl.col(name))
        return replace(self, **{table: old.with_columns(changed.alias(name))})

    def times(self, factor: float, *names: str, table: str = "unit_month") -> "Fleet":
        """With columns of the month multiplied."""
        fleet = self
        for name in names:
            fleet = fleet.put(name, pl.col(name) * factor, table)
        return fleet

    def found(self) -> list[tuple[str, tuple[str, ...]]]:
        """Enterprise and months of each alert."""
        alerts = detect(self.unit_month, self.lab_report, self.point_month)
        return [(alert.enterprise, alert.months) for alert in alerts]

    def marked(self, kind: str) -> list[tuple[str, date]]:
        """Enterprise and month of each mark of a kind."""
        fleet = panel(self.unit_month, self.lab_report)
        found = marks.find(fleet, self.lab_report, self.point_month, load_graph())
        return [
            (fleet.units[mark.row][0], fleet.months[mark.column])
            for mark in found
            if mark.kind == kind
        ]


@pytest.fixture(scope="module")
def honest() -> Fleet:
    tables = example_tables(faults=False)
    return Fleet(**tables)


HERE = [(UNIT, ("2024-05",))]
POWER = "generation_mwh rated_capacity_mw operating_hours_h"
ULTIMATE = (
    "coal_carbon_ad_tc_per_t coal_ncv_gj_per_t coal_hydrogen_ad_percent "
    "coal_sulphur_ad_percent coal_moisture_percent coal_moisture_ad_percent"
)
LEDGER = "coal_t coal_opening_stock_t coal_received_t coal_closing_stock_t"
COAL = "coal_carbon_tc_per_t coal_ncv_gj_per_t coal_ash_ad_percent"
RESIDUALS = {
    "energy": (f"coal_t coal_ncv_gj_per_t heat_supplied_gj {POWER}", "", "coal_t", 0.9),
    "boiler": ("coal_t coal_ncv_gj_per_t boiler_heat_gj", "", "boiler_heat_gj", 0.88),
    "stock": (LEDGER, "", "coal_t", 0.9),
    "cems": ("coal_t coal_carbon_tc_per_t co2_cems_t", "", "co2_cems_t", 0.85),
    "carbon_heat": (COAL, "coal_moisture_percent", "coal_carbon_tc_per_t", 1.1),
    "report_ncv": ("coal_ncv_gj_per_t", "coal_ncv_gj_per_t", "coal_ncv_gj_per_t", 1.08),
    "dulong": ("coal_ash_ad_percent", ULTIMATE, "coal_carbon_ad_tc_per_t", 1.12),
    "settled": (
        "generation_mwh net_generation_mwh settled_electricity_mwh", "", "net_generation_mwh", 1.05,
    ),
    "house": (f"auxiliary_electricity_mwh {POWER}", "", "auxiliary_electricity_mwh", 2.0),
    "heat_settled": ("heat_supplied_gj heat_settled_gj", "", "heat_supplied_gj", 1.15),
}  # fmt: skip
"""Columns of the two tables that a residual needs, the column that is changed, and by how much."""


def test_every_residual_is_tried() -> None:
    assert {*RESIDUALS} == {*NAMES}


@pytest.mark.parametrize("name", RESIDUALS)
def test_a_residual_alone_finds_its_fault(honest: Fleet, name: str) -> None:
    unit_month, lab_report, changed, factor = RESIDUALS[name]
    alone = honest.only(unit_month, lab_report)
    fleet = panel(alone.unit_month, alone.lab_report)
    known = np.isfinite(residuals(fleet, fit(fleet))).sum(axis=(0, 1)).tolist()
    assert [NAMES[at] for at, count in enumerate(known) if count] == [name]
    assert alone.found() == []

    table = "unit_month" if changed in alone.unit_month.columns else "lab_report"
    faulty = alone.times(factor, changed, table=table)
    alerts = detect(faulty.unit_month, faulty.lab_report, faulty.point_month)
    assert [alert.enterprise for alert in alerts] == [UNIT]
    # A neighbour month may go with it: one balance alone cannot tell a transfer from a loss.
    assert "2024-05" in alerts[0].months
    assert {item.en for item in alerts[0].evidence} == {LABELS[name][0]}
    worst = alerts[0].evidence[0]
    assert worst.month == "2024-05"
    assert worst.off_percent is not None
    assert worst.spread_percent is not None
    assert abs(worst.off_percent) > 4 * worst.spread_percent


def test_without_the_residual_s_columns_there_is_no_alert(honest: Fleet) -> None:
    unit_month, lab_report, changed, factor = RESIDUALS["stock"]
    faulty = honest.only(unit_month.replace("coal_received_t", ""), lab_report)
    assert faulty.times(factor, changed).found() == []


def test_a_unit_with_few_months_is_not_judged(honest: Fleet) -> None:
    short = honest.unit_month.filter(
        (pl.col("enterprise") != UNIT) | (pl.col("month") >= date(2024, 6, 1))
    )
    levels = examine(short, honest.lab_report, honest.point_month).levels
    assert (levels == 0).tolist() == [f"E{n:03d}" == UNIT for n in range(1, 25)]


def booked_low(fleet: Fleet, *months: tuple[date, float]) -> Fleet:
    """Fuel of some months of the unit booked at a share."""
    table = fleet.unit_month
    for month, share in months:
        here = (pl.col("enterprise") == UNIT) & (pl.col("month") == month)
        low = pl.when(here).then(pl.col("coal_t") * share).otherwise(pl.col("coal_t"))
        table = table.with_columns(low.alias("coal_t"))
    return replace(fleet, unit_month=table)


def test_a_unit_has_one_alert_a_year_the_worst(honest: Fleet) -> None:
    before = date(2023, 5, 1)
    faulty = booked_low(honest, (before, 0.93), (MONTH, 0.93), (OTHER, 0.90))
    assert faulty.found() == [(UNIT, ("2024-09",)), (UNIT, ("2023-05",))]


def test_what_is_known_does_not_hide_what_is_new(honest: Fleet) -> None:
    faulty = booked_low(honest, (MONTH, 0.93), (OTHER, 0.90))
    known = frozenset({(UNIT, "U1", "fuel", "2024-09")})
    found = examine(**vars(faulty), known=known).alerts
    assert {alert.months for alert in found} == {("2024-09",), ("2024-05",)}


# ------------------------------------------------------------------ marks


def same_report(honest: Fleet, names: tuple[str, ...]) -> Fleet:
    """The report of another enterprise's month filed as one's own, in the columns named."""
    fleet = honest
    other = honest.lab_report.filter(
        (pl.col("enterprise") == "E002") & (pl.col("month") == MONTH)
    ).row(0, named=True)
    for name in names:
        fleet = fleet.put(name, pl.lit(other[name]), "lab_report")
    return fleet


FIGURES = (
    "coal_carbon_ad_tc_per_t", "coal_ncv_gj_per_t", "coal_hydrogen_ad_percent",
    "coal_sulphur_ad_percent",
)  # fmt: skip


def copied(honest: Fleet) -> Fleet:
    fleet = honest
    source = honest.unit_month.filter((pl.col("enterprise") == UNIT) & (pl.col("month") == OTHER))
    for name in ("coal_t", "coal_ncv_gj_per_t", "coal_carbon_tc_per_t"):
        fleet = fleet.put(name, pl.lit(source[name][0]))
    return fleet


def default_used(honest: Fleet) -> Fleet:
    fleet = honest.put("carbon_source", pl.lit("default"))
    return fleet.put("coal_carbon_tc_per_t", pl.col("coal_ncv_gj_per_t") * 0.03085)


def quiet_points(honest: Fleet) -> Fleet:
    """Every gauge as lively as the next: no run stands out by chance."""
    return replace(
        honest, point_month=honest.point_month.with_columns(longest_constant_run=pl.lit(30))
    )


MARKS: Mapping[str, Callable[[Fleet], Fleet]] = {
    "round": lambda honest: honest.put("coal_t", (pl.col("coal_t") / 1000).round() * 1000),
    "copied": copied,
    "same_report": lambda honest: same_report(honest, ("report_sha256",)),
    "default_beside_report": default_used,
    "report_differs": lambda honest: honest.times(0.97, "coal_carbon_tc_per_t"),
    "stuck": lambda honest: quiet_points(honest).put(
        "longest_constant_run", pl.lit(20_000), "point_month"
    ),
    "counter_fell": lambda honest: honest.put("decreases", pl.lit(1), "point_month"),
}
PROVEN = ("same_report", "default_beside_report", "report_differs")


@pytest.mark.parametrize("kind", MARKS)
def test_a_mark_is_seen_where_it_was_made_and_nowhere_else(honest: Fleet, kind: str) -> None:
    clean = quiet_points(honest) if kind == "stuck" else honest
    before = {*clean.marked(kind)}
    assert (UNIT, MONTH) not in before
    assert len(before) <= 0.02 * clean.unit_month.height
    made = {*MARKS[kind](honest).marked(kind)} - before
    bearers = {
        "copied": {(UNIT, MONTH), (UNIT, OTHER)},
        "same_report": {(UNIT, MONTH), ("E002", MONTH)},
    }
    assert made == bearers.get(kind, {(UNIT, MONTH)})


def test_the_figures_of_a_report_typed_anew_are_seen(honest: Fleet) -> None:
    assert honest.marked("same_report") == []
    assert {*same_report(honest, FIGURES).marked("same_report")} == {
        (UNIT, MONTH), ("E002", MONTH),
    }  # fmt: skip


@pytest.mark.parametrize("kind", PROVEN)
def test_two_documents_that_cannot_both_be_true_are_an_alert(honest: Fleet, kind: str) -> None:
    faulty = MARKS[kind](honest)
    alerts = detect(faulty.unit_month, faulty.lab_report, faulty.point_month)
    assert [(alert.enterprise, alert.months, alert.marks) for alert in alerts] == [
        (*HERE[0], (kind,))
    ]
    assert alerts[0].blames == "carbon"


def test_a_copied_month_is_an_alert_without_any_residual(honest: Fleet) -> None:
    columns = "coal_t coal_ncv_gj_per_t coal_carbon_tc_per_t"
    assert honest.only(columns).found() == []
    ((enterprise, months),) = copied(honest).only(columns).found()
    assert enterprise == UNIT
    assert months in {("2024-05",), ("2024-09",)}


TIPPED: Mapping[str, Callable[[Fleet], Fleet]] = {
    "round": lambda fleet: fleet.put("coal_t", (pl.col("coal_t") / 100).round() * 100),
    "stuck": MARKS["stuck"],
    "counter_fell": MARKS["counter_fell"],
}


@pytest.mark.parametrize("kind", TIPPED)
def test_a_mark_tips_what_its_figure_alone_would_not(honest: Fleet, kind: str) -> None:
    """A change too small for an alert becomes one where the figure bears a mark as well."""
    small = quiet_points(honest).times(0.978, "coal_t")
    assert small.found() == []
    assert TIPPED[kind](small).found() == HERE
    assert TIPPED[kind](quiet_points(honest)).found() == []
