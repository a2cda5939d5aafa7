"""What the tables of readings need from time to time: an index for each day that is closed.

While a day is open its rows have no B-tree (`0005_closed_days.sql` says why). A day is closed an
hour after its end; late rows go through its index. Everything here is done beside running ingest:
CREATE INDEX CONCURRENTLY, and short locks that give up rather than make a writer wait. Killed at
any moment, the next run begins that day again.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.sql import SQL, Identifier

from tanzheng.core.errors import TanzhengError
from tanzheng.ingest import migrate

LOG = logging.getLogger(__name__)
LOCK_KEY = 0x6D61696E7461696E
CLOSED_AFTER = timedelta(hours=1)
LOCK_WAIT = "2s"
EVERY_S = 60.0


@dataclass(slots=True)
class Maintained:
    """What a run did. `busy`: another one is at work, nothing was done. `common_index`: whether
    the index over all days of an older schema is still there."""

    busy: bool = False
    indexed: list[str] = field(default_factory=list)
    common_index: bool = False


def maintain(database_url: str, now: datetime) -> Maintained:
    """Give each day that is closed at `now` its index; psycopg's errors if the server is away."""
    done = Maintained()
    with closing(_connect(database_url)) as connection:
        migrate.check_schema(connection)
        done.busy = not _one(connection, "SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,))
        if not done.busy:
            _ensure_time_index(connection)
            closed_before = now - CLOSED_AFTER
            while day := _next_day(connection, closed_before):
                _index(connection, *day)
                done.indexed.append(day[2])
            done.common_index = not _drop_common_index(connection)
    return done


def _connect(database_url: str) -> psycopg.Connection:
    return psycopg.connect(
        database_url, autocommit=True, application_name="tanzheng-maintain", connect_timeout=5
    )


def _ensure_time_index(connection: psycopg.Connection) -> None:
    """BRIN (t) for a hypertable that was live when its schema came here: a chunk at a time, each
    kept from writers while it is read once. A run that was killed left the index invalid."""
    hypertable = "SELECT relkind = 'r' FROM pg_class WHERE oid = 'reading'::regclass"
    whole = (
        "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('reading_t') "
        "AND indisvalid)"
    )
    if not _one(connection, hypertable) or _one(connection, whole):
        return
    connection.execute("DROP INDEX IF EXISTS reading_t")
    connection.execute(
        "CREATE INDEX reading_t ON reading USING brin (t) "
        "WITH (timescaledb.transaction_per_chunk, autosummarize = on)"
    )
    LOG.info("index on time made for the days that were there")


def _next_day(
    connection: psycopg.Connection, closed_before: datetime
) -> tuple[str, str, str] | None:
    """Schema, table and index name of the first closed day whose index is missing or not whole."""
    found = connection.execute(
        "SELECT n.nspname, c.relname, d.index_name FROM reading_days() d "
        "JOIN pg_class c ON c.oid = d.part JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE d.to_t <= %s AND NOT EXISTS (SELECT FROM pg_index i "
        "JOIN pg_class k ON k.oid = i.indexrelid WHERE i.indrelid = d.part "
        "AND k.relname = d.index_name AND i.indisvalid) ORDER BY d.from_t LIMIT 1",
        (closed_before,),
    ).fetchone()
    return (found[0], found[1], found[2]) if found else None


def _index(connection: psycopg.Connection, schema: str, table: str, name: str) -> None:
    begun_s = time.monotonic()
    index = Identifier(schema, name)  # a run that was killed left it invalid
    connection.execute(SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(index))
    connection.execute(
        SQL("CREATE INDEX CONCURRENTLY {} ON {} (point_id, t)").format(
            Identifier(name), Identifier(schema, table)
        )
    )
    LOG.info("day %s closed, index made in %.1f s", table, time.monotonic() - begun_s)


def _drop_common_index(connection: psycopg.Connection) -> bool:
    """Drop the index that older schemas had over all days; False: someone is in the way."""
    if not _one(connection, "SELECT to_regclass('reading_point_t') IS NOT NULL"):
        return True
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'".encode())
            connection.execute("DROP INDEX reading_point_t")
    except psycopg.errors.LockNotAvailable:
        LOG.warning("the index over all days is in use, next try later")
        return False
    return True


def _one(connection: psycopg.Connection, query: str, values: tuple[object, ...] = ()) -> object:
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return row[0]


class Maintenance:
    """Maintenance on a timer, in a thread with a connection of its own; for `ingest run`."""

    def __init__(
        self,
        database_url: str,
        every_s: float = EVERY_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database_url, self._every_s, self._now = database_url, every_s, now
        self._stopping = threading.Event()
        # A daemon: an index under way must not keep a service from stopping; it is begun again.
        self._thread = threading.Thread(target=self._loop, name="maintenance", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No further run begins."""
        self._stopping.set()

    def _loop(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                maintain(self._database_url, self._now())
            except (psycopg.Error, TanzhengError) as error:
                LOG.warning("maintenance failed, next try in %.0f s: %s", self._every_s, error)
