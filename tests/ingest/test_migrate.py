"""Migrations on PostgreSQL 18 and on TimescaleDB."""

import logging
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tanzheng.ingest.migrate import SchemaMismatch, check_schema, files, migrate


def test_each_file_is_applied_once(database_url: str) -> None:
    assert migrate(database_url) == list(files())
    assert migrate(database_url) == []
    with psycopg.connect(database_url) as connection:
        check_schema(connection)


def test_two_at_once_do_not_meet(database_url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(migrate, [database_url] * 2))
    assert sorted(map(len, done)) == [0, len(files())]


def test_readings_are_partitioned_by_day(database_url: str, request: pytest.FixtureRequest) -> None:
    migrate(database_url)
    with psycopg.connect(database_url) as connection:
        for day in ("2018-07-01", "2018-07-01", "2018-07-02"):
            connection.execute("SELECT ensure_reading_day(%s)", (day,))
            connection.execute("INSERT INTO reading VALUES (1, %s, 1, 0, 1)", (f"{day} 23:59Z",))
        if "timescale" in request.node.callspec.id:
            found = connection.execute(
                "SELECT count(*) FROM timescaledb_information.chunks "
                "WHERE hypertable_name = 'reading'"
            )
        else:
            found = connection.execute(
                "SELECT count(*) FROM pg_inherits WHERE inhparent = 'reading'::regclass"
            )
        assert found.fetchone() == (2,)


def test_the_edition_is_said(
    database_url: str, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    with caplog.at_level(logging.INFO):
        migrate(database_url)
    if "timescale" in request.node.callspec.id:
        assert "without compression" in caplog.text
    else:
        assert "native partitions by day" in caplog.text


def test_a_changed_file_is_refused(database_url: str) -> None:
    migrate(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE schema_migration SET sha256 = '' WHERE name LIKE '0002%'")
    with pytest.raises(SchemaMismatch, match="0002"):
        migrate(database_url)


def test_a_newer_database_is_refused(database_url: str) -> None:
    migrate(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ('9999.sql', '')")
        with pytest.raises(SchemaMismatch, match="older than the database"):
            check_schema(connection)


def test_an_empty_database_is_named(database_url: str) -> None:
    with (
        psycopg.connect(database_url) as connection,
        pytest.raises(SchemaMismatch, match="tanzheng ingest migrate"),
    ):
        check_schema(connection)
