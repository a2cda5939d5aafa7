"""DL/T 645-2007 as its reader: requests, frames out of a stream, answers. Pure.

Only three requests exist: read data (11), read the frames that follow (12), read the address (13).
A request is a value of one of three types, its control code a member of `Read`, and `outgoing` is
the one door to the wire: it lets nothing pass but exactly one whole frame of these three.

Source: DL/T 645-2007 §5 (frame), §7 (control codes).
"""

import re
from dataclasses import dataclass
from enum import Enum

from tanzheng.core.errors import BadInput
from tanzheng.edge.drivers.dlt645.errors import (
    BadChecksum,
    BadEnd,
    CutFrame,
    Dlt645Error,
    MeterRefused,
    OldEdition,
    WriteRefused,
    WrongLength,
    WrongReply,
)
from tanzheng.hardware.dlt645.codec import (
    END,
    HEADER_BYTES,
    LENGTH_MAX,
    MORE,
    REFUSED,
    REPLY,
    START,
    TRAILER_BYTES,
    WAKE,
    address_bytes,
    checksum,
    shifted,
    unshifted,
)

WILDCARD = "AA" * 6
WAKE_BYTES_MAX = 16
FUNCTION_BITS = 0x1F
OLD_FUNCTIONS = frozenset({0x01, 0x02, 0x04, 0x0A, 0x0C, 0x0F, 0x10})
"""Functions of the 1997 edition (its §6.3) that the 2007 edition gave other codes."""

_ADDRESS = re.compile(r"(?:[0-9]{2}|AA){6}")
_DI = re.compile(r"[0-9A-F]{8}")


class Read(Enum):
    """All that this agent may ever ask of a meter."""

    DATA = 0x11
    FOLLOWING = 0x12
    ADDRESS = 0x13


@dataclass(frozen=True, slots=True)
class ReadData:
    """Read the identifier `di` (8 hex digits, upper case) of the meter `address` (12 digits)."""

    address: str
    di: str

    def encode(self) -> bytes:
        """The frame, without wake-up bytes."""
        return _request(Read.DATA, self.address, di_bytes(self.di))


@dataclass(frozen=True, slots=True)
class ReadFollowing:
    """Read frame `number` (1 to 255) of those that follow the first one of `di`."""

    address: str
    di: str
    number: int

    def encode(self) -> bytes:
        """The frame, without wake-up bytes."""
        if not 1 <= self.number <= 255:
            raise BadInput(f"expected a frame number from 1 to 255, got {self.number}")
        return _request(Read.FOLLOWING, self.address, di_bytes(self.di) + bytes([self.number]))


@dataclass(frozen=True, slots=True)
class ReadAddress:
    """Ask the only meter on the line for its address."""

    @property
    def address(self) -> str:
        """Whoever is there."""
        return WILDCARD

    def encode(self) -> bytes:
        """The frame, without wake-up bytes."""
        return _request(Read.ADDRESS, WILDCARD, b"")


Request = ReadData | ReadFollowing | ReadAddress


def di_bytes(di: str) -> bytes:
    """ "00010000" → 00 00 01 00, as it is sent but for the shift."""
    if not _DI.fullmatch(di):
        raise BadInput(f"expected 8 hex digits in capitals as data identifier, got {di!r}")
    return bytes.fromhex(di)[::-1]


def outgoing(request: Request, wake_bytes: int = 4) -> bytes:
    """The bytes of `request` behind its wake-up bytes; `WriteRefused` for anything but a read."""
    if not 0 <= wake_bytes <= WAKE_BYTES_MAX:
        raise BadInput(f"expected 0 to {WAKE_BYTES_MAX} wake-up bytes, got {wake_bytes}")
    return reads_only(bytes([WAKE]) * wake_bytes + request.encode())


def reads_only(data: bytes) -> bytes:
    """`data` itself, where it is wake-up bytes and one whole frame that reads; `WriteRefused`."""
    frame = data.lstrip(bytes([WAKE]))
    if (
        len(frame) < HEADER_BYTES + TRAILER_BYTES
        or frame[0] != START
        or frame[7] != START
        or len(frame) != HEADER_BYTES + frame[9] + TRAILER_BYTES
        or frame[8] not in {read.value for read in Read}
    ):
        raise WriteRefused(f"expected one frame with control 11, 12 or 13, got {data[:40].hex()}")
    return data


def _request(read: Read, address: str, data: bytes) -> bytes:
    if not _ADDRESS.fullmatch(address):
        raise BadInput(f"expected an address of 12 digits, got {address!r}")
    code: int = read.value
    head = bytes([START, *address_bytes(address), START, code, len(data)]) + shifted(data)
    return head + bytes([checksum(head), END])


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame whose checksum holds. `address` has 12 hex digits, `data` is as it is meant."""

    address: str
    control: int
    data: bytes

    @property
    def is_reply(self) -> bool:
        """True where a meter sent it."""
        return bool(self.control & REPLY)

    @property
    def refused(self) -> bool:
        """True where it carries an error byte."""
        return self.is_reply and bool(self.control & REFUSED)

    @property
    def more(self) -> bool:
        """True where frames follow."""
        return self.is_reply and bool(self.control & MORE)

    @property
    def function(self) -> int:
        """The control code without direction, error and follow-up bits."""
        return self.control & FUNCTION_BITS

    @property
    def di(self) -> str | None:
        """The data identifier; None where the frame has none."""
        has_one = self.function in (0x11, 0x12, 0x14) and not self.refused
        return self.data[3::-1].hex().upper() if has_one and len(self.data) >= 4 else None

    def check_edition(self) -> None:
        """`OldEdition` for a frame of DL/T 645-1997."""
        if self.function in OLD_FUNCTIONS:
            raise OldEdition(
                f"expected DL/T 645-2007, got control {self.control:02X} of the 1997 edition, "
                f"at meter {self.address}"
            )


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that have the outline of a frame and are none. `offset` counts from the first byte
    that the parser ever got. What it seems to say is never to be believed."""

    offset: int
    data: bytes

    @property
    def frame(self) -> Frame:
        """What it seems to be."""
        return _frame(self.data[: HEADER_BYTES + self.data[9]])

    @property
    def error(self) -> Dlt645Error:
        """What is wrong with it: `CutFrame`, `BadEnd` or `BadChecksum`."""
        size = HEADER_BYTES + self.data[9] + TRAILER_BYTES
        if len(self.data) < size:
            return CutFrame(f"expected {size} bytes, got {len(self.data)}")
        if self.data[-1] != END:
            return BadEnd(f"expected 16 at the end, got {self.data[-1]:02X}")
        expected = checksum(self.data[:-TRAILER_BYTES])
        return BadChecksum(f"expected checksum {expected:02X}, got {self.data[-2]:02X}")


