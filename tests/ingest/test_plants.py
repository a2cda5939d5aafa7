"""Plant files in time: the past is never rewritten, whoever tries."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from ingest.boxes import Box, enrolled, plant_toml, second_box, write_files
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant
from tanzheng.ingest import plants
from tanzheng.ingest.commands import app
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer

JULY = datetime(2018, 7, 1, 7, tzinfo=UTC)
AUGUST = datetime(2018, 8, 1, 7, tzinfo=UTC)
TABLES = ("plant_version", "unit_version", "device_version", "point_assignment")


@pytest.fixture
def url(database_url: str) -> str:
    """A database with two gateways enrolled."""
    migrate(database_url)
    with closing(Writer(database_url, enrolled(Box(), second_box()))):
        return database_url


def plant(*changes: tuple[str, str]) -> Plant:
    """The plant of `boxes`, each `old` text replaced once."""
    text = plant_toml()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return Plant.parse(text.encode())


SWAPPED = ('id = "meter"\n', 'id = "meter"\nserial = "SN-2"\n')


def load(url: str, what: Plant, at: datetime, name: str = "P1") -> plants.Loaded:
    with psycopg.connect(url) as connection:
        return plants.load(connection, what, name, "370102", at)


def stored(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return [
            connection.execute(f"SELECT t::text FROM {table} t ORDER BY 1".encode()).fetchall()
            for table in TABLES
        ]


def serials(url: str, at: datetime) -> set[str]:
    with psycopg.connect(url) as connection:
        return {
            row["serial"]
            for row in plants.valid_at(connection, at, "P1")
            if row["device"] == "meter"
        }


def test_the_same_file_again_changes_nothing(url: str) -> None:
    first = load(url, plant(), JULY)
    assert (first.opened, first.closed) == (1 + 1 + 4 + 6, 0)
    before = stored(url)
    for at in (JULY, AUGUST):
        again = load(url, plant(), at)
        assert (again.opened, again.closed, again.unchanged) == (0, 0, 12)
    assert stored(url) == before


def test_a_meter_swap_leaves_the_past_alone(url: str) -> None:
    load(url, plant(), JULY)
    done = load(url, plant(SWAPPED), AUGUST)
    assert (done.opened, done.closed) == (2, 2)  # the device, and the file's digest
    assert serials(url, JULY) == serials(url, AUGUST - timedelta(microseconds=1)) == {""}
    assert serials(url, AUGUST) == serials(url, AUGUST + timedelta(days=900)) == {"SN-2"}
    assert serials(url, JULY - timedelta(microseconds=1)) == set()


def test_what_the_file_no_longer_has_is_closed(url: str) -> None:
    load(url, plant(), JULY)
    gone = '[[device.point]]\nfield = "active_power_kw"\n'
    load(url, plant((gone, "")), AUGUST)
    with psycopg.connect(url) as connection:
        counts = [len(plants.valid_at(connection, at, None)) for at in (JULY, AUGUST)]
    assert counts == [6, 5]


@pytest.mark.parametrize("at", [JULY, JULY - timedelta(days=1)])
def test_a_change_in_the_past_is_refused(url: str, at: datetime) -> None:
    load(url, plant(), JULY)
    before = stored(url)
    with pytest.raises(BadInput, match="the past is not rewritten"):
        load(url, plant(SWAPPED), at)
    assert stored(url) == before


def test_a_gateway_that_is_nobody_s_or_another_s_is_refused(url: str) -> None:
    load(url, plant(), JULY)
    with pytest.raises(BadInput, match="no other plant's"):
        load(url, plant(), JULY, "P2")
    text = plant_toml().replace('"gw2"', '"gw3"')
    with pytest.raises(BadInput, match="gateway gw3 to be enrolled"):
        load(url, Plant.parse(text.encode()), AUGUST)
    with pytest.raises(BadInput, match="expected enterprise TEST-1, got OTHER"):
        load(url, plant(("TEST-1", "OTHER")), AUGUST)


@pytest.mark.parametrize("table", TABLES)
def test_the_database_itself_refuses_to_rewrite(url: str, table: str) -> None:
    load(url, plant(), JULY)
    load(url, plant(SWAPPED), AUGUST)
    wrong = [
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
        f"UPDATE {table} SET valid = tstzrange('2018-06-01', NULL) WHERE upper_inf(valid)",
        f"UPDATE {table} SET valid = tstzrange(lower(valid), NULL) WHERE NOT upper_inf(valid)",
        f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {table} LIMIT 1",
    ]
    if table.startswith(("plant", "device")):
        wrong.append(f"UPDATE {table} SET valid = 'empty' WHERE NOT upper_inf(valid)")
    before = stored(url)
    for statement in wrong:
        with psycopg.connect(url) as connection:
            changed = 0
            try:
                changed = connection.execute(statement.encode()).rowcount
            except psycopg.Error:
                connection.rollback()
            assert changed == 0, statement
    assert stored(url) == before


def test_overlapping_ranges_cannot_be_entered(url: str) -> None:
    load(url, plant(), JULY)
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.ExclusionViolation):
        connection.execute(
            "INSERT INTO device_version SELECT device_id, '[2020-01-01,2020-02-01)', gw, profile, "
            "'forged' FROM device_version LIMIT 1"
        )


def test_two_loads_at_once_wait_for_each_other(url: str) -> None:
    load(url, plant(), JULY)
    with psycopg.connect(url) as first, psycopg.connect(url) as second:
        with first.transaction():
            plants.load(first, plant(SWAPPED), "P1", "370102", AUGUST)
            second.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                plants.load(second, plant(SWAPPED), "P1", "370102", AUGUST)
        second.rollback()
        assert plants.load(second, plant(SWAPPED), "P1", "370102", AUGUST).closed == 0


def test_by_command(url: str, tmp_path: Path) -> None:
    write_files(tmp_path, Box())
    path = str(tmp_path / "plant.toml")
    runner = CliRunner(env={"TANZHENG_DATABASE_URL": url})
    given = ["plant", "load", path, "--division", "370102", "--from", "2018-07-01"]
    assert "12 opened" in runner.invoke(app, given).output
    assert "12 unchanged" in runner.invoke(app, given).output
    listed = runner.invoke(app, ["plant", "list", "--at", "2018-07-01T07:00:00Z", "--json"])
    assert listed.output.count('"plant": "TEST-1"') == 6
    early = runner.invoke(app, ["plant", "list", "--at", "2018-07-01T06:59:59Z", "--json"])
    assert early.output == "[]\n"
    wrong = runner.invoke(app, [*given[:4], "37", *given[5:]])
    assert isinstance(wrong.exception, BadInput)
