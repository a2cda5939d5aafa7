"""Value bytes of DL/T 645-2007 → numbers and text. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from tanzheng.edge.drivers.dlt645.errors import BadBcd, WrongLength
from tanzheng.hardware.dlt645.identifiers import STAMP_BYTES, Form, Identifier

_SIGN = 0x80


@dataclass(frozen=True, slots=True)
class Value:
    """One value. `text` None: the meter does not have it (all bits set). `number` None: no number.

    `stamp` is the meter's own minute of a maximum demand, None where there was none.
    """

    text: str | None
    number: Decimal | None = None
    stamp: str | None = None


def decode_values(meaning: Identifier, data: bytes) -> tuple[Value, ...]:
    """All values in the data behind the identifier: one, or as many as a block has.

    `WrongLength` where the data has no whole number of them, `BadBcd` for digits that are none.
    """
    span = meaning.form.span
    whole = len(data) > 0 and len(data) % span == 0 if meaning.block else len(data) == span
    if not whole:
        times = "n × " if meaning.block else ""
        raise WrongLength(f"expected {times}{span} bytes, got {len(data)}, at {meaning.di}")
    parts = (data[at : at + span] for at in range(0, len(data), span))
    return tuple(_value(meaning.form, part, meaning.di) for part in parts)


def _value(form: Form, data: bytes, where: str) -> Value:
    if all(byte == 0xFF for byte in data[: form.size]):
        return Value(None)
    if form.kind == "number":
        number = _number(form, data[: form.size], where)
        stamp = _stamp(data[-STAMP_BYTES:], where) if form.stamped else None
        return Value(f"{number:f}", number, stamp)
    if form.kind == "bits":
        return Value(data[::-1].hex().upper(), Decimal(int.from_bytes(data, "little")))
    return Value(_TEXTS[form.kind](data, where))


def _number(form: Form, data: bytes, where: str) -> Decimal:
    high = data[-1]
    negative = form.signed and bool(high & _SIGN)
    if negative:
        data = data[:-1] + bytes([high & ~_SIGN])
    counts = int(_digits(data, where))
    return Decimal(-counts if negative else counts).scaleb(-form.decimals)


def _digits(data: bytes, where: str) -> str:
    """Packed BCD, low byte first, as digits; `BadBcd` where one is above 9."""
    digits = data[::-1].hex()
    if not digits.isdecimal():
        raise BadBcd(f"expected decimal digits, got {digits.upper()}, at {where}")
    return digits


def _text(data: bytes, where: str) -> str:
    text = data[::-1].strip(b"\0 ")
    if any(not 0x20 <= byte < 0x7F for byte in text):
        raise BadBcd(f"expected ASCII, got {text.hex().upper()}, at {where}")
    return text.decode("ascii")


def _date(data: bytes, where: str) -> str:
    digits = _digits(data, where)
    year, month, day, weekday = (int(digits[at : at + 2]) for at in (0, 2, 4, 6))
    if not (1 <= month <= 12 and 1 <= day <= 31 and weekday <= 7):
        raise BadBcd(f"expected YYMMDDWW, got {digits}, at {where}")
    return f"20{year:02d}-{month:02d}-{day:02d} {weekday}"


def _time(data: bytes, where: str) -> str:
    digits = _digits(data, where)
    hour, minute, second = (int(digits[at : at + 2]) for at in (0, 2, 4))
    if not (hour <= 23 and minute <= 59 and second <= 59):
        raise BadBcd(f"expected hhmmss, got {digits}, at {where}")
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def _stamp(data: bytes, where: str) -> str | None:
    """YYMMDDhhmm; None for zeros or FF, which a meter shows before its first demand."""
    if not any(data) or all(byte == 0xFF for byte in data):
        return None
    digits = _digits(data, where)
    year, month, day, hour, minute = (int(digits[at : at + 2]) for at in (0, 2, 4, 6, 8))
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59):
        raise BadBcd(f"expected YYMMDDhhmm, got {digits}, at {where}")
    return f"20{year:02d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}"


_TEXTS: dict[str, Callable[[bytes, str], str | None]] = {
    "digits": _digits,
    "text": _text,
    "date": _date,
    "time": _time,
    "stamp": _stamp,
}
