"""A device profile: what values a device has, where, and what they mean. Data only, no I/O.

A profile is written as YAML (`loader.py`) and travels to the edge's lean process as a plain
dictionary (`to_plan`, `from_plan`), so that no YAML or schema library is loaded there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Final

from tanzheng.core.errors import BadInput
from tanzheng.core.fields import field as dictionary_field
from tanzheng.hardware.addresses import (
    ADDRESSES,
    WORDS,
    At,
    Dlt645At,
    Hj212At,
    MqttAt,
    RegisterAt,
)
from tanzheng.hardware.errors import ProfileError
from tanzheng.hardware.points import PointSpec, Poll, Ratio, ScaleRegister, Validity

__all__ = [
    "REGISTERS_PER_READ",
    "WORDS",
    "At",
    "Dlt645At",
    "Hj212At",
    "Identity",
    "MqttAt",
    "PointSpec",
    "Poll",
    "Profile",
    "Ratio",
    "RegisterAt",
    "ScaleRegister",
    "Serial",
    "Validity",
]

REGISTERS_PER_READ: Final = 125  # MODBUS Application Protocol V1.1b3 §6.3


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells this device from another. `equals` is what every device of the type shows (a
    text or a number); None: each has its own (a serial number), to be compared with the last."""

    point: RegisterAt
    equals: str | int | None = None


@dataclass(frozen=True, slots=True)
class Serial:
    """Line parameters as they leave the factory: `parity` N, E or O, `stop` bits 1 or 2."""

    baud: int
    parity: str
    stop: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A device type.

    `bridges` are [first, last] register ranges that one read may span although no point is known
    for some of them; everything else unknown must not be read. A read never spans a register of
    `no_bridge` that nobody asked for, known or not. `pause_ms` lies between two requests,
    `connect_pause_ms` before the first one. `ratios` are the registers that hold CT and PT ratios.
    """

    id: str
    vendor: str
    models: tuple[str, ...]
    kind: str
    protocol: str
    transport: tuple[str, ...]
    trust: str
    points: tuple[PointSpec, ...]
    registers_per_read_max: int = REGISTERS_PER_READ
    bridges: tuple[tuple[int, int], ...] = ()
    no_bridge: tuple[tuple[int, int], ...] = ()
    pause_ms: int = 0
    connect_pause_ms: int = 0
    identity: Identity | None = None
    ratios: Mapping[Ratio, RegisterAt] = dataclass_field(default_factory=dict)
    serial_default: Serial | None = None

    def point(self, point_id: str) -> PointSpec:
        """The point called `point_id`; `ProfileError` where there is none."""
        for item in self.points:
            if item.id == point_id:
                return item
        raise ProfileError(f"expected a point of profile {self.id}, got {point_id!r}")

    def field_point(self, field: str) -> PointSpec:
        """The point that delivers the dictionary's `field`; `ProfileError` where none does."""
        for item in self.points:
            if item.field == field:
                return item
        known = ", ".join(item.field for item in self.points if item.field)
        raise ProfileError(f"profile {self.id}: expected one of {known}, got {field!r}")

    def to_plan(self) -> dict[str, Any]:
        """The profile as a JSON-able dictionary; `from_plan` is its inverse."""
        plan: dict[str, Any] = {
            "id": self.id,
            "vendor": self.vendor,
            "models": list(self.models),
            "kind": self.kind,
            "protocol": self.protocol,
            "transport": list(self.transport),
            "trust": self.trust,
            "registers_per_read_max": self.registers_per_read_max,
            "bridges": [list(pair) for pair in self.bridges],
            "no_bridge": [list(pair) for pair in self.no_bridge],
            "pause_ms": self.pause_ms,
            "connect_pause_ms": self.connect_pause_ms,
            "ratios": {name: at.to_plan() for name, at in self.ratios.items()},
            "points": [point.to_plan() for point in self.points],
        }
        if self.identity is not None:
            plan["identity"] = {**self.identity.point.to_plan(), "equals": self.identity.equals}
        if (serial := self.serial_default) is not None:
            plan["serial_default"] = {
                "baud": serial.baud,
                "parity": serial.parity,
                "stop": serial.stop,
            }
        return plan

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any]) -> "Profile":
        """A profile from its dictionary, in YAML's or `to_plan`'s form.

        `ProfileError` names the profile and the point that is wrong.
        """
        name = f"profile {plan.get('id', '?')}"
        try:
            profile = _from_plan(plan, name)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise ProfileError(f"{name}: {type(error).__name__} {error}") from error
        _check(profile, name)
        return profile


