"""The wire format of Protocol Buffers, as much of it as Sparkplug needs. Pure, bounded, no copies.

Source: protobuf.dev, "Encoding". Groups (wire types 3 and 4) are refused, as in proto3.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from tanzheng.edge.drivers.mqtt.codec import PayloadRefused

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
_VARINT_BYTES_MAX: Final = 10
_FIXED_BYTES: Final = {FIXED64: 8, FIXED32: 4}


class Field(NamedTuple):
    """One field: its number, its wire type, its number or its bytes ("" and 0 where not that)."""

    number: int
    wire: int
    integer: int
    data: memoryview

    @property
    def text(self) -> str:
        """The field as UTF-8 text."""
        if self.wire != BYTES:
            raise refused(f"expected text in field {self.number}, got wire type {self.wire}")
        try:
            return str(self.data, "utf-8")
        except UnicodeDecodeError as error:
            raise refused(f"expected UTF-8 in field {self.number}") from error

    @property
    def real(self) -> float:
        """The field as float or double."""
        if self.wire not in _FIXED_BYTES:
            raise refused(f"expected a float in field {self.number}, got wire type {self.wire}")
        found = struct.unpack("<f" if self.wire == FIXED32 else "<d", self.data)[0]
        assert isinstance(found, float)
        return found

    @property
    def unsigned(self) -> int:
        """The field as an unsigned number."""
        if self.wire != VARINT:
            raise refused(f"expected a number in field {self.number}, got wire type {self.wire}")
        return self.integer

    @property
    def message(self) -> memoryview:
        """The bytes of the message inside."""
        if self.wire != BYTES:
            raise refused(f"expected a message in field {self.number}, got wire type {self.wire}")
        return self.data


def refused(what: str) -> PayloadRefused:
    """The refusal of a payload that is no Protocol Buffers message."""
    return PayloadRefused("not_protobuf", what)


def fields(data: memoryview) -> Iterator[Field]:
    """The fields of a message in their order; `PayloadRefused` at the first wrong byte."""
    at, nothing = 0, data[:0]
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise refused("expected a field number, got 0")
        if wire == VARINT:
            integer, at = _varint(data, at)
            yield Field(number, wire, integer, nothing)
            continue
        if wire == BYTES:
            length, at = _varint(data, at)
        elif wire in _FIXED_BYTES:
            length = _FIXED_BYTES[wire]
        else:
            raise refused(f"expected wire type 0, 1, 2 or 5, got {wire}")
        if length > len(data) - at:
            raise refused(f"expected {length} bytes in field {number}, got {len(data) - at}")
        yield Field(number, wire, 0, data[at : at + length])
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """(number below 2^64, where it ends)."""
    value = 0
    for index, byte in enumerate(data[at : at + _VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + index + 1
    raise refused("expected the end of a number, got more bytes or none")
