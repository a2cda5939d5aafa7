"""Alerts on hand-made faults in an honest fleet: what is changed is what is blamed."""

import polars as pl
import pytest

from anomaly.frames import LabelledSet, generate
from tanzheng.analytics.anomalies.detect import detect
from tanzheng.core.errors import BadInput


@pytest.fixture(scope="module")
def honest() -> LabelledSet:
    return generate(7, 60, 24, share=0)


def alerts(of: LabelledSet, unit_month: pl.DataFrame) -> list[tuple[str, str, tuple[str, ...]]]:
    found = detect(unit_month, of.lab_report, of.point_month)
    return [(alert.unit, alert.blames, alert.months) for alert in found]


def test_an_honest_fleet_is_left_alone(honest: LabelledSet) -> None:
    assert alerts(honest, honest.unit_month) == []


@pytest.mark.parametrize(
    ("columns", "factor", "blamed"),
    [
        (("coal_t", "co2_calculated_t"), 0.90, "fuel"),
        (("generation_mwh", "net_generation_mwh"), 1.06, "generation"),
        (("co2_cems_t",), 0.88, "cems"),
    ],
)
def test_what_was_changed_is_blamed(
    honest: LabelledSet, columns: tuple[str, ...], factor: float, blamed: str
) -> None:
    here = (pl.col("unit") == "P003-1") & (pl.col("month").dt.strftime("%Y-%m") == "2024-03")
    changed = honest.unit_month.with_columns(
        pl.when(here).then(pl.col(name) * factor).otherwise(pl.col(name)).alias(name)
        for name in columns
    )
    assert alerts(honest, changed) == [("P003-1", blamed, ("2024-03",))]


def test_a_month_twice_is_refused(honest: LabelledSet) -> None:
    twice = pl.concat([honest.unit_month, honest.unit_month.head(1)])
    with pytest.raises(BadInput, match="one row a power unit and month, got 2"):
        detect(twice, honest.lab_report, honest.point_month)
