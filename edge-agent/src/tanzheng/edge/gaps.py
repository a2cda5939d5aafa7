"""Gap records: what was missed, in as few records as say it exactly. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from tanzheng.core.batch import Column, Gap
from tanzheng.edge.abc import Miss
from tanzheng.edge.spool.records import GapEntry


class Gaps:
    """Gap records that grow while the next slot goes on missing the same points."""

    def __init__(self, points: int, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._all = tuple(range(points))
        self._open: dict[tuple[tuple[int, ...], str, int], tuple[int, int]] = {}
        self._closed: list[Gap] = []

    @property
    def records(self) -> int:
        """How many there are so far."""
        return len(self._open) + len(self._closed)

    def add_slot(self, slot_ms: int, misses: Iterable[Miss]) -> None:
        own = range(slot_ms, slot_ms + 1, self._interval_ms)
        for miss in misses:
            self._extend(miss.points, miss.reason, miss.slots or own)

    def add_entry(self, entry: GapEntry) -> None:
        for cadence in entry.cadences:
            points = self._all if cadence.points is None else cadence.points
            if slots := cadence.slots(entry.from_ms, entry.to_ms):
                self._extend(points, entry.reason, slots)

    def finish(self, columns: Sequence[Column]) -> tuple[Gap, ...]:
        """All records, without the slots of which `columns` (if any) have a reading after all."""
        for (points, reason, every_ms), (from_ms, to_ms) in self._open.items():
            self._closed.append(Gap(points, from_ms, to_ms, every_ms, reason))
        gaps = self._closed
        if columns:
            gaps = [rest for gap in gaps for rest in _unfilled(gap, columns)]
        return tuple(sorted(gaps, key=lambda gap: (gap.from_ms, gap.points)))

    def _extend(self, points: tuple[int, ...], reason: str, slots: range) -> None:
        key = (points, reason, slots.step)
        from_ms, to_ms = slots.start, slots[-1] + slots.step
        start_ms, end_ms = self._open.get(key, (from_ms, from_ms))
        if end_ms != from_ms:
            self._closed.append(Gap(points, start_ms, end_ms, slots.step, reason))
            start_ms = from_ms
        self._open[key] = (start_ms, to_ms)


def _unfilled(gap: Gap, columns: Sequence[Column]) -> Iterable[Gap]:
    """`gap`, or what is left of it where readings came late for some of its slots."""
    shared: dict[int, frozenset[int]] = {}
    for point in gap.points:
        times = columns[point].t_ms
        if id(times) not in shared:
            shared[id(times)] = _filled(gap.slots, times)
    if not any(shared.values()):
        yield gap
        return
    groups: dict[frozenset[int], list[int]] = {}
    for point in gap.points:
        groups.setdefault(shared[id(columns[point].t_ms)], []).append(point)
    for filled, points in groups.items():
        for run in _runs(gap.slots, filled):
            yield Gap(tuple(points), run.start, run.stop, gap.interval_ms, gap.reason)


def _filled(slots: range, times: Sequence[int]) -> frozenset[int]:
    """The slots in which one of `times` lies."""
    begin = bisect_left(times, slots.start)
    end = bisect_left(times, slots[-1] + slots.step, begin)
    return frozenset(t_ms - (t_ms - slots.start) % slots.step for t_ms in times[begin:end])


def _runs(slots: range, without: frozenset[int]) -> Iterable[range]:
    """The stretches of `slots` between those that are left out."""
    start = slots.start
    for out in sorted(without):
        if start < out:
            yield range(start, out, slots.step)
        start = out + slots.step
    if start < slots.stop:
        yield range(start, slots.stop, slots.step)
