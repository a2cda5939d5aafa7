"""Sources that are MQTT sessions: one owner for each broker, login and client id."""

import asyncio
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from paho.mqtt import client as mqtt

from tanzheng.core.batch import Event
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.edge.abc import Line, Miss, Placed, Round, Sink, Surroundings, Take
from tanzheng.edge.backoff import Backoff
from tanzheng.edge.drivers.mqtt.feeds import Device
from tanzheng.edge.drivers.mqtt.intake import Inbound, Intake
from tanzheng.edge.drivers.mqtt.link import (
    V5,
    V311,
    SourceDown,
    SourceLink,
    VersionRefused,
)
from tanzheng.edge.drivers.mqtt.point_rule import PointRule
from tanzheng.edge.drivers.mqtt.router import Router, rebirth_topic
from tanzheng.edge.drivers.mqtt.settings import BrokerAt, DeviceLink
from tanzheng.edge.drivers.mqtt.sparkplug import encode_rebirth
from tanzheng.hardware.profile import Profile

QUEUE_MESSAGES_MAX: Final = 4_000
QUEUE_BYTES_MAX: Final = 16 << 20
CHUNK_MESSAGES: Final = 200
"""Decoded and made durable at once: one fsync, and a few milliseconds of the event loop."""
REMEMBERED_MAX: Final = 2_000
REBIRTH_S_MIN: Final = 60.0
RETRY_S_MAX: Final = 60.0


def make_lines(devices: Sequence[Placed], around: Surroundings) -> list[Line]:
    """One line for each session; `BadInput` names the device whose settings do not fit."""
    sessions: dict[tuple[str, int, str], list[tuple[Placed, BrokerAt]]] = {}
    for placed in devices:
        try:
            broker = BrokerAt.of(placed.link)
        except BadInput as error:
            raise BadInput(f"device {placed.id}: {error}") from error
        key = broker.host, broker.port, broker.client_id
        sessions.setdefault(key, []).append((placed, broker))
    return [_line(members, around) for members in sessions.values()]


def _line(members: Sequence[tuple[Placed, BrokerAt]], around: Surroundings) -> Line:
    (first, broker), *_ = members
    router, own = Router(), []
    windows_ms: dict[int, int] = {}
    keepalive_s = []
    for placed, at in members:
        try:
            device, link = add_device(placed, router)
        except BadInput as error:
            raise BadInput(f"device {placed.id}: {error}") from error
        if at != broker:
            raise BadInput(f"device {placed.id}: expected the login of {first.id}, got another")
        own.append(device)
        keepalive_s.append(link.keepalive_s)
        windows_ms |= dict.fromkeys(device.points, link.stale_after * placed.interval_ms)
    intake = Intake(router, own, around.now_ms)
    return MqttLine(broker, min(keepalive_s), intake, windows_ms, around)


def add_device(placed: Placed, router: Router) -> tuple[Device, DeviceLink]:
    """The device with its rules, its topics in `router`; `BadInput` for settings that do not fit."""
    link, profile = DeviceLink.of(placed.id, placed.link), Profile.from_plan(placed.profile)
    specs = [profile.field_point(name) for name in placed.fields]
    rules = {
        spec.id: PointRule.of(placed.first + index, spec, link.ratios)
        for index, spec in enumerate(specs)
    }
    device = Device(placed.id, rules)
    router.add(device, profile, link)
    return device, link


