"""`tanzheng ingest status`: what an operator sees, from real rows of a real database."""

import json
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from ingest.boxes import INTERVAL_MS, NOW_MS, Box, enrolled, message, put, second_box
from ingest.test_commands import tanzheng
from tanzheng.core.errors import BadInput
from tanzheng.ingest import status
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.status import Hole, Status, read_status
from tanzheng.ingest.views import age, size
from tanzheng.ingest.writer import Writer

DAY_S = 86_400


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def database(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
def writer(database: str, box: Box) -> Iterator[Writer]:
    with closing(Writer(database, enrolled(box, second_box()))) as made:
        yield made


def seen(database: str, late_after_s: int = 365 * DAY_S, now_ms: int = NOW_MS) -> Status:
    return read_status(database, None, now_ms, late_after_s)


def test_what_is_stored(database: str, writer: Writer, box: Box) -> None:
    items = box.chain(3)
    put(writer, [message(item) for item in items])
    first, second = seen(database).gateways
    assert (first.gw, first.state, first.head_epoch, first.head_seq) == ("gw1", "active", 1, 3)
    assert (first.batches, first.readings) == (3, 90)
    assert first.raw_bytes == sum(len(message(item).payload) for item in items)
    assert first.newest_ms == box.t_ms - INTERVAL_MS
    assert first.committed_ms == NOW_MS
    assert (first.early_batches, first.holes, first.faults) == (0, (), ())
    assert (second.gw, second.head_seq, second.newest_ms) == ("gw2", None, None)
    assert second.faults == ("no reading yet · 尚无数据",)


def test_holes_are_named_with_their_age(
    database: str, writer: Writer, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = box.chain(12)
    came = {0: 0, 9: 10, 4: 60, 5: 90, 11: 120}  # index of a batch → seconds after the first
    for index, seconds in came.items():
        put(writer, [message(items[index], now_ms=NOW_MS + 1000 * seconds)])
    found = seen(database).gateways[0]
    assert (found.head_seq, found.early_batches) == (1, 4)
    # Seq 10 was there first: from then on all below it was missing; 11 since seq 12 came.
    ten_s, last_s = NOW_MS + 10_000, NOW_MS + 120_000
    assert found.holes == (Hole(2, 3, ten_s), Hole(7, 3, ten_s), Hole(11, 1, last_s))
    late = seen(database, 3600, NOW_MS + 2 * 3_600_000)
    assert "gw1: a hole that does not close · 缺口未补" in late.faults
    monkeypatch.setattr(status, "HOLES_MAX", 2)
    short = seen(database).gateways[0]
    assert (len(short.holes), short.holes_more) == (2, 1)
    put(writer, [message(item) for item in items])
    assert seen(database).gateways[0].holes == ()


def test_gaps_alone_make_no_newest_reading(database: str, writer: Writer, box: Box) -> None:
    put(writer, [message(box.next())])
    newest = box.t_ms - INTERVAL_MS
    put(writer, [message(box.with_gap(slots=0))])
    assert seen(database).gateways[0].newest_ms == newest


def test_a_suspended_gateway_and_its_quarantine(database: str, writer: Writer, box: Box) -> None:
    put(writer, [message(box.next()), message(Box(key=box.key).next(slots=9))])
    put(writer, [message(box.next()), message(b"garbage"), message(b"garbage", gw="gw9")])
    found = seen(database)
    first = found.gateways[0]
    assert first.state == "suspended"
    assert first.quarantine == {
        "sequence_forked": 1, "gateway_suspended": 1, "encoding_invalid": 1,
    }  # fmt: skip
    assert found.strangers == {"gateway_unknown": 1}
    assert any(fault.startswith("suspended: gw1 epoch 1 seq 1") for fault in first.faults)


def test_old_data_is_a_fault(database: str, writer: Writer, box: Box) -> None:
    put(writer, [message(box.next())])
    assert seen(database, 60 * DAY_S).gateways[0].faults == ()
    assert seen(database, 59 * DAY_S).gateways[0].faults == ("newest reading too old · 数据过旧",)


def test_the_command(database: str, writer: Writer, box: Box) -> None:
    items = box.chain(4)
    put(writer, [message(items[0]), message(items[3]), message(b"garbage")])
    shown = tanzheng("status", url=database)
    assert shown.returncode == 0, shown.stderr
    for word in ("gw1", "active 正常", "1:1", "encoding_invalid 1", "首个序号", "no reading yet"):
        assert word in shown.stdout
    document = json.loads(tanzheng("status", "--gw", "gw1", "--json", url=database).stdout)
    assert document["healthy"] is False  # readings of 2018
    [only] = document["gateways"]
    assert only["holes"][0]["first_seq"] == 2
    assert tanzheng("status", "--check", url=database).returncode == 1
    well = ("status", "--check", "--gw", "gw1", "--late-after-s", "9999999999")
    assert tanzheng(*well, url=database).returncode == 0
    assert tanzheng("status", "--gw", "gw9", url=database).returncode == 2
    with pytest.raises(BadInput):
        read_status(database, "gw9", NOW_MS, 1)


def test_it_answers_from_the_ledger_alone(database: str, writer: Writer, box: Box) -> None:
    put(writer, [message(box.next())])
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE reading RENAME TO hidden")
    assert seen(database).gateways[0].readings == 30


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")],
)
def test_ages(seconds: int, shown: str) -> None:
    assert age(5, 5 + 1000 * seconds) == shown


def test_sizes() -> None:
    assert [size(n) for n in (0, 1023, 1536, 5 << 30)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert size(3 << 40) == "3.0 TiB"
