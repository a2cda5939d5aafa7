"""Readings as PostgreSQL's binary COPY rows, packed and unpacked by numpy without a Python loop.

The format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". Every column is
NOT NULL and of fixed size, so a row has 52 bytes and a COPY of readings is an array of records.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tanzheng.core.batch import Batch
from tanzheng.core.columns import Packed, packed_of
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
    t_ms, value, quality = _columns(packed := packed_of(batch.columns))
    rows["batch_id"] = batch_id
    rows["point_id"] = np.repeat([point_ids[point] for point in batch.points], packed.counts)
    rows["t_ms"], rows["value"], rows["quality"] = t_ms, value, quality
    return rows


def _columns(packed: Packed) -> tuple[Any, Any, Any]:
    """Instants (UTC ms), values and quality codes of all readings, point-major."""
    t_ms = np.frombuffer(packed.offsets, "<u4").astype(np.int64) + packed.t0
    return t_ms, np.frombuffer(packed.values, "<f8"), np.frombuffer(packed.quality, "u1")


class CopyRows:
    """Binary COPY rows of batches, written into the same memory again and again: pages fresh from
    the system cost several times what filling them does. Holds the largest group it has seen."""

    def __init__(self) -> None:
        self._rows = np.empty(0, COPY_ROW)

    def of(
        self, batches: Sequence[tuple[int, Batch]], point_ids: Mapping[str, Mapping[str, int]]
    ) -> tuple[memoryview, set[int]]:
        """The rows of these batches, each with its id, without header and trailer, until `of` is
        called again; and the UTC days (since 1970) that have readings."""
        self._hold(sum(batch.readings for _, batch in batches))
        end, days = 0, set[int]()
        for batch_id, batch in batches:
            part = self._rows[end : end + batch.readings]
            days |= _fill(part, batch_id, batch, point_ids[batch.gw])
            end += len(part)
        return self._rows[:end].view(np.uint8).data, days

    def _hold(self, rows: int) -> None:
        if rows > len(self._rows):
            self._rows = np.empty(rows, COPY_ROW)
            self._rows["fields"] = len(COLUMNS)
            for name, size in SIZES.items():
                self._rows[f"{name}_bytes"] = size


def _fill(
    rows: npt.NDArray[np.void], batch_id: int, batch: Batch, point_ids: Mapping[str, int]
) -> set[int]:
    """What differs from row to row; the UTC days of the readings."""
    t_ms, value, quality = _columns(packed := packed_of(batch.columns))
    rows["point_id"] = np.repeat([point_ids[point] for point in batch.points], packed.counts)
    rows["t"] = (t_ms - POSTGRES_EPOCH_MS) * 1000
    rows["value"], rows["quality"], rows["batch_id"] = value, quality, batch_id
    if not len(t_ms):
        return set()
    first, last = int(t_ms.min()) // DAY_MS, int(t_ms.max()) // DAY_MS
    return {first} if first == last else set(np.unique(t_ms // DAY_MS).tolist())


def pack(readings: Readings) -> memoryview:
    """COPY rows of `READING` records, without header and trailer."""
    packed = np.empty(len(readings), COPY_ROW)
    packed["fields"] = len(COLUMNS)
    for name, size in SIZES.items():
        packed[f"{name}_bytes"] = size
    packed["t"] = (readings["t_ms"] - POSTGRES_EPOCH_MS) * 1000
    for name in ("point_id", "value", "quality", "batch_id"):
        packed[name] = readings[name]
    return packed.view(np.uint8).data


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


def join(parts: Sequence[Readings]) -> Readings:
    """One array of all parts."""
    return np.concatenate([np.empty(0, READING), *parts])
