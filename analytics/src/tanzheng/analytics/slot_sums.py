"""Sums of clock hours while readings come as agents send them: slot after slot. Pure.

Where a point's interval divides the hour, each of its readings holds for its own slot and ends
within the hour: the time-weighted mean is the plain mean of the slots, in whatever order they are
added. So a batch is added as it lies, in cache, and nothing is sorted or kept. What is not so (a
slot that comes twice, or late) is left to `point_hours`, which takes readings of any kind.
"""

from collections.abc import Sequence

import numpy as np

from tanzheng.analytics.gauges import GAUGE_MAX, millionths
from tanzheng.analytics.series import VALID_CODES, Bool, Float64, Int64, Series, UInt8
from tanzheng.core.calendar import HOUR_MS
from tanzheng.core.columns import Packed, read_together

SHIFT = 30
LOW = (1 << SHIFT) - 1
VALID_OF_CODE: Bool = np.isin(np.arange(256), VALID_CODES)


class SlotSums:
    """The hours of [start_ms, end_ms), whole ones, of points with these intervals.

    Arrays have a row a point and a column an hour: `count` of usable slots, `quality` the largest
    code among them, `quality_any` that of all readings; -1 where there is none. `readings` is how
    many were added.
    """

    def __init__(
        self, intervals_ms: Sequence[int], counters: Sequence[bool], start_ms: int, end_ms: int
    ) -> None:
        """Each interval divides the hour, and slots begin with it."""
        shape = len(intervals_ms), (end_ms - start_ms) // HOUR_MS
        self.count = np.zeros(shape, np.int64)
        self.quality, self.quality_any = np.full(shape, -1), np.full(shape, -1)
        self.readings = 0
        self._high, self._low = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._start_ms, self._span_ms = start_ms, end_ms - start_ms
        self._interval_ms = np.array(intervals_ms, np.int64)
        self._counter = np.array(counters, np.bool_)
        self._last_ms = np.full(shape[0], -(2**62))
        self._kept = list[tuple[Int64, Int64, Float64, UInt8]]()

    def add(self, place: Int64, packed: Packed) -> bool:
        """Add a batch whose column i is of the point `place[i]`, -1 for none.

        False where a reading is not in a later slot than the one before it of its point: then
        nothing of what is here counts.
        """
        values, codes = np.frombuffer(packed.values, "<f8"), np.frombuffer(packed.quality, "u1")
        end = 0
        for first, after, chunk in read_together(packed):
            t_ms = np.frombuffer(chunk, "<u4") + np.int64(packed.t0 - self._start_ms)
            shape = after - first, len(t_ms)
            start, end = end, end + shape[0] * shape[1]
            columns = values[start:end].reshape(shape), codes[start:end].reshape(shape)
            if len(t_ms) and not self._add(place[first:after], t_ms, *columns):
                return False
        return True

    def _add(self, place: Int64, t_ms: Int64, value: Float64, quality: UInt8) -> bool:
        known = place >= 0
        steps = np.where(known, self._interval_ms[place], 0)
        for step in np.unique(steps[known]).tolist():
            rows = np.flatnonzero(steps == step)
            mine = place[rows]
            slots = t_ms - t_ms % step
            if (slots[1:] == slots[:-1]).any() or (slots[0] <= self._last_ms[mine]).any():
                return False
            self._last_ms[mine] = slots[-1]
            whole = len(rows) == len(place)
            self._sum(mine, slots, *((value, quality) if whole else (value[rows], quality[rows])))
        return True

    def _sum(self, place: Int64, slots: Int64, value: Float64, quality: UInt8) -> None:
        if (counter := self._counter[place]).any():
            self._kept.append((place[counter], slots, value[counter], quality[counter]))
        low, high = np.searchsorted(slots, (0, self._span_ms))
        self.readings += value[:, low:high].size
        if low == high:
            return
        hours, value, quality = slots[low:high] // HOUR_MS, value[:, low:high], quality[:, low:high]
        first = np.flatnonzero(np.diff(hours, prepend=-1))
        at = np.ix_(place, hours[first])
        usable = VALID_OF_CODE[quality] & (np.abs(value) <= GAUGE_MAX)
        units = millionths(np.where(usable, value, 0.0))
        self._high[at] += np.add.reduceat(units >> SHIFT, first, axis=1)
        self._low[at] += np.add.reduceat(units & LOW, first, axis=1)
        self.count[at] += np.add.reduceat(usable, first, axis=1, dtype=np.int64)
        codes = quality.astype(np.int64)
        for kept, found in ((self.quality_any, codes), (self.quality, np.where(usable, codes, -1))):
            kept[at] = np.maximum(kept[at], np.maximum.reduceat(found, first, axis=1))

    def mean_millionths(self) -> Int64:
        """Means in millionths, half away from zero, rounded once; 0 where `count` is 0."""
        count = np.maximum(self.count, 1)
        high, rest = np.divmod(self._high, count)
        low, rest = np.divmod((rest << SHIFT) + self._low, count)
        floor = (high << SHIFT) + low
        return floor + np.where(floor < 0, 2 * rest > count, 2 * rest >= count)

    def counters(self) -> dict[int, Series]:
        """The readings of each counter that has any, on their slots, by index of the point."""
        if not self._kept:
            return {}
        parts = [
            (place.repeat(len(slots)), np.tile(slots, len(place)), value.ravel(), quality.ravel())
            for place, slots, value, quality in self._kept
        ]
        point, *columns = map(np.concatenate, zip(*parts, strict=True))
        order = np.argsort(point, kind="stable")
        columns[0] += self._start_ms
        found, first = np.unique(point[order], return_index=True)
        pieces = [np.split(column[order], first[1:]) for column in columns]
        return dict(zip(found.tolist(), map(Series, *pieces), strict=True))
