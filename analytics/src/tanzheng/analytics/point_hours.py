"""Clock hours of many points at once: what the platform shows and searches, hour by hour. Pure.

The same semantics as a month's figures: a gauge's hour is the time-weighted mean of its valid
readings, each held until the next one, for one interval at most (`gauges`); a counter's is the
difference of its readings at the hour's two ends, steps mended (`counters`). Equal readings give
equal hours, however they came and however often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from tanzheng.analytics.counters import hourly_differences
from tanzheng.analytics.errors import SeriesInvalid
from tanzheng.analytics.gauges import (
    GAUGE_MAX,
    MEAN_DECIMALS,
    mean_of,
    millionths,
    weighted_sums,
)
from tanzheng.analytics.ledger import mend
from tanzheng.analytics.series import EMPTY, VALID_CODES, Bool, Float64, Int64, Series, UInt8
from tanzheng.analytics.slot_sums import SlotSums
from tanzheng.analytics.steps import CounterStep, on_grid
from tanzheng.core.calendar import HOUR_MS
from tanzheng.core.quality import Quality


@dataclass(frozen=True, slots=True)
class PointKind:
    """How the hours of a point are made: `counter`, or else as of a gauge; its interval."""

    name: str
    counter: bool
    interval_ms: int


@dataclass(frozen=True, eq=False)
class Readings:
    """Readings of several points in any order: index of the point, instant, value, quality."""

    point: Int64
    t_ms: Int64
    value: Float64
    quality: UInt8

    def where(self, keep: Bool | Int64) -> "Readings":
        """The readings marked in `keep`, or taken in that order."""
        return Readings(self.point[keep], self.t_ms[keep], self.value[keep], self.quality[keep])


class PointHour(NamedTuple):
    """One hour of the point with that index. `value`: six decimals in the field's unit, None where
    none could be had; `quality`: the largest code among the `readings` it rests on; `valid_ms`:
    how much of the hour they cover, of a counter all or nothing."""

    point: int
    start_ms: int
    value: Decimal | None
    quality: int
    readings: int
    valid_ms: int


def point_hours(
    readings: Readings,
    points: Sequence[PointKind],
    steps: Sequence[CounterStep],
    start_ms: int,
    end_ms: int,
    phase_ms: int,
) -> list[PointHour]:
    """The hours of [start_ms, end_ms), whole ones, of every point, in order of point and time.

    `readings` must reach one interval back before `start_ms`, and to `end_ms` included; `phase_ms`
    is an instant at which slots begin. `SeriesInvalid` where two readings of one instant differ.
    """
    intervals = np.array([point.interval_ms for point in points], dtype=np.int64)
    ordered = _in_slots(_ordered(readings, points), intervals, phase_ms)
    hours = np.arange(start_ms, end_ms, HOUR_MS, dtype=np.int64)
    found = _gauge_hours(ordered, intervals, hours)
    bounds = np.searchsorted(ordered.point, np.arange(len(points) + 1))
    counters = {
        number: _series(ordered.where(np.arange(bounds[number], bounds[number + 1])))
        for number, point in enumerate(points)
        if point.counter
    }
    return _with_counters(found, points, steps, hours, phase_ms, counters)


def _series(readings: Readings) -> Series:
    return Series(readings.t_ms, readings.value, readings.quality)


def slot_sums(
    points: Sequence[PointKind], start_ms: int, end_ms: int, phase_ms: int
) -> SlotSums | None:
    """Empty sums for the hours of [start_ms, end_ms); None where slots do not end with hours."""
    intervals = [point.interval_ms for point in points]
    if any(HOUR_MS % each or (start_ms - phase_ms) % each for each in intervals):
        return None
    return SlotSums(intervals, [point.counter for point in points], start_ms, end_ms)


def hours_of(
    sums: SlotSums,
    points: Sequence[PointKind],
    steps: Sequence[CounterStep],
    start_ms: int,
    phase_ms: int,
) -> list[PointHour]:
    """What `point_hours` makes of the readings that were added to `sums`."""
    shape = sums.count.shape
    hours = np.arange(start_ms, start_ms + shape[1] * HOUR_MS, HOUR_MS, dtype=np.int64)
    known = np.where(sums.quality_any >= 0, sums.quality_any, int(Quality.COMMS))
    codes = np.where(sums.count > 0, sums.quality, known)
    valid_ms = sums.count * np.array([[point.interval_ms] for point in points], dtype=np.int64)
    counts = sums.count.ravel().tolist()
    means = [
        Decimal(units).scaleb(-MEAN_DECIMALS) if count else None
        for units, count in zip(sums.mean_millionths().ravel().tolist(), counts, strict=True)
    ]
    place = np.repeat(np.arange(shape[0]), shape[1]).tolist()
    rest = (codes.ravel().tolist(), counts, valid_ms.ravel().tolist())
    found = list(map(PointHour, place, hours.tolist() * shape[0], means, *rest))
    return _with_counters(found, points, steps, hours, phase_ms, sums.counters())


def _with_counters(
    found: list[PointHour],
    points: Sequence[PointKind],
    steps: Sequence[CounterStep],
    hours: Int64,
    phase_ms: int,
    counters: Mapping[int, Series],
) -> list[PointHour]:
    """The hours with those of counters in their places, made of the counters' readings."""
    for number, point in enumerate(points):
        if point.counter:
            told = [on_grid(s, point.interval_ms, phase_ms) for s in steps if s.point == point.name]
            mended = mend(counters.get(number, EMPTY), told)
            for at, value in enumerate(
                hourly_differences(mended, hours.tolist()), number * len(hours)
            ):
                valid_ms = HOUR_MS if value is not None else 0
                found[at] = found[at]._replace(value=value, valid_ms=valid_ms)
    return found


