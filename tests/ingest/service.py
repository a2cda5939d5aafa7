"""The service as a process, a gateway's side of MQTT, and what the database holds then."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from ingest.boxes import PLATFORM, Box, wire, write_files
from tanzheng.core.ack import Ack, open_ack
from tanzheng.core.batch import SignedBatch
from tanzheng.core.topics import ack_topic, batch_topic
from tanzheng.ingest.broker import Broker

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


def start_ingest(
    broker: Broker,
    url: str,
    folder: Path,
    gateways: Path,
    options: Sequence[str] = (),
    program: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """The service, its log appended to `folder`/ingest.log; `program`: in the place of ours."""
    environment = {
        **os.environ,
        "TANZHENG_DATABASE_URL": url,
        "TANZHENG_BROKER": broker.platform_url,
    }
    command = [*(program or [str(Path(sys.executable).with_name("tanzheng"))]), "ingest", "run"]
    command += ["--gateways", str(gateways), "--key", str(folder / "platform.pem"), *options]
    with (folder / "ingest.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stderr=log)


@contextmanager
def ingest(
    broker: Broker, url: str, folder: Path, *boxes: Box, options: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """The service; killed at the end, if it still runs."""
    process = start_ingest(broker, url, folder, write_files(folder, *boxes), options)
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
