"""Which devices a message is of, and what it says of their points. Pure, with a little state:
births of Sparkplug nodes, the last value of status points.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tanzheng.core.quality import Quality
from tanzheng.edge.drivers.mqtt.codec import Body, Sample
from tanzheng.edge.drivers.mqtt.point_rule import PointRule
from tanzheng.hardware.points import PointSpec

Decode = Callable[[Body], list[Sample]]


class Reading(NamedTuple):
    """What a message says of a point. `t_ms` None: it does not say when.

    `value` None: there is none, for `reason`.
    """

    point: int
    t_ms: int | None
    value: float | None
    quality: Quality
    reason: str


@dataclass(slots=True)
class Device:
    """One device of the plan: rules by point id, and what its status points said last."""

    id: str
    rules: Mapping[str, PointRule]
    _status: dict[str, int] = field(default_factory=dict)

    @property
    def points(self) -> tuple[int, ...]:
        """Indices of its points in the plan."""
        return tuple(rule.index for rule in self.rules.values())

    def readings(self, samples: Iterable[tuple[PointSpec, Sample]]) -> list[Reading]:
        """What `samples` of one message say; status points first, whatever their order."""
        pairs = list(samples)
        for spec, sample in pairs:
            if sample.value is not None:
                self._status[spec.id] = int(sample.value)
        return [
            self._reading(rule, sample)
            for spec, sample in pairs
            if (rule := self.rules.get(spec.id)) is not None
        ]

    def _reading(self, rule: PointRule, sample: Sample) -> Reading:
        value, quality, reason = rule.reading(sample, self._quality(rule.spec))
        return Reading(rule.index, sample.t_ms, value, quality, reason)

    def _quality(self, spec: PointSpec) -> Quality:
        """What the status points say of `spec`; one never heard of says nothing good."""
        for validity in spec.validity:
            raw = self._status.get(validity.point)
            quality = Quality.FAULT if raw is None else validity.quality(raw)
            if quality != Quality.GOOD:
                return quality
        return Quality.GOOD


@dataclass(frozen=True, slots=True)
class Feed:
    """The points of one device that one topic delivers, by the sender's names."""

    device: Device
    names: Mapping[str, tuple[PointSpec, ...]]
    decode: Decode

    def readings(self, body: Body) -> list[Reading]:
        """What the payload says; `PayloadRefused` where it is none of the format."""
        return self.device.readings(
            (spec, sample)
            for sample in self.decode(body)
            for spec in self.names.get(sample.name, ())
        )


def wanted(device: Device, specs: Iterable[PointSpec]) -> list[PointSpec]:
    """The points of the plan, and the status points that speak about them."""
    listed = list(specs)
    status = {validity.point for rule in device.rules.values() for validity in rule.spec.validity}
    return [spec for spec in listed if spec.id in device.rules or spec.id in status]
