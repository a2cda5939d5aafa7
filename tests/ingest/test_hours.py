"""Dirty hours, corrections, the audit log: marked with the readings, and never edited."""

from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ingest.boxes import START_MS, Box, enrolled, message, put
from tanzheng.core.calendar import HOUR_MS
from tanzheng.ingest import audit_log
from tanzheng.ingest.audit_log import AuditLogBroken, Head
from tanzheng.ingest.commands import app
from tanzheng.ingest.hours_dirty import Span, runs
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.rebuild import rebuild
from tanzheng.ingest.writer import Writer


@pytest.fixture
def url(database_url: str) -> str:
    migrate(database_url)
    return database_url


def dirty(url: str) -> list[tuple[int, int, int]]:
    """From hour, to hour (counted from the start), mark."""
    with psycopg.connect(url) as connection:
        return [
            ((first - START_MS) // HOUR_MS, (end - START_MS) // HOUR_MS, mark)
            for first, end, mark in connection.execute(
                "SELECT from_ms, to_ms, mark FROM dirty_hour ORDER BY 1, 2"
            )
        ]


def test_readings_and_their_hours_come_together(url: str) -> None:
    box = Box()
    with closing(Writer(url, enrolled(box))) as writer:
        put(writer, [message(item) for item in box.chain(6, slots=30)])  # three hours
        assert [row[:2] for row in dirty(url)] == [(0, 3)]
        put(writer, [message(box.next(slots=30))])
        assert [row[:2] for row in dirty(url)] == [(0, 3), (3, 4)]
        put(writer, [message(box.signed[-1])])  # a duplicate changes nothing
        before = dirty(url)
        put(writer, [message(box.next(slots=30))])
    after = dirty(url)
    assert [row[:2] for row in after] == [(0, 3), (3, 4)]
    assert after[0] == before[0]
    assert after[1][2] > before[1][2]  # the same hour again: another mark


def test_what_was_marked_again_while_it_was_computed_stays(url: str) -> None:
    box = Box()
    with closing(Writer(url, enrolled(box))) as writer:
        put(writer, [message(box.next(slots=30))])
        [(_, _, mark)] = dirty(url)
        put(writer, [message(box.next(slots=30))])
    done = "DELETE FROM dirty_hour WHERE mark = %s"
    with psycopg.connect(url) as connection:
        assert connection.execute(done, (mark,)).rowcount == 0
    assert [row[:2] for row in dirty(url)] == [(0, 1)]


def test_gaps_mark_the_hours_they_tell_of(url: str) -> None:
    box = Box(t_ms=START_MS + 5 * HOUR_MS)
    with closing(Writer(url, enrolled(box))) as writer:
        put(writer, [message(box.with_gap())])  # and the hour before
    assert [row[:2] for row in dirty(url)] == [(4, 6)]


def test_nothing_is_marked_where_nothing_was_stored(url: str) -> None:
    box = Box()
    with closing(Writer(url, enrolled(box))) as writer:
        put(writer, [message(replace(box.next(), raw=b"x"))])
    assert dirty(url) == []


def test_what_is_rebuilt_is_marked(url: str) -> None:
    box = Box()
    with closing(Writer(url, enrolled(box))) as writer:
        put(writer, [message(box.next(slots=60))])
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM dirty_hour")
        connection.execute("UPDATE reading SET value = value + 1")
    assert rebuild(url, enrolled(box)).holds
    assert [row[:2] for row in dirty(url)] == [(0, 1)]
    with psycopg.connect(url) as connection:
        assert [entry["action"] for entry in audit_log.latest(connection, 9)] == ["rebuild"]


SPANS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.integers(0, 20 * HOUR_MS),
        st.integers(0, 3 * HOUR_MS),
    ).map(lambda each: (each[0], each[1], each[1] + each[2])),
    max_size=12,
)


