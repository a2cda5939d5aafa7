"""`tanzheng ingest run` as it is run, behind mosquitto, watched from a gateway's side."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from storage.fleet import PLATFORM, Fleet, Plant
from tanzheng.core.ack import open_ack
from tanzheng.core.batch import SignedBatch
from tanzheng.core.topics import ack_topic, batch_topic
from tanzheng.ingest.broker import Broker

WAIT_S_MAX = 600.0
SAMPLE_S = 0.1
Sent = Sequence[tuple[Plant, SignedBatch, bytes]]


class Gateways:
    """A client for each gateway: publishes, and notes when each sequence was acknowledged."""

    def __init__(self, broker: Broker, fleet: Fleet) -> None:
        self.heads = {plant.gw: 0 for plant in fleet.plants}
        self.acked_s: dict[tuple[str, int], float] = {}
        self.first_ack_s = 0.0
        self._clients = {plant.gw: self._client(broker, plant.gw) for plant in fleet.plants}

    def _client(self, broker: Broker, gw: str) -> mqtt.Client:
        url = urlsplit(broker.gateway_url(gw))
        client = mqtt.Client(CallbackAPIVersion.VERSION2, f"bench-{gw}")
        client.username_pw_set(url.username, url.password)
        client.max_inflight_messages_set(100)
        client.on_message = self._on_message
        ready = threading.Event()
        client.on_subscribe = lambda *_: ready.set()
        client.connect(broker.host, broker.port)
        client.subscribe(ack_topic(gw), qos=1)
        client.loop_start()
        assert ready.wait(10)
        return client

    def _on_message(self, client: mqtt.Client, data: object, item: mqtt.MQTTMessage) -> None:
        now_s = time.monotonic()
        ack = open_ack(bytes(item.payload), PLATFORM.public)
        self.first_ack_s = self.first_ack_s or now_s
        for seq in range(self.heads[ack.gw] + 1, ack.seq + 1):
            self.acked_s[ack.gw, seq] = now_s
        self.heads[ack.gw] = max(self.heads[ack.gw], ack.seq)

    def publish(self, plant: Plant, payload: bytes) -> mqtt.MQTTMessageInfo:
        """Hand a batch to the broker, QoS 1."""
        return self._clients[plant.gw].publish(batch_topic(plant.gw), payload, qos=1)

    def queue(self, sent: Sent) -> None:
        """All of them, and wait until the broker has them."""
        told = [self.publish(plant, payload) for plant, _, payload in sent]
        for info in told:
            info.wait_for_publish(WAIT_S_MAX)

    def await_acks(self, sent: Sent) -> float:
        """When the last of them was acknowledged, on the monotonic clock."""
        wanted = {(signed.batch.gw, signed.batch.seq) for _, signed, _ in sent}
        deadline = time.monotonic() + WAIT_S_MAX
        while not wanted <= self.acked_s.keys():
            if time.monotonic() > deadline:
                raise SystemExit(f"{len(wanted - self.acked_s.keys())} batches not acknowledged")
            time.sleep(0.02)
        return max(self.acked_s[each] for each in wanted)

    def close(self) -> None:
        for client in self._clients.values():
            client.disconnect()
            client.loop_stop()


class Memory:
    """Resident bytes of a process, sampled while it works."""

    def __init__(self, pid: int) -> None:
        self.samples: list[int] = []
        self._status = Path(f"/proc/{pid}/status")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stopping.wait(SAMPLE_S):
            try:
                lines = self._status.read_text().splitlines()
            except OSError:
                return
            resident = next((line for line in lines if line.startswith("VmRSS")), "VmRSS: 0")
            self.samples.append(int(resident.split()[1]) * 1024)

    def stop(self) -> list[int]:
        """The samples."""
        self._stopping.set()
        self._thread.join()
        return self.samples


def login_s(log: Path) -> float:
    """When the service last said that the broker let it in, on the monotonic clock."""
    line = [each for each in log.read_text().splitlines() if "connected to the broker" in each][-1]
    at = datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").astimezone()
    return at.timestamp() - time.time() + time.monotonic()


@contextmanager
def ingest(broker: Broker, url: str, fleet: Fleet, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service as a process, ended by SIGTERM."""
    settings = {"TANZHENG_DATABASE_URL": url, "TANZHENG_BROKER": broker.platform_url}
    command = [str(Path(sys.executable).with_name("tanzheng")), "ingest", "run"]
    command += ["--gateways", str(fleet.folder / "gateways.toml")]
    command += ["--key", str(fleet.folder / "platform.pem")]
    with log.open("ab") as out:
        process = subprocess.Popen(command, env={**os.environ, **settings}, stderr=out)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
