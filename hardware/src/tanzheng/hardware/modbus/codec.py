"""Modbus TCP, the server's side, as pure functions: bytes of requests → bytes of replies.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b §3.1.3 (MBAP header), MODBUS
Application Protocol V1.1b3 §6.1–6.4 (functions 1–4) and §7 (exceptions). A device that is only
read has no other functions.
"""

from struct import Struct
from typing import Final, Protocol

from tanzheng.core.errors import BadInput

ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
NO_SUCH_TARGET: Final = 11  # "gateway target device failed to respond": a wrong unit id

BITS_PER_READ: Final = 2000
_BIT_FUNCTIONS: Final = (1, 2)
_REGISTER_FUNCTIONS: Final = (3, 4)
_MBAP: Final = Struct(">HHHB")  # transaction, protocol, length of what follows it, unit id
_READ: Final = Struct(">BHH")  # function, address, count
_REPLY: Final = Struct(">HHHBBB")  # MBAP, function, byte count
_EXCEPTION: Final = Struct(">HHHBBB")  # MBAP, function + 0x80, exception code
_LENGTH_MIN, _LENGTH_MAX = 2, 254  # unit id and function; unit id and 253 bytes of PDU


class FrameError(BadInput):
    """Bytes that are no Modbus TCP: the framing is lost, close the connection."""


class Registers(Protocol):
    """What a device shows."""

    registers_per_read_max: int

    def registers(self, fc: int, addr: int, count: int) -> bytes | None:
        """2 × `count` bytes, most significant first; None where an address is undefined."""

    def bits(self, fc: int, addr: int, count: int) -> bytes | None:
        """⌈`count` / 8⌉ bytes, the first bit lowest; None where an address is undefined."""


def answer(device: Registers, unit_id: int, data: bytes) -> tuple[bytes, int]:
    """The replies to all whole requests in `data`, and how many bytes they took.

    Several requests may wait in one segment: their replies go out as one. `FrameError` where
    `data` cannot be Modbus TCP.
    """
    replies: list[bytes] = []
    at = 0
    while len(data) - at >= _MBAP.size:
        transaction, protocol, length, unit = _MBAP.unpack_from(data, at)
        if protocol != 0 or not _LENGTH_MIN <= length <= _LENGTH_MAX:
            raise FrameError(
                f"expected protocol 0 and a length of {_LENGTH_MIN} to {_LENGTH_MAX}, "
                f"got {protocol} and {length}, at MBAP header"
            )
        end = at + 6 + length
        if end > len(data):
            break
        pdu = data[at + _MBAP.size : end]
        code = NO_SUCH_TARGET if unit != unit_id else 0
        replies.append(_reply(device, transaction, unit, pdu, code))
        at = end
    return b"".join(replies), at


def _reply(device: Registers, transaction: int, unit: int, pdu: bytes, code: int) -> bytes:
    values = code or _values(device, pdu)
    if isinstance(values, int):
        return _EXCEPTION.pack(transaction, 0, 3, unit, pdu[0] | 0x80, values)
    size = len(values)
    return _REPLY.pack(transaction, 0, size + 3, unit, pdu[0], size) + values


def _values(device: Registers, pdu: bytes) -> bytes | int:
    """The value bytes that answer `pdu`, or an exception code."""
    if pdu[0] not in _BIT_FUNCTIONS + _REGISTER_FUNCTIONS:
        return ILLEGAL_FUNCTION
    if len(pdu) != _READ.size:
        return ILLEGAL_VALUE
    fc, addr, count = _READ.unpack(pdu)
    by_bits = fc in _BIT_FUNCTIONS
    if not 1 <= count <= (BITS_PER_READ if by_bits else device.registers_per_read_max):
        return ILLEGAL_VALUE
    values = device.bits(fc, addr, count) if by_bits else device.registers(fc, addr, count)
    return ILLEGAL_ADDRESS if values is None else values