def _from_plan(plan: Mapping[str, Any], name: str) -> Profile:
    protocol = plan.get("protocol", "modbus")
    if protocol not in ADDRESSES:
        raise ProfileError(f"{name}: expected a protocol of {', '.join(ADDRESSES)}, got {protocol}")
    identity, serial = plan.get("identity"), plan.get("serial_default")
    return Profile(
        id=plan["id"],
        vendor=plan["vendor"],
        models=tuple(plan["models"]),
        kind=plan["kind"],
        protocol=protocol,
        transport=tuple(plan["transport"]),
        trust=plan["trust"],
        points=tuple(_point(item, plan, name) for item in plan["points"]),
        registers_per_read_max=plan.get("registers_per_read_max", REGISTERS_PER_READ),
        bridges=_ranges(plan.get("bridges", ())),
        no_bridge=_ranges(plan.get("no_bridge", ())),
        pause_ms=plan.get("pause_ms", 0),
        connect_pause_ms=plan.get("connect_pause_ms", 0),
        identity=identity
        and Identity(RegisterAt.from_plan(identity, plan), identity.get("equals")),
        ratios={key: RegisterAt.from_plan(at, plan) for key, at in plan.get("ratios", {}).items()},
        serial_default=serial and Serial(**serial),
    )


def _point(item: Mapping[str, Any], device: Mapping[str, Any], name: str) -> PointSpec:
    try:
        return PointSpec.from_plan(item, device)
    except (BadInput, KeyError, TypeError, ValueError, ArithmeticError) as error:
        kind = "" if isinstance(error, BadInput) else f"{type(error).__name__} "
        raise ProfileError(f"{name}, point {item.get('id', '?')}: {kind}{error}") from error


def _ranges(pairs: Any) -> tuple[tuple[int, int], ...]:
    found = tuple((int(first), int(last)) for first, last in pairs)
    if any(first > last for first, last in found):
        raise ValueError(f"expected ranges [first, last], got {list(found)}")
    return found


def _check(profile: Profile, name: str) -> None:
    """What neither a schema nor a point alone can say: unique names, references, sizes."""
    for values, what in (
        ([point.id for point in profile.points], "point ids"),
        ([point.field for point in profile.points if point.field], "fields"),
    ):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ProfileError(f"{name}: expected distinct {what}, got {', '.join(twice)} twice")
    for point in profile.points:
        try:
            _check_point(profile, point)
        except BadInput as error:
            raise ProfileError(f"{name}, point {point.id}: {error}") from error


def _check_point(profile: Profile, point: PointSpec) -> None:
    if point.field is not None:
        kind = dictionary_field(point.field).kind
        if point.is_text:
            raise ProfileError(f"expected a number for {point.field}, got a string")
        if point.counter != (kind == "counter"):
            raise ProfileError(f"expected counter as {point.field} is a {kind}")
    for validity in point.validity:
        status = profile.point(validity.point)
        if status.is_text or (isinstance(status.at, RegisterAt) and status.at.type[0] == "f"):
            raise ProfileError(f"expected bits or an integer as status, got {status.id}")
    at, most = point.at, profile.registers_per_read_max
    if isinstance(at, RegisterAt) and at.words > most:
        raise ProfileError(f"expected a value of at most {most} registers, got {at.words}")
