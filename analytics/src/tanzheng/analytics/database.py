"""A connection to the platform's database. psycopg is needed here and nowhere before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tanzheng.analytics.errors import DatabaseFault

if TYPE_CHECKING:
    from psycopg import Connection


@contextmanager
def connected(database_url: str, *, autocommit: bool = False) -> Iterator[Connection[Any]]:
    """A connection for as long as it is needed; `DatabaseFault` for all of the server's troubles,
    and where the driver is not installed."""
    try:
        import psycopg
    except ImportError:
        raise DatabaseFault(
            "expected the database driver: install tanzheng-analytics[database]"
        ) from None
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("SET jit = off")  # a month's 31 days: 37 of 53 ms were compiling
            connection.autocommit = autocommit
            yield connection
    except psycopg.Error as error:
        raise DatabaseFault(f"database: {str(error).strip()}") from error
