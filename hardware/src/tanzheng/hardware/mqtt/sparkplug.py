"""A Sparkplug B edge node, the sender's side: births, aliases, sequence, deaths. Pure.

Source: Eclipse Sparkplug 3.0 specification, chapters "Payloads" and "Operational Behavior";
sparkplug_b.proto for the field numbers.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

DOUBLE: Final = 10
INT32: Final = 3
INT64: Final = 4
UINT64: Final = 8
FLOAT: Final = 9
BOOLEAN: Final = 11
REBIRTH: Final = "Node Control/Rebirth"

Publication = tuple[str, bytes, int]
"""(topic, payload, QoS)"""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a message. `value` None is null; `quality` is the OPC code, None unsaid."""

    name: str | None
    value: int | float | None
    t_ms: int | None = None
    datatype: int | None = DOUBLE
    alias: int | None = None
    quality: int | None = None
    historical: bool = False


def varint(value: int) -> bytes:
    """A number below 2^64 in groups of seven bits, lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def encode_message(
    metrics: Iterable[Metric], t_ms: int | None = None, seq: int | None = None
) -> bytes:
    """A Payload message."""
    body = b"" if t_ms is None else _number(1, t_ms)
    body += b"".join(_bytes(2, encode_metric(metric)) for metric in metrics)
    return body if seq is None else body + _number(3, seq)


def encode_metric(metric: Metric) -> bytes:
    """A Metric message, its value in the field of its data type."""
    body = b"" if metric.name is None else _bytes(1, metric.name.encode())
    for number, item in ((2, metric.alias), (3, metric.t_ms), (4, metric.datatype)):
        body += b"" if item is None else _number(number, item)
    if metric.historical:
        body += _number(5, 1)
    if metric.quality is not None:
        value = _number(1, INT32) + _number(3, metric.quality)
        body += _bytes(9, _bytes(1, b"Quality") + _bytes(2, value))
    return body + (_number(7, 1) if metric.value is None else _value(metric.value, metric.datatype))


def _value(value: float, datatype: int | None) -> bytes:
    if datatype == BOOLEAN:
        return _number(14, int(value))
    if datatype == FLOAT:
        return varint(12 << 3 | 5) + struct.pack("<f", value)
    if datatype in (INT64, UINT64):
        return _number(11, int(value) & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, int) and datatype != DOUBLE:
        return _number(10, value & 0xFFFF_FFFF)
    return varint(13 << 3 | 1) + struct.pack("<d", value)


def _number(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def _bytes(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


@dataclass(slots=True)
class SparkplugNode:
    """An edge node with devices; `metrics` is device ("" the node itself) → metric names.

    Every method gives what is to be published next; `will` is asked for before each CONNECT.
    """

    group: str
    node: str
    metrics: Mapping[str, Sequence[str]]
    bd_seq: int = -1
    _seq: int = 0
    _alias: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Aliases are unique over the node and its devices."""
        names = [(device, name) for device, own in self.metrics.items() for name in own]
        self._alias = {pair: number for number, pair in enumerate(names, 1)}

    def will(self) -> Publication:
        """NDEATH of the session that begins: registered as the Will of its CONNECT."""
        self.bd_seq = (self.bd_seq + 1) % 256
        return self._topic("NDEATH"), self._death(), 1

    def births(
        self, t_ms: int, values: Mapping[tuple[str, str], float | None]
    ) -> list[Publication]:
        """NBIRTH and a DBIRTH for each device, at the start of a session and on request."""
        self._seq = 255
        own = [self._birth_metric("", name, t_ms, values) for name in self.metrics.get("", ())]
        control = Metric(REBIRTH, 0, t_ms, BOOLEAN)
        head = Metric("bdSeq", self.bd_seq, t_ms, INT64)
        found = [self._publication("NBIRTH", "", [head, control, *own], t_ms)]
        for device in self.metrics:
            if device:
                births = [
                    self._birth_metric(device, name, t_ms, values) for name in self.metrics[device]
                ]
                found.append(self._publication("DBIRTH", device, births, t_ms))
        return found

    def data(
        self,
        device: str,
        t_ms: int,
        values: Mapping[str, float | None],
        quality: int | None = None,
        historical: bool = False,
    ) -> Publication:
        """NDATA or DDATA: metrics by alias only, as the specification has it."""
        metrics = [
            Metric(None, value, t_ms, DOUBLE, self._alias[device, name], quality, historical)
            for name, value in values.items()
        ]
        return self._publication("DDATA" if device else "NDATA", device, metrics, t_ms)

    def device_death(self, device: str, t_ms: int) -> Publication:
        """DDEATH: the device does not answer its node."""
        return self._publication("DDEATH", device, [], t_ms)

    def death(self) -> Publication:
        """NDEATH, published before a clean disconnect."""
        return self._topic("NDEATH"), self._death(), 1

    def _death(self) -> bytes:
        return encode_message([Metric("bdSeq", self.bd_seq, None, INT64)])

    def _birth_metric(
        self,
        device: str,
        name: str,
        t_ms: int,
        values: Mapping[tuple[str, str], float | None],
    ) -> Metric:
        return Metric(name, values.get((device, name)), t_ms, DOUBLE, self._alias[device, name])

    def _publication(
        self, kind: str, device: str, metrics: Sequence[Metric], t_ms: int
    ) -> Publication:
        self._seq = (self._seq + 1) % 256
        return self._topic(kind, device), encode_message(metrics, t_ms, self._seq), 0

    def _topic(self, kind: str, device: str = "") -> str:
        tail = f"/{device}" if device else ""
        return f"spBv1.0/{self.group}/{kind}/{self.node}{tail}"
