"""One value of a device: where it is, what it means, when it is good. Data only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from fractions import Fraction
from typing import Any, Final, Literal

from tanzheng.core.quality import Quality
from tanzheng.hardware.addresses import ADDRESSES, STRING, At, RegisterAt
from tanzheng.hardware.errors import ProfileError

Ratio = Literal["ct", "pt"]
Poll = Literal["fast", "slow"]
ONE: Final = Fraction(1)
_RATIOS: Final = ("ct", "pt")
_POLLS: Final = ("fast", "slow")
_FACTOR_MIN: Final = Fraction(1, 10**30)


@dataclass(frozen=True, slots=True)
class ScaleRegister:
    """A register that holds the scale of another point as an enumeration (raw value → scale)."""

    at: RegisterAt
    factors: Mapping[int, Fraction]


_GRAVITY: Final = (
    Quality.GOOD, Quality.UNCERTAIN_CLOCK, Quality.MANUAL, Quality.SUBSTITUTED, Quality.OVER_RANGE,
    Quality.MAINTENANCE, Quality.CALIBRATION, Quality.COMMS, Quality.FAULT,
)  # fmt: skip


def gravest(qualities: Iterable[Quality]) -> Quality:
    """The one that says most about what went wrong; GOOD where there is none."""
    return max(qualities, key=_GRAVITY.index, default=Quality.GOOD)


@dataclass(frozen=True, slots=True)
class Validity:
    """How the raw value of the point `point` sets the quality of another: by bit, by value.

    The gravest of all that apply decides; what is not listed is good.
    """

    point: str
    bits: Mapping[int, Quality] = dataclass_field(default_factory=dict)
    values: Mapping[int, Quality] = dataclass_field(default_factory=dict)

    def quality(self, raw: int) -> Quality:
        """What a reading is worth while the status point shows `raw`."""
        found = [quality for bit, quality in self.bits.items() if raw >> bit & 1]
        return gravest([*found, self.values.get(raw, Quality.GOOD)])


@dataclass(frozen=True, slots=True)
class PointSpec:
    """One value of a device.

    Field value = ((raw × `scale` × scale register × ratios) + `offset`) × `to_field`; what stands
    before `to_field` is in `unit`, the field value in the unit of the core dictionary's `field`.
    `times` names the transformer ratios that the meter leaves to its reader.

    `sentinels` are raw values that mean "no value"; NaN and infinity always do. A counter starts
    again at 0 when its raw value reaches `rollover` (None: at the limit of its type). A value
    outside `expected` (lowest, highest, in `unit`) is a reading of quality OVER_RANGE: kept, shown,
    never summed. Of several `validity` the gravest decides.
    """

    id: str
    unit: str
    at: At
    field: str | None = None
    scale: Fraction = ONE
    offset: Fraction = Fraction(0)
    to_field: Fraction = ONE
    counter: bool = False
    rollover: Fraction | None = None
    sentinels: frozenset[int | float] = frozenset()
    expected: tuple[Fraction, Fraction] | None = None
    poll: Poll = "fast"
    times: tuple[Ratio, ...] = ()
    validity: tuple[Validity, ...] = ()
    scale_register: ScaleRegister | None = None
    factor: Fraction = dataclass_field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """`factor` leads from a raw value to the dictionary's unit, offset and ratios aside."""
        if self.poll not in _POLLS:
            raise ProfileError(f"expected poll fast or slow, got {self.poll!r}")
        if not set(self.times) <= set(_RATIOS) or len(set(self.times)) != len(self.times):
            raise ProfileError(f"expected times with ct, pt or both, got {list(self.times)}")
        if any(not _FACTOR_MIN <= abs(each) <= 1 / _FACTOR_MIN for each in self._factors()):
            raise ProfileError("expected factors from 1e-30 to 1e30")
        if self.rollover is not None and not (self.counter and self.rollover > 0):
            raise ProfileError("expected a roll-over above 0 of a counter only")
        if self.expected is not None and self.expected[0] >= self.expected[1]:
            raise ProfileError(f"expected [lowest, highest], got {list(map(str, self.expected))}")
        object.__setattr__(self, "factor", self.scale * self.to_field)

    def _factors(self) -> Iterable[Fraction]:
        yield self.scale
        yield self.to_field
        if self.scale_register is not None:
            yield from self.scale_register.factors.values()

    @property
    def register(self) -> RegisterAt:
        """`at` of a Modbus point; `ProfileError` for any other."""
        if not isinstance(self.at, RegisterAt):
            raise ProfileError(f"expected a Modbus point, got {self.id} at {self.at}")
        return self.at

    @property
    def is_text(self) -> bool:
        """True where the value is no number."""
        return isinstance(self.at, RegisterAt) and self.at.type == STRING

    def to_plan(self) -> dict[str, Any]:
        """JSON-able; what has its default is left out, so that plans stay small."""
        plan: dict[str, Any] = {"id": self.id, "unit": self.unit, **self.at.to_plan()}
        for key in ("scale", "offset", "to_field", "rollover"):
            if (value := getattr(self, key)) is not None:
                plan[key] = str(value)
        plan |= {"field": self.field, "counter": self.counter, "poll": self.poll}
        plan |= {"times": list(self.times), "sentinels": sorted(self.sentinels)}
        if self.expected is not None:
            plan["expected"] = [str(limit) for limit in self.expected]
        plan["validity"] = [_validity_to_plan(item) for item in self.validity]
        if self.scale_register is not None:
            factors = {str(raw): str(value) for raw, value in self.scale_register.factors.items()}
            plan["scale_register"] = {**self.scale_register.at.to_plan(), "factors": factors}
        return plan

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any], device: Mapping[str, Any]) -> "PointSpec":
        """From YAML's form or `to_plan`'s; `device` has what the profile says for all points."""
        scale_register = plan.get("scale_register")
        return cls(
            id=plan["id"],
            unit=plan["unit"],
            at=ADDRESSES[device.get("protocol", "modbus")].from_plan(plan, device),
            field=plan.get("field"),
            scale=_fraction(plan.get("scale", 1)),
            offset=_fraction(plan.get("offset", 0)),
            to_field=_fraction(plan.get("to_field", 1)),
            counter=plan.get("counter", False),
            rollover=_optional_fraction(plan.get("rollover")),
            sentinels=frozenset(plan.get("sentinels", ())),
            expected=_expected(plan.get("expected")),
            poll=plan.get("poll", "fast"),
            times=tuple(plan.get("times", ())),
            validity=_validities(plan.get("validity", ())),
            scale_register=scale_register and _scale_register(scale_register, device),
        )


