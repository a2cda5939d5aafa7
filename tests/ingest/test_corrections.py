"""Corrections: what hours make of them, what is refused, and that all of it is written down."""

import json
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from ingest.boxes import INTERVAL_MS, START_MS, Box, enrolled, message, plant_toml, put
from tanzheng.analytics.gauges import GAUGE_MAX
from tanzheng.analytics.hour_store import refresh
from tanzheng.core.calendar import HOUR_MS, Month
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant
from tanzheng.core.quality import VALID, Quality
from tanzheng.ingest import archive, audit_log, corrections, ledger, plants
from tanzheng.ingest.commands import app
from tanzheng.ingest.corrections import Correction, instant_ms, instant_text
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer

PLANT = Plant.parse(plant_toml().encode())
NOW_MS = 1_900_000_000_000
GAUGE, COUNTER = "meter/active_power_kw", "meter/active_energy_export_kwh"
GOOD: dict[str, str | None] = {
    "--gw": "gw1",
    "--point": GAUGE,
    "--from": "2018-07-01T00:00-07:00",
    "--to": "2018-07-01T01:00-07:00",
    "--value": "12.5",
    "--reason": "meter read by hand 人工抄表",
    "--by": "Li Lei 李雷",
}


@pytest.fixture
def url(database_url: str) -> str:
    """Three hours of one gateway, computed."""
    migrate(database_url)
    box = Box()
    with closing(Writer(database_url, enrolled(box))) as writer:
        put(writer, [message(item) for item in box.chain(4, slots=50)])
    refresh(database_url, [PLANT], NOW_MS)
    return database_url


def correct(url: str, *more: str, **changes: str | None) -> Result:
    """`correction add` of the good words, some changed or (None) left out."""
    told = GOOD | {f"--{name.rstrip('_')}": text for name, text in changes.items()}
    words = [word for name, text in told.items() if text is not None for word in (name, text)]
    runner = CliRunner(env={"TANZHENG_DATABASE_URL": url, "COLUMNS": "250"})
    return runner.invoke(app, ["correction", "add", *words, *more])


def ask(url: str, query: str, *values: Any) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode(), values).fetchall()


def hours(url: str, point: str) -> list[tuple[Decimal | None, int, int]]:
    """Value, quality, readings of each hour from the start on."""
    return ask(
        url,
        "SELECT DISTINCT ON (hour) value, quality, readings FROM hour JOIN point USING (point_id) "
        "WHERE gw = 'gw1' AND name = %s AND hour >= to_timestamp(%s) "
        "ORDER BY hour, computed_at DESC",
        *(point, START_MS / 1000),
    )


def written(url: str) -> list[list[Any]]:
    tables = ("correction", "dirty_hour", "audit_log")
    return [ask(url, f"SELECT * FROM {table} ORDER BY 1") for table in tables]


def test_an_hour_becomes_what_was_said_and_readings_stay(url: str) -> None:
    readings = ask(url, "SELECT * FROM reading ORDER BY point_id, t")
    before = hours(url, GAUGE)
    done = correct(url)
    assert done.exit_code == 0, done.output
    assert "2018-07-01T07:00Z – 2018-07-01T08:00Z" in done.output
    assert hours(url, GAUGE) == before  # until somebody refreshes
    refresh(url, [PLANT], NOW_MS)
    assert hours(url, GAUGE) == [(Decimal("12.5"), Quality.MANUAL, 60), *before[1:]]
    assert ask(url, "SELECT * FROM reading ORDER BY point_id, t") == readings
    assert correct(url, value="13").exit_code == 0
    refresh(url, [PLANT], NOW_MS)
    assert hours(url, GAUGE)[0][0] == 13


def test_without_a_value_the_hour_has_none(url: str) -> None:
    done = correct(url, "--none", value=None, quality="calibration")
    assert done.exit_code == 0, done.output
    refresh(url, [PLANT], NOW_MS)
    assert [value is None for value, *_ in hours(url, GAUGE)] == [True, False, False, False]
    assert ask(url, "SELECT value, quality FROM correction") == [(None, Quality.CALIBRATION)]


def test_only_slots_that_begin_in_the_span_are_corrected(url: str) -> None:
    before = hours(url, GAUGE)
    assert correct(url, to="2018-07-01T00:30-07:00", value="0", quality="good").exit_code == 0
    assert correct(url, from_="2018-07-01T00:30-07:00", value="20").exit_code == 0
    refresh(url, [PLANT], NOW_MS)
    assert hours(url, GAUGE) == [(Decimal(10), Quality.MANUAL, 60), *before[1:]]


