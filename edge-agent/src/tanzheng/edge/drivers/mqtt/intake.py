"""From messages to what is committed: routed, stamped, de-duplicated. Pure but for the clock."""

from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tanzheng.core.batch import Event
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Take
from tanzheng.edge.drivers.mqtt.feeds import Device, Reading
from tanzheng.edge.drivers.mqtt.memory import PointMemory
from tanzheng.edge.drivers.mqtt.router import Router

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
    now_ms: Callable[[], int]
    counts: Counter[str] = field(default_factory=Counter)
    refusals: dict[str, str] = field(default_factory=dict)
    memory: dict[int, PointMemory] = field(init=False)
    rebirths: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nothing is known of any point."""
        points = (point for device in self.devices for point in device.points)
        self.memory = {point: PointMemory() for point in points}

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
        elif not memory.take(t_ms, message.arrived_ms):
            self.counts["duplicate"] += 1
        else:
            self.counts["values"] += 1
            quality = reading.quality
            if t_ms > message.arrived_ms + AHEAD_MS_MAX:
                self.counts["ahead"] += 1
                quality = Quality.UNCERTAIN_CLOCK if quality == Quality.GOOD else quality
            by_time.setdefault(t_ms, []).append((reading.point, reading.value, quality))

    def misses(self, slot_ms: int, windows_ms: Mapping[int, int]) -> dict[str, list[int]]:
        """Reason → points without a value in their window (point → ms) before the slot."""
        found: dict[str, list[int]] = {}
        for point, memory in self.memory.items():
            reason = memory.miss(slot_ms, windows_ms[point])
            if reason is not None:
                found.setdefault(reason, []).append(point)
        return found


def _take(t_ms: int, values: Sequence[tuple[int, float, Quality]]) -> Take:
    return Take(
        t_ms,
        tuple(point for point, _, _ in values),
        array("d", (value for _, value, _ in values)),
        bytes(quality for _, _, quality in values),
    )
