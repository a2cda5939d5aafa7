"""A synthetic fleet for the rules: consistent figures, then a share of wrong ones.

The months follow from the good rows of the catalogue by scaling, so that a row is wrong only where
it was made wrong. This is a load, not a test of detection.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import polars as pl

from rules import fleet_months
from tanzheng.analytics.rules.catalogue import Values, load_catalogue
from tanzheng.core.fields import FIELDS

MONTHS = 12
WRONG_SHARE = 0.002
"""Of the figures: each is then 3 % to 60 % off."""
SHARES: Mapping[str, float] = {
    "PWR-S-001": 0.60, "PWR-S-002": 0.10, "CEM-S-001": 0.15, "ALU-S-001": 0.05, "STL-S-001": 0.10,
}  # fmt: skip
"""Rules whose example is the unchanged good row of a kind of plant, and the share of the kind."""
COAL = "PWR-S-001"
FIRST = dt.date(2025, 1, 1)
INTENSIVE = ("_percent", "_per_t", "_per_gj", "_per_mwh", "_per_1e4nm3", "_mw", "_h", "_per_d")
CONSTANT = ("days_after_month_end",)
POINTS = 2


def base(rule: str) -> dict[str, object]:
    """The good row that the examples of `rule` start from, in floats."""
    values: Values = load_catalogue().rule(rule).passing[-1].row
    return {k: float(v) if isinstance(v, Decimal) else v for k, v in values.items()}


def months(rows: int) -> pl.Series:
    """`MONTHS` months, again and again."""
    twelve = [FIRST.replace(month=n + 1) for n in range(MONTHS)]
    return pl.Series("month", twelve * (rows // MONTHS), pl.Date)


def unit_month(plants: int, seed: int) -> pl.DataFrame:
    """`plants` x 12 rows of all sectors."""
    rng = np.random.default_rng(seed)
    parts, first = [], 0
    for rule, share in SHARES.items():
        count = round(plants * share)
        parts.append(fleet_months.consistent(_scaled(base(rule), first, count, rng), rng))
        first += count
    frame = pl.concat(parts, how="diagonal")
    return frame.with_columns(_wrong(frame, rng))


def _scaled(
    row: Mapping[str, object], first: int, count: int, rng: np.random.Generator
) -> pl.DataFrame:
    rows = count * MONTHS
    scale = np.repeat(rng.uniform(0.8, 1.0, count), MONTHS) * rng.uniform(0.9, 1.0, rows)
    columns: dict[str, object] = {**_keys(first, count), "month": months(rows)}
    for name, value in row.items():
        if name in columns or name == "deposited_on" or value is None:
            continue
        if isinstance(value, float):
            factor = 1.0 if name.endswith(INTENSIVE) or name in CONSTANT else scale
            columns[name] = np.round(value * factor * np.ones(rows), decimals(name))
        else:
            columns[name] = pl.Series([value] * rows)
    return pl.DataFrame(columns)


def decimals(name: str) -> int:
    """How many decimals the guideline reports."""
    return (FIELDS[name].decimals if name in FIELDS else 0) or 0


def _keys(first: int, count: int) -> dict[str, pl.Series]:
    enterprises = np.repeat(np.arange(first, first + count), MONTHS)
    return {
        "enterprise": pl.Series([f"E{n:05d}" for n in enterprises]),
        "unit": pl.Series(["U1"] * (count * MONTHS)),
    }


def _wrong(frame: pl.DataFrame, rng: np.random.Generator) -> Sequence[pl.Series]:
    changed = []
    for name in frame.columns:
        if name in FIELDS and frame.schema[name] == pl.Float64:
            hit = rng.random(frame.height) < WRONG_SHARE
            sign = rng.choice([-1, 1], frame.height)
            off = np.where(hit, sign * rng.uniform(0.03, 0.6, frame.height), 0)
            changed.append((frame[name] * (1 + off)).round(decimals(name)))
    return changed


def lab_report(plants: int, seed: int) -> pl.DataFrame:
    """A report a month of each coal plant; a few documents stand in two plants."""
    rng = np.random.default_rng(seed + 1)
    row = base("DOC-L-010")
    count = round(plants * SHARES[COAL])
    rows = count * MONTHS
    frame = pl.DataFrame({**_keys(0, count), "month": months(rows)})
    numbers = np.arange(rows)
    reused = np.where(rng.random(rows) < 0.001, rng.integers(0, rows, rows), numbers)
    end = pl.col("month").dt.month_end()
    frame = frame.with_columns(
        pl.Series("report_id", [f"R{n}" for n in numbers]),
        pl.Series("report_sha256", [f"{n:064x}" for n in reused]),
        pl.lit("City coal laboratory").alias("laboratory"),
        pl.Series(
            "cma_number", [None if x < 0.01 else "CMA-1" for x in rng.random(rows)], pl.String
        ),
        end.alias("sampled_on"),
        end.dt.offset_by("4d").alias("received_on"),
        end.dt.offset_by("8d").alias("tested_on"),
        pl.Series("_late", rng.integers(12, 41, rows)),
        *(pl.lit(value).alias(name) for name, value in row.items() if isinstance(value, float)),
    )
    frame = frame.with_columns((end + pl.duration(days="_late")).alias("reported_on")).drop("_late")
    return frame.with_columns(_wrong(frame, rng))


def point_month(plants: int, seed: int) -> pl.DataFrame:
    """`POINTS` points a plant."""
    rng = np.random.default_rng(seed + 2)
    row = base("PNT-L-001")
    parts = []
    for point in range(POINTS):
        rows = plants * MONTHS
        values = {k: v for k, v in row.items() if isinstance(v, float)}
        frame = pl.DataFrame({**_keys(0, plants), "month": months(rows)}).with_columns(
            pl.lit(f"meter{point}/export_active_energy_kwh").alias("point"),
            pl.lit("export_active_energy_kwh").alias("field"),
            *(pl.lit(value).alias(name) for name, value in values.items()),
        )
        jitter = 1 + rng.normal(0, 0.05, rows)
        parts.append(
            frame.with_columns(
                mean=pl.col("mean") * pl.Series(jitter),
                standard_deviation=pl.col("standard_deviation") * pl.Series(jitter[::-1]),
                decreases=pl.Series((rng.random(rows) < 0.001).astype(float)),
                readings=pl.col("readings") - pl.Series((rng.random(rows) < 0.002).astype(float)),
            )
        )
    return pl.concat(parts)