def test_a_counter_is_told_what_its_register_showed_at_a_full_hour(url: str) -> None:
    begin, end = "2018-07-01T01:00-07:00", "2018-07-01T01:01-07:00"
    assert correct(url, point=COUNTER, from_=begin, to=end, value="1000").exit_code == 0
    refresh(url, [PLANT], NOW_MS)
    [(first,), (last,)] = ask(
        url,
        "SELECT value FROM reading JOIN point USING (point_id) WHERE name = %s "
        "AND t IN (to_timestamp(%s), to_timestamp(%s)) ORDER BY t",
        *(COUNTER, START_MS / 1000, START_MS / 1000 + 7200),
    )
    told = [float(value) for value, *_ in hours(url, COUNTER)[:2] if value is not None]
    assert told == [1000 - first, last - 1000]


@pytest.mark.parametrize("archived", [False, True])
def test_a_day_in_an_archive_is_corrected_like_any_other(
    url: str, tmp_path: Path, archived: bool
) -> None:
    if archived:
        now = datetime(2018, 9, 1, tzinfo=UTC)
        done = archive.archive(url, Month(2018, 7), tmp_path, now, with_holes=True, drop=True)
        assert done.dropped
    assert correct(url).exit_code == 0
    refresh(url, [PLANT], NOW_MS)
    assert hours(url, GAUGE)[0][0] == Decimal("12.5")


def test_the_audit_log_has_it(url: str) -> None:
    assert correct(url, "--json").exit_code == 0
    assert correct(url, "--none", value=None, quality="fault").exit_code == 0
    with psycopg.connect(url) as connection:
        assert audit_log.verify(connection).number == 2
        last, first = audit_log.latest(connection, 2)
    assert first["action"] == last["action"] == "correction add"
    assert first["detail"] == {
        "correction_id": 1, "gw": "gw1", "point": GAUGE, "from": "2018-07-01T07:00Z",
        "to": "2018-07-01T08:00Z", "value": "12.5", "unit": "kW", "quality": "manual",
        "reason": GOOD["--reason"], "author": GOOD["--by"],
    }  # fmt: skip
    assert (last["detail"]["value"], last["detail"]["quality"]) == (None, "fault")


def test_row_and_entry_come_together_or_not_at_all(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RAISE EXCEPTION ''no entry today''; END'"
        )
        connection.execute(
            "CREATE TRIGGER no BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION no()"
        )
    before = written(url)
    assert "no entry today" in str(correct(url).exception)
    assert written(url) == before
    begin, end = START_MS, START_MS + HOUR_MS
    made = Correction("gw1", GAUGE, begin, end, None, Quality.FAULT, "why", "who")
    with (
        psycopg.connect(url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.RaiseException),
    ):
        corrections.add(connection, made, end)
    assert written(url) == before


