"""Where a point's value is found, for each protocol. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tanzheng.hardware.errors import ProfileError

WORDS: Final = {
    "bit": 1, "u16": 1, "i16": 1, "bcd16": 1,
    "u32": 2, "i32": 2, "f32": 2, "bcd32": 2,
    "u48": 3, "i48": 3, "bcd48": 3,
    "u64": 4, "i64": 4, "f64": 4,
}  # fmt: skip
"""Registers of each type; a `string` says its own number."""
STRING: Final = "string"
BIT_FUNCTIONS: Final = (1, 2)
FUNCTIONS: Final = (1, 2, 3, 4)
ORDERS: Final = ("big", "little")


@dataclass(frozen=True, slots=True)
class RegisterAt:
    """A Modbus value: `addr` is 0-based as on the wire, `fc` the function that reads it.

    fc 1 coils, 2 discrete inputs (type `bit` only), 3 holding, 4 input registers. `order` is the
    word order ("big": most significant register first), `byte_swap` turns the two bytes of each
    register: ABCD big, CDAB little, BADC big + swap, DCBA little + swap. `bit` (0 = lowest) is the
    place of a `bit` in its register, None for fc 1 and 2. `words` is given for strings only.
    """

    addr: int
    fc: int = 3
    type: str = "u16"
    order: str = "big"
    byte_swap: bool = False
    bit: int | None = None
    words: int = 0

    def __post_init__(self) -> None:
        """`ProfileError` where this is no address that could be read."""
        self._check_type()
        if self.type != STRING:
            object.__setattr__(self, "words", WORDS[self.type])
        if not 1 <= self.words <= 125:
            raise ProfileError(f"expected 1 to 125 words of a string, got {self.words}")
        if not 0 <= self.addr <= 0x10000 - self.words:
            raise ProfileError(f"expected an address from 0 to 65535, got {self.addr}")

    def _check_type(self) -> None:
        if self.type not in WORDS and self.type != STRING:
            raise ProfileError(f"expected a known type, got {self.type!r}")
        if self.order not in ORDERS:
            raise ProfileError(f"expected word order big or little, got {self.order!r}")
        if self.fc not in FUNCTIONS:
            raise ProfileError(f"expected function 1, 2, 3 or 4, got {self.fc!r}")
        if self.by_bits:
            if self.type != "bit" or self.bit is not None:
                raise ProfileError(f"expected a bit of its own address with function {self.fc}")
        elif (self.bit is None) == (self.type == "bit") or self.bit not in {None, *range(16)}:
            raise ProfileError(f"expected a bit from 0 to 15 of a bit only, got {self.bit!r}")

    @property
    def by_bits(self) -> bool:
        """True where the function counts bits, not registers."""
        return self.fc in BIT_FUNCTIONS

    @property
    def end(self) -> int:
        """The first address behind the value."""
        return self.addr + self.words

    @property
    def letters(self) -> str:
        """The order of four bytes as people write it: ABCD, CDAB, BADC, DCBA."""
        orders = {"big": ("ABCD", "BADC"), "little": ("CDAB", "DCBA")}
        return orders[self.order][self.byte_swap]

    def to_plan(self) -> dict[str, Any]:
        """The keys that a point of a profile carries."""
        plan: dict[str, Any] = {"addr": self.addr, "fc": self.fc, "type": self.type}
        plan |= {"order": self.order, "byte_swap": self.byte_swap}
        if self.bit is not None:
            plan["bit"] = self.bit
        if self.type == STRING:
            plan["words"] = self.words
        return plan

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any], device: Mapping[str, Any]) -> "RegisterAt":
        """From a point's keys; `device` has what the profile says for all its points."""
        kind = plan["type"]
        return cls(
            addr=plan["addr"],
            fc=plan.get("fc", device.get("fc", 3)),
            type=kind,
            order=plan.get("order", device.get("order", "big")),
            byte_swap=plan.get("byte_swap", device.get("byte_swap", False)),
            bit=plan.get("bit"),
            words=plan["words"] if kind == STRING else 0,
        )


@dataclass(frozen=True, slots=True)
class Hj212At:
    """A factor of HJ 212 (`a05001`) and which of its values (`Rtd`, `Avg`, `Cou`, …)."""

    code: str
    suffix: str = "Rtd"

    def to_plan(self) -> dict[str, Any]:
        """The keys that a point of a profile carries."""
        return {"code": self.code, "suffix": self.suffix}

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any], device: Mapping[str, Any]) -> "Hj212At":
        """From a point's keys; `suffix` may be said once for the device."""
        return cls(plan["code"], plan.get("suffix", device.get("suffix", "Rtd")))


@dataclass(frozen=True, slots=True)
class Dlt645At:
    """A data identifier of DL/T 645-2007, 8 hex digits DI3…DI0; `part` counts from 0 within a
    block (…FF), None where the identifier has one value."""

    di: str
    part: int | None = None

    def to_plan(self) -> dict[str, Any]:
        """The keys that a point of a profile carries."""
        return {"di": self.di} if self.part is None else {"di": self.di, "part": self.part}

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any], _device: Mapping[str, Any]) -> "Dlt645At":
        """From a point's keys; letters of the identifier are made capital."""
        return cls(plan["di"].upper(), plan.get("part"))


@dataclass(frozen=True, slots=True)
class MqttAt:
    """Where a message has the value: JSON path, Sparkplug metric name or Neuron tag.

    `topic` None: the topic of the link.
    """

    topic: str | None
    path: str

    def to_plan(self) -> dict[str, Any]:
        """The keys that a point of a profile carries."""
        return {"topic": self.topic, "path": self.path}

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any], device: Mapping[str, Any]) -> "MqttAt":
        """From a point's keys; `topic` may be said once for the device."""
        return cls(plan.get("topic", device.get("topic")), plan["path"])


At = RegisterAt | Hj212At | Dlt645At | MqttAt
ADDRESSES: Final[Mapping[str, type[At]]] = {
    "modbus": RegisterAt,
    "hj212": Hj212At,
    "dlt645": Dlt645At,
    "mqtt": MqttAt,
}
"""Protocol of a profile → the kind of its addresses."""
