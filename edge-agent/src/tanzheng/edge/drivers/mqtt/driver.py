"""Sources that are MQTT sessions: one owner for each broker, login and client id."""

import asyncio
import contextlib
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from paho.mqtt import client as mqtt

from tanzheng.core.batch import Event
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.edge.abc import Line, Placed, Round, Sink, Surroundings, Take
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
from tanzheng.edge.owed import OwedSlots
from tanzheng.hardware.profile import Profile

QUEUE_MESSAGES_MAX: Final = 4_000
QUEUE_BYTES_MAX: Final = 16 << 20
CHUNK_MESSAGES: Final = 200
"""Decoded and made durable at once: one fsync, and a few milliseconds of the event loop."""
REMEMBERED_MAX: Final = 8_000
DELAY_S_MIN: Final = 0.2
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
    router, own, owed = Router(), [], []
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
        owed.append(OwedSlots(device.points, placed.grid, link.stale_after * placed.interval_ms))
    intake = Intake(router, own, owed, around.now_ms)
    return MqttLine(broker, min(keepalive_s), intake, around)


def add_device(placed: Placed, router: Router) -> tuple[Device, DeviceLink]:
    """The device with its rules, its topics in `router`; `BadInput` where settings do not fit."""
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
        around: Surroundings,
    ) -> None:
        self._broker, self._keepalive_s = broker, keepalive_s
        self._intake, self._around = intake, around
        self._version = V5
        self._link: SourceLink | None = None
        self._connected = False
        self._last_error = ""
        self._queue: deque[tuple[SourceLink, Inbound]] = deque()
        self._queue_bytes = 0
        self._filled, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._confirmed: OrderedDict[int, int] = OrderedDict()
        self._asked_rebirth: dict[str, float] = {}
        self._refused: list[str] = []

    @property
    def name(self) -> str:
        """`mqtt 192.0.2.7:1883 tanzheng-source`."""
        return self._broker.name

    def due(self, slot_ms: int) -> tuple[int, ...]:
        """All points of the devices that have this slot."""
        return tuple(point for owed in self.owed for point in owed.due(slot_ms))

    @property
    def owed(self) -> Sequence[OwedSlots]:
        """The account of each device."""
        return self._intake.owed

    def start(self, slot_ms: int, finished: Callable[[Round], None]) -> None:
        """Misses for the slots that nothing was heard of."""
        finished(Round((), self._intake.misses(slot_ms)))

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
        """Receive, and make durable what came, until cancelled.

        Two tasks: a broker may send its whole backlog before it answers a subscription.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stay_connected())
                group.create_task(self._stay_durable(sink))
        finally:
            self.close()

    async def _stay_connected(self) -> None:
        backoff = Backoff(RETRY_S_MAX)
        while True:
            await self._room.wait()
            if await self._connect():
                backoff.succeeded()
                await self._watch()
            backoff.failed(time.monotonic())
            await asyncio.sleep(_delay_s(backoff))

    async def _stay_durable(self, sink: Sink) -> None:
        while True:
            await self._filled.wait()
            await self._work(sink)

    async def _connect(self) -> bool:
        link = SourceLink(self._broker, self._version, self._keepalive_s, self._arrived)
        self._link = link
        try:
            await link.open(self._intake.router.subscriptions)
        except VersionRefused as error:
            self._version = V311 if self._version == V5 else V5
            self._last_error = str(error)
            return False
        except SourceDown as error:
            self._last_error = str(error)
            return False
        self._connected, self._last_error = True, ""
        if not link.session_present:
            self._confirmed.clear()
        self._note_refused(link.refused)
        return True

    async def _watch(self) -> None:
        """Keep the connection alive until it is gone."""
        link = self._link
        assert link is not None
        while not link.closed.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(link.closed.wait(), 1)
            link.tick()
        self._connected = False
        self._last_error = link.why_closed
        link.close()

    def _note_refused(self, refused: list[str]) -> None:
        if refused != self._refused:
            self._refused = refused
            for what in refused:
                detail = {"line": self.name, "what": what}
                self._around.note(Event(self._around.now_ms(), "subscription_refused", detail))

    # The queue

    def _arrived(self, link: SourceLink, message: mqtt.MQTTMessage) -> None:
        """Keep it for `_work`. A full queue is not read into: the broker keeps the rest."""
        self._intake.counts["messages"] += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # no filter of ours takes it
        payload = bytes(message.payload)
        arrived_ms = self._around.now_ms()
        inbound = Inbound(
            topic, payload, message.qos, message.mid, message.retain, message.dup, arrived_ms
        )
        self._queue.append((link, inbound))
        self._queue_bytes += len(payload)
        self._filled.set()
        if len(self._queue) >= QUEUE_MESSAGES_MAX or self._queue_bytes >= QUEUE_BYTES_MAX:
            self._intake.counts["paused"] += 1
            link.pause()

    async def _work(self, sink: Sink) -> None:
        """Decode some of the queue, commit, confirm."""
        count = min(CHUNK_MESSAGES, len(self._queue))
        chunk = [self._queue.popleft() for _ in range(count)]
        self._queue_bytes -= sum(len(message.payload) for _, message in chunk)
        fresh = [message for _, message in chunk if not self._confirmed_before(message)]
        takes, events = self._intake.take(fresh)
        if takes or events:
            await self._commit(sink, takes, events)
            self._intake.durable(takes)
        for link, message in chunk:
            self._confirm(link, message)
        self._ask_rebirths()
        if not self._queue:
            self._filled.clear()
        if len(self._queue) <= QUEUE_MESSAGES_MAX // 2 and self._link is not None:
            self._link.resume()
        await asyncio.sleep(0)  # others of the loop have their turn

    async def _commit(self, sink: Sink, takes: Sequence[Take], events: Sequence[Event]) -> None:
        """Return when durable. While that fails nothing is received: the broker keeps it."""
        backoff = Backoff(RETRY_S_MAX)
        while True:
            try:
                await sink.commit(takes, events)
            except TanzhengError as error:
                self._room.clear()
                if self._link is not None:
                    self._link.close(f"not durable: {error}")
                self._intake.counts["commit_failed"] += 1
                backoff.failed(time.monotonic())
                await asyncio.sleep(_delay_s(backoff))
            else:
                self._room.set()
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

    def _ask_rebirths(self) -> None:
        """At most once a minute for each node, and only where the plan allows it."""
        asked, self._intake.rebirths = self._intake.rebirths, []
        for node in dict.fromkeys(asked):
            now_s = time.monotonic()
            if now_s - self._asked_rebirth.get(node, -REBIRTH_S_MIN) < REBIRTH_S_MIN:
                continue
            self._asked_rebirth[node] = now_s
            now_ms = self._around.now_ms()
            if self._link is not None:
                self._link.publish(rebirth_topic(node), encode_rebirth(now_ms))
            self._around.note(Event(now_ms, "sparkplug_rebirth", {"node": node}))


def _delay_s(backoff: Backoff) -> float:
    """Half of it to all of it, so that clients of a broker do not come back all at once."""
    delay_s = max(DELAY_S_MIN, backoff.next_try_s - time.monotonic())
    return delay_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
