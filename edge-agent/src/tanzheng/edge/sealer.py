"""From spool entries to the content of a batch, and when a batch is due. Pure.

Takes of the same points lie under one another and are cut into columns by slicing, so that no step
is made for a single value. Where every slot has the same takes, as nearly always, whole slots lie
under one another. Only points whose takes overlap or came out of order are merged one by one.
Points that were missed become gap records: neighbouring slots missed for the same reason by the
same points are one record.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from operator import le

from tanzheng.core.batch import (
    GAPS_MAX,
    GENESIS,
    READINGS_MAX,
    SPAN_MS_MAX,
    ChainHead,
    Column,
    Event,
    Gap,
)
from tanzheng.edge.gaps import Gaps
from tanzheng.edge.spool.records import (
    ArrivalEntry,
    Block,
    GapEntry,
    Packed,
    Parts,
    blocks_of,
    cut,
    decode_entry,
    encode_entry,
    is_arrival,
    is_packed,
    packed_of,
    points_of,
    summary,
)

WEIGHT_MAX = 3 << 20
"""Bytes of a batch, estimated from its entries: well below what a batch may have."""


@dataclass(frozen=True, slots=True)
class SealPolicy:
    """A batch is due at `slots_max` entries, or when the oldest waited `age_s_max` real seconds."""

    slots_max: int
    age_s_max: float

    def due(self, unsealed: int, age_s: float, full: bool) -> bool:
        """True where a batch should be sealed now.

        Age does not count while the spool is `full`: its one growing gap needs no batch.
        """
        old = age_s >= self.age_s_max and not full
        return unsealed >= self.slots_max or (unsealed > 0 and old)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch goes in its gateway's chain."""

    epoch: int
    seq: int
    prev: bytes


def next_place(head: ChainHead | None, opens_epoch: bool) -> Place:
    """The place after `head` (None: the very first); `opens_epoch` begins the epoch after it."""
    if head is None:
        return Place(1, 1, GENESIS)
    if opens_epoch:
        return Place(head.epoch + 1, 1, head.digest)
    return Place(head.epoch, head.seq + 1, head.digest)


@dataclass(frozen=True, slots=True)
class Content:
    """What a batch says. `columns[i]` belongs to point i."""

    columns: tuple[Column, ...]
    gaps: tuple[Gap, ...]
    events: tuple[Event, ...]

    @property
    def readings(self) -> int:
        return sum(map(len, self.columns))


class Builder:
    """Takes in entries (their bytes, oldest first) while they fit into one batch."""

    def __init__(self, points: int, interval_ms: int) -> None:
        self._points = points
        self._parts: list[Parts] = []
        self._gaps = Gaps(points, interval_ms)
        self._events: list[Event] = []
        self._readings = self._weight = 0
        self._span: tuple[int, int] | None = None
        self.entries = 0
        self.arrived: set[int] = set()
        """Points of which readings came by themselves, outside of any slot."""

    @property
    def span_ms(self) -> tuple[int, int]:
        """First and last instant of the readings so far."""
        return self._span or (0, 0)

    def add(self, body: bytes) -> bool:
        """Take the entry in `body`; False where the batch is full (the first always fits)."""
        size = summary(body)
        span = self._span
        if size.readings:
            span = (size.first_ms, size.last_ms) if span is None else (
                min(span[0], size.first_ms), max(span[1], size.last_ms)
            )  # fmt: skip
        weight = 2 * len(body) - 5 * size.readings  # a reading has 9 bytes here and 13 there
        if self.entries and (
            self._readings + size.readings > READINGS_MAX
            or self._weight + weight > WEIGHT_MAX
            or (span is not None and span[1] - span[0] > SPAN_MS_MAX)
            or self._gaps.records > GAPS_MAX - self._points
            or len(self._events) > GAPS_MAX // 2
        ):
            return False
        self._span = span
        self._readings += size.readings
        self._weight += weight
        self.entries += 1
        self._take(body)
        return True

    def finish(self, known: Mapping[int, AbstractSet[int]] | None = None) -> Content:
        """What all entries said, but for readings of a point whose instant is in `known`: these
        are in the chain already."""
        doubles = _Doubles()
        found = _even_columns(self._points, self._parts) or _columns(
            self._points, _blocks(self._parts), doubles
        )
        columns = tuple(
            _without(column, known[point], doubles) if known and point in known else column
            for point, column in enumerate(found)
        )
        events = self._events
        if doubles.count:
            detail = {"count": doubles.count, "differing": doubles.differing}
            events = [*events, Event(self.span_ms[1], "duplicates_removed", detail)]
        return Content(columns, self._gaps.finish(found), tuple(events))

    def _take(self, body: bytes) -> None:
        if not is_packed(body):
            entry = decode_entry(body)
            if isinstance(entry, GapEntry):
                self._gaps.add_entry(entry)
                return
            if isinstance(entry, ArrivalEntry):
                self._events += entry.events
                return
            body = encode_entry(entry)  # a slot of spool version 1
        parts = cut(body)
        if is_arrival(body):
            blocks = blocks_of(parts.layout, len(parts.quality))
            self.arrived.update(point for block in blocks for point in points_of(block))
        if parts.times:
            self._parts.append(parts)
        if parts.misses:
            self._gaps.add_slot(parts.slot_ms, parts.misses)
        self._events += parts.events


