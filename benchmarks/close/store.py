"""Stored hours of a made-up fleet: one Parquet file a plant, the same for the same seed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from tanzheng.analytics.fleet import METHODS, HourFrame, Kind, StoredPoint
from tanzheng.analytics.hours import Method
from tanzheng.core.calendar import HOUR_MS, Month

MONTH = Month(2026, 1)
FIELDS = (
    ("generation_mwh", Kind.TOTAL, 300.0),
    ("coal_t", Kind.TOTAL, 130.0),
    ("co2_cems_t", Kind.TOTAL, 260.0),
    ("heat_supplied_gj", Kind.TOTAL, 400.0),
    ("co2_dry_percent", Kind.MEAN, 12.0),
    ("stack_flow_wet_m3_per_h", Kind.MEAN, 1_400_000.0),
    ("stack_temperature_degc", Kind.MEAN, 52.0),
    ("stack_moisture_percent", Kind.MEAN, 11.0),
)
"""What the points of a plant measure, by turns: field, what the month makes of it, level."""
RESOLUTION_MICRO = 1000
SHARES = {
    Method.MEASURED: 0.93,
    Method.NOT_OPERATING: 0.05,
    Method.SUBSTITUTED_180: 0.015,
    Method.SUBSTITUTED_720: 0.0049,
    Method.MISSING: 0.0001,
}


def points(count: int) -> tuple[StoredPoint, ...]:
    """The points of every plant."""
    turns = ((number, *FIELDS[number % len(FIELDS)]) for number in range(count))
    return tuple(StoredPoint(f"d{number}/{name}", name, kind) for number, name, kind, _ in turns)


def enterprise(number: int) -> str:
    return f"PLANT-{number:05d}"


def path(folder: Path, number: int) -> Path:
    return folder / f"{enterprise(number)}.parquet"


def write(folder: Path, number: int, count: int, seed: int) -> None:
    """The hours of one plant: a daily swing with noise, on the resolution of a meter."""
    chance = np.random.default_rng((seed, number))
    shape = (count, MONTH.hours)
    level = np.array([FIELDS[each % len(FIELDS)][2] for each in range(count)])[:, None]
    swing = 1 + 0.2 * np.sin(np.arange(shape[1]) * 2 * np.pi / 24) + chance.normal(0, 0.03, shape)
    value = np.rint(level * swing * (1e6 / RESOLUTION_MICRO)).astype(np.int64) * RESOLUTION_MICRO
    codes = np.array([METHODS.index(method) for method in SHARES], dtype=np.uint8)
    method = chance.choice(codes, size=shape, p=list(SHARES.values()))
    stands = method == METHODS.index(Method.NOT_OPERATING)
    bad = ~stands & (method != METHODS.index(Method.MEASURED))
    weight = np.where(stands, 0, HOUR_MS)
    valid = np.where(bad, chance.integers(0, 45, shape) * 60_000, weight)
    frame = pl.DataFrame(
        {
            "point": np.repeat(np.arange(count, dtype=np.uint16), shape[1]),
            "hour": np.tile(np.arange(shape[1], dtype=np.uint16), count),
            "value_micro": np.where(stands, 0, value).ravel(),
            "weight_ms": weight.ravel().astype(np.int32),
            "valid_ms": valid.ravel().astype(np.int32),
            "method": method.ravel(),
        }
    )
    frame.write_parquet(path(folder, number), compression="zstd", compression_level=1)


def load(folder: Path, number: int, count: int) -> HourFrame:
    """The stored hours of one plant."""
    frame = pl.read_parquet(path(folder, number))
    columns: Mapping[str, np.ndarray] = {
        name: frame.get_column(name).to_numpy() for name in frame.columns
    }
    return HourFrame.of(enterprise(number), MONTH, points(count), columns)
