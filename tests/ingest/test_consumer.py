"""`tanzheng ingest run` as a process between a real broker and a real database."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest.boxes import Box, enrolled, second_box
from ingest.service import WAIT_S_MAX, Uplink, ask, ingest, rows_once, until
from parts import server_folder
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.embedded import EmbeddedPostgres
from tanzheng.ingest.lane import Lane, dealt
from tanzheng.ingest.meter import Meter
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer


@pytest.fixture
def database(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
def uplink(broker: Broker) -> Iterator[Uplink]:
    made = Uplink(broker, Box())
    yield made
    made.close()


def test_committed_then_acknowledged(
    broker: Broker, database: str, uplink: Uplink, tmp_path: Path
) -> None:
    signed = uplink.box.chain(20)
    with ingest(broker, database, tmp_path, uplink.box) as process:
        uplink.deliver(*signed)
        assert rows_once(database) == 20 * 30
        last = uplink.acks[-1]
        assert (last.gw, last.epoch, last.seq, last.head) == ("gw1", 1, 20, signed[-1].digest)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S_MAX) == 0


def test_the_ack_is_there_for_who_comes_later(
    broker: Broker, database: str, uplink: Uplink, tmp_path: Path
) -> None:
    with ingest(broker, database, tmp_path, uplink.box):
        signed = uplink.box.next()
        uplink.deliver(signed)
    late = Uplink(broker, uplink.box)
    until(lambda: late.acked(signed))
    late.close()


def test_a_bad_batch_is_no_end(
    broker: Broker, database: str, uplink: Uplink, tmp_path: Path
) -> None:
    first, second = uplink.box.chain(2)
    flipped = bytearray(second.raw)
    flipped[-1] ^= 1
    with ingest(broker, database, tmp_path, uplink.box):
        uplink.deliver(first)
        uplink.publish(bytes(flipped), b"garbage")
        uplink.deliver(second)
    reasons = ask(database, "SELECT reason_code FROM quarantine ORDER BY quarantine_id")
    assert reasons == [("signature_invalid",), ("encoding_invalid",)]


def test_killed_in_the_middle_nothing_is_lost_or_twice(
    broker: Broker, database: str, uplink: Uplink, tmp_path: Path
) -> None:
    """Judged by counting rows, with an uplink that sends again what is not acknowledged."""
    signed = uplink.box.chain(600, slots=4)
    for first in (1, 200):
        with ingest(broker, database, tmp_path, uplink.box):  # leaving it is kill −9
            uplink.deliver(*signed[:first])
            uplink.publish(*signed[first:])
            until(lambda: uplink.head > first)  # noqa: B023 - called here and now
    with ingest(broker, database, tmp_path, uplink.box):
        uplink.deliver(*signed)
    assert rows_once(database) == 600 * 12
    assert ask(database, "SELECT count(*), max(seq) FROM batch") == [(600, 600)]


def test_broker_restart(broker: Broker, database: str, uplink: Uplink, tmp_path: Path) -> None:
    first, second = uplink.box.chain(2)
    with ingest(broker, database, tmp_path, uplink.box):
        uplink.deliver(first)
        broker.kill()
        broker.start()
        uplink.deliver(second)
    assert rows_once(database) == 60


def test_the_broker_keeps_what_comes_while_ingest_is_down(
    broker: Broker, database: str, uplink: Uplink, tmp_path: Path
) -> None:
    with ingest(broker, database, tmp_path, uplink.box):
        uplink.deliver(uplink.box.next())
    signed = uplink.box.chain(50)
    uplink.publish(*signed)
    with ingest(broker, database, tmp_path, uplink.box):
        until(lambda: uplink.acked(signed[-1]))
    assert rows_once(database) == 51 * 30


def test_database_away(broker: Broker, tmp_path: Path) -> None:
    """Killed and started again: nothing was acknowledged in between, all is stored after."""
    uplink = Uplink(broker, Box())
    with server_folder() as folder, EmbeddedPostgres(folder) as server:
        migrate(server.url())
        with ingest(broker, server.url(), tmp_path, uplink.box):
            uplink.deliver(uplink.box.next())
            server.kill()
            signed = uplink.box.chain(10)
            uplink.publish(*signed)
            until(lambda: "database away" in (tmp_path / "ingest.log").read_text())
            assert uplink.head == 1
            server.start()
            until(lambda: uplink.acked(signed[-1]))
        assert rows_once(server.url()) == 11 * 30
    uplink.close()


def test_an_old_schema_ends_it(
    broker: Broker, database_url: str, uplink: Uplink, tmp_path: Path
) -> None:
    with ingest(broker, database_url, tmp_path, uplink.box) as process:
        assert process.wait(WAIT_S_MAX) == 1
    assert "tanzheng ingest migrate" in (tmp_path / "ingest.log").read_text().replace("\n", " ")


def test_gateways_are_dealt_out_over_the_connections(
    broker: Broker, database: str, tmp_path: Path
) -> None:
    """Two gateways of two lanes: each is written by its own, whatever the other waits for."""
    boxes = (Box(), second_box())
    uplinks = [Uplink(broker, box) for box in boxes]
    with ingest(broker, database, tmp_path, *boxes, options=["--connections", "2"]):
        for uplink in uplinks:
            uplink.deliver(uplink.box.next())
        with psycopg.connect(database) as other:
            other.execute("SELECT FROM gateway WHERE gw = 'gw1' FOR UPDATE")
            held = uplinks[0].box.next()
            uplinks[0].publish(held)
            uplinks[1].deliver(*uplinks[1].box.chain(3))
            assert not uplinks[0].acked(held)
        until(lambda: uplinks[0].acked(held))
    for uplink in uplinks:
        uplink.close()
    assert rows_once(database) == 6 * 30


def test_each_gateway_is_in_one_share_and_shares_are_equal() -> None:
    one, two = enrolled(Box(), second_box()).values()
    many = {f"g{n}": (one, two)[n % 2] for n in range(50)}
    shares = dealt(many, 4)
    assert [len(share) for share in shares] == [13, 13, 12, 12]
    assert {gw: gateway for share in shares for gw, gateway in share.items()} == many
    assert dealt({"gw1": one}, 2)[1] == {}


def test_a_deadlock_costs_no_connection(database: str) -> None:
    """Over a new one a version that is older than a migration would be refused."""
    nobody: Any = None  # no message comes to be settled
    lane = Lane(0, database, enrolled(Box()), Meter(), nobody, threading.Event())
    tried = list[Writer]()

    def act(writer: Writer) -> None:
        tried.append(writer)
        if len(tried) == 1:
            raise psycopg.errors.DeadlockDetected

    assert lane._with_database(act)
    assert tried[0] is tried[1]
    lane.close()
