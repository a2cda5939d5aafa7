"""The other end of the broker: counts delivered values; for our agent it is the platform.

It runs in the benchmark's own process, on the core that the gateway does not use.
"""

import json
import threading
from collections.abc import Callable
from typing import ClassVar, Self

import zstandard
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from peers.plant import GATEWAY
from tanzheng.core.ack import Ack, sign_ack
from tanzheng.core.batch import SignedBatch, open_signed
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.topics import ack_topic, batch_topic


class Receiver:
    """Subscribed to `topics` while the `with` block lasts; `values` grows."""

    def __init__(self, port: int, topics: str | list[str], take: Callable[[bytes], int]) -> None:
        self.values = 0
        self._take = take
        self._topics = [topics] if isinstance(topics, str) else topics
        self._ready = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="receiver")
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = lambda _c, _u, message: self._arrived(bytes(message.payload))
        self.client.reconnect_delay_set(1, 1)
        self._port = port

    def __enter__(self) -> Self:
        self.client.connect("127.0.0.1", self._port, keepalive=30)
        self.client.loop_start()
        assert self._ready.wait(10), "expected a broker"
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _connected(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([(topic, 1) for topic in self._topics])

    def _arrived(self, payload: bytes) -> None:
        self.values += self._take(payload)


class ThingsBoardServer(Receiver):
    """The server that ThingsBoard's gateway asks before it sends anything: it sets no limits."""

    ASKED, ANSWERS = "v1/devices/me/rpc/request/+", "v1/devices/me/rpc/response/"
    NO_LIMITS: ClassVar = {
        "maxPayloadSize": 65536,
        "maxInflightMessages": 1000,
        "rateLimits": {"messages": "", "telemetryMessages": "", "telemetryDataPoints": ""},
        "gatewayRateLimits": {"messages": "", "telemetryMessages": "", "telemetryDataPoints": ""},
    }

    def __init__(self, port: int) -> None:
        super().__init__(port, ["v1/gateway/telemetry", self.ASKED], thingsboard_values)
        self.client.message_callback_add(self.ASKED, self._answer)

    def _answer(self, client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        number = message.topic.rpartition("/")[2]
        client.publish(self.ANSWERS + number, json.dumps(self.NO_LIMITS), qos=1)


def modpoll_values(payload: bytes) -> int:
    """modpoll: one flat JSON object a device; a failed read is null."""
    return sum(value is not None for value in json.loads(payload).values())


def thingsboard_values(payload: bytes) -> int:
    """ThingsBoard: device → [{"ts", "values": {…}}]."""
    return sum(len(each["values"]) for rows in json.loads(payload).values() for each in rows)


class Platform:
    """Verifies each batch, keeps each value of the first point, acknowledges by signature.

    A batch may come ahead of its turn (live first): the ack names the last without a hole.
    """

    def __init__(self, port: int, gateway: VerifyKey, key: SigningKey) -> None:
        self.counts: list[tuple[int, float]] = []
        """(instant, value) of every device's first point: the simulator's own counter."""
        self.arrived: list[tuple[int, int, int]] = []
        """(epoch, seq, last instant) of every batch, as it came."""
        self.acked: tuple[int, int] = (1, 0)
        self._gateway, self._key = gateway, key
        self._held: dict[tuple[int, int], SignedBatch] = {}
        self.receiver = Receiver(port, batch_topic(GATEWAY), self._take)

    def _take(self, payload: bytes) -> int:
        raw = zstandard.ZstdDecompressor().decompress(payload, max_output_size=1 << 23)
        signed = open_signed(raw)
        signed.verify(self._gateway)
        batch = signed.batch
        place = (batch.epoch, batch.seq)
        span = batch.span_ms
        self.arrived.append((*place, span[1] if span else 0))
        if place in self._held or place <= self.acked:
            return 0
        self._held[place] = signed
        for point, column in zip(batch.points, batch.columns, strict=True):
            if point.endswith(self._first_field(batch.points)):
                self.counts += zip(column.t_ms, column.value, strict=True)
        self._acknowledge()
        return batch.readings

    @staticmethod
    def _first_field(points: tuple[str, ...]) -> str:
        return "/" + points[0].partition("/")[2]

    def _acknowledge(self) -> None:
        epoch, seq = self.acked
        head: SignedBatch | None = None
        while (following := self._held.pop((epoch, seq + 1), None)) is not None:
            head, seq = following, seq + 1
        if head is None:
            return
        self.acked = (epoch, seq)
        ack = Ack(GATEWAY, epoch, seq, head.digest, head.batch.made_ms)
        self.receiver.client.publish(
            ack_topic(GATEWAY), sign_ack(ack, self._key), qos=1, retain=True
        )
