"""A connection to the platform's database. psycopg is needed here and nowhere before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tanzheng.analytics.errors import DatabaseFault

if TYPE_CHECKING:
    from psycopg import Connection

SETTINGS = {
    "application_name": "tanzheng-analytics", "connect_timeout": "10", "keepalives_idle": "30",
    "keepalives_interval": "10", "keepalives_count": "3",
}  # fmt: skip
"""A server that went away without a word is noticed within a minute."""


def conninfo(database_url: str) -> str:
    """The URL with `SETTINGS` where it says nothing else."""
    with _faults():
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        return make_conninfo("", **{**SETTINGS, **conninfo_to_dict(database_url)})


@contextmanager
def connected(database_url: str, *, autocommit: bool = False) -> Iterator[Connection[Any]]:
    """A connection for as long as it is needed; `DatabaseFault` for all of the server's troubles,
    and where the driver is not installed."""
    given = conninfo(database_url)
    with _faults():
        import psycopg

        with psycopg.connect(given, autocommit=True) as connection:
            connection.execute("SET jit = off")  # a month's 31 days: 37 of 53 ms were compiling
            connection.autocommit = autocommit
            yield connection


@contextmanager
def _faults() -> Iterator[None]:
    try:
        from psycopg import Error
    except ImportError:
        raise DatabaseFault(
            "expected the database driver: install tanzheng-analytics[database]"
        ) from None
    try:
        yield
    except Error as error:
        raise DatabaseFault(f"database: {str(error).strip()}") from error
