"""From messages to what is committed: routed, stamped, de-duplicated. Pure but for the clock."""

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from tanzheng.core.batch import Event
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Miss, Take
from tanzheng.edge.drivers.mqtt.feeds import Device, Reading
from tanzheng.edge.drivers.mqtt.memory import PointMemory
from tanzheng.edge.drivers.mqtt.router import Router
from tanzheng.edge.owed import OwedSlots

PAYLOAD_BYTES_MAX: Final = 256 * 1024
AHEAD_MS_MAX: Final = 10 * 60_000
"""A sender's time further ahead of ours is kept, and marked: one of the two clocks is wrong."""


class Inbound(NamedTuple):
    """A message as it came; `mid` is its number in the session, `repeated` the broker's DUP."""

    topic: str
    payload: bytes
    qos: int
    mid: int
    retained: bool
    repeated: bool
    arrived_ms: int


@dataclass(slots=True)
class Intake:
    """All points of one broker session. `counts` says what was taken and what was not, and why."""

    router: Router
    devices: Sequence[Device]
    owed: Sequence[OwedSlots]
    """One for each device, in their order."""
    now_ms: Callable[[], int]
    counts: Counter[str] = field(default_factory=Counter)
    refusals: dict[str, str] = field(default_factory=dict)
    memory: dict[int, PointMemory] = field(init=False)
    rebirths: list[str] = field(default_factory=list)
    _owed: dict[int, OwedSlots] = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is known of any point."""
        points = (point for device in self.devices for point in device.points)
        self.memory = {point: PointMemory() for point in points}
        self._owed = {point: owed for owed in self.owed for point in owed.points}

    def take(self, messages: Sequence[Inbound]) -> tuple[list[Take], list[Event]]:
        """What `messages` deliver, in takes of one instant each, and what is to be noted."""
        events: list[Event] = []
        by_time: dict[int, list[tuple[int, float, Quality]]] = {}
        for message in messages:
            for reading in self._readings(message, events):
                self._place(reading, message, by_time)
        return [_take(t_ms, values) for t_ms, values in by_time.items()], events

    def _readings(self, message: Inbound, events: list[Event]) -> Sequence[Reading]:
        if len(message.payload) > PAYLOAD_BYTES_MAX:
            self.counts["too_large"] += 1
            return ()
        routed = self.router.route(message.topic, message.payload)
        if not routed.known:
            self.counts["unwanted"] += 1
        for device_id, reason in routed.refused:
            self._refused(device_id, reason, events)
        for point in routed.silent:
            self.memory[point].silent()
        if routed.rebirth is not None:
            self.rebirths.append(routed.rebirth)
        return routed.readings

    def _refused(self, device_id: str, reason: str, events: list[Event]) -> None:
        """Counted each time, noted when the reason is not that of the last refusal."""
        self.counts[reason] += 1
        if self.refusals.get(device_id) != reason:
            self.refusals[device_id] = reason
            detail = {"device": device_id, "reason": reason}
            events.append(Event(self.now_ms(), "payload_refused", detail))

    def _place(
        self,
        reading: Reading,
        message: Inbound,
        by_time: dict[int, list[tuple[int, float, Quality]]],
    ) -> None:
        if reading.t_ms is None and message.retained:
            self.counts["retained"] += 1  # nobody knows since when it lies there
            return
        t_ms = message.arrived_ms if reading.t_ms is None else reading.t_ms
        memory = self.memory[reading.point]
        if reading.value is None:
            self.counts["no_value"] += 1
            memory.nothing(t_ms, reading.reason)
            self._owed[reading.point].empty(reading.point, t_ms, reading.reason)
        elif not memory.take(t_ms, message.arrived_ms):
            self.counts["duplicate"] += 1
        else:
            self.counts["values"] += 1
            quality = reading.quality
            if t_ms > message.arrived_ms + AHEAD_MS_MAX:
                self.counts["ahead"] += 1
                quality = Quality.UNCERTAIN_CLOCK if quality == Quality.GOOD else quality
            by_time.setdefault(t_ms, []).append((reading.point, reading.value, quality))

    def durable(self, takes: Sequence[Take]) -> None:
        """These are on disk."""
        for take in takes:
            for point in take.points:
                self._owed[point].filled(point, take.t_ms)

    def misses(self, slot_ms: int) -> list[Miss]:
        """What is given up at the slot: of points without a value in their window before it all
        slots, of others those that are as old as the window."""
        found: list[Miss] = []
        for owed in self.owed:
            found += owed.misses(slot_ms, partial(self._absence, slot_ms, owed.window_ms))
        return found

    def _absence(self, slot_ms: int, window_ms: int, point: int) -> str | None:
        return self.memory[point].miss(slot_ms, window_ms)


def _take(t_ms: int, values: Sequence[tuple[int, float, Quality]]) -> Take:
    return Take(
        t_ms,
        tuple(point for point, _, _ in values),
        array("d", (value for _, value, _ in values)),
        bytes(quality for _, _, quality in values),
    )