@given(SPANS)
def test_runs_hold_the_same_hours_as_the_spans(spans: list[Span]) -> None:
    wanted = {
        (gw, hour)
        for gw, first, last in spans
        for hour in range(first // HOUR_MS, last // HOUR_MS + 1)
    }
    found = [
        (gw, hour)
        for gw, start, end in runs(spans)
        for hour in range(start // HOUR_MS, end // HOUR_MS)
    ]
    assert sorted(wanted) == sorted(found)  # each hour once
    assert all(edge % HOUR_MS == 0 for _, *edges in runs(spans) for edge in edges)


def test_a_correction_is_a_new_row_and_marks_its_hours(url: str) -> None:
    with closing(Writer(url, enrolled(Box()))), psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO correction (point_id, from_ms, to_ms, value, quality, reason, author) "
            "SELECT point_id, %s, %s, 1.5, 2, 'meter read wrong', 'Li Lei' FROM point LIMIT 1",
            (START_MS + 1, START_MS + HOUR_MS + 1),
        )
    assert [row[:2] for row in dirty(url)] == [(0, 2)]
    for table in ("correction", "hour", "audit_log"):
        for statement in (f"UPDATE {table} SET reason = 'x'", f"DELETE FROM {table}",
                          f"TRUNCATE {table}"):  # fmt: skip
            text = statement.replace("reason = 'x'", {"hour": "quality = 1",
                                                      "audit_log": "number = 1"}
                                     .get(table, "reason = 'x'"))  # fmt: skip
            with (
                psycopg.connect(url) as connection,
                pytest.raises(psycopg.errors.RaiseException, match="only grows"),
            ):
                connection.execute(text.encode())


def filled(url: str, count: int = 5) -> Head:
    with psycopg.connect(url) as connection:
        for number in range(count):
            audit_log.add(connection, "test", {"number": number, "何": "中文"})
    with psycopg.connect(url) as connection:
        return audit_log.verify(connection)


def test_the_audit_log_is_a_chain(url: str) -> None:
    with psycopg.connect(url) as connection:
        assert audit_log.verify(connection) == Head(0, bytes(32))
    head = filled(url)
    assert head.number == 5
    with psycopg.connect(url) as connection:
        audit_log.add(connection, "rolled back", {})
        connection.rollback()
        assert audit_log.verify(connection, head.digest) == head
        [last] = audit_log.latest(connection, 1)
    assert last["detail"] == {"number": 4, "何": "中文"}
    assert last["digest"] == head.digest.hex()


FORGED = (
    "UPDATE audit_log SET entry = entry || 'x', digest = "
    "sha256(prev || convert_to(entry || 'x', 'UTF8')) WHERE number = 3"
)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE audit_log SET entry = replace(entry, '3', '4') WHERE number = 4",
        "UPDATE audit_log SET digest = sha256('x') WHERE number = 2",
        "UPDATE audit_log SET prev = sha256('x') WHERE number = 2",
        "DELETE FROM audit_log WHERE number = 3",
        "DELETE FROM audit_log WHERE number = 1",
        "UPDATE audit_log SET number = 9 WHERE number = 5",
        FORGED,
    ],
)
def test_a_changed_audit_log_is_seen(url: str, damage: str) -> None:
    filled(url)
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(damage.encode())
        connection.commit()
        with pytest.raises(AuditLogBroken):
            audit_log.verify(connection)


def test_a_shortened_audit_log_is_seen_against_a_head(url: str) -> None:
    head = filled(url)
    runner = CliRunner(env={"TANZHENG_DATABASE_URL": url})
    given_head = ["audit-log", "verify", "--head", head.digest.hex()]
    assert head.digest.hex() in runner.invoke(app, given_head).output
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM audit_log WHERE number = 5")
    assert runner.invoke(app, ["audit-log", "verify"]).exit_code == 0
    assert isinstance(runner.invoke(app, given_head).exception, AuditLogBroken)
    assert "test" in runner.invoke(app, ["audit-log", "list"]).output


def test_entries_at_the_same_time_follow_one_another(url: str) -> None:
    with psycopg.connect(url) as first, psycopg.connect(url) as second:
        audit_log.add(first, "first", {})
        second.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            audit_log.add(second, "second", {})
        first.commit()
        second.rollback()
        audit_log.add(second, "second", {})
        second.commit()
        assert audit_log.verify(second).number == 2
