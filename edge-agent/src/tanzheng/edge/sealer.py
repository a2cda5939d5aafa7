"""From spool entries to the content of a batch, and when a batch is due. Pure.

Readings become one column a point. Points that were missed become gap records: neighbouring slots
missed for the same reason by the same points are one record.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tanzheng.core.batch import GENESIS, Batch, ChainHead, ClockState, Column, Event, Gap
from tanzheng.edge.spool.records import Entry, GapEntry, SlotEntry


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


def build(
    gw: str,
    place: Place,
    points: Sequence[str],
    interval_ms: int,
    entries: Iterable[Entry],
    made_ms: int,
    clock: ClockState,
) -> Batch:
    """The unsigned batch that says what `entries` say, all of the point set `points`."""
    columns = _Columns(len(points))
    gaps = _Gaps(interval_ms, len(points))
    events: list[Event] = []
    for entry in entries:
        if isinstance(entry, SlotEntry):
            columns.add(entry)
            gaps.add_slot(entry)
        elif isinstance(entry, GapEntry):
            gaps.add_range(entry)
        else:
            events.append(entry.event)
    return Batch(
        gw=gw,
        epoch=place.epoch,
        seq=place.seq,
        prev=place.prev,
        made_ms=made_ms,
        clock=clock,
        points=tuple(points),
        columns=columns.finish(),
        gaps=gaps.finish(),
        events=tuple(events),
    )


class _Columns:
    """Readings gathered point by point."""

    def __init__(self, points: int) -> None:
        self._times = [array("q") for _ in range(points)]
        self._values = [array("d") for _ in range(points)]
        self._quality = [bytearray() for _ in range(points)]

    def add(self, entry: SlotEntry) -> None:
        for index, outcome in enumerate(entry.outcomes):
            if isinstance(outcome, float):
                self._times[index].append(entry.slot_ms)
                self._values[index].append(outcome)
                self._quality[index].append(entry.quality)

    def finish(self) -> tuple[Column, ...]:
        columns = zip(self._times, self._values, self._quality, strict=True)
        return tuple(Column(times, values, bytes(quality)) for times, values, quality in columns)


class _Gaps:
    """Gap records that grow while the next slot goes on missing the same points."""

    def __init__(self, interval_ms: int, points: int) -> None:
        self._interval_ms = interval_ms
        self._all = tuple(range(points))
        self._open: dict[tuple[tuple[int, ...], str], tuple[int, int]] = {}
        self._closed: list[Gap] = []

    def add_slot(self, entry: SlotEntry) -> None:
        missed: dict[str, list[int]] = {}
        for index, outcome in enumerate(entry.outcomes):
            if isinstance(outcome, str):
                missed.setdefault(outcome, []).append(index)
        for reason, indices in missed.items():
            self._extend(tuple(indices), reason, entry.slot_ms, entry.slot_ms + self._interval_ms)

    def add_range(self, entry: GapEntry) -> None:
        if entry.interval_ms == self._interval_ms:
            self._extend(self._all, entry.reason, entry.from_ms, entry.to_ms)
        else:
            self._closed.append(
                Gap(self._all, entry.from_ms, entry.to_ms, entry.interval_ms, entry.reason)
            )

    def finish(self) -> tuple[Gap, ...]:
        for (points, reason), (from_ms, to_ms) in self._open.items():
            self._closed.append(Gap(points, from_ms, to_ms, self._interval_ms, reason))
        return tuple(sorted(self._closed, key=lambda gap: (gap.from_ms, gap.points)))

    def _extend(self, points: tuple[int, ...], reason: str, from_ms: int, to_ms: int) -> None:
        key = (points, reason)
        start_ms, end_ms = self._open.get(key, (from_ms, from_ms))
        if end_ms != from_ms:
            self._closed.append(Gap(points, start_ms, end_ms, self._interval_ms, reason))
            start_ms = from_ms
        self._open[key] = (start_ms, to_ms)
