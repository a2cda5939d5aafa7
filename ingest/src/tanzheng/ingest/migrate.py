"""Brings a database to the schema of this version: plain SQL files, each applied once.

The files' SHA-256 are kept in the database. A file that changed after it was applied, or a
database that knows files we do not, is refused: the schema must be what the code was tested with.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from importlib import resources

import psycopg
from psycopg.rows import dict_row

from tanzheng.core.errors import TanzhengError

LOG = logging.getLogger(__name__)
# Two processes that start together must not migrate at once. Any constant does.
LOCK_KEY = 0x74616E7A68656E67
COMPRESS_AFTER_DAYS = 30


class DatabaseFailed(TanzhengError):
    """The server cannot be reached, or refuses what we ask."""


class SchemaMismatch(TanzhengError):
    """The database's schema is not one this version can continue from."""


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn psycopg's errors into ours; for commands that do their work once."""
    try:
        yield
    except psycopg.Error as error:
        raise DatabaseFailed(f"database: {error}") from error


def files() -> dict[str, str]:
    """Name → SQL text of every migration, in order."""
    folder = resources.files("tanzheng.ingest") / "migrations"
    found = {item.name: item.read_text("utf-8") for item in folder.iterdir()}
    return {name: found[name] for name in sorted(found) if name.endswith(".sql")}


def migrate(database_url: str) -> list[str]:
    """Apply what is missing; the names of the files applied now.

    Raises `SchemaMismatch`, and psycopg's errors where the server cannot be reached.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        _ensure_timescaledb(connection)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY, "
            "sha256 bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        wanted = files()
        applied = _applied(connection)
        _check(applied, wanted)
        missing = [name for name in wanted if name not in applied]
        for name in missing:
            _apply(connection, name, wanted[name])
        _ensure_compression(connection)
    return missing


def check_schema(connection: psycopg.Connection) -> None:
    """Return where the database has exactly our schema; else `SchemaMismatch` says what to run."""
    exists = connection.execute("SELECT to_regclass('schema_migration')").fetchone()
    applied = _applied(connection) if exists and exists[0] else {}
    wanted = files()
    _check(applied, wanted)
    if missing := [name for name in wanted if name not in applied]:
        raise SchemaMismatch(
            f"database: expected the migration {missing[0]}, which is not applied: "
            "run `tanzheng ingest migrate`"
        )


def _applied(connection: psycopg.Connection) -> dict[str, bytes]:
    rows = connection.execute("SELECT name, sha256 FROM schema_migration").fetchall()
    return {str(name): bytes(digest) for name, digest in rows}


def _check(applied: Mapping[str, bytes], wanted: Mapping[str, str]) -> None:
    for name, digest in applied.items():
        if name not in wanted:
            raise SchemaMismatch(
                f"database: has the migration {name}, which this version does not know: "
                "it is older than the database"
            )
        ours = sha256(wanted[name].encode()).digest()
        if ours != digest:
            raise SchemaMismatch(
                f"migration {name}: applied with SHA-256 {digest.hex()}, "
                f"but the file now has {ours.hex()}: add a new file instead of changing one"
            )


def _apply(connection: psycopg.Connection, name: str, text: str) -> None:
    with connection.transaction():
        connection.execute(text.encode())  # bytes: psycopg takes a LiteralString or bytes
        connection.execute(
            "INSERT INTO schema_migration (name, sha256) VALUES (%s, %s)",
            (name, sha256(text.encode()).digest()),
        )
    LOG.info("migration %s applied", name)


def _ensure_timescaledb(connection: psycopg.Connection) -> None:
    """Use the extension where the server has it ready; say so where it does not."""
    available = connection.execute(
        "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
    ).fetchone()
    if available is None:
        LOG.info("TimescaleDB is not available: native partitions by day, no compression")
        return
    loaded = connection.execute("SHOW shared_preload_libraries").fetchone()
    if loaded is None or "timescaledb" not in str(loaded[0]):
        LOG.warning(
            "TimescaleDB %s is installed but not in shared_preload_libraries: "
            "native partitions by day, no compression",
            available[0],
        )
        return
    connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")


def _ensure_compression(connection: psycopg.Connection) -> None:
    """Compress old days where the licence edition offers it (the Apache edition does not)."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT extversion, current_setting('timescaledb.license', true) AS license "
            "FROM pg_extension WHERE extname = 'timescaledb'"
        )
        found = cursor.fetchone()
    if found is None:
        return
    if found["license"] != "timescale":
        LOG.warning(
            "TimescaleDB %s, edition %s: hypertable without compression and retention policies",
            found["extversion"],
            found["license"],
        )
        return
    connection.execute(
        "ALTER TABLE reading SET (timescaledb.compress, timescaledb.compress_segmentby = "
        "'point_id', timescaledb.compress_orderby = 't')"
    )
    connection.execute(
        "SELECT add_compression_policy('reading', make_interval(days => %s), "
        "if_not_exists => true)",
        (COMPRESS_AFTER_DAYS,),
    )
