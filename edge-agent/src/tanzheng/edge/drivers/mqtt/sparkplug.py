"""Sparkplug B payloads → metrics, and the one payload a host sends: the rebirth request. Pure.

Source: Eclipse Sparkplug 3.0 specification, chapters "Payloads" and "Topics";
sparkplug_b.proto for the field numbers.
"""

import math
from dataclasses import dataclass
from typing import Final

from tanzheng.edge.drivers.mqtt.codec import PayloadRefused
from tanzheng.edge.drivers.mqtt.protobuf import Field, fields

METRICS_MAX: Final = 20_000
REBIRTH: Final = "Node Control/Rebirth"
BD_SEQ: Final = "bdSeq"
SIGNED_BITS: Final = {1: 8, 2: 16, 3: 32, 4: 64}
"""Data types Int8 … Int64: two's complement inside an unsigned field."""
NUMBER_TYPES: Final = frozenset(range(1, 12))
"""Int8 (1) to Double (10), Boolean (11)."""
BOOLEAN: Final = 11
_METRIC_FIELDS: Final = {
    1: ("name", "text"),
    2: ("alias", "unsigned"),
    3: ("t_ms", "unsigned"),
    4: ("datatype", "unsigned"),
    7: ("null", "unsigned"),
    10: ("integer", "unsigned"),
    11: ("integer", "unsigned"),
    12: ("real", "real"),
    13: ("real", "real"),
    14: ("boolean", "unsigned"),
}
"""Field of a metric → where it is kept, how it is read. is_historical (5) is not among them: a
sample has its own time, old or new."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a message. `name` None in data messages, which name it by `alias` only.

    `value` is an int as the wire has it (see `number_of`) or a finite float; None: null, not
    finite, or of a type that is no number (text, data set …).
    `quality` is the property "Quality" (192 good, 0 bad, 500 stale), None where it is not given.
    """

    name: str | None
    alias: int | None
    t_ms: int | None
    datatype: int | None
    value: int | float | None
    quality: int | None


@dataclass(frozen=True, slots=True)
class Message:
    """A Sparkplug payload; `seq` None in deaths."""

    t_ms: int | None
    seq: int | None
    metrics: tuple[Metric, ...]


@dataclass(slots=True)
class _Raw:
    """The fields of a metric before its type is known (perhaps only from its birth)."""

    name: str | None = None
    alias: int | None = None
    t_ms: int | None = None
    datatype: int | None = None
    null: int = 0
    integer: int | None = None
    real: float | None = None
    boolean: int | None = None
    quality: int | None = None


def decode_message(raw: bytes) -> Message:
    """The message in `raw`; `PayloadRefused` for anything else."""
    t_ms = seq = None
    metrics: list[Metric] = []
    for item in fields(memoryview(raw)):
        if item.number == 1:
            t_ms = item.unsigned
        elif item.number == 2:
            if len(metrics) == METRICS_MAX:
                raise PayloadRefused("too_many_metrics", f"expected at most {METRICS_MAX} metrics")
            metrics.append(_metric(item))
        elif item.number == 3:
            seq = item.unsigned
    if seq is not None and seq > 255:
        raise PayloadRefused("bad_seq", f"expected seq 0 to 255, got {seq}")
    return Message(t_ms, seq, tuple(metrics))


def number_of(metric: Metric, datatype: int | None) -> float | None:
    """The metric's value as its birth's `datatype` has it: integers on the wire are unsigned."""
    value = metric.value
    if datatype is not None and datatype not in NUMBER_TYPES:
        return None
    bits = SIGNED_BITS.get(datatype or 0)
    if bits is not None and isinstance(value, int):
        cut = value & ((1 << bits) - 1)
        value = cut - (1 << bits) if cut >> (bits - 1) else cut
    return None if value is None else float(value)


def encode_rebirth(t_ms: int) -> bytes:
    """Payload of the NCMD that asks an edge node for its births."""
    name = REBIRTH.encode()
    metric = b"\x0a" + bytes([len(name)]) + name + b"\x20" + bytes([BOOLEAN]) + b"\x70\x01"
    return b"\x08" + _encode_varint(t_ms) + b"\x12" + bytes([len(metric)]) + metric


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _metric(item: Field) -> Metric:
    raw = _Raw()
    for inner in fields(item.message):
        _take_field(raw, inner)
    return Metric(raw.name, raw.alias, raw.t_ms, raw.datatype, _value(raw), raw.quality)


def _take_field(raw: _Raw, item: Field) -> None:
    if item.number == 9:
        raw.quality = _quality(item)
    elif item.number in _METRIC_FIELDS:
        name, kind = _METRIC_FIELDS[item.number]
        setattr(raw, name, getattr(item, kind))


def _value(raw: _Raw) -> int | float | None:
    if raw.null:
        return None
    if raw.real is not None:
        return raw.real if math.isfinite(raw.real) else None
    if raw.boolean is not None:
        return float(raw.boolean != 0)
    return raw.integer


def _quality(item: Field) -> int | None:
    """The value of "Quality" in a property set (keys 1, values 2)."""
    keys: list[str] = []
    values: list[Field] = []
    for inner in fields(item.message):
        if inner.number == 1:
            keys.append(inner.text)
        elif inner.number == 2:
            values.append(inner)
    for key, value in zip(keys, values, strict=False):
        if key == "Quality":
            found = [part.unsigned for part in fields(value.message) if part.number in (3, 4)]
            return found[0] if found else None
    return None