@dataclass(slots=True)
class _Block:
    """All takes of the same points."""

    points: Sequence[int]
    takes: list[Packed] = field(default_factory=list)

    def cut(self) -> "tuple[array[int], bool, array[float], bytes]":
        """Its instants, whether they rise, and all its readings, take after take."""
        t_ms, _, value_parts, quality_parts = zip(*self.takes, strict=True)
        times = array("q", t_ms)
        rising = not any(map(le, times[1:], times))
        return times, rising, array("d", b"".join(value_parts)), b"".join(quality_parts)


_Part = tuple["array[int]", "array[float]", bytes]


@dataclass(slots=True)
class _Doubles:
    """Readings of a point and an instant that another reading has already."""

    count: int = 0
    differing: int = 0


def _even_columns(points: int, entries: Sequence[Parts]) -> tuple[Column, ...] | None:
    """Columns of entries that hold the same takes, none of a point twice; None of any others."""
    layouts = {parts.layout for parts in entries}
    if len(layouts) != 1:
        return None
    count, width = len(entries), len(entries[0].quality)
    blocks = [points_of(block) for block in blocks_of(layouts.pop(), width)]
    instants = [array("q", times) for times in zip(*(p.times for p in entries), strict=True)]
    rising = not any(any(map(le, times[1:], times)) for times in instants)
    places = [point for block in blocks for point in block]
    if not rising or len(set(places)) < len(places):
        return None
    values, codes = array("d", bytes(8 * count * width)), bytearray(count * width)
    for at, parts in enumerate(entries):
        values[at::count] = array("d", parts.values)
        codes[at::count] = parts.quality
    quality, start = bytes(codes), 0
    shared = quality[:count] if quality.count(quality[:1]) == len(quality) else None
    columns = [Column(array("q"), array("d"), b"")] * points
    for times, block in zip(instants, blocks, strict=True):
        for point in block:
            end = start + count
            columns[point] = Column(times, values[start:end], shared or quality[start:end])
            start = end
    return tuple(columns)


def _blocks(entries: Iterable[Parts]) -> Iterable[_Block]:
    blocks: dict[Block, _Block] = {}
    for parts in entries:
        for take in packed_of(parts):
            block = blocks.get(take[1])
            if block is None:
                block = blocks[take[1]] = _Block(points_of(take[1]))
            block.takes.append(take)
    return blocks.values()


def _columns(points: int, blocks: Iterable[_Block], doubles: _Doubles) -> tuple[Column, ...]:
    done: list[Column | None] = [None] * points
    several: dict[int, list[_Part]] = {}
    for block in blocks:
        times, rising, values, quality = block.cut()
        width = len(block.points)
        for at, point in enumerate(block.points):
            known = done[point]
            if known is None and rising and point not in several:
                done[point] = Column(times, values[at::width], quality[at::width])
                continue
            if known is not None:
                several[point] = [(known.t_ms, known.value, known.quality)]
                done[point] = None
            several.setdefault(point, []).append((times, values[at::width], quality[at::width]))
    orders: dict[tuple[int, ...], _Order] = {}
    for point, parts in several.items():
        key = tuple(id(part[0]) for part in parts)
        if key not in orders:
            orders[key] = _order([t for part in parts for t in part[0]])
        done[point] = _merge(parts, orders[key], doubles)
    none = Column(array("q"), array("d"), b"")
    return tuple(none if column is None else column for column in done)


def _without(column: Column, known: AbstractSet[int], doubles: _Doubles) -> Column:
    """The readings of `column` whose instants are not in `known`."""
    kept = [at for at, t_ms in enumerate(column.t_ms) if t_ms not in known]
    doubles.count += len(column) - len(kept)
    return Column(
        array("q", map(column.t_ms.__getitem__, kept)),
        array("d", map(column.value.__getitem__, kept)),
        bytes(map(column.quality.__getitem__, kept)),
    )


@dataclass(frozen=True, slots=True)
class _Order:
    """How to sort readings by time: what stays in which order, what is another one's double."""

    times: "array[int]"
    kept: tuple[int, ...]
    doubles: tuple[tuple[int, int], ...]


def _order(times: Sequence[int]) -> _Order:
    """Of equal instants the first to come stays: it may be evidence already."""
    kept: list[int] = []
    doubles = []
    for index in sorted(range(len(times)), key=times.__getitem__):
        if kept and times[kept[-1]] == times[index]:
            doubles.append((kept[-1], index))
        else:
            kept.append(index)
    return _Order(array("q", [times[index] for index in kept]), tuple(kept), tuple(doubles))


def _merge(parts: Sequence[_Part], order: _Order, doubles: _Doubles) -> Column:
    values = array("d")
    for _, part, _ in parts:
        values.extend(part)
    quality = b"".join(part for *_, part in parts)
    doubles.count += len(order.doubles)
    doubles.differing += sum(
        values[first] != values[other] or quality[first] != quality[other]
        for first, other in order.doubles
    )
    return Column(
        order.times,
        array("d", map(values.__getitem__, order.kept)),
        bytes(map(quality.__getitem__, order.kept)),
    )
