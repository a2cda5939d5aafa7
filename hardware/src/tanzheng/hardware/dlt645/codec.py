"""The meter's side of DL/T 645-2007 as pure functions: arithmetic of frames, replies, values.

Source: DL/T 645-2007 §5 (frame), §7 (control codes). A reply only can be built here: there is no
way to make a request, so nothing that imports this module can write to a meter.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from tanzheng.core.errors import BadInput
from tanzheng.hardware.dlt645.identifiers import STAMP_BYTES, Form

START, END, WAKE = 0x68, 0x16, 0xFE
OFFSET = 0x33
REPLY, MORE, REFUSED = 0x80, 0x20, 0x40
HEADER_BYTES, TRAILER_BYTES = 10, 2
LENGTH_MAX = 200
"""Data bytes of a read reply (§5.3.4); a request has fewer."""
READ, READ_FOLLOWING, READ_ADDRESS = 0x11, 0x12, 0x13

_SHIFT = bytes((byte + OFFSET) & 0xFF for byte in range(256))
_UNSHIFT = bytes((byte - OFFSET) & 0xFF for byte in range(256))


def shifted(data: bytes) -> bytes:
    """The data field as it is sent: 33 added to each byte."""
    return data.translate(_SHIFT)


def unshifted(data: bytes) -> bytes:
    """The data field as it was meant."""
    return data.translate(_UNSHIFT)


def checksum(data: bytes | bytearray) -> int:
    """The sum modulo 256, from the first 68 to the last data byte as sent."""
    return sum(data) & 0xFF


def address_bytes(address: str) -> bytes:
    """ "000000000161" → 61 01 00 00 00 00; AA for wildcards."""
    return bytes.fromhex(address)[::-1]


def reply(
    address: str, function: int, data: bytes, *, more: bool = False, refused: bool = False
) -> bytes:
    """What a meter answers to the request `function` (11, 12, 13): `data` as it is meant."""
    control = function | REPLY | (MORE if more else 0) | (REFUSED if refused else 0)
    head = bytes([START, *address_bytes(address), START, control, len(data)]) + shifted(data)
    return head + bytes([checksum(head), END])


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked of a meter: `data` as it was meant."""

    address: str
    function: int
    data: bytes


def next_request(buffer: bytearray) -> Request | None:
    """Take the first whole request out of `buffer`, and what lies before it; None: wait for more.

    Never keeps more than one frame's bytes of something that is none.
    """
    while (start := buffer.find(START)) >= 0:
        del buffer[:start]
        if len(buffer) < HEADER_BYTES:
            return None
        end = HEADER_BYTES + buffer[9] + TRAILER_BYTES
        if buffer[7] == START and buffer[9] <= LENGTH_MAX:
            if len(buffer) < end:
                return None
            if buffer[end - 2] == checksum(buffer[: end - 2]) and buffer[end - 1] == END:
                frame = bytes(buffer[:end])
                del buffer[:end]
                address = frame[6:0:-1].hex().upper()
                return Request(address, frame[8], unshifted(frame[HEADER_BYTES:-TRAILER_BYTES]))
        del buffer[0]
    buffer.clear()
    return None


def encode_number(form: Form, value: Decimal | None, stamp: bytes = bytes(STAMP_BYTES)) -> bytes:
    """`value` in packed BCD, low byte first; FF bytes for None (what a meter does not have).

    `stamp` (mm hh DD MM YY) follows where the form has one. `BadInput` where it does not fit.
    """
    tail = stamp if form.stamped else b""
    if value is None:
        return b"\xff" * form.size + tail
    counts = int((abs(value) * 10**form.decimals).to_integral_value(ROUND_HALF_UP))
    digits = f"{counts:0{2 * form.size}d}"
    if (
        len(digits) > 2 * form.size
        or (form.signed and digits >= "8")
        or (value < 0 and not form.signed)
    ):
        raise BadInput(f"expected a value that fits {form}, got {value}")
    packed = bytearray(bytes.fromhex(digits)[::-1])
    if value < 0:
        packed[-1] |= 0x80
    return bytes(packed) + tail
