"""What lies in the spool before it is sealed, and its bytes. Pure.

The bytes are private to one gateway's disk. They become evidence only when a batch is signed over
what they say. An entry with readings is a fixed head, a record for each take (instant, count, first
point), then point numbers where they are not a plain range, all values, all quality codes, and a
tail of CBOR with misses and events: written and read without a step for each value.

Entries of spool version 1 were CBOR lists with one outcome for each point; they are still read.
"""

import math
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tanzheng.core import cbor, closed
from tanzheng.core.batch import Event
from tanzheng.core.errors import EncodingError
from tanzheng.edge.abc import Miss, Take

_SLOT, _ARRIVAL, _GAP = 1, 2, 3
_HEAD = struct.Struct("<BqIIqqI")
"""Kind, slot, takes, readings, first and last instant of a take, bytes of point numbers."""
_TAKE_BYTES = 16
"""Instant (int64); points (uint64): first × 65536 + count, or LISTED + count where they are no
range."""
_LISTED = 1 << 40
_OLD_SLOT, _OLD_GAP, _OLD_EVENT = 0, 1, 2

INSTANT_MAX = 2**53
LAYOUTS_MAX = 4096

Block = tuple[int, ...] | int
"""The points of a take: `points_of` says which."""

Packed = tuple[int, Block, bytes, bytes]
"""A take as it lies on disk: instant, points, values (float64), quality codes."""


