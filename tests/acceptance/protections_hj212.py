"""What the HJ 212 driver does against each fault, taken away. See `runner.py`."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

from acceptance.switches import protection, put
from tanzheng.edge.abc import Miss, Take
from tanzheng.edge.drivers.hj212 import codec, logger, splitter
from tanzheng.edge.drivers.hj212.driver import Hj212Line
from tanzheng.edge.drivers.hj212.logger import Logger
from tanzheng.edge.drivers.hj212.packets import Packets
from tanzheng.edge.drivers.hj212.splitter import Piece, Splitter
from tanzheng.edge.owed import OwedSlots
from tanzheng.edge.spool.store import Spool

LATE_S = 0.2


def split_before(pattern: bytes) -> None:
    """A splitter for which a frame ends where `pattern` matches."""
    feed = Splitter.feed

    def naive(self: Splitter, data: bytes) -> list[Piece]:
        pieces: list[Piece] = []
        first, *others = re.split(pattern, data)
        pieces += feed(self, first)
        for part in others:
            pieces += self.flush()
            pieces += feed(self, part)
        return pieces

    put(Splitter, "feed", naive)


@protection("frames are put together from pieces")
def a_read_is_a_frame() -> None:
    feed = Splitter.feed
    put(Splitter, "feed", lambda self, data: feed(self, data) + self.flush())


@protection("a read may hold several frames")
def one_frame_a_read() -> None:
    feed = Splitter.feed
    put(Splitter, "feed", lambda self, data: feed(self, data)[:1])


@protection("a ## inside of a frame begins none")
def any_head_begins_a_frame() -> None:
    split_before(rb"(?=##)")


@protection("a line end inside of a frame ends none")
def a_frame_is_a_line() -> None:
    split_before(rb"(?<=\r\n)")


@protection("a check sum in either case")
def upper_case_only() -> None:
    crc_mode = splitter.crc_mode

    def strict(segment: bytes, carried: bytes) -> Any:
        return crc_mode(segment, carried) if carried == carried.upper() else None

    put(splitter, "crc_mode", strict)
    put(codec, "crc_mode", strict)


@protection("check sum of a frame")
def any_check_sum() -> None:
    rules: dict[str, Any] = dict.fromkeys(logger._ALLOWED, ("hj212", "modbus_le", None))
    put(logger, "_ALLOWED", rules)


@protection("a frame may be longer than 1024")
def by_the_letter() -> None:
    put(Splitter, "_at_declared", lambda *_: None)
    put(Splitter, "_before_declared", lambda *_: None)
    put(splitter, "FRAME_BYTES_MAX", 8 + 1024 + 6)


@protection("packets in any order")
def in_order_only() -> None:
    arrived = Logger.arrived
    expected = {"next": 1}

    def strict(self: Logger, frame: Any, group: Any) -> Any:
        if frame.packet is None or frame.packet[1] != expected["next"]:
            return None
        expected["next"] += 1
        return arrived(self, frame, group)

    put(Logger, "arrived", strict)


@protection("missing packets are told")
def missing_packets_forgotten() -> None:
    put(Packets, "overdue", lambda _self, _now_s: [])


@protection("answered when durable")
def answered_at_once() -> None:
    store = Hj212Line._store
    later: set[asyncio.Task[Any]] = set()

    async def late(self: Hj212Line, owner: Logger, frames: Sequence[Any]) -> None:
        await asyncio.sleep(LATE_S)
        await store(self, owner, frames)

    async def at_once(self: Hj212Line, owner: Logger, frames: Sequence[Any]) -> list[bytes]:
        task = asyncio.create_task(late(self, owner, frames))
        later.add(task)
        task.add_done_callback(later.discard)
        return [answer for frame in frames if (answer := logger.answer_to(frame))]

    put(Hj212Line, "_store", at_once)


@protection("a frame that comes again is known")
def nothing_is_known() -> None:
    def new(_self: Logger, readings: Any, _group: Any) -> tuple[Take, int]:
        from array import array

        values = array("d", readings.values)
        return Take(readings.t_ms, tuple(readings.points), values, bytes(readings.quality)), 0

    what_was_taken_is_forgotten()
    put(Logger, "repeated", lambda _self, _frame: False)
    put(Logger, "_new", new)


@protection("what was taken before a restart is known")
def what_was_taken_is_forgotten() -> None:
    put(Spool, "arrived", lambda *_: set())


@protection("a value is of its sender's time")
def stamped_on_arrival() -> None:
    put(logger, "time_of", lambda _frame, _link, now_ms: (now_ms, ""))


@protection("each slot of a sender is a reading or a gap")
def only_silence_is_told() -> None:
    def now_only(self: OwedSlots, slot_ms: int, absence: Callable[[int], str | None]) -> list[Miss]:
        slot = range(slot_ms, slot_ms + 1000, 1000)
        return [Miss((at,), why, slot) for at in self.points if (why := absence(at)) is not None]

    put(OwedSlots, "misses", now_only)