class MqttLine:
    """A `Source`: messages are confirmed to the broker when what they say is durable."""

    def __init__(
        self,
        broker: BrokerAt,
        keepalive_s: int,
        intake: Intake,
        windows_ms: Mapping[int, int],
        around: Surroundings,
    ) -> None:
        self._broker, self._keepalive_s = broker, keepalive_s
        self._intake, self._windows_ms, self._around = intake, windows_ms, around
        self._points = tuple(windows_ms)
        self._version = V5
        self._link: SourceLink | None = None
        self._connected = False
        self._last_error = ""
        self._queue: deque[Inbound] = deque()
        self._queue_bytes = 0
        self._filled = asyncio.Event()
        self._confirmed: OrderedDict[int, int] = OrderedDict()
        self._asked_rebirth: dict[str, float] = {}
        self._refused: list[str] = []

    @property
    def name(self) -> str:
        """`mqtt 192.0.2.7:1883 tanzheng-source`."""
        return self._broker.name

    def due(self, slot_ms: int) -> tuple[int, ...]:
        """All points: their senders have no poll classes."""
        return self._points

    def start(self, slot_ms: int, finished: Callable[[Round], None]) -> None:
        """Misses for the points of which nothing was heard for too long."""
        found = self._intake.misses(slot_ms, self._windows_ms)
        finished(Round((), tuple(Miss(tuple(points), why) for why, points in found.items())))

    def status(self) -> Mapping[str, Any]:
        """Connection, counters, and of each device the newest sample time and last refusal."""
        return {
            "connected": self._connected,
            "version": "5.0" if self._version == V5 else "3.1.1",
            "last_error": self._last_error,
            "refused_subscriptions": list(self._refused),
            "queued": len(self._queue),
            "counts": dict(self._intake.counts),
            "sparkplug": self._intake.router.counts(),
            "births_known": self._intake.router.births_known(),
            "devices": {device.id: self._device_status(device) for device in self._intake.devices},
        }

    def _device_status(self, device: Device) -> Mapping[str, Any]:
        memories = [self._intake.memory[point] for point in device.points]
        newest = max((m.newest_ms for m in memories if m.newest_ms is not None), default=None)
        return {"newest_ms": newest, "last_refusal": self._intake.refusals.get(device.id, "")}

    def close(self) -> None:
        """Leave the broker; the session stays there."""
        if self._link is not None:
            self._link.say_goodbye()
            self._link = None
        self._connected = False

    async def run(self, sink: Sink) -> None:
        """Connect, receive, connect again, until cancelled."""
        backoff = Backoff(RETRY_S_MAX)
        try:
            while True:
                if await self._connect():
                    backoff.succeeded()
                    await self._serve(sink)
                backoff.failed(time.monotonic())
                wait_s = max(0.0, backoff.next_try_s - time.monotonic())
                await asyncio.sleep(_spread(max(wait_s, 0.2)))
        finally:
            self.close()

    async def _connect(self) -> bool:
        self._link = SourceLink(self._broker, self._version, self._keepalive_s, self._arrived)
        try:
            await self._link.open(self._intake.router.subscriptions)
        except VersionRefused as error:
            self._version = V311 if self._version == V5 else V5
            self._last_error = str(error)
            return False
        except SourceDown as error:
            self._last_error = str(error)
            return False
        self._connected, self._last_error = True, ""
        if not self._link.session_present:
            self._confirmed.clear()
        self._note_refused(self._link.refused)
        return True

    def _note_refused(self, refused: list[str]) -> None:
        if refused != self._refused:
            self._refused = refused
            for what in refused:
                detail = {"line": self.name, "what": what}
                self._around.note(Event(self._around.now_ms(), "subscription_refused", detail))

    async def _serve(self, sink: Sink) -> None:
        """Until the connection is gone; what it left in the queue is still made durable."""
        link = self._link
        assert link is not None
        ticker = asyncio.create_task(_tick(link))
        closing = asyncio.create_task(link.closed.wait())
        try:
            while not closing.done() or self._queue:
                if self._queue:
                    await self._work(sink, link)
                    continue
                self._filled.clear()
                filling = asyncio.create_task(self._filled.wait())
                await asyncio.wait({filling, closing}, return_when=asyncio.FIRST_COMPLETED)
                filling.cancel()
        finally:
            ticker.cancel()
            closing.cancel()
            self._connected = False
            self._last_error = link.why_closed
            link.close()

    # The queue

    def _arrived(self, message: mqtt.MQTTMessage) -> None:
        """Keep it for `_work`. No room: QoS 0 is lost and counted, QoS 1 stays at the broker."""
        self._intake.counts["messages"] += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # no filter of ours takes it
        payload = bytes(message.payload)
        if len(self._queue) >= QUEUE_MESSAGES_MAX or self._queue_bytes >= QUEUE_BYTES_MAX:
            self._no_room(message.qos)
            return
        self._queue.append(
            Inbound(
                topic,
                payload,
                message.qos,
                message.mid,
                message.retain,
                message.dup,
                self._around.now_ms(),
            )
        )
        self._queue_bytes += len(payload)
        self._filled.set()

    def _no_room(self, qos: int) -> None:
        if qos == 0:
            self._intake.counts["dropped"] += 1
            return
        self._intake.counts["left_at_broker"] += 1
        if self._link is not None:
            self._link.close("more messages than fit; the broker sends them again")

    async def _work(self, sink: Sink, link: SourceLink) -> None:
        count = min(CHUNK_MESSAGES, len(self._queue))
        chunk = [self._queue.popleft() for _ in range(count)]
        self._queue_bytes -= sum(len(message.payload) for message in chunk)
        fresh = [message for message in chunk if not self._confirmed_before(message)]
        takes, events = self._intake.take(fresh)
        if takes or events:
            await self._commit(sink, takes, events, link)
        for message in chunk:
            self._confirm(link, message)
        self._ask_rebirths(link)
        await asyncio.sleep(0)  # others of the loop have their turn

    async def _commit(
        self, sink: Sink, takes: Sequence[Take], events: Sequence[Event], link: SourceLink
    ) -> None:
        """Return when durable. While that fails nothing is received: the broker keeps it."""
        backoff = Backoff(RETRY_S_MAX)
        while True:
            try:
                await sink.commit(takes, events)
            except TanzhengError as error:
                link.close(f"not durable: {error}")
                self._last_error = str(error)
                self._connected = False
                self._intake.counts["commit_failed"] += 1
                backoff.failed(time.monotonic())
                wait_s = max(0.0, backoff.next_try_s - time.monotonic())
                await asyncio.sleep(_spread(max(wait_s, 0.2)))
            else:
                return

    def _confirm(self, link: SourceLink, message: Inbound) -> None:
        if message.qos:
            link.confirm(message)
            self._confirmed[message.mid] = hash((message.topic, message.payload))
            self._confirmed.move_to_end(message.mid)
            if len(self._confirmed) > REMEMBERED_MAX:
                self._confirmed.popitem(last=False)

    def _confirmed_before(self, message: Inbound) -> bool:
        """A PUBACK that was lost with its connection: the broker sends the message again."""
        if not message.repeated or not message.qos:
            return False
        again = self._confirmed.get(message.mid) == hash((message.topic, message.payload))
        self._intake.counts["repeated"] += again
        return again

    def _ask_rebirths(self, link: SourceLink) -> None:
        """At most once a minute for each node, and only where the plan allows it."""
        asked, self._intake.rebirths = self._intake.rebirths, []
        for node in dict.fromkeys(asked):
            now_s = time.monotonic()
            if now_s - self._asked_rebirth.get(node, -REBIRTH_S_MIN) < REBIRTH_S_MIN:
                continue
            self._asked_rebirth[node] = now_s
            now_ms = self._around.now_ms()
            link.publish(rebirth_topic(node), encode_rebirth(now_ms))
            self._around.note(Event(now_ms, "sparkplug_rebirth", {"node": node}))


async def _tick(link: SourceLink) -> None:
    while not link.closed.is_set():
        await asyncio.sleep(1)
        link.tick()


def _spread(seconds: float) -> float:
    """Half of it to all of it, so that clients of a broker do not come back all at once."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
