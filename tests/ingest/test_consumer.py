"""`tanzheng ingest run` as a process between a real broker and a real database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.boxes import PLATFORM, Box, wire, write_files
from parts import server_folder
from tanzheng.core.ack import Ack, open_ack
from tanzheng.core.batch import SignedBatch
from tanzheng.core.topics import ack_topic, batch_topic
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.embedded import EmbeddedPostgres
from tanzheng.ingest.migrate import migrate

WAIT_S_MAX = 40.0
RESEND_AFTER_S = 2.0


def until(condition: Callable[[], object]) -> None:
    """Return when `condition` holds; fail when it does not for long."""
    deadline = time.monotonic() + WAIT_S_MAX
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


class Uplink:
    """A gateway's side of MQTT: publishes batches, keeps the acks it got."""

    def __init__(self, broker: Broker, box: Box) -> None:
        self.box = box
        self.acks: list[Ack] = []
        url = urlsplit(broker.gateway_url(box.gw))
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, f"test-{box.gw}")
        self.client.username_pw_set(url.username, url.password)
        self.client.on_message = self._on_message
        self.client.on_connect = self._on_connect
        self.client.reconnect_delay_set(1, 1)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        until(self.client.is_connected)

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(ack_topic(self.box.gw), qos=1)

    def _on_message(self, client: mqtt.Client, data: object, item: mqtt.MQTTMessage) -> None:
        self.acks.append(open_ack(bytes(item.payload), PLATFORM.public))

    def publish(self, *signed: SignedBatch | bytes) -> None:
        for item in signed:
            self.client.publish(batch_topic(self.box.gw), wire(item), qos=1)

    def deliver(self, *signed: SignedBatch) -> None:
        """Publish as an agent does: what is not acknowledged after some seconds, again."""
        deadline = time.monotonic() + WAIT_S_MAX
        while not self.acked(signed[-1]):
            assert time.monotonic() < deadline, "not acknowledged"
            self.publish(*(item for item in signed if item.batch.seq > self.head))
            again = time.monotonic() + RESEND_AFTER_S
            while time.monotonic() < again and not self.acked(signed[-1]):
                time.sleep(0.02)

    def acked(self, signed: SignedBatch) -> bool:
        """Whether the platform said that it has everything up to `signed`."""
        return self.head >= signed.batch.seq

    @property
    def head(self) -> int:
        """The highest sequence the platform said it has."""
        return max((ack.seq for ack in self.acks), default=0)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def database(database_url: str) -> str:
    migrate(database_url)
    return database_url


@pytest.fixture
def uplink(broker: Broker) -> Iterator[Uplink]:
    made = Uplink(broker, Box())
    yield made
    made.close()


@contextmanager
def ingest(
    broker: Broker, url: str, folder: Path, box: Box, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The service; killed at the end, if it still runs. Its log goes to `folder`/ingest.log."""
    gateways = write_files(folder, box)
    environment = {
        **os.environ,
        "TANZHENG_DATABASE_URL": url,
        "TANZHENG_BROKER": broker.platform_url,
    }
    command = [str(Path(sys.executable).with_name("tanzheng")), "ingest", "run"]
    command += ["--gateways", str(gateways), "--key", str(folder / "platform.pem"), *options]
    with (folder / "ingest.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def rows_once(url: str) -> int:
    """Number of readings; fails if any is there twice."""
    [(rows, distinct)] = ask(url, "SELECT count(*), count(DISTINCT (point_id, t)) FROM reading")
    assert rows == distinct
    return int(rows)


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
