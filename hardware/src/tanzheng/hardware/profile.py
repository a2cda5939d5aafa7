"""A device profile: which registers a device has and what they mean. Data only, no I/O.

A profile is written as YAML (`loader.py`) and travels to the edge's lean process as a plain
dictionary (`to_plan`, `from_plan`), so that no YAML or schema library is loaded there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from fractions import Fraction
from typing import Any, Final

from tanzheng.core.fields import field as dictionary_field
from tanzheng.hardware.errors import ProfileError

REGISTERS_PER_READ: Final = 125  # MODBUS Application Protocol V1.1b3 §6.3
WORDS: Final = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2, "u64": 4, "i64": 4, "f64": 4}
REGISTER_FUNCTIONS: Final = (3, 4)


@dataclass(frozen=True, slots=True)
class ScaleRegister:
    """A register that holds the scale of another point as an enumeration (raw value → scale)."""

    addr: int
    type: str
    factors: Mapping[int, Fraction]


@dataclass(frozen=True, slots=True)
class PointSpec:
    """One value of a device.

    `addr` is the 0-based address on the wire, `fc` the Modbus function that reads it.
    Engineering value = raw × `scale` (× the scale register's factor), in `unit`; where the point
    has a `field` of the core dictionary, field value = engineering value × `to_field`.
    `order` is the word order of values over several registers: "big" = most significant first.
    `sentinels` are raw values that mean "no value". A counter starts again at 0 when its raw value
    reaches `rollover` (None: at the limit of its type).
    """

    id: str
    addr: int
    fc: int
    type: str
    order: str
    scale: Fraction
    unit: str
    field: str | None = None
    to_field: Fraction = Fraction(1)
    counter: bool = False
    rollover: int | None = None
    sentinels: frozenset[int] = frozenset()
    scale_register: ScaleRegister | None = None
    factor: Fraction = dataclass_field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """`factor` leads from a raw value to the dictionary's unit (to `unit` without a field)."""
        object.__setattr__(self, "factor", self.scale * self.to_field)

    @property
    def words(self) -> int:
        """Registers that the value takes."""
        return WORDS[self.type]

    @property
    def span(self) -> tuple[int, int]:
        """[first, last) of the addresses one read must cover: the value and its scale register."""
        first, last = self.addr, self.addr + self.words
        if self.scale_register is None:
            return first, last
        scale = self.scale_register
        return min(first, scale.addr), max(last, scale.addr + WORDS[scale.type])


@dataclass(frozen=True, slots=True)
class Profile:
    """A device type. `bridges` are [first, last] address ranges that one read may span although
    no point is known for some of their registers; everything else unknown must not be read."""

    id: str
    vendor: str
    models: tuple[str, ...]
    kind: str
    transport: tuple[str, ...]
    trust: str
    points: tuple[PointSpec, ...]
    registers_per_read_max: int = REGISTERS_PER_READ
    bridges: tuple[tuple[int, int], ...] = ()

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
        return {
            "id": self.id,
            "vendor": self.vendor,
            "models": list(self.models),
            "kind": self.kind,
            "transport": list(self.transport),
            "trust": self.trust,
            "registers_per_read_max": self.registers_per_read_max,
            "bridges": [list(pair) for pair in self.bridges],
            "points": [_point_to_plan(point) for point in self.points],
        }

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any]) -> "Profile":
        """A profile from its dictionary, in YAML's or `to_plan`'s form.

        `ProfileError` names the profile and the point that is wrong.
        """
        name = str(plan.get("id", "?"))
        try:
            profile = cls(
                id=plan["id"],
                vendor=plan["vendor"],
                models=tuple(plan["models"]),
                kind=plan["kind"],
                transport=tuple(plan["transport"]),
                trust=plan["trust"],
                registers_per_read_max=plan.get("registers_per_read_max", REGISTERS_PER_READ),
                bridges=tuple((first, last) for first, last in plan.get("bridges", ())),
                points=tuple(_point_from_plan(item, plan) for item in plan["points"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProfileError(f"profile {name}: {type(error).__name__} {error}") from error
        _check(profile)
        return profile


def _point_to_plan(point: PointSpec) -> dict[str, Any]:
    plan: dict[str, Any] = {
        "id": point.id,
        "addr": point.addr,
        "fc": point.fc,
        "type": point.type,
        "order": point.order,
        "scale": str(point.scale),
        "unit": point.unit,
        "field": point.field,
        "to_field": str(point.to_field),
        "counter": point.counter,
        "rollover": point.rollover,
        "sentinels": sorted(point.sentinels),
    }
    if point.scale_register is not None:
        scale = point.scale_register
        factors = {str(raw): str(factor) for raw, factor in scale.factors.items()}
        plan["scale_register"] = {"addr": scale.addr, "type": scale.type, "factors": factors}
    return plan


def _point_from_plan(plan: Mapping[str, Any], device: Mapping[str, Any]) -> PointSpec:
    scale_register = plan.get("scale_register")
    return PointSpec(
        id=plan["id"],
        addr=plan["addr"],
        type=plan["type"],
        unit=plan["unit"],
        fc=plan.get("fc", device.get("fc")),
        order=plan.get("order", device.get("order", "big")),
        scale=Fraction(str(plan.get("scale", 1))),
        field=plan.get("field"),
        to_field=Fraction(str(plan.get("to_field", 1))),
        counter=plan.get("counter", False),
        rollover=plan.get("rollover"),
        sentinels=frozenset(plan.get("sentinels", ())),
        scale_register=scale_register and _scale_register(scale_register),
    )


def _scale_register(plan: Mapping[str, Any]) -> ScaleRegister:
    factors = {int(raw): Fraction(str(factor)) for raw, factor in plan["factors"].items()}
    return ScaleRegister(addr=plan["addr"], type=plan["type"], factors=factors)


def _check(profile: Profile) -> None:
    """What a schema cannot say: unique names, known types and fields, addresses in range."""
    for values, what in (
        ([point.id for point in profile.points], "point ids"),
        ([point.field for point in profile.points if point.field], "fields"),
    ):
        if len(set(values)) != len(values):
            raise ProfileError(f"profile {profile.id}: expected distinct {what}, got {values}")
    for point in profile.points:
        where = f"profile {profile.id}, point {point.id}"
        if point.type not in WORDS or point.order not in ("big", "little"):
            raise ProfileError(
                f"{where}: expected a known type and word order, got {point.type!r} {point.order!r}"
            )
        if point.fc not in REGISTER_FUNCTIONS:
            raise ProfileError(f"{where}: expected function 3 or 4, got {point.fc!r}")
        first, last = point.span
        if first < 0 or last > 0x10000 or last - first > profile.registers_per_read_max:
            raise ProfileError(f"{where}: expected addresses within one read, got {first}–{last}")
        bridged = any(low <= first and last - 1 <= high for low, high in profile.bridges)
        if point.scale_register is not None and not bridged:
            raise ProfileError(
                f"{where}: expected a bridge from the value to its scale register, "
                f"addresses {first}–{last - 1}"
            )
        if point.field is not None:
            dictionary_field(point.field)
