"""Modbus, the server's side, as pure functions: bytes of requests → bytes of replies.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b §3.1.3 (MBAP header), MODBUS over
Serial Line V1.02 §2.5.1 (RTU frame, CRC), MODBUS Application Protocol V1.1b3 §6.1–6.4 (functions
1–4) and §7 (exceptions). A device that is only read has no other functions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final, Literal, Protocol

from tanzheng.core.errors import BadInput

ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
NO_SUCH_TARGET: Final = 11  # "gateway target device failed to respond": a wrong unit id

BITS_PER_READ: Final = 2000
RTU_BYTES_MAX: Final = 256
RTU_READ_BYTES: Final = 8
_BIT_FUNCTIONS: Final = (1, 2)
_FUNCTIONS: Final = (1, 2, 3, 4)
_MBAP: Final = Struct(">HHHB")  # transaction, protocol, length of what follows it, unit id
_READ: Final = Struct(">BHH")  # function, address, count
_LENGTH_MIN, _LENGTH_MAX = 2, 254  # unit id and function; unit id and 253 bytes of PDU

Framing = Literal["tcp", "rtu"]


class FrameError(BadInput):
    """Bytes that are no Modbus TCP: the framing is lost, close the connection."""


class Registers(Protocol):
    """What a device shows."""

    registers_per_read_max: int

    def registers(self, fc: int, addr: int, count: int) -> bytes | None:
        """2 × `count` bytes, most significant first; None where an address is undefined."""

    def bits(self, fc: int, addr: int, count: int) -> bytes | None:
        """⌈`count` / 8⌉ bytes, the first bit lowest; None where an address is undefined."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; `transaction` is 0 in RTU."""

    unit: int
    pdu: bytes
    transaction: int = 0

    @property
    def read(self) -> tuple[int, int, int] | None:
        """(function, address, count) of a read; None for anything else."""
        if len(self.pdu) != _READ.size or self.pdu[0] not in _FUNCTIONS:
            return None
        fc, addr, count = _READ.unpack(self.pdu)
        return fc, addr, count


def requests_in(framing: Framing, data: bytes) -> tuple[list[Request], int]:
    """The whole requests in `data`, and how many bytes they took.

    `FrameError` where `data` cannot be Modbus TCP. In RTU bytes that begin no frame are passed
    over one by one, as a device does that waits for silence.
    """
    return _tcp_requests(data) if framing == "tcp" else _rtu_requests(data)


def reply_to(framing: Framing, request: Request, pdu: bytes) -> bytes:
    """The frame that answers `request` with `pdu`."""
    if framing == "tcp":
        return _MBAP.pack(request.transaction, 0, len(pdu) + 1, request.unit) + pdu
    frame = bytes([request.unit]) + pdu
    return frame + crc16(frame)


def answer_pdu(device: Registers, request: Request) -> bytes:
    """What `device` says to `request`: values, or an exception."""
    values = _values(device, request)
    if isinstance(values, int):
        return exception_pdu(request, values)
    return bytes([request.pdu[0], len(values)]) + values


def exception_pdu(request: Request, code: int) -> bytes:
    """The refusal of `request` with exception `code`."""
    return bytes([request.pdu[0] | 0x80, code])


def answer(
    framing: Framing,
    devices: Mapping[int, Registers],
    data: bytes,
    answered: Callable[[Request], None] | None = None,
) -> tuple[bytes, int]:
    """The replies to all whole requests in `data`, and how many bytes these took.

    Several requests may wait in one segment: their replies go out as one. A unit that is not there
    is refused by a TCP gateway and silent on a line. `answered` hears of each read that got its
    values. Errors as of `requests_in`.
    """
    replies: list[bytes] = []
    requests, used = requests_in(framing, data)
    for request in requests:
        device = devices.get(request.unit)
        if device is None:
            pdu = exception_pdu(request, NO_SUCH_TARGET) if framing == "tcp" else b""
        else:
            pdu = answer_pdu(device, request)
        if pdu:
            replies.append(reply_to(framing, request, pdu))
            if answered is not None and pdu[0] < 0x80:
                answered(request)
    return b"".join(replies), used


def crc16(data: bytes) -> bytes:
    """CRC-16/MODBUS of `data` as it goes on the wire: low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def _tcp_requests(data: bytes) -> tuple[list[Request], int]:
    requests: list[Request] = []
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
        requests.append(Request(unit, data[at + _MBAP.size : end], transaction))
        at = end
    return requests, at


def _rtu_requests(data: bytes) -> tuple[list[Request], int]:
    """Reads are 8 bytes; anything else is a request where all that is left has a right CRC."""
    requests: list[Request] = []
    at = 0
    while len(data) - at >= 4:
        end = at + RTU_READ_BYTES
        for last in dict.fromkeys((min(end, len(data)), len(data))):
            frame = data[at:last]
            if 4 <= len(frame) <= RTU_BYTES_MAX and crc16(frame[:-2]) == frame[-2:]:
                requests.append(Request(frame[0], frame[1:-2]))
                at = last
                break
        else:
            if len(data) - at < RTU_READ_BYTES:
                break
            at += 1
    return requests, at


def _values(device: Registers, request: Request) -> bytes | int:
    """The value bytes that answer `request`, or an exception code."""
    if request.pdu[0] not in _FUNCTIONS:
        return ILLEGAL_FUNCTION
    if request.read is None:
        return ILLEGAL_VALUE
    fc, addr, count = request.read
    by_bits = fc in _BIT_FUNCTIONS
    if not 1 <= count <= (BITS_PER_READ if by_bits else device.registers_per_read_max):
        return ILLEGAL_VALUE
    values = device.bits(fc, addr, count) if by_bits else device.registers(fc, addr, count)
    return ILLEGAL_ADDRESS if values is None else values


def _crc_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
    return byte


_CRC_TABLE: Final = tuple(map(_crc_entry, range(256)))
