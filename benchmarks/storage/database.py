"""The table as it stands in a province after a month: 50 million rows, closed days indexed."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import psycopg

from storage.fleet import LIVE_MS, history
from tanzheng.ingest.maintenance import maintain
from tanzheng.ingest.rows import COPY_HEADER, COPY_ROW, COPY_TRAILER

SETTINGS = {
    "fsync": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "max_connections": "20",
}
PIECE_BYTES = 1 << 20
COPY = b"COPY reading (point_id, t, value, quality, batch_id) FROM STDIN (FORMAT BINARY)"
T = TypeVar("T")


def ask(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode(), values).fetchall()


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds by the wall, and the result."""
    begun_s = time.perf_counter()
    result = work()
    return time.perf_counter() - begun_s, result


def fill(url: str) -> int:
    """Copy the past in and close its days; rows in the table."""
    ids = np.array([row[0] for row in ask(url, "SELECT point_id FROM point ORDER BY 1")], np.int32)
    filled = 0
    for piece in history(ids):
        copy_in(url, [piece])
        filled += len(piece) // COPY_ROW.itemsize
    done = maintain(url, datetime.fromtimestamp(LIVE_MS / 1000, UTC) + timedelta(hours=2))
    assert not done.busy
    execute(url, "VACUUM (ANALYZE) reading")
    return filled


def copy_in(url: str, pieces: Iterable[memoryview]) -> None:
    """Rows packed for COPY, in one transaction, as a bare client does it."""
    with psycopg.connect(url) as connection, connection.cursor().copy(COPY) as copy:
        copy.write(COPY_HEADER)
        for piece in pieces:
            for start in range(0, len(piece), PIECE_BYTES):
                copy.write(piece[start : start + PIECE_BYTES])
        copy.write(COPY_TRAILER)


def copy_out(url: str, first_ms: int) -> memoryview:
    """The rows since an instant as COPY packs them, header and trailer taken off."""
    query = (
        "COPY (SELECT point_id, t, value, quality, batch_id FROM reading "
        f"WHERE t >= to_timestamp({first_ms / 1000})) TO STDOUT (FORMAT BINARY)"
    )
    with psycopg.connect(url) as connection, connection.cursor().copy(query.encode()) as copy:
        data = b"".join(copy)
    return memoryview(data)[len(COPY_HEADER) : -len(COPY_TRAILER)]


def drop_since(url: str, first_ms: int) -> None:
    """Take the days since an instant away, files and all."""
    execute(url, f"SELECT drop_chunks('reading', newer_than => to_timestamp({first_ms / 1000}))")
    execute(url, "CHECKPOINT")


def execute(url: str, statement: str) -> None:
    """A statement outside of any transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