REFUSED: dict[str, tuple[dict[str, str | None], str]] = {
    "gateway unknown": ({"gw": "gw9"}, "it has none here"),
    "point unknown": ({"point": "meter/frequency_hz"}, f"gateway gw1 \\(.*{GAUGE}"),
    "point no name": ({"point": "meter"}, "DEVICE/FIELD"),
    "no offset": ({"from_": "2018-07-01T00:00"}, "--from: expected an instant with its offset"),
    "a day": ({"from_": "2018-07-01"}, "expected an instant with its offset"),
    "no such day": ({"to": "2018-02-30T00:00Z"}, "--to: expected an instant with its offset"),
    "half a minute": ({"from_": "2018-07-01T00:00:30-07:00"}, "expected a whole minute"),
    "before 1970": ({"from_": "1969-07-01T00:00Z"}, "from 1970 on"),
    "empty span": ({"to": "2018-07-01T07:00Z"}, "expected an instant after --from"),
    "span backwards": ({"to": "2018-07-01T06:59Z"}, "expected an instant after --from"),
    "to come": ({"to": "2999-01-01T00:00Z"}, "expected a time that is over"),
    "not a number": ({"value": "NaN"}, "expected a decimal number"),
    "exponent": ({"value": "1e3"}, "expected a decimal number"),
    "infinite": ({"value": "Infinity"}, "expected a decimal number"),
    "too large": ({"value": "1000000000001"}, "at most 1000000000000"),
    "too low": ({"value": "-1000000000001"}, "at most 1000000000000"),
    "seven decimals": ({"value": "0.1234567"}, "6 decimals"),
    "sixteen digits": ({"value": "1234567890.123456"}, "15 digits"),
    "no quality": ({"quality": "splendid"}, "expected one of"),
    "quality unusable": ({"quality": "fault"}, "manual.*with a value, got fault"),
    "reason empty": ({"reason": " "}, "--reason: expected words"),
    "author empty": ({"by": ""}, "--by: expected words"),
    "reason of two lines": ({"reason": "a\nb"}, "--reason: expected a line"),
    "counter through hours": ({"point": COUNTER, "to": "2018-07-01T02:00-07:00"}, "got 2"),
    "counter between hours": (
        {"point": COUNTER, "from_": "2018-07-01T00:01-07:00"}, "exactly one full hour.*got 0"),
    "counter below zero": ({"point": COUNTER, "value": "-1"}, "a counter's reading"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_leaves_nothing(url: str, name: str) -> None:
    changes, said = REFUSED[name]
    before = written(url)
    done = correct(url, **changes)
    with pytest.raises(BadInput, match=said):
        raise done.exception or AssertionError(done.output)
    assert written(url) == before


@pytest.mark.parametrize(
    ("more", "changes", "said"),
    [
        (["--none"], {}, "either --value NUMBER or --none"),
        ([], {"value": None}, "either --value NUMBER or --none"),
        (["--none"], {"value": None}, "expected --quality with --none"),
        (["--none"], {"value": None, "quality": "good"}, "without a value, got good"),
        (["--none"], {"value": None, "quality": "substituted"}, "without a value"),
    ],
)
def test_a_value_or_none(more: list[str], changes: dict[str, str | None], said: str) -> None:
    done = correct("postgresql://nowhere", *more, **changes)
    with pytest.raises(BadInput, match=said):
        raise done.exception or AssertionError(done.output)


def test_a_span_holds_a_slot_of_the_point(url: str) -> None:
    quarter = plant_toml().replace('field = "active_power_kw"', 'field = "active_power_kw"\n'
                                   "interval_s = 900")  # fmt: skip
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO gateway (gw, public_key) VALUES ('gw2', sha256('2'))")
        plant = Plant.parse(quarter.encode())
        for gw in ("gw1", "gw2"):
            names = [point.name for point in plant.points_of_gateway(gw)]
            ledger.enter_points(connection, gw, names)
        plants.load(connection, plant, "P", "370102", datetime(2018, 6, 1, tzinfo=UTC))
    done = correct(url, to="2018-07-01T00:14-07:00")
    with pytest.raises(BadInput, match=r"at least one interval of the point \(900 s\).*840 s"):
        raise done.exception or AssertionError(done.output)
    assert correct(url, to="2018-07-01T00:15-07:00").exit_code == 0


def test_the_list_is_newest_first_and_of_what_is_asked(url: str) -> None:
    assert correct(url).exit_code == 0
    second = {"point": "gas/gas_volume_nm3", "value": "7.50", "to": "2018-07-01T00:01-07:00"}
    assert correct(url, **second).exit_code == 0
    runner = CliRunner(env={"TANZHENG_DATABASE_URL": url, "COLUMNS": "250"})

    def listed(*words: str) -> list[dict[str, Any]]:
        output = runner.invoke(app, ["correction", "list", "--json", *words]).output
        found: list[dict[str, Any]] = json.loads(output)
        return found

    assert [each["correction_id"] for each in listed()] == [2, 1]
    assert [each["correction_id"] for each in listed("--point", GAUGE)] == [1]
    assert [each["correction_id"] for each in listed("--limit", "1")] == [2]
    assert listed("--gw", "gw2") == []
    assert listed("--gw", "gw1")[0] | {"made_at": ""} == {
        "correction_id": 2, "made_at": "", "gw": "gw1", "point": "gas/gas_volume_nm3",
        "from": "2018-07-01T07:00Z", "to": "2018-07-01T07:01Z", "value": "7.50", "unit": "Nm3",
        "quality": "manual", "reason": GOOD["--reason"], "author": GOOD["--by"],
    }  # fmt: skip
    shown = runner.invoke(app, ["correction", "list"]).output
    assert "李雷" in shown
    assert "7.50" in shown


def test_limits_are_those_of_hours() -> None:
    assert float(corrections.VALUE_MAX) == GAUGE_MAX
    assert {*VALID, *corrections.UNUSABLE} == set(Quality) - {Quality.SUBSTITUTED}


@given(st.integers(0, 4_000_000), st.integers(1, 3_000), st.decimals(
    1 - 10**9, 10**9 - 1, places=6, allow_nan=False))  # fmt: skip
def test_a_correction_reaches_whole_hours_and_its_value_is_exact(
    start: int, minutes: int, value: Decimal
) -> None:
    begin = start * INTERVAL_MS
    made = Correction(
        "gw1", GAUGE, begin, begin + minutes * INTERVAL_MS, value, Quality.MANUAL, "why", "who"
    )
    first, end = made.hours_ms
    assert first % HOUR_MS == end % HOUR_MS == 0
    assert first <= made.from_ms < first + HOUR_MS
    assert end - HOUR_MS < made.to_ms <= end
    assert instant_ms(instant_text(begin), "") == begin
    assert Decimal(repr(float(value))) == value
