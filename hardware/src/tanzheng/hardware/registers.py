"""Register bytes ↔ values, as pure functions: used by the simulator and by the edge driver.

`data` is what a Modbus reply carries: two bytes a register, or for functions 1 and 2 one byte with
the bit lowest. Source: MODBUS Application Protocol V1.1b3 §4.2 (data encoding).
"""

import math
from fractions import Fraction
from struct import Struct
from struct import error as struct_error
from typing import Final

from tanzheng.hardware.addresses import STRING, RegisterAt
from tanzheng.hardware.errors import ValueOutOfRange
from tanzheng.hardware.points import ONE, PointSpec

_FLOATS: Final = {"f32": Struct(">f"), "f64": Struct(">d")}

Raw = int | float


def raw_of(at: RegisterAt, data: bytes) -> Raw | None:
    """The number in the registers of `at`; None where they hold no decimal digits (BCD).

    `ValueOutOfRange` where `data` has another length, or `at` is a string.
    """
    _expect(at, data)
    if at.by_bits:
        return data[0] & 1
    ordered = _big_endian(at, data)
    if at.type in _FLOATS:
        number: float = _FLOATS[at.type].unpack(ordered)[0]
        return number
    if at.type.startswith("bcd"):
        digits = ordered.hex()
        return int(digits) if digits.isdecimal() else None
    if at.type == STRING:
        raise ValueOutOfRange(f"expected a number, got a string, at address {at.addr}")
    raw = int.from_bytes(ordered, "big", signed=at.type.startswith("i"))
    return raw if at.bit is None else raw >> at.bit & 1


def text_of(at: RegisterAt, data: bytes) -> str:
    """What the registers of `at` say as a text: a string's printable characters, a number's
    digits, "" where there is none."""
    if at.type != STRING:
        raw = raw_of(at, data)
        return "" if raw is None else str(raw)
    _expect(at, data)
    # One character a register or two: the unused bytes are NUL or blank.
    text = _big_endian(RegisterAt(0, byte_swap=at.byte_swap, type="u16"), data).decode("latin-1")
    return "".join(char for char in text if char.isprintable()).strip()


def data_of(at: RegisterAt, raw: Raw | str) -> bytes:
    """The registers of `at` that show `raw`; `ValueOutOfRange` where they cannot.

    The bits beside a `bit` are 0.
    """
    if at.type == STRING:
        data = str(raw).encode("latin-1", "replace").ljust(2 * at.words, b"\0")
        if len(data) > 2 * at.words:
            raise ValueOutOfRange(f"expected at most {2 * at.words} characters, got {raw!r}")
        return _big_endian(RegisterAt(0, byte_swap=at.byte_swap, type="u16"), data)
    try:
        return _number_data(at, float(raw) if at.type in _FLOATS else int(raw))
    except (struct_error, OverflowError, ValueError) as error:
        raise ValueOutOfRange(f"expected a value that a {at.type} holds, got {raw}") from error


def value_of(raw: Raw, factor: Fraction, shift: Fraction) -> float | None:
    """raw × `factor` + `shift`; None where that is no finite number.

    Integers are scaled exactly and rounded once, to the nearest float64.
    """
    try:
        if not shift:
            value = raw * factor.numerator / factor.denominator
        elif isinstance(raw, int):
            value = float(raw * factor + shift)
        else:
            value = raw * factor.numerator / factor.denominator + float(shift)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def decode_value(point: PointSpec, data: bytes, ratio: Fraction = ONE) -> float | None:
    """The value of `point` in the dictionary's unit (in `point.unit` where it has no field).

    `data` are the point's own registers; `ratio` is the product of its scale register's factor and
    its transformer ratios. None: the device says that it has no value.
    """
    raw = raw_of(point.register, data)
    if raw is None or raw in raw_sentinels(point):
        return None
    return value_of(raw, point.factor * ratio, point.offset * point.to_field)


def encode_value(point: PointSpec, value: Fraction | float, ratio: Fraction = ONE) -> bytes:
    """The registers of `point` that show `value` (in the unit of `decode_value`).

    A counter wraps at its roll-over; an integer is rounded half up to the register's resolution.
    `ValueOutOfRange` where the register cannot hold the value.
    """
    at = point.register
    raw = (Fraction(value) / point.to_field - point.offset) / (point.scale * ratio)
    limit = counter_limit(point)
    if at.type in _FLOATS:
        raw = raw % limit if limit is not None and not 0 <= raw < limit else raw
        return _named(point, float(raw))
    whole = math.floor(raw + Fraction(1, 2))
    return _named(point, whole if limit is None else math.floor(whole % limit))


def counter_limit(point: PointSpec) -> Fraction | None:
    """The raw value at which a counter starts again at 0; None where it never does.

    That is its `rollover`, else the limit of an integer's or BCD's type.
    """
    if point.rollover is not None or not point.counter:
        return point.rollover
    if not isinstance(point.at, RegisterAt) or point.at.type in (*_FLOATS, STRING, "bit"):
        return None
    if point.at.type.startswith("bcd"):
        return Fraction(10 ** (4 * point.at.words))
    bits = 16 * point.at.words
    return Fraction(1 << (bits - 1 if point.at.type.startswith("i") else bits))


def no_value(point: PointSpec) -> bytes:
    """Registers that say "no value": NaN, no digits, else the smallest sentinel, else 0."""
    at = point.register
    if at.type in _FLOATS:
        return data_of(at, math.nan)
    if at.type.startswith("bcd"):
        return b"\xff" * 2 * at.words
    return data_of(at, "" if at.type == STRING else min(point.sentinels, default=0))


def raw_sentinels(point: PointSpec) -> frozenset[Raw]:
    """The sentinels as the registers hold them: -999.9 of an f32 is not the double -999.9."""
    if isinstance(point.at, RegisterAt) and point.at.type == "f32":
        single = _FLOATS["f32"]
        return frozenset(single.unpack(single.pack(value))[0] for value in point.sentinels)
    return point.sentinels


def _expect(at: RegisterAt, data: bytes) -> None:
    expected = 1 if at.by_bits else 2 * at.words
    if len(data) != expected:
        raise ValueOutOfRange(f"expected {expected} bytes of a {at.type}, got {len(data)}")


def _named(point: PointSpec, raw: Raw) -> bytes:
    try:
        return data_of(point.register, raw)
    except ValueOutOfRange as error:
        raise ValueOutOfRange(f"point {point.id}: {error}") from error


def _number_data(at: RegisterAt, raw: Raw) -> bytes:
    if at.by_bits or at.type == "bit":
        if raw not in (0, 1):
            raise ValueError(raw)
        return bytes([int(raw)]) if at.bit is None else _big_endian(at, _word(int(raw) << at.bit))
    if at.type in _FLOATS:
        return _big_endian(at, _FLOATS[at.type].pack(raw))
    size = 2 * at.words
    if at.type.startswith("bcd"):
        return _big_endian(at, bytes.fromhex(str(raw).rjust(2 * size, "0")))
    return _big_endian(at, int(raw).to_bytes(size, "big", signed=at.type.startswith("i")))


def _word(raw: int) -> bytes:
    return raw.to_bytes(2, "big")


def _big_endian(at: RegisterAt, data: bytes) -> bytes:
    """The bytes of ABCD, CDAB, BADC or DCBA as ABCD; its own inverse."""
    if at.order == "big" and not at.byte_swap:
        return data
    words = [data[place : place + 2] for place in range(0, len(data), 2)]
    if at.byte_swap:
        words = [word[::-1] for word in words]
    return b"".join(reversed(words) if at.order == "little" else words)
