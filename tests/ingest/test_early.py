"""Batches ahead of their chain in a real database: stored once, joined when the hole is filled."""

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from typing import Any

import psycopg
import pytest

from ingest.boxes import Box, enrolled, message, put, second_box
from tanzheng.core.batch import ChainHead, Event
from tanzheng.ingest import ledger, migrate
from tanzheng.ingest.audit import audit
from tanzheng.ingest.chain import Chain
from tanzheng.ingest.decide import Checked, Reason, examine
from tanzheng.ingest.quarantine import latest
from tanzheng.ingest.writer import Writer

READINGS = 6  # of a batch with two slots


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def database(database_url: str) -> str:
    migrate.migrate(database_url)
    return database_url


@pytest.fixture
def writer(database: str, box: Box) -> Iterator[Writer]:
    with closing(Writer(database, enrolled(box, second_box()))) as made:
        yield made


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def count(url: str, table: str) -> int:
    [(number,)] = ask(url, f"SELECT count(*) FROM {table}")
    return int(number)


def test_the_newest_is_there_at_once_and_the_ack_waits(
    database: str, writer: Writer, box: Box
) -> None:
    items = box.chain(10, slots=2)
    put(writer, [message(items[0])])
    outcome = put(writer, [message(items[8]), message(items[9])])
    assert (outcome.accepted, outcome.early) == (2, 2)
    assert (outcome.heads, outcome.tops) == ({"gw1": items[0].head}, {"gw1": 10})
    assert count(database, "reading") == 3 * READINGS
    assert count(database, "early_batch") == 2
    assert count(database, "quarantine") == 0
    report = audit(database, writer.gateways)
    assert (report.difference, report.batches, report.early) == (None, 3, 2)

    assert put(writer, [message(item) for item in items[1:7]]).heads == {"gw1": items[6].head}
    outcome = put(writer, [message(items[7])])
    assert (outcome.heads, outcome.tops) == ({"gw1": items[9].head}, {})
    assert count(database, "early_batch") == 0
    report = audit(database, writer.gateways)
    assert (report.difference, report.early, report.heads) == (None, 0, {"gw1": items[9].head})


def test_any_order_in_any_groups_comes_to_the_same(database: str, writer: Writer, box: Box) -> None:
    items = box.chain(60, slots=2)
    shuffled = random.Random(3)
    put(writer, [message(items[0])])
    arrivals = [*items, *shuffled.choices(items, k=60)]
    shuffled.shuffle(arrivals)
    while arrivals:
        number = shuffled.randint(1, 9)
        put(writer, [message(item) for item in arrivals[:number]])
        del arrivals[:number]
    assert writer.standing().heads == {"gw1": items[-1].head}
    assert count(database, "batch") == 60
    assert count(database, "reading") == 60 * READINGS
    assert count(database, "quarantine") == 0
    assert audit(database, writer.gateways).difference is None


def test_a_restart_goes_on_with_what_was_early(database: str, writer: Writer, box: Box) -> None:
    first, second, third = box.chain(3, slots=2)
    put(writer, [message(first), message(third)])
    with closing(Writer(database, writer.gateways)) as again:
        standing = again.standing()
        assert (standing.heads, standing.tops) == ({"gw1": first.head}, {"gw1": 3})
        outcome = put(again, [message(third), message(second), message(third)])
    assert (outcome.accepted, outcome.duplicates) == (1, 2)
    assert outcome.heads == {"gw1": third.head}


def test_an_early_batch_that_does_not_fit_suspends(database: str, writer: Writer, box: Box) -> None:
    """Both histories are kept, the rows of one; nothing joins, nothing more is acknowledged."""
    first, _, third = box.chain(3, slots=2)
    put(writer, [message(first), message(third)])
    other = Box(key=box.key, seq=1, prev=first.digest, t_ms=box.t_ms).next(slots=2)
    outcome = put(writer, [message(other), message(box.signed[1])])
    assert outcome.refused == Counter({Reason.FORK: 1, Reason.SUSPENDED: 1})
    assert outcome.heads == {}
    assert count(database, "batch") == 2
    kept = {bytes(raw) for (raw,) in ask(database, "SELECT raw FROM quarantine")}
    assert message(other).payload in kept
    assert ask(database, "SELECT state FROM gateway WHERE gw = 'gw1'") == [("suspended",)]
    report = audit(database, writer.gateways)
    assert (report.difference, report.early) == (None, 1)


def test_a_changed_ledger_does_not_join(database: str, writer: Writer, box: Box) -> None:
    """The links are checked once more while joining: somebody else may have written them."""
    first, second, third, fourth = box.chain(4, slots=2)
    put(writer, [message(first), message(third), message(fourth)])
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE batch SET prev = sha256('') WHERE seq = 4")
    assert put(writer, [message(second)]).heads == {}
    assert ask(database, "SELECT head_seq, state FROM gateway WHERE gw = 'gw1'") == [
        (3, "suspended")
    ]


