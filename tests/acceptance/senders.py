"""A meter that publishes to the plant's broker and counts: MQTT 3.1.1 by hand.

Written for the judge. A message is sent until the broker has acknowledged it, over any number of
connections: what the broker took, the agent owes.
"""

import asyncio
import contextlib
import json
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from acceptance.slaves import Endpoint, Slave
from edge.plant_broker import PlantBroker

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE = 0x10, 0x20, 0x30, 0x40, 0x82
QOS_1, DUP, RETAIN = 0x02, 0x08, 0x01


def packet(kind: int, body: bytes) -> bytes:
    """An MQTT control packet."""
    length, rest = bytearray(), len(body)
    while True:
        rest, low = rest >> 7, rest & 0x7F
        length.append(low | (0x80 if rest else 0))
        if not rest:
            return bytes([kind, *length]) + body


def text(value: str) -> bytes:
    return struct.pack(">H", len(value.encode())) + value.encode()


@dataclass
class Sender(Slave):
    """`make` says what is published for a number: topic, payload, retained.

    Nothing is sent while it `waits`. `publish` puts something in between that is not counted.
    `asked` has the messages of the topic it subscribes to.
    """

    make: "Callable[[Sender, int], tuple[str, bytes, bool]] | None" = None
    waits: bool = True
    pace_s: float = 0.02
    subscribes: str = ""
    asked: list[bytes] = field(default_factory=list)
    times: dict[float, int] = field(default_factory=dict)
    outbox: dict[int, bytes] = field(default_factory=dict)
    on_asked: "Callable[[Sender], None] | None" = None
    _number: int = 0
    _last_ms: int = 0

    def now_ms(self) -> int:
        """Now, but never the same twice."""
        self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
        return self._last_ms

    def next(self) -> None:
        """Put the next number into the outbox."""
        number = len(self.answered) + 1
        topic, payload, retained = (self.make or timed)(self, number)
        self.answered.append(number)
        self.publish(topic, payload, retained)

    def publish(self, topic: str, payload: bytes, retained: bool = False) -> None:
        """Put a message into the outbox."""
        self._number = self._number % 65_000 + 1
        body = text(topic) + struct.pack(">H", self._number) + payload
        kind = PUBLISH | QOS_1 | (RETAIN if retained else 0)
        self.outbox[self._number] = packet(kind, body)


def timed(sender: Sender, number: int) -> tuple[str, bytes, bool]:
    """JSON with the time of the number."""
    t_ms = sender.times[number] = sender.now_ms()
    return "meter/count", json.dumps({"ts": t_ms, "count": number}).encode(), False


class SenderSide(Endpoint):
    """One sender at the broker; `settings` are those of the agent's link to the same broker."""

    def __init__(self, sender: Sender, broker: PlantBroker, settings: Mapping[str, object]) -> None:
        super().__init__([sender])
        self.sender, self.broker, self.settings = sender, broker, settings
        self.port = broker.port
        self._task: asyncio.Task[None] | None = None

    def link(self, unit: int, timeout_ms: int) -> dict[str, object]:
        del unit, timeout_ms
        return {
            "protocol": "mqtt", "url": self.broker.url, "client_id": "gw", "keepalive_s": 2,
            **self.settings,
        }  # fmt: skip

    async def listen(self) -> None:
        self._task = asyncio.create_task(self._live())

    async def hang_up(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _live(self) -> None:
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                hello = text("MQTT") + b"\x04\x02\x00\x00" + text("meter")
                writer.write(packet(CONNECT, hello))
                try:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._receive(reader, writer, self.sender))
                except* (OSError, asyncio.IncompleteReadError):
                    pass
                finally:
                    writer.close()
            await asyncio.sleep(0.05)

    async def _receive(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sender: Sender
    ) -> None:
        sending: asyncio.Task[None] | None = None
        try:
            while True:
                kind, body = await _packet(reader)
                if kind & 0xF0 == CONNACK:
                    sending = asyncio.create_task(self._send(writer, sender))
                elif kind & 0xF0 == PUBACK:
                    sender.outbox.pop(struct.unpack(">H", body[:2])[0], None)
                elif kind & 0xF0 == PUBLISH:
                    sender.asked.append(body)
                    if sender.on_asked is not None:
                        sender.on_asked(sender)
        finally:
            if sending is not None:
                sending.cancel()

    async def _send(self, writer: asyncio.StreamWriter, sender: Sender) -> None:
        if sender.subscribes:
            writer.write(packet(SUBSCRIBE, b"\0\1" + text(sender.subscribes) + b"\0"))
        for number, message in list(sender.outbox.items()):
            if number in sender.outbox:
                writer.write(bytes([message[0] | DUP]) + message[1:])
        sent = set(sender.outbox)
        while True:
            if not sender.waits and sender.fault is None and len(sender.outbox) < 50:
                sender.next()
            for number, message in list(sender.outbox.items()):
                if number not in sent:
                    writer.write(message)
            sent = set(sender.outbox)
            await writer.drain()
            await asyncio.sleep(sender.pace_s)


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    (kind,) = await reader.readexactly(1)
    length = shift = 0
    while True:
        (byte,) = await reader.readexactly(1)
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return kind, await reader.readexactly(length)