class Parser:
    """Finds the frames in a stream, cut anyhow, with noise anywhere.

    What comes out does not depend on how the stream was cut. Behind something damaged it goes on
    one byte later, so that no whole frame is lost to a false start. Holds at most one frame's bytes
    (212) between two calls. `noise` counts bytes that belong to no frame, wake-up bytes aside.
    """

    def __init__(self) -> None:
        self.noise = 0
        self._buffer = bytearray()
        self._offset = 0

    @property
    def held(self) -> int:
        """Bytes that wait for more."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame | Damage]:
        """All that is whole or damaged after these bytes."""
        self._buffer += data
        return self._scan(ended=False)

    def finish(self) -> list[Frame | Damage]:
        """No more bytes come: what a false start held back, then an empty parser."""
        return self._scan(ended=True)

    def _scan(self, ended: bool) -> list[Frame | Damage]:
        found: list[Frame | Damage] = []
        at = 0
        while (start := self._buffer.find(START, at)) >= 0:
            self._skip(at, start)
            item, at = self._try(start, ended)
            if item is not None:
                found.append(item)
            if at == start:
                break
        else:
            self._skip(at, len(self._buffer))
            at = len(self._buffer)
        del self._buffer[:at]
        self._offset += at
        return found

    def _try(self, start: int, ended: bool) -> tuple[Frame | Damage | None, int]:
        """What begins at the 68 at `start`, and where to go on: there again for more bytes."""
        buffer, item = self._buffer, None
        size = _outline(buffer, start)
        if size is None or start + size > len(buffer):
            if not ended:
                return None, start
            if size is not None:
                item = Damage(self._offset + start, bytes(buffer[start:]))
        elif size:
            whole = bytes(buffer[start : start + size])
            if whole[-1] == END and whole[-2] == checksum(whole[:-TRAILER_BYTES]):
                return _frame(whole[:-TRAILER_BYTES]), start + size
            item = Damage(self._offset + start, whole)
        self._skip(start, start + 1)
        return item, start + 1

    def _skip(self, start: int, end: int) -> None:
        self.noise += end - start - self._buffer.count(WAKE, start, end)


def _outline(buffer: bytearray, start: int) -> int | None:
    """Bytes that a frame from `start` has: 0 where none can start there, None: not known yet."""
    length = len(buffer) - start
    if length > 7 and buffer[start + 7] != START:
        return 0
    if length < HEADER_BYTES:
        return None
    data = buffer[start + 9]
    return HEADER_BYTES + data + TRAILER_BYTES if data <= LENGTH_MAX else 0


def _frame(head: bytes) -> Frame:
    """The parts of a frame whose trailer was taken off."""
    return Frame(head[6:0:-1].hex().upper(), head[8], unshifted(head[HEADER_BYTES:]))


def answer(frame: Frame, request: Request) -> bytes:
    """What `frame` brings for `request`: value bytes, or the address with its high byte first.

    `WrongReply` for a frame of another meter, identifier, function or number; `MeterRefused` with
    the meter's error byte; `OldEdition`; `WrongLength`.
    """
    if isinstance(request, ReadAddress):
        return _address_answer(frame)
    if request.address not in (frame.address, WILDCARD):
        raise WrongReply(f"expected meter {request.address}, got {frame.address}")
    frame.check_edition()
    where = f"meter {frame.address}, {request.di}"
    function = Read.DATA if isinstance(request, ReadData) else Read.FOLLOWING
    if not frame.is_reply or frame.function != function.value:
        raise WrongReply(f"expected a reply to {function.value:02X}, got {frame.control:02X}")
    if frame.refused:
        if len(frame.data) != 1:
            raise WrongLength(f"expected 1 error byte, got {len(frame.data)}, at {where}")
        raise MeterRefused(frame.data[0], where)
    if frame.di != request.di:
        raise WrongReply(f"expected data {request.di}, got {frame.di}, at {where}")
    if isinstance(request, ReadData):
        return frame.data[4:]
    if len(frame.data) < 5 or frame.data[-1] != request.number:
        raise WrongReply(f"expected frame {request.number}, got {frame.data[-1:].hex()}")
    return frame.data[4:-1]


def _address_answer(frame: Frame) -> bytes:
    """The address as its 6 bytes, high byte first."""
    frame.check_edition()
    if frame.control != REPLY | Read.ADDRESS.value:
        raise WrongReply(f"expected a reply to 13, got {frame.control:02X}")
    if len(frame.data) != 6:
        raise WrongLength(f"expected 6 address bytes, got {len(frame.data)}")
    return frame.data[::-1]
