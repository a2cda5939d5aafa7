"""Modbus TCP, the register reading functions 3 and 4, as pure functions over bytes.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b §3.1 (MBAP header), MODBUS
Application Protocol V1.1b3 §6.3, §6.4 and §7 (exceptions). Addresses are 0-based, as on the wire.
"""

import struct
from dataclasses import dataclass

from tanzheng.core.errors import BadInput

REGISTERS_MAX = 125
FUNCTIONS = (3, 4)

_REQUEST = struct.Struct(">HHHBBHH")
_HEADER = struct.Struct(">HHHB")
_LENGTH_MIN, _LENGTH_MAX = 3, 254  # unit id + at least 2 bytes; at most 253 bytes of PDU
_EXCEPTION_BIT = 0x80


class ModbusError(BadInput):
    """A device's answer that is no answer. `reason` is what the gap record says."""

    reason = "bad_reply"


class BadFrame(ModbusError):
    """Bytes that are no Modbus TCP frame: close the connection, its framing is lost."""


class WrongReply(ModbusError):
    """A frame that answers another request (transaction, unit, function or length)."""


class DeviceException(ModbusError):
    """The device refused the request with an exception code (§7)."""

    def __init__(self, code: int, where: str) -> None:
        super().__init__(f"expected values, got exception {code}, at {where}")
        self.code = code
        self.reason = f"exception_{code}"


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Read `count` registers from the 0-based `address` with function 3 or 4."""

    unit: int
    function: int
    address: int
    count: int

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise BadInput(f"expected function 3 or 4, got {self.function}, at {self}")
        if not 1 <= self.count <= REGISTERS_MAX or not 0 <= self.address <= 0x10000 - self.count:
            raise BadInput(f"expected 1 to {REGISTERS_MAX} registers within 0 to 65535, at {self}")
        if not 0 <= self.unit <= 255:
            raise BadInput(f"expected a unit id from 0 to 255, at {self}")

    def __str__(self) -> str:
        return f"unit {self.unit} function {self.function} address {self.address}+{self.count}"


@dataclass(frozen=True, slots=True)
class Frame:
    """One answer as it came: nothing in it is checked against a request yet."""

    transaction: int
    unit: int
    pdu: bytes


def encode_request(transaction: int, request: ReadRequest) -> bytes:
    """The 12 bytes that ask `request` under the 16-bit number `transaction`."""
    return _REQUEST.pack(
        transaction, 0, 6, request.unit, request.function, request.address, request.count
    )


def decode_frame(data: bytes | bytearray) -> tuple[Frame, int] | None:
    """The first frame in `data` and how many bytes it used; None where more bytes are needed.

    `BadFrame` where `data` cannot begin a frame.
    """
    if len(data) < _HEADER.size:
        return None
    transaction, protocol, length, unit = _HEADER.unpack_from(data)
    if protocol != 0:
        raise BadFrame(f"expected protocol 0, got {protocol}, at MBAP header")
    if not _LENGTH_MIN <= length <= _LENGTH_MAX:
        raise BadFrame(
            f"expected a length of {_LENGTH_MIN} to {_LENGTH_MAX}, got {length}, at MBAP header"
        )
    end = 6 + length
    if len(data) < end:
        return None
    return Frame(transaction, unit, bytes(data[_HEADER.size : end])), end


def values_of(frame: Frame, transaction: int, request: ReadRequest) -> bytes:
    """The registers in the answer to `request`: two bytes each, most significant first.

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
    expected = 2 * request.count
    if len(frame.pdu) != 2 + expected or frame.pdu[1] != expected:
        raise WrongReply(
            f"expected {expected} value bytes, got {len(frame.pdu) - 2} "
            f"(byte count {frame.pdu[1]}), at {request}"
        )
    return frame.pdu[2:]