def _fraction(value: str | float) -> Fraction:
    return Fraction(str(value))


def _optional_fraction(value: str | int | None) -> Fraction | None:
    return None if value is None else _fraction(value)


def _expected(limits: Sequence[str | float] | None) -> tuple[Fraction, Fraction] | None:
    if limits is None:
        return None
    low, high = limits
    return _fraction(low), _fraction(high)


def _scale_register(plan: Mapping[str, Any], device: Mapping[str, Any]) -> ScaleRegister:
    factors = {int(raw): _fraction(factor) for raw, factor in plan["factors"].items()}
    return ScaleRegister(RegisterAt.from_plan(plan, device), factors)


def _validity_to_plan(validity: Validity) -> dict[str, Any]:
    plan: dict[str, Any] = {"point": validity.point}
    for key, table in (("bits", validity.bits), ("values", validity.values)):
        plan[key] = {str(raw): quality.name.lower() for raw, quality in table.items()}
    return plan


def _validities(plan: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> tuple[Validity, ...]:
    """One status point, or a list of them."""
    items = [plan] if isinstance(plan, Mapping) else plan
    return tuple(
        Validity(
            point=item["point"],
            bits=_qualities(item.get("bits", {})),
            values=_qualities(item.get("values", {})),
        )
        for item in items
    )


def _qualities(table: Mapping[str | int, str]) -> dict[int, Quality]:
    return {int(raw): Quality[name.upper()] for raw, name in table.items()}