def test_a_new_epoch_strands_what_is_early(database: str, writer: Writer, box: Box) -> None:
    """Rows go, signed bytes are kept; the next epoch may read the same instants again."""
    first, second = box.chain(2, slots=2)
    box.next(slots=2)
    lost = box.next(slots=2, events=(Event(box.t_ms, "config_changed", {}),))
    with_gap = box.with_gap(slots=2)
    put(writer, [message(item) for item in (first, second, lost, with_gap)])
    assert count(database, "reading") == 4 * READINGS
    restored = Box(key=box.key, epoch=2, prev=second.digest, t_ms=first.batch.columns[0].t_ms[0])
    opened = restored.chain(3, slots=2)
    outcome = put(writer, [message(item) for item in opened])
    assert (outcome.heads, outcome.tops) == ({"gw1": opened[-1].head}, {})
    assert count(database, "reading") == 5 * READINGS  # of them four were read twice
    assert count(database, "gap") == count(database, "event") == 0
    report = audit(database, writer.gateways)
    assert (report.difference, report.batches) == (None, 5)
    entries = latest(database, 10, open_only=True)
    assert {entry["digest"] for entry in entries} == {lost.digest.hex(), with_gap.digest.hex()}
    assert {entry["reason_code"] for entry in entries} == {"epoch_closed"}
    kept = {bytes(raw) for (raw,) in ask(database, "SELECT raw FROM quarantine")}
    assert kept == {message(lost).payload, message(with_gap).payload}
    again = put(writer, [message(lost)])
    assert again.refused == Counter({Reason.CLOSED: 1})


def test_early_places_are_bounded_in_the_database(
    database: str, writer: Writer, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tanzheng.ingest.chain.EARLY_BATCHES_MAX", 2)
    items = box.chain(6, slots=2)
    put(writer, [message(items[0])])
    for item in items[5:1:-1]:
        put(writer, [message(item)])
    assert count(database, "early_batch") == 2
    assert ask(database, "SELECT reason_code, count(*) FROM quarantine GROUP BY 1") == [
        ("sequence_skipped", 2)
    ]
    put(writer, [message(item) for item in items[1:]])
    assert writer.standing().heads == {"gw1": items[-1].head}


def test_two_workers_out_of_order(database: str, box: Box) -> None:
    items = box.chain(40, slots=2)

    def work(seed: int) -> int:
        mixed = random.Random(seed)
        mine = [message(item) for item in items]
        mixed.shuffle(mine)
        with closing(Writer(database, enrolled(box))) as writer:
            return sum(put(writer, mine[i : i + 4]).accepted for i in range(0, 40, 4))

    with closing(Writer(database, enrolled(box))) as writer:
        put(writer, [message(items[0])])
        with ThreadPoolExecutor(3) as pool:
            assert sum(pool.map(work, range(3))) == 39
        assert writer.standing().heads == {"gw1": items[-1].head}
        assert audit(database, writer.gateways).difference is None
    assert count(database, "reading") == 40 * READINGS


STEPS = ("insert_batches", "copy_readings", "insert_gaps", "strand", "following", "set_head")


def _die_in(url: str, step: str, box: Box, arrivals: list[Any]) -> None:
    """Write `arrivals`; the process kills itself as `step` returns."""
    done = getattr(ledger, step)

    def and_die(*arguments: Any) -> Any:
        found = done(*arguments)
        if step == "following":
            found = list(found)
        os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(ledger, step, and_die)
    with closing(Writer(url, enrolled(box))) as writer:
        put(writer, arrivals)


@pytest.mark.parametrize("step", STEPS)
def test_killed_between_any_two_steps(database: str, box: Box, step: str) -> None:
    """All of a group or nothing of it: batches, rows, head and what is stranded."""
    items = box.chain(6, slots=2)
    opened = Box(key=box.key, epoch=2, prev=items[3].digest, t_ms=box.t_ms).next(slots=2)
    gateways = enrolled(box)
    with closing(Writer(database, gateways)) as writer:
        put(writer, [message(items[0]), message(items[2]), message(items[5])])
    arrivals = [message(item) for item in (items[1], items[3], opened)]
    child = get_context("fork").Process(target=_die_in, args=(database, step, box, arrivals))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    assert (count(database, "batch"), count(database, "reading")) == (3, 3 * READINGS)
    assert count(database, "quarantine") == 0
    assert audit(database, gateways).difference is None
    with closing(Writer(database, gateways)) as writer:
        assert put(writer, arrivals).heads == {"gw1": opened.head}
    assert (count(database, "batch"), count(database, "reading")) == (5, 5 * READINGS)
    assert audit(database, gateways).difference is None


def test_a_database_of_the_version_before_is_brought_up(
    database_url: str, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head of each gateway is entered from the ledger as it stands."""
    everything = migrate.files()
    before = {name: text for name, text in everything.items() if name < "0003"}
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "files", lambda: before)
        migrate.migrate(database_url)
    first = box.next(slots=2)
    with psycopg.connect(database_url) as connection:
        key = box.key.public.raw
        connection.execute("INSERT INTO gateway (gw, public_key) VALUES ('gw1', %s)", (key,))
        found = examine(message(first), enrolled(box))
        assert isinstance(found, Checked)
        ledger.insert_batches(connection, [found])
    assert migrate.migrate(database_url)[0] == "0003_early.sql"
    with psycopg.connect(database_url) as connection:
        [chain] = ledger.lock_chains(connection, ["gw1"]).values()
    assert chain == Chain(ChainHead(1, 1, first.digest))