@dataclass(frozen=True, slots=True)
class SlotEntry:
    """One slot: what was read in it, what was missed, what happened."""

    slot_ms: int
    takes: tuple[Take, ...] = ()
    misses: tuple[Miss, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def last_ms(self) -> int:
        return self.slot_ms


@dataclass(frozen=True, slots=True)
class ArrivalEntry:
    """What came outside of any slot: a push source's data, events. It moves no slot."""

    takes: tuple[Take, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def last_ms(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Cadence:
    """Points that are read at the same instants: each `interval_ms`, shifted by `phase_ms`.

    `points` None = all of the point set.
    """

    points: tuple[int, ...] | None
    interval_ms: int
    phase_ms: int = 0

    def slots(self, from_ms: int, to_ms: int) -> range:
        """Its instants from `from_ms` to before `to_ms`."""
        first = from_ms + (self.phase_ms - from_ms) % self.interval_ms
        return range(first, to_ms, self.interval_ms)


@dataclass(frozen=True, slots=True)
class GapEntry:
    """Time from `from_ms` to before `to_ms` in which nothing was read at any cadence."""

    from_ms: int
    to_ms: int
    reason: str
    cadences: tuple[Cadence, ...]

    @property
    def last_ms(self) -> int:
        """The newest slot in it."""
        return max(
            (
                slots[-1]
                for each in self.cadences
                if (slots := each.slots(self.from_ms, self.to_ms))
            ),
            default=self.from_ms,
        )


Entry = SlotEntry | ArrivalEntry | GapEntry


def readings_of(entry: Entry) -> int:
    """How many values `entry` holds."""
    return 0 if isinstance(entry, GapEntry) else sum(len(take.values) for take in entry.takes)


_Layout = tuple[tuple[int, ...], int, bytes, int]
"""The points of a take, how they are written (number and list), how many."""


class EntryCodec:
    """Writes entries; remembers how the points of a take are written, by the tuple's identity."""

    def __init__(self) -> None:
        self._layouts: dict[int, _Layout] = {}

    def encode(self, entry: Entry) -> bytes:
        """The bytes of `entry`; `EncodingError` where a take's parts differ in length."""
        if isinstance(entry, GapEntry):
            return _encode_gap(entry)
        if isinstance(entry, SlotEntry):
            kind, misses = _SLOT, entry.misses
        else:
            kind, misses = _ARRIVAL, ()
        heads: list[int] = []
        listed, values, quality = [], [], []
        layouts = self._layouts
        for take in entry.takes:
            points = take.points
            known = layouts.get(id(points))
            if known is None or known[0] is not points:
                known = self._learn(points)
            if not known[3] == len(take.values) == len(take.quality) or take.t_ms < 0:
                raise EncodingError(f"take: expected equal lengths and an instant, got {take}")
            heads += (take.t_ms, known[1])
            if known[2]:
                listed.append(known[2])
            values.append(take.values)
            quality.append(take.quality)
        numbers, codes = b"".join(listed), b"".join(quality)
        head = _HEAD.pack(
            kind, entry.last_ms, len(values), len(codes), min(heads[::2], default=0),
            max(heads[::2], default=0), len(numbers),
        )  # fmt: skip
        takes = struct.pack(f"<{len(heads)}Q", *heads)
        tail = _tail(misses, entry.events) if misses or entry.events else b""
        return b"".join((head, takes, numbers, *values, codes, tail))

    def _learn(self, points: tuple[int, ...]) -> _Layout:
        if len(self._layouts) >= LAYOUTS_MAX:  # a driver that makes new tuples all the time
            self._layouts.clear()
        first, count = points[0] if points else 0, len(points)
        if points == tuple(range(first, first + count)):
            layout = (points, first << 16 | count, b"", count)
        else:
            layout = (points, _LISTED | count, array("H", points).tobytes(), count)
        self._layouts[id(points)] = layout
        return layout


def encode_entry(entry: Entry) -> bytes:
    """The bytes of `entry`, by a codec used once."""
    return EntryCodec().encode(entry)


@dataclass(frozen=True, slots=True)
class Summary:
    """What an entry's head says; all 0 for a gap. Times bound the instants of its readings."""

    readings: int
    first_ms: int
    last_ms: int


def summary(body: bytes) -> Summary:
    """The size of the entry in `body`, without reading its values."""
    if not body or body[0] not in (_SLOT, _ARRIVAL):
        return Summary(0, 0, 0)
    try:
        _, _, _, readings, first_ms, last_ms, _ = _HEAD.unpack_from(body)
    except struct.error as error:
        raise EncodingError(f"spool entry: expected a head, got {error}") from error
    return Summary(readings, first_ms, last_ms)


def is_packed(body: bytes) -> bool:
    """Whether `body` is an entry that `unpack` reads."""
    return body[:1] in (b"\x01", b"\x02")


def is_arrival(body: bytes) -> bool:
    """Whether `body` is what came outside of any slot."""
    return body[:1] == b"\x02"


Layout = tuple[tuple[int, ...], bytes]
"""Which points the takes of an entry have: how each is written, and the point numbers of lists."""


class Parts(NamedTuple):
    """An entry with readings, cut at its seams: slot (0: none), instant of each take, then all
    values and all quality codes, one take after another."""

    slot_ms: int
    layout: Layout
    times: tuple[int, ...]
    values: bytes
    quality: bytes
    misses: Sequence[Miss]
    events: Sequence[Event]


def cut(body: bytes) -> Parts:
    """The parts of an entry with readings, version 2."""
    try:
        _, slot_ms, count, readings, _, _, number_bytes = _HEAD.unpack_from(body)
        numbers_at = _HEAD.size + count * _TAKE_BYTES
        values_at = numbers_at + number_bytes
        quality_at = values_at + 8 * readings
        end = quality_at + readings
        if end > len(body):
            raise EncodingError(f"spool entry: expected {end} bytes, got {len(body)}")
        heads = struct.unpack(f"<{2 * count}q", body[_HEAD.size : numbers_at])
    except struct.error as error:
        raise EncodingError(f"spool entry: expected readings, got {error}") from error
    misses, events = _read_tail(body[end:]) if end < len(body) else ((), ())
    return Parts(
        slot_ms, (heads[1::2], body[numbers_at:values_at]), heads[::2],
        body[values_at:quality_at], body[quality_at:end], misses, events,
    )  # fmt: skip


def blocks_of(layout: Layout, readings: int) -> list[Block]:
    """The points of each take; `EncodingError` where these are not `readings` in all."""
    blocks: list[Block] = []
    words, numbers = layout
    at = 0
    for word in words:
        block: Block = word
        if word & _LISTED:
            end = at + 2 * (word & 0xFFFF)
            try:
                block = tuple(array("H", numbers[at:end]))
            except ValueError as error:  # half a point number
                raise EncodingError(f"spool entry: expected points, got {error}") from error
            at = end
        blocks.append(block)
    if sum(word & 0xFFFF for word in words) != readings:
        raise EncodingError("spool entry: expected as many readings as its head says")
    return blocks


def packed_of(parts: Parts) -> list[Packed]:
    """The takes of an entry, one by one."""
    packed: list[Packed] = []
    start = 0
    blocks = blocks_of(parts.layout, len(parts.quality))
    for t_ms, word, block in zip(parts.times, parts.layout[0], blocks, strict=True):
        end = start + (word & 0xFFFF)
        packed.append((t_ms, block, parts.values[8 * start : 8 * end], parts.quality[start:end]))
        start = end
    return packed


def unpack(body: bytes) -> tuple[list[Packed], Sequence[Miss], Sequence[Event], int]:
    """Takes, misses, events and slot (0: none) of an entry with readings, version 2."""
    parts = cut(body)
    return packed_of(parts), parts.misses, parts.events, parts.slot_ms


def points_of(block: Block) -> Sequence[int]:
    """The points of a take, rising or as the driver has them."""
    if isinstance(block, tuple):
        return block
    return range(block >> 16, (block >> 16) + (block & 0xFFFF))


def decode_entry(body: bytes) -> Entry:
    """The entry in `body`; `EncodingError` where the disk gave back something else."""
    kind = body[0] if body else 0
    if kind == _GAP:
        return _decode_gap(body)
    if kind not in (_SLOT, _ARRIVAL):
        return _decode_old(body)
    packed, misses, events, slot_ms = unpack(body)
    takes = tuple(Take(t, tuple(points_of(block)), _floats(v), q) for t, block, v, q in packed)
    if kind == _SLOT:
        return SlotEntry(slot_ms, takes, tuple(misses), tuple(events))
    if misses or slot_ms:
        raise EncodingError("spool entry: expected an arrival without a slot, got one")
    return ArrivalEntry(takes, tuple(events))


def _floats(data: bytes) -> "array[float]":
    values = array("d")
    values.frombytes(data)
    if not math.isfinite(sum(values)) and not all(map(math.isfinite, values)):
        raise EncodingError("spool entry: expected finite values")
    return values


def _tail(misses: Iterable[Miss], events: Iterable[Event]) -> bytes:
    return cbor.dumps(
        [
            [_told(miss) for miss in misses],
            [[event.t_ms, event.kind, dict(event.detail)] for event in events],
        ]
    )


def _told(miss: Miss) -> list[Any]:
    points, slots = array("H", miss.points).tobytes(), miss.slots
    if slots is None:
        return [points, miss.reason]
    return [points, miss.reason, slots.start, slots.stop, slots.step]


def _miss(points: bytes, reason: object, *slots: int) -> Miss:
    own = range(*slots) if slots else None
    if own is not None and (len(slots) != 3 or own.step <= 0 or not own):
        raise EncodingError(f"spool entry: expected slots of a miss, got {slots}")
    return Miss(tuple(array("H", points)), str(reason), own)


def _read_tail(data: bytes) -> tuple[Sequence[Miss], Sequence[Event]]:
    try:
        misses, events = cbor.loads(data, "spool entry")
        return (
            [_miss(*miss) for miss in misses],
            [Event(*event) for event in events],
        )
    except (TypeError, ValueError) as error:
        raise EncodingError(f"spool entry: expected misses and events, got {error}") from error


def _encode_gap(entry: GapEntry) -> bytes:
    cadences = [
        [None if each.points is None else array("H", each.points).tobytes(),
         each.interval_ms, each.phase_ms]
        for each in entry.cadences
    ]  # fmt: skip
    return bytes([_GAP]) + cbor.dumps([entry.from_ms, entry.to_ms, entry.reason, cadences])


def _decode_gap(body: bytes) -> GapEntry:
    try:
        from_ms, to_ms, reason, cadences = cbor.loads(body[1:], "spool entry")
        return GapEntry(from_ms, to_ms, str(reason), tuple(_cadence(*each) for each in cadences))
    except (TypeError, ValueError) as error:
        raise EncodingError(f"spool entry: expected a gap, got {error}") from error


def _cadence(points: bytes | None, interval_ms: int, phase_ms: int) -> Cadence:
    if interval_ms <= 0:
        raise EncodingError(f"spool entry: expected an interval, got {interval_ms}")
    return Cadence(None if points is None else tuple(array("H", points)), interval_ms, phase_ms)


def _decode_old(body: bytes) -> Entry:
    """An entry of spool version 1."""
    parts = closed.typed(cbor.loads(body, "spool entry"), list, "spool entry")
    try:
        kind, *rest = parts
        if kind == _OLD_SLOT:
            return _old_slot(*rest)
        if kind == _OLD_GAP:
            from_ms, to_ms, interval_ms, reason = rest
            cadence = Cadence(None, interval_ms, from_ms % interval_ms)
            return GapEntry(from_ms, to_ms, str(reason), (cadence,))
        if kind == _OLD_EVENT:
            return ArrivalEntry((), (Event(*rest),))
    except (TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError) as error:
        raise EncodingError(f"spool entry: expected a known shape, got {error}") from error
    raise EncodingError(f"spool entry: expected kind 0 to 2, got {kind!r}")


def _old_slot(
    slot_ms: int, quality: int, values: bytes, missed: Mapping[str, Sequence[int]]
) -> SlotEntry:
    outcomes: Any = array("d", values)
    failed = {index for indices in missed.values() for index in indices}
    points = tuple(index for index in range(len(outcomes)) if index not in failed)
    take = Take(
        slot_ms, points, array("d", [outcomes[index] for index in points]),
        bytes([quality]) * len(points),
    )  # fmt: skip
    misses = tuple(Miss(tuple(indices), reason) for reason, indices in missed.items())
    return SlotEntry(slot_ms, (take,) if points else (), misses)
