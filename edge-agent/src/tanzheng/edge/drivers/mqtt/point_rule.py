"""From a sender's raw number to a reading in the dictionary's unit. Pure."""

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite, prod
from typing import Final, Self

from tanzheng.core.errors import BadInput
from tanzheng.core.quality import Quality
from tanzheng.edge.drivers.mqtt.codec import NOT_AVAILABLE, Sample
from tanzheng.hardware.points import PointSpec, Ratio

WRONG_UNIT: Final = "wrong_unit"


@dataclass(frozen=True, slots=True)
class PointRule:
    """A point of the plan (its index) and what its profile says of raw values.

    Field value = raw × numerator / denominator + shift.
    """

    index: int
    spec: PointSpec
    numerator: float
    denominator: float
    shift: float
    field_limits: tuple[float, float] | None

    @classmethod
    def of(cls, index: int, spec: PointSpec, ratios: dict[Ratio, Fraction]) -> Self:
        """The rule for `spec`. A ratio that it needs is given by the link, never assumed."""
        missing = [name for name in spec.times if name not in ratios]
        if missing:
            raise BadInput(f"{missing[0]}: expected a ratio for point {spec.id}, got none")
        factor = prod((ratios[name] for name in spec.times), start=spec.factor)
        limits = None
        if spec.expected is not None:
            low, high = sorted(float(limit * spec.to_field) for limit in spec.expected)
            limits = low, high
        return cls(
            index,
            spec,
            float(factor.numerator),
            float(factor.denominator),
            float(spec.offset * spec.to_field),
            limits,
        )

    def reading(self, sample: Sample, status: Quality) -> tuple[float | None, Quality, str]:
        """(value, quality, reason where there is no value); `status` is what other points say."""
        raw = sample.value
        if raw is None or raw in self.spec.sentinels:
            return None, Quality.GOOD, NOT_AVAILABLE if raw is not None else sample.reason
        if not self._unit_fits(sample.unit):
            return None, Quality.GOOD, WRONG_UNIT
        value = raw * self.numerator / self.denominator + self.shift
        if not isfinite(value):
            return None, Quality.GOOD, NOT_AVAILABLE
        quality = sample.quality if sample.quality != Quality.GOOD else status
        if quality == Quality.GOOD and self.field_limits is not None:
            low, high = self.field_limits
            quality = Quality.GOOD if low <= value <= high else Quality.OVER_RANGE
        return value, quality, ""

    def _unit_fits(self, unit: str) -> bool:
        """A scale says that the sender's unit is not the point's: then it must be another."""
        return unit == "" or (unit == self.spec.unit) == (self.spec.scale == 1)
