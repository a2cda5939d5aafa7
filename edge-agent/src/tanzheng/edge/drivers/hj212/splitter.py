"""Frames out of a stream of bytes, whatever the bytes are. Pure.

A frame is taken by its declared length, for ciphertext may hold any byte. Where the length does
not lead to a check sum, the frame ends at the first `&&` with a check sum that a line end or the
next frame follows, or whose algorithm agrees. What is decided never depends on how the bytes were
cut into pieces; nothing is decided that a later byte could change.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tanzheng.hardware.hj212.codec import LENGTH_MAX, CrcMode, crc, crc_modbus

_KEYS: Final = rb"(?i:QN|ST|CN|PW|MN|Flag|PNUM|PNO|RF|CP)="
_HEAD: Final = re.compile(rb"##([ 0-9]{0,6})(?=" + _KEYS + rb")")
_PART: Final = re.compile(rb"#(?:#(?:[ 0-9]{0,6}[A-Za-z]{0,4})?)?\Z")
"""What may still become a head."""
_NEXT: Final = re.compile(rb"##[0-9]{4}(?=" + _KEYS + rb")")
_NEXT_LINE: Final = re.compile(rb"[\r\n]{1,4}" + _NEXT.pattern)
_NEXT_LINE_BYTES: Final = 4 + 6 + 5
_END_OF_LINE: Final = re.compile(rb"&&([0-9A-Fa-f]{4})(?=\r?\n)")
_END: Final = re.compile(rb"&&(?:([0-9A-Fa-f]{4})|([^\r\n&#]{0,4})(?=[\r\n]))")
_HEX4: Final = re.compile(rb"[0-9A-Fa-f]{4}\Z")
_TAIL: Final = re.compile(rb"([^\r\n]{0,4})[\r\n]")
_CRC_TRIES: Final = 4
"""Ends whose check sum is computed before a frame is ended by its looks: bounds the work."""
FRAME_BYTES_MAX: Final = 8 + LENGTH_MAX + 6


@dataclass(frozen=True, slots=True)
class Piece:
    """One frame as it came. `carried` is its check sum as sent (perhaps empty or no hex).

    `declared` is None where the length is not four digits; `whole` is False where no end came.
    """

    raw: bytes
    segment: bytes
    carried: bytes
    declared: int | None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class _Cut:
    end: int
    """Where the data segment ends, in the buffer."""
    carried: bytes
    whole: bool = True


_Wait = Literal["wait"]
_WAIT: Final = "wait"


def crc_mode(segment: bytes, carried: bytes) -> CrcMode | None:
    """Which algorithm gives `carried` (hex digits of either case) over `segment`."""
    if _HEX4.match(carried) is None:
        return None
    sent = int(carried, 16)
    if crc(segment) == sent:
        return "hj212"
    swapped = crc_modbus(segment)
    return "modbus_le" if (swapped & 0xFF) << 8 | swapped >> 8 == sent else None


class Splitter:
    """Feed it bytes, get frames. It holds at most one frame and what was fed last.

    With `comments`, lines outside of frames that begin with `#` are no frames even if one is
    quoted in them: the form of a file of samples.
    """

    def __init__(self, comments: bool = False) -> None:
        self.skipped = 0
        """Bytes outside of frames so far, blanks and comments not counted."""
        self._comments = comments
        self._buffer = bytearray()
        self._line_start = True
        self._in_comment = False
        self._leave_frame()

    @property
    def pending(self) -> int:
        """Bytes of a frame that has begun and not ended."""
        return len(self._buffer) if self._body else 0

    def feed(self, data: bytes) -> list[Piece]:
        """The frames that are complete with `data`."""
        self._buffer += data
        return list(self._frames(final=False))

    def flush(self) -> list[Piece]:
        """The frames that can be made of the rest: no more bytes will come."""
        return list(self._frames(final=True))

    def _frames(self, final: bool) -> Iterator[Piece]:
        while self._body or self._seek(final):
            cut = self._cut(final)
            if cut == _WAIT:
                return
            yield self._take(cut)

    def _take(self, cut: _Cut) -> Piece:
        end = cut.end + len(cut.carried)
        piece = Piece(
            bytes(self._buffer[:end]),
            bytes(self._buffer[self._body : cut.end]),
            cut.carried,
            self._declared,
            cut.whole,
        )
        del self._buffer[:end]
        self._leave_frame()
        self._line_start = False
        return piece

    def _leave_frame(self) -> None:
        self._body = 0
        """Where the data segment begins in the buffer; 0 outside of a frame."""
        self._declared: int | None = None
        self._early_from = self._any_from = 0
        """Ends before these were looked at and are none (`_before_declared`, `_anywhere`)."""
        self._early_tries = self._any_tries = 0

    # -- between frames

    def _seek(self, final: bool) -> bool:
        """Throw away what comes before a frame; True where one begins the buffer."""
        while self._buffer:
            if self._comments and not self._out_of_comments(final):
                return False
            line_end = self._buffer.find(b"\n") if self._comments else -1
            head = _HEAD.search(self._buffer, 0, len(self._buffer) if line_end < 0 else line_end)
            if head is not None:
                self._enter_frame(head)
                return True
            if line_end < 0:
                part = None if final else _PART.search(self._buffer)
                self._skip(len(self._buffer) if part is None else part.start())
                return False
            self._skip(line_end + 1)
        return False

    def _out_of_comments(self, final: bool) -> bool:
        """Drop comment lines; False where more bytes are needed to know."""
        while True:
            if self._in_comment:
                line_end = self._buffer.find(b"\n")
                if line_end < 0:
                    self._buffer.clear()
                    return False
                del self._buffer[: line_end + 1]
                self._line_start, self._in_comment = True, False
            if not (self._line_start and self._buffer.startswith(b"#")):
                return bool(self._buffer)
            for at in (0, 1):
                if _HEAD.match(self._buffer, at):
                    return True
                if not final and _PART.match(self._buffer, at):
                    return False
            self._in_comment = True

    def _enter_frame(self, head: "re.Match[bytes]") -> None:
        digits = bytes(head[1])
        self._declared = int(digits) if len(digits) == 4 and digits.isdigit() else None
        length = head.end() - head.start()
        self._skip(head.start())
        self._body = self._early_from = self._any_from = length

    def _skip(self, count: int) -> None:
        if count:
            self._line_start = self._buffer[count - 1] == ord("\n")
            self.skipped += len(b"".join(self._buffer[:count].split()))
            del self._buffer[:count]

    # -- the end of a frame

    def _cut(self, final: bool) -> "_Cut | _Wait":
        if self._declared is not None:
            for rule in (self._before_declared, self._at_declared):
                cut = rule(self._body + self._declared, final)
                if cut is not None:
                    return cut
        return self._anywhere(final)

    def _before_declared(self, declared_end: int, final: bool) -> "_Cut | _Wait | None":
        """An end that comes too soon, yet is surely one: the sum agrees, or a frame follows."""
        following = _NEXT.search(self._buffer, self._body, declared_end)
        limit = following.start() if following else declared_end
        while self._early_tries < _CRC_TRIES:
            end = _END_OF_LINE.search(self._buffer, self._early_from, limit + 6)
            if end is None or end.start() + 2 >= limit:
                return None
            if not self._opens(end.start()):
                cut = _Cut(end.start() + 2, bytes(end[1]))
                if crc_mode(bytes(self._buffer[self._body : cut.end]), cut.carried):
                    return cut
                if _NEXT_LINE.match(self._buffer, end.end()):
                    return cut
                if not final and len(self._buffer) < end.end() + _NEXT_LINE_BYTES:
                    return _WAIT
                self._early_tries += 1
            self._early_from = end.end()
        return None

    def _at_declared(self, end: int, final: bool) -> "_Cut | _Wait | None":
        """The end that the length leads to, where a check sum stands there."""
        buffer = self._buffer
        if len(buffer) < end + 4 and not final:
            return _WAIT
        carried = bytes(buffer[end : end + 4])
        closed = buffer.startswith(b"&&", end - 2) and not self._opens(end - 2)
        known = len(buffer) > end + 4 or final
        if _HEX4.match(carried):
            if closed:
                return _Cut(end, carried)
            if crc_mode(bytes(buffer[self._body : end]), carried):
                if not known:
                    return _WAIT
                if bytes(buffer[end + 4 : end + 5]) in (b"", b"\r", b"\n"):
                    return _Cut(end, carried)
        elif closed:
            if tail := _TAIL.match(buffer, end):
                return _Cut(end, bytes(tail[1]))
            if final and len(buffer) < end + 5:
                return _Cut(end, carried)
        # An end that comes one byte too soon is whole only now (`_before_declared`).
        return None if final or len(buffer) >= end + 6 else _WAIT

    def _anywhere(self, final: bool) -> "_Cut | _Wait":
        """The first end that looks like one; else the frame is cut off."""
        buffer = self._buffer
        window = self._body + FRAME_BYTES_MAX
        following = _NEXT.search(buffer, self._body, window)
        limit = following.start() if following else window
        for end in _END.finditer(buffer, self._any_from, limit + 6):
            if end.start() + 2 > limit:
                break
            ended = not self._opens(end.start()) and self._ends(end, final)
            if ended == _WAIT:
                return _WAIT
            if ended:
                return _Cut(end.start() + 2, bytes(end[1] or end[2] or b""))
            self._any_from = end.end()
        if not (following or final or len(buffer) > limit + 6):
            return _WAIT
        return self._cut_off(min(limit, len(buffer)))

    def _ends(self, end: "re.Match[bytes]", final: bool) -> "bool | _Wait":
        """Does what follows `end` say that it is one?"""
        after = bytes(self._buffer[end.end() : end.end() + 1])
        if after in (b"\r", b"\n"):
            return True
        if not after:
            return True if final else _WAIT
        if _HEAD.match(self._buffer, end.end()):
            return True
        if not final and _PART.match(self._buffer, end.end()):
            return _WAIT
        if self._any_tries >= _CRC_TRIES:
            return False
        self._any_tries += 1
        segment = bytes(self._buffer[self._body : end.start() + 2])
        return crc_mode(segment, bytes(end[1] or b"")) is not None

    def _cut_off(self, limit: int) -> _Cut:
        line_end = self._buffer.find(b"\n", self._body, limit)
        return _Cut(limit if line_end < 0 else line_end, b"", whole=False)

    def _opens(self, at: int) -> bool:
        """True for the `&&` right after `CP=`: it opens the content and closes nothing."""
        return self._buffer[at - 3 : at].upper() == b"CP="
