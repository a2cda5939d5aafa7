"""Readings as PostgreSQL's binary COPY rows, packed and unpacked by numpy without a Python loop.

The format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". Every column is
NOT NULL and of fixed size, so a row has 52 bytes and a COPY of readings is an array of records.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tanzheng.core.batch import Batch
from tanzheng.core.errors import CheckFailed

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # signature, flags, length of the extension
COPY_TRAILER = b"\xff\xff"
COLUMNS = ("point_id", "t", "value", "quality", "batch_id")
# PostgreSQL counts microseconds from 2000-01-01 UTC.
POSTGRES_EPOCH_MS = 946_684_800_000
DAY_MS = 86_400_000

# Each field: its length (big-endian int32), then its value (big-endian).
COPY_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("point_id_bytes", ">i4"),
        ("point_id", ">i4"),
        ("t_bytes", ">i4"),
        ("t", ">i8"),
        ("value_bytes", ">i4"),
        ("value", ">f8"),
        ("quality_bytes", ">i4"),
        ("quality", ">i2"),
        ("batch_id_bytes", ">i4"),
        ("batch_id", ">i8"),
    ]
)
SIZES = {"point_id": 4, "t": 8, "value": 8, "quality": 2, "batch_id": 8}

# The same five columns in machine order: (batch_id, point_id, t_ms) is the key of a reading.
READING = np.dtype(
    [
        ("batch_id", "i8"),
        ("point_id", "i4"),
        ("t_ms", "i8"),
        ("value", "f8"),
        ("quality", "i2"),
    ]
)
Readings = npt.NDArray[np.void]


def readings_of(batch: Batch, batch_id: int, point_ids: Mapping[str, int]) -> Readings:
    """The readings of a batch as `READING` records, point-major as in the batch."""
    rows = np.empty(batch.readings, READING)
    counts = [len(column) for column in batch.columns]
    rows["batch_id"] = batch_id
    rows["point_id"] = np.repeat([point_ids[point] for point in batch.points], counts)
    start = 0
    for column, count in zip(batch.columns, counts, strict=True):
        part = rows[start : start + count]
        part["t_ms"] = np.frombuffer(column.t_ms, "i8")
        part["value"] = np.frombuffer(column.value, "f8")
        part["quality"] = np.frombuffer(column.quality, "u1")
        start += count
    return rows


def pack(readings: Readings) -> bytes:
    """The body of a binary COPY into `reading` (columns `COLUMNS`), header and trailer included."""
    rows = np.empty(len(readings), COPY_ROW)
    rows["fields"] = len(COLUMNS)
    for name, size in SIZES.items():
        rows[f"{name}_bytes"] = size
    rows["t"] = (readings["t_ms"] - POSTGRES_EPOCH_MS) * 1000
    for name in ("point_id", "value", "quality", "batch_id"):
        rows[name] = readings[name]
    return COPY_HEADER + rows.tobytes() + COPY_TRAILER


def unpack(data: bytes) -> Readings:
    """`READING` records of whole COPY rows (neither header nor trailer).

    Instants that are no whole millisecond, which no batch can hold, become −1. Raises
    `CheckFailed` for rows with a null: the table does not have them unless it was altered.
    """
    whole = len(data) % COPY_ROW.itemsize == 0
    rows = np.frombuffer(data if whole else b"", COPY_ROW)
    if not whole or any((rows[f"{name}_bytes"] != size).any() for name, size in SIZES.items()):
        raise CheckFailed("reading: expected rows of five values, got one with a null")
    readings = np.empty(len(rows), READING)
    t_us = rows["t"].astype("i8")
    readings["t_ms"] = np.where(t_us % 1000 == 0, t_us // 1000 + POSTGRES_EPOCH_MS, -1)
    for name in ("point_id", "value", "quality", "batch_id"):
        readings[name] = rows[name]
    return readings


def days_of(readings: Readings) -> list[int]:
    """UTC days (since 1970) that have readings, rising."""
    return [int(day) for day in np.unique(readings["t_ms"] // DAY_MS)]


def join(parts: Sequence[Readings]) -> Readings:
    """One array of all parts."""
    return np.concatenate([np.empty(0, READING), *parts])
