"""What the agent talks to, for its tests: a platform with a real key on a real broker, a plant."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import zstandard
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tanzheng.core.ack import Ack, sign_ack
from tanzheng.core.batch import Batch, ChainHead, SignedBatch, check_successor, open_signed
from tanzheng.core.errors import SequenceError
from tanzheng.core.keys import SigningKey

GATEWAY = "lg-gw1"
GATEWAY_KEY = SigningKey.from_seed(bytes([1]) * 32)
PLATFORM_KEY = SigningKey.from_seed(bytes([2]) * 32)
STRANGER_KEY = SigningKey.from_seed(bytes([3]) * 32)


def wait_until(condition: Any, what: str, seconds: float = 30.0) -> None:
    """Poll `condition` until it is true; an AssertionError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"expected {what} within {seconds} s"
        time.sleep(0.02)


@dataclass
class Platform:
    """Subscribes to batches, keeps each chain, answers with signed acks: ingest without a database.

    `answering` False: it takes batches and says nothing. `seen` counts arrivals by (epoch, seq).
    `early` are the batches of the head's epoch, by sequence, that wait for others before them.
    """

    url: str
    gateway: str = GATEWAY
    answering: bool = True
    stored: list[SignedBatch] = field(default_factory=list)
    early: dict[int, SignedBatch] = field(default_factory=dict)
    seen: list[tuple[int, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def come_back(self) -> None:
        """Log in; returns when subscribed."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="platform")
        self._client.username_pw_set(parts.username or "", parts.password)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _c, _u, message: self._take(bytes(message.payload))
        self._client.connect(parts.hostname, parts.port or 1883, keepalive=5)
        self._client.loop_start()
        assert self._ready.wait(10), "expected a subscription within 10 s"

    def leave(self) -> None:
        """Log out: what is published now is for nobody."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe("tanzheng/v1/+/batch", qos=1)

    @property
    def head(self) -> ChainHead | None:
        return self.stored[-1].head if self.stored else None

    @property
    def batches(self) -> list[Batch]:
        return [signed.batch for signed in self.stored]

    def send_ack(self, raw: bytes, retain: bool = True) -> None:
        topic = f"tanzheng/v1/{self.gateway}/ack"
        self._client.publish(topic, raw, qos=1, retain=retain).wait_for_publish(5)

    def ack(self) -> bytes:
        """The signed ack of the present head."""
        head = self.head
        assert head is not None
        return ack_of(head, gateway=self.gateway, top=max(self.early, default=0))

    def _take(self, payload: bytes) -> None:
        raw = zstandard.ZstdDecompressor().decompress(payload, max_output_size=1 << 22)
        signed = open_signed(raw)
        signed.verify(GATEWAY_KEY.public)
        self.seen.append((signed.batch.epoch, signed.batch.seq))
        self._place(signed)
        if self.answering and self.head is not None:
            topic = f"tanzheng/v1/{self.gateway}/ack"
            self._client.publish(topic, self.ack(), qos=1, retain=True)

    def _place(self, signed: SignedBatch) -> None:
        batch, head = signed.batch, self.head
        try:
            check_successor(head, batch)
        except SequenceError as error:
            if head is not None and batch.epoch == head.epoch and batch.seq > head.seq + 1:
                assert self.early.setdefault(batch.seq, signed).raw == signed.raw, "a fork"
            elif head is None or (batch.epoch, batch.seq) > place(head):
                self.refused.append(str(error))
            return
        if head is not None and batch.epoch > head.epoch:
            self.early.clear()
        following: SignedBatch | None = signed
        while following is not None:
            check_successor(self.head, following.batch)
            self.stored.append(following)
            following = self.early.pop(following.batch.seq + 1, None)


def place(head: ChainHead) -> tuple[int, int]:
    return head.epoch, head.seq


def ack_of(
    head: ChainHead,
    key: SigningKey = PLATFORM_KEY,
    gateway: str = GATEWAY,
    t_ms: int = 1,
    top: int = 0,
) -> bytes:
    """A signed ack of `head`."""
    return sign_ack(Ack(gateway, head.epoch, head.seq, head.digest, t_ms, top), key)


def readings(batches: list[Batch]) -> list[tuple[str, int, float]]:
    """Every (point, instant, value) in `batches`, in their order."""
    return [
        (point, t_ms, value)
        for batch in batches
        for point, column in zip(batch.points, batch.columns, strict=True)
        for t_ms, value in zip(column.t_ms, column.value, strict=True)
    ]


def gap_slots(batches: list[Batch]) -> list[tuple[str, int, str]]:
    """Every (point, instant, reason) that a gap record names."""
    return [
        (batch.points[index], t_ms, gap.reason)
        for batch in batches
        for gap in batch.gaps
        for index in gap.points
        for t_ms in gap.slots
    ]


def write_config(folder: Path, broker_url: str, **changes: object) -> Path:
    """EDGE.toml and its keys in `folder`, where plant.toml and devices.json lie already."""
    keys = folder / "keys"
    keys.mkdir(exist_ok=True)
    (keys / "gateway.pem").write_bytes(GATEWAY_KEY.to_pem())
    (keys / "gateway.pem").chmod(0o600)
    (keys / "platform.pub.pem").write_bytes(PLATFORM_KEY.public.to_pem())
    settings: dict[str, object] = {
        "version": 1,
        "gateway": GATEWAY,
        "plant": "plant.toml",
        "devices": "devices.json",
        "key": "keys/gateway.pem",
        "platform_key": "keys/platform.pub.pem",
        "spool": "spool",
        "broker": broker_url,
        "batch_age_s_max": 1,
        "resend_after_s": 1,
        **changes,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items() if value is not None]
    path = folder / "edge.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


class Program:
    """A tanzheng command as a real process, its output in a file."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name("tanzheng"), *arguments],
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self, seconds: float = 20.0) -> int:
        """SIGTERM and the exit code; SIGKILL where it does not end."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self, seconds: float) -> int:
        return self.process.wait(seconds)

    def log_lines(self) -> list[dict[str, Any]]:
        """The JSON lines of the log; other output is left out."""
        lines = []
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
        return lines


@contextlib.contextmanager
def simulated_plant(folder: Path, *options: str) -> Iterator[Path]:
    """`tanzheng sim run` in `folder`, ready: its devices listen."""
    with Program(folder / "sim.log", "sim", "run", "--dir", str(folder), *options) as sim:
        wait_until(
            lambda: (folder / "devices.json").exists() or sim.process.poll() is not None,
            "the simulator's devices.json",
        )
        assert sim.process.poll() is None, sim.log.read_text()
        yield folder


def taken_slots(folder: Path) -> list[dict[str, int]]:
    """What the simulator logged as taken."""
    return [json.loads(line) for line in (folder / "taken.jsonl").read_text().splitlines()]


async def closed_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port
