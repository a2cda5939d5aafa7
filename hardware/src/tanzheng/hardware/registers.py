"""Register bytes ↔ values, as pure functions: used by the simulator and by the edge driver.

`data` is what a Modbus reply carries: two bytes a register, most significant byte first.
Source: MODBUS Application Protocol V1.1b3 §4.2 (data encoding).
"""

import math
from fractions import Fraction
from struct import Struct
from struct import error as struct_error
from typing import Final

from tanzheng.hardware.errors import ValueOutOfRange
from tanzheng.hardware.profile import WORDS, PointSpec, ScaleRegister

_STRUCTS: Final = {
    "u16": Struct(">H"),
    "i16": Struct(">h"),
    "u32": Struct(">I"),
    "i32": Struct(">i"),
    "u64": Struct(">Q"),
    "i64": Struct(">q"),
    "f32": Struct(">f"),
    "f64": Struct(">d"),
}
_ONE: Final = Fraction(1)


def decode_value(point: PointSpec, data: bytes, scale: Fraction = _ONE) -> float | None:
    """The value of `point` in the dictionary's unit (in `point.unit` where it has no field).

    `data` are the point's own registers; `scale` is what `decode_scale` gave for its scale
    register. None: the device says that it has no value (sentinel, NaN, infinity).
    Integers are scaled exactly and rounded once, to the nearest float64.
    """
    raw = _unpack(point.type, point.order, data)
    if raw in point.sentinels:
        return None
    factor = point.factor if scale is _ONE else point.factor * scale
    value = raw * factor.numerator / factor.denominator
    return value if math.isfinite(value) else None


def decode_scale(register: ScaleRegister, data: bytes) -> Fraction | None:
    """The factor that a scale register's bytes stand for; None where the profile knows none."""
    raw = _unpack(register.type, "big", data)
    return register.factors.get(int(raw))


def encode_value(point: PointSpec, value: Fraction | float, scale: Fraction = _ONE) -> bytes:
    """The registers of `point` that show `value` (in the unit of `decode_value`).

    A counter wraps at its roll-over; an integer is rounded half up to the register's resolution.
    `ValueOutOfRange` where the register cannot hold the value.
    """
    factor = point.factor * scale
    if point.type.startswith("f"):
        return _pack(point, float(value * factor.denominator / factor.numerator), value)
    raw = math.floor(Fraction(value) / factor + Fraction(1, 2))
    return _pack(point, raw % counter_limit(point) if point.counter else raw, value)


def counter_limit(point: PointSpec) -> int:
    """The raw value at which a counter starts again at 0."""
    if point.rollover is not None:
        return point.rollover
    bits = 16 * point.words
    return 1 << (bits - 1 if point.type.startswith("i") else bits)


def no_value(point: PointSpec) -> bytes:
    """Registers that say "no value": NaN, else the smallest sentinel, else 0."""
    if point.type.startswith("f"):
        return _pack(point, math.nan, math.nan)
    return _pack(point, min(point.sentinels, default=0), 0)


def _unpack(type_: str, order: str, data: bytes) -> int | float:
    if len(data) != 2 * WORDS[type_]:
        raise ValueOutOfRange(f"expected {2 * WORDS[type_]} bytes of a {type_}, got {len(data)}")
    raw: int | float = _STRUCTS[type_].unpack(data if order == "big" else _swap_words(data))[0]
    return raw


def _pack(point: PointSpec, raw: float, value: Fraction | float) -> bytes:
    try:
        data = _STRUCTS[point.type].pack(raw)
    except (struct_error, OverflowError) as error:
        raise ValueOutOfRange(
            f"point {point.id}: expected a value that a {point.type} holds, got {value}"
        ) from error
    return data if point.order == "big" else _swap_words(data)


def _swap_words(data: bytes) -> bytes:
    """Registers in the opposite order (ABCD ↔ CDAB), each with its bytes as they are."""
    return b"".join(data[at : at + 2] for at in range(len(data) - 2, -1, -2))