def _ordered(readings: Readings, points: Sequence[PointKind]) -> Readings:
    """By point and time, each reading once."""
    given = readings.where(np.argsort(readings.point, kind="stable"))
    same = np.diff(given.point) == 0
    if (same & (np.diff(given.t_ms) <= 0)).any():
        given = given.where(np.lexsort((given.t_ms, given.point)))
        twice = (np.diff(given.point) == 0) & (np.diff(given.t_ms) == 0)
        differ = twice & ((np.diff(given.value) != 0) | (given.quality[1:] != given.quality[:-1]))
        if differ.any():
            at = int(np.flatnonzero(differ)[0])
            name = points[int(given.point[at])].name
            raise SeriesInvalid(f"{name}: two readings of t_ms {given.t_ms[at]} differ")
        given = given.where(np.concatenate(([True], ~twice)))
    return given


def _in_slots(readings: Readings, intervals: Int64, phase_ms: int) -> Readings:
    """The first reading of each slot, at the slot's instant."""
    slots = readings.t_ms - (readings.t_ms - phase_ms) % intervals[readings.point]
    first = (np.diff(slots, prepend=-1) != 0) | (np.diff(readings.point, prepend=-1) != 0)
    slotted = Readings(readings.point, slots, readings.value, readings.quality)
    return slotted if first.all() else slotted.where(first)


def _gauge_hours(readings: Readings, intervals: Int64, hours: Int64) -> list[PointHour]:
    usable = np.isin(readings.quality, VALID_CODES) & (np.abs(readings.value) <= GAUGE_MAX)
    good = readings if usable.all() else readings.where(usable)
    shape = len(intervals), len(hours)
    key, value, weight = _pieces(good, intervals, hours)
    sums, seen = [0] * (shape[0] * shape[1]), np.zeros(shape[0] * shape[1], dtype=np.int64)
    if len(key):
        first = np.flatnonzero(np.diff(key, prepend=-1))
        at = key[first]
        for place, product in zip(at.tolist(), weighted_sums(value, weight, first), strict=True):
            sums[place] = product
        seen[at] = np.add.reduceat(weight, first)
    counts, codes = _counted(good, hours, shape), _codes(good, readings, hours, shape)
    starts = hours.tolist() * shape[0]
    return [
        PointHour(place // shape[1], starts[place], mean_of(product, weight), code, count, weight)
        for place, (product, weight, code, count) in enumerate(
            zip(sums, seen.tolist(), codes.tolist(), counts.tolist(), strict=True)
        )
    ]


def _pieces(good: Readings, intervals: Int64, hours: Int64) -> tuple[Int64, Int64, Int64]:
    """(point · hours + hour, value in millionths, milliseconds) of each stretch that a reading
    holds within one hour, in the order of the first."""
    last = np.concatenate((np.diff(good.point) != 0, [True])) if len(good.point) else np.empty(0)
    until = good.t_ms + intervals[good.point]
    following = np.concatenate((good.t_ms[1:], [0]))[: len(good.t_ms)]
    until = np.where(last, until, np.minimum(until, following))
    begin, end_ms = np.maximum(good.t_ms, hours[0]), int(hours[-1]) + HOUR_MS
    until = np.minimum(until, end_ms)
    value, point, parts = millionths(good.value), good.point, list[tuple[Int64, Int64, Int64]]()
    while (left := begin < until).any():
        begin, until, value, point = begin[left], until[left], value[left], point[left]
        hour = (begin - hours[0]) // HOUR_MS
        stop = np.minimum(until, hours[0] + (hour + 1) * HOUR_MS)
        parts.append((point * len(hours) + hour, value, stop - begin))
        begin = stop
    if len(parts) == 1:
        return parts[0]
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)] or [good.t_ms[:0]] * 3
    order = np.argsort(joined[0], kind="stable")
    return joined[0][order], joined[1][order], joined[2][order]


def _counted(good: Readings, hours: Int64, shape: tuple[int, int]) -> Int64:
    """How many readings begin in each hour."""
    key, _ = _keys(good, hours)
    return np.bincount(key, minlength=shape[0] * shape[1]).astype(np.int64)


def _codes(good: Readings, all_of: Readings, hours: Int64, shape: tuple[int, int]) -> Int64:
    """The largest quality code of the good readings, else of the others, else "no connection"."""
    found = np.full(shape[0] * shape[1], -1, dtype=np.int64)
    for readings in (all_of, good):
        key, inside = _keys(readings, hours)
        best = np.full(len(found), -1, dtype=np.int64)
        if readings.quality.any():
            np.maximum.at(best, key, readings.quality[inside].astype(np.int64))
        else:
            best[key] = 0
        found = np.where(best >= 0, best, found)
    return np.where(found >= 0, found, int(Quality.COMMS))


def _keys(readings: Readings, hours: Int64) -> tuple[Int64, Bool]:
    inside = (readings.t_ms >= hours[0]) & (readings.t_ms < hours[-1] + HOUR_MS)
    hour = (readings.t_ms[inside] - hours[0]) // HOUR_MS
    key: Int64 = readings.point[inside] * len(hours) + hour
    return key, inside
