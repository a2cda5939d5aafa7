"""Modbus, the reading functions 1 to 4, over TCP and over RTU: pure functions over bytes.

Sources: MODBUS Messaging on TCP/IP Implementation Guide V1.0b §3.1 (MBAP header), MODBUS over
Serial Line V1.02 §2.5.1 (RTU frame) and §6.2.2 (CRC), MODBUS Application Protocol V1.1b3 §6.1–6.4
and §7 (exceptions). Addresses are 0-based, as on the wire.
"""

import struct
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Final

from tanzheng.core.errors import BadInput

REGISTERS_MAX: Final = 125
BITS_MAX: Final = 2000
ADDRESSES: Final = 0x10000
TCP_FRAME_BYTES_MAX: Final = 260
RTU_FRAME_BYTES_MAX: Final = 256

_BIT_FUNCTIONS = (1, 2)
_FUNCTIONS = (1, 2, 3, 4)
_QUESTION = struct.Struct(">BBHH")
_MBAP = struct.Struct(">HHHB")
_LENGTH_MIN, _LENGTH_MAX = 3, 254  # unit id + at least 2 bytes; at most 253 bytes of PDU
_EXCEPTION_BIT = 0x80
_EXCEPTION_RTU_BYTES = 5


class ModbusError(BadInput):
    """A device's answer that is no answer. `reason` is what the gap record says."""

    reason = "bad_reply"


class BadFrame(ModbusError):
    """Bytes that are no frame, or a frame with a wrong check: the framing is lost."""


class WrongReply(ModbusError):
    """A frame that answers another request (transaction, unit, function or length)."""


class DeviceException(ModbusError):
    """The device refused the request with an exception code (§7)."""

    def __init__(self, code: int, where: str) -> None:
        super().__init__(f"expected values, got exception {code}, at {where}")
        self.code = code
        self.reason = f"exception_{code}"


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC: Final = _crc_table()


def crc16(data: bytes | bytearray) -> int:
    """CRC-16/MODBUS of `data`; on the wire its low byte goes first."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Read `count` registers (functions 3, 4) or bits (1, 2) from the 0-based `address`.

    The rest is made once, so that a request costs two bytes of transaction number: `tcp` is what
    follows that number in the request, `tcp_reply` what must follow it in the answer up to the
    values, `tcp_size` the length of that answer; `rtu` is the whole request on a serial line.
    """

    unit: int
    function: int
    address: int
    count: int
    value_bytes: int = dataclass_field(init=False, repr=False, compare=False)
    tcp: bytes = dataclass_field(init=False, repr=False, compare=False)
    tcp_reply: bytes = dataclass_field(init=False, repr=False, compare=False)
    tcp_size: int = dataclass_field(init=False, repr=False, compare=False)
    rtu: bytes = dataclass_field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the request against the protocol (`BadInput`), and make its bytes."""
        if self.function not in _FUNCTIONS:
            raise BadInput(f"expected a function from 1 to 4, got {self.function}, at {self}")
        bits = self.function in _BIT_FUNCTIONS
        most = BITS_MAX if bits else REGISTERS_MAX
        if not 1 <= self.count <= most or not 0 <= self.address <= ADDRESSES - self.count:
            raise BadInput(f"expected 1 to {most} of 65536 addresses, at {self}")
        if not 0 <= self.unit <= 255:
            raise BadInput(f"expected a unit id from 0 to 255, at {self}")
        size = (self.count + 7) // 8 if bits else 2 * self.count
        question = _QUESTION.pack(self.unit, self.function, self.address, self.count)
        make = object.__setattr__
        make(self, "value_bytes", size)
        make(self, "tcp", b"\0\0\0\6" + question)
        make(self, "tcp_reply", struct.pack(">HHBBB", 0, size + 3, self.unit, self.function, size))
        make(self, "tcp_size", 9 + size)
        make(self, "rtu", with_crc(question))

    def __str__(self) -> str:
        return f"unit {self.unit} function {self.function} address {self.address}+{self.count}"


def with_crc(frame: bytes) -> bytes:
    """`frame` with its CRC behind it, as it goes over a serial line."""
    return frame + crc16(frame).to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Frame:
    """One answer as it came: nothing in it is checked against a request yet."""

    transaction: int
    unit: int
    pdu: bytes


def decode_frame(data: bytes | bytearray) -> tuple[Frame, int] | None:
    """The first TCP frame in `data` and how many bytes it used; None: more bytes are needed.

    `BadFrame` where `data` cannot begin a frame.
    """
    if len(data) < _MBAP.size:
        return None
    transaction, protocol, length, unit = _MBAP.unpack_from(data)
    if protocol != 0:
        raise BadFrame(f"expected protocol 0, got {protocol}, at MBAP header")
    if not _LENGTH_MIN <= length <= _LENGTH_MAX:
        raise BadFrame(
            f"expected a length of {_LENGTH_MIN} to {_LENGTH_MAX}, got {length}, at MBAP header"
        )
    end = 6 + length
    if len(data) < end:
        return None
    return Frame(transaction, unit, bytes(data[_MBAP.size : end])), end


def values_of(frame: Frame, transaction: int, request: ReadRequest) -> bytes:
    """The value bytes in the TCP answer to `request`, as they came.

    `WrongReply` where the frame answers anything else, `DeviceException` where the device refused.
    """
    if frame.transaction != transaction:
        raise WrongReply(
            f"expected transaction {transaction}, got {frame.transaction}, at {request}"
        )
    if frame.unit != request.unit:
        raise WrongReply(f"expected unit {request.unit}, got {frame.unit}, at {request}")
    function = frame.pdu[0]
    if function == request.function | _EXCEPTION_BIT and len(frame.pdu) == 2:
        raise DeviceException(frame.pdu[1], str(request))
    if function != request.function:
        raise WrongReply(f"expected function {request.function}, got {function}, at {request}")
    expected = request.value_bytes
    if len(frame.pdu) != 2 + expected or frame.pdu[1] != expected:
        raise WrongReply(
            f"expected {expected} value bytes, got {len(frame.pdu) - 2} "
            f"(byte count {frame.pdu[1]}), at {request}"
        )
    return frame.pdu[2:]


def find_rtu(
    data: bytes | bytearray, request: ReadRequest, start: int = 0
) -> tuple[bytes | None, int]:
    """The value bytes of the answer to `request` in `data` from `start` on, and where it ends.

    An RTU frame has no length and no beginning: only the bytes that would be exactly the answer
    count, wherever they begin, with unit, function, byte count and CRC. So noise, an echo of the
    request and a late answer of another length before it are passed over. (None, next `start`)
    where it is not there yet. `DeviceException` where the device refused.
    """
    function, size = request.function, request.value_bytes
    head = bytes((request.unit, function, size))
    refusal = bytes((request.unit, function | _EXCEPTION_BIT))
    for at in range(start, len(data) - _EXCEPTION_RTU_BYTES + 1):
        if data[at : at + 2] == refusal and crc16(data[at : at + _EXCEPTION_RTU_BYTES]) == 0:
            raise DeviceException(data[at + 2], str(request))
        if data[at : at + 3] == head:
            end = at + _EXCEPTION_RTU_BYTES + size
            if end > len(data):
                return None, at
            frame = bytes(data[at:end])
            # The echo of a request for three value bytes has the form of an answer.
            if crc16(frame) == 0 and frame != request.rtu:
                return frame[3:-2], end
    return None, max(start, len(data) - _EXCEPTION_RTU_BYTES + 1)
