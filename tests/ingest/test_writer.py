"""Exactly once into the database: what is accepted, what is refused, what is kept."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from ingest.boxes import NOW_MS, POINTS, Box, enrolled, message, put, second_box
from ingest.zoo import ZOO
from tanzheng.core.batch import Event
from tanzheng.core.errors import BadInput
from tanzheng.core.wire import unpack_kept
from tanzheng.ingest.decide import Reason
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer

KEPT = "SELECT raw, reason_code FROM quarantine"


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def database(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
def other() -> Box:
    return second_box()


@pytest.fixture
def writer(database: str, box: Box, other: Box) -> Iterator[Writer]:
    made = Writer(database, enrolled(box, other))
    yield made
    made.close()


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def count(url: str, table: str) -> int:
    [(number,)] = ask(url, f"SELECT count(*) FROM {table}")
    return int(number)


def test_rows_are_what_was_signed(database: str, writer: Writer, box: Box) -> None:
    signed = box.next(slots=5)
    outcome = put(writer, [message(signed)])
    assert (outcome.accepted, outcome.readings) == (1, 15)
    assert outcome.heads == {"gw1": signed.head}
    found = ask(
        database,
        "SELECT name, extract(epoch FROM t) * 1000, value, quality FROM reading "
        "JOIN point USING (point_id) ORDER BY point_id, t",
    )
    expected = [
        (point, t, value, 0)
        for point, column in zip(POINTS, signed.batch.columns, strict=True)
        for t, value in zip(column.t_ms, column.value, strict=True)
    ]
    assert sorted(found) == sorted(expected)


def test_batches_are_kept_as_they_came(database: str, writer: Writer, box: Box) -> None:
    signed = [*box.chain(2), box.with_gap()]
    put(writer, [message(item) for item in signed])
    kept = [bytes(raw) for (raw,) in ask(database, "SELECT raw FROM batch ORDER BY seq")]
    assert kept == [message(item).payload for item in signed]
    assert [unpack_kept(raw) for raw in kept] == [item.raw for item in signed]


def test_gaps_and_events_are_kept(database: str, writer: Writer, box: Box) -> None:
    signed = box.with_gap()
    put(writer, [message(signed)])
    gap = signed.batch.gaps[0]
    found = ask(database, "SELECT name, from_ms, to_ms, interval_ms, reason FROM gap JOIN point "
                "USING (point_id) ORDER BY name")  # fmt: skip
    row = (gap.from_ms, gap.to_ms, gap.interval_ms, "agent_down")
    assert found == [(POINTS[0], *row), (POINTS[1], *row)]
    assert ask(database, "SELECT kind, detail FROM event") == [
        ("config_changed", {"what": "中文\0", "count": 2})
    ]


def test_a_batch_of_events_only(database: str, writer: Writer, box: Box) -> None:
    signed = box.next(slots=0, events=(Event(box.t_ms, "epoch_opened", {}),))
    assert put(writer, [message(signed)]).accepted == 1
    assert ask(database, "SELECT first_ms, last_ms, readings FROM batch") == [(None, None, 0)]


def test_sent_twice_is_stored_once(database: str, writer: Writer, box: Box) -> None:
    signed = box.chain(5)
    messages = [message(item) for item in signed]
    put(writer, messages[:3])
    outcome = put(writer, [*messages, *messages])
    assert (outcome.accepted, outcome.duplicates) == (2, 8)
    assert outcome.heads == {"gw1": signed[-1].head}
    assert count(database, "reading") == 5 * 30
    assert count(database, "quarantine") == 0


def test_bad_messages_stop_no_good_one(database: str, writer: Writer, box: Box) -> None:
    """The whole zoo in one group: each in quarantine with its bytes, the good ones stored."""
    bad = [flawed(replace(box, signed=[])) for flawed in ZOO]
    good = [message(box.next()), message(box.next())]
    outcome = put(writer, [*bad, good[0], message(b"garbage"), good[1]])
    assert outcome.refused == Counter([*ZOO.values(), Reason.ENCODING])
    assert outcome.accepted == 2
    kept = {(bytes(raw), reason) for raw, reason in ask(database, KEPT)}
    assert kept >= {(flawed.payload, ZOO[name]) for flawed, name in zip(bad, ZOO, strict=True)}
    assert count(database, "quarantine") == len(ZOO) + 1
    assert count(database, "reading") == 2 * 30


def test_the_same_flaw_is_counted_not_stored_again(database: str, writer: Writer, box: Box) -> None:
    box.next()
    late = box.next()
    for _ in range(3):  # nothing may be early before the very first batch
        put(writer, [message(late)])
    assert ask(database, "SELECT reason_code, seen FROM quarantine") == [("sequence_skipped", 3)]


def test_two_histories_suspend_a_gateway(database: str, writer: Writer, box: Box) -> None:
    """Both are kept, and nothing more is taken; other gateways go on."""
    first = box.next()
    put(writer, [message(first)])
    fork = Box(key=box.key, t_ms=box.t_ms).next()
    outcome = put(writer, [message(fork)])
    assert outcome.refused == Counter({Reason.FORK: 1})
    assert outcome.heads == {}
    assert writer.standing().heads == {}
    [(state, why)] = ask(database, "SELECT state, state_reason FROM gateway WHERE gw = 'gw1'")
    assert state == "suspended"
    assert fork.digest.hex() in why
    assert [bytes(raw) for (raw,) in ask(database, "SELECT raw FROM batch")] == [
        message(first).payload
    ]
    assert [bytes(raw) for (raw,) in ask(database, "SELECT raw FROM quarantine")] == [
        message(fork).payload
    ]
    outcome = put(writer, [message(box.next())])
    assert outcome.refused == Counter({Reason.SUSPENDED: 1})


def test_two_gateways_have_two_chains(database: str, writer: Writer, box: Box, other: Box) -> None:
    signed = [box.next(), other.next(), box.next()]
    outcome = put(writer, [message(item, item.batch.gw) for item in signed])
    assert outcome.heads == {"gw1": signed[2].head, "gw2": signed[1].head}
    assert ask(database, "SELECT gw, count(*) FROM reading JOIN point USING (point_id) "
               "GROUP BY gw ORDER BY gw") == [("gw1", 60), ("gw2", 30)]  # fmt: skip


def test_what_the_database_refuses_stops_no_other(database: str, writer: Writer, box: Box) -> None:
    """A fault of ours, not of the gateway: named so, kept, and the gateway keeps its data, too."""
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE event ADD CHECK (kind <> 'bad')")
    good = box.next()
    bad = box.next(events=(Event(box.t_ms, "bad", {}),))
    outcome = put(writer, [message(good), message(bad)])
    assert outcome.refused == Counter({Reason.FAULT: 1})
    assert outcome.heads == {"gw1": good.head}
    [(detail,)] = ask(database, "SELECT detail FROM quarantine")
    assert "CheckViolation" in detail


def test_two_workers_store_once(database: str, box: Box) -> None:
    messages = [message(item) for item in box.chain(30, slots=2)]

    def work(_: int) -> int:
        with closing(Writer(database, enrolled(box))) as writer:
            return sum(put(writer, messages[i : i + 3]).accepted for i in range(0, 30, 3))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, range(3))) == 30
    assert count(database, "reading") == 30 * 6


def test_another_key_needs_a_re_enrolment(database: str, writer: Writer, box: Box) -> None:
    Writer(database, enrolled(Box())).close()  # a key that signed nothing was a mistake
    Writer(database, enrolled(box)).close()
    put(writer, [message(box.next())])
    with pytest.raises(BadInput, match="re-enrolment"):
        Writer(database, enrolled(Box()))


def test_quarantine_has_a_limit(
    database: str, writer: Writer, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tanzheng.ingest.ledger.QUARANTINE_OPEN_MAX", 3)
    box.next()
    put(writer, [message(item) for item in box.chain(5)])
    assert count(database, "quarantine") == 3


def test_received_time_is_the_messages(database: str, writer: Writer, box: Box) -> None:
    put(writer, [message(box.next())])
    assert ask(database, "SELECT extract(epoch FROM received_at) * 1000 FROM batch") == [(NOW_MS,)]


def test_refused_and_then_taken_in_one_group_is_no_open_entry(
    database: str, writer: Writer, box: Box
) -> None:
    """The first batches of all come in the wrong order, the second of them twice."""
    first, second = map(message, box.chain(2))
    outcome = put(writer, [second, first, second])
    assert (outcome.accepted, outcome.refused) == (2, Counter({Reason.SKIPPED: 1}))
    assert count(database, "quarantine") == 1
    assert count(database, "quarantine WHERE accepted_at IS NULL") == 0


def test_two_writers_need_the_same_new_day(database: str) -> None:
    """The second waits for the first, and then finds its day there."""
    make = b"SELECT ensure_reading_day('2019-03-01')"
    with (
        psycopg.connect(database) as first,
        psycopg.connect(database) as second,
        psycopg.connect(database, autocommit=True) as watch,
        ThreadPoolExecutor(1) as pool,
    ):
        first.execute(make)
        waiting = pool.submit(second.execute, make)
        blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        if watch.execute("SELECT to_regclass('reading_20190301')").fetchone() != (None,):
            raise AssertionError("the first has committed too early")
        while not waiting.done() and watch.execute(blocked).fetchone() == (0,):
            time.sleep(0.01)
        first.commit()
        waiting.result(10)
        second.commit()
