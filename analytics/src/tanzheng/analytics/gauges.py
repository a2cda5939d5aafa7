"""Time-weighted means of any gauge by clock hour, over clock time or over operating time. Pure.

A reading holds until the next one, for one interval at most: time beyond that is not valid. Means
are exact until they are rounded once: a value counts in whole millionths, a weight in half
milliseconds, and their products are added in two halves that fit 64 bits.
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tanzheng.analytics.accounting.rounding import ratio
from tanzheng.analytics.cems import held
from tanzheng.analytics.running import Segments
from tanzheng.analytics.series import Float64, Int64, Series
from tanzheng.core.calendar import HOUR_MS

PER_UNIT = 10**6
MEAN_DECIMALS = 6
GAUGE_MAX = 1e12
"""A larger value is a fault; with it the sums of a month would leave 64 bits."""
_SHIFT = 30


@dataclass(frozen=True, slots=True)
class GaugeHour:
    """One hour of a gauge. Times are in half milliseconds: `expected_half_ms` is the time the mean
    should rest on (clock or operating), `valid_half_ms` the part with a valid reading. `mean` has
    six decimals and is None where nothing is valid."""

    start_ms: int
    expected_half_ms: int
    valid_half_ms: int
    mean: Decimal | None

    @property
    def coverage_percent(self) -> Decimal | None:
        """Valid share of the expected time, two decimals; None where none is expected."""
        if not self.expected_half_ms:
            return None
        return ratio(100 * self.valid_half_ms, self.expected_half_ms, 2)


def gauge_hours(
    series: Series, interval_ms: int, start_ms: int, end_ms: int, running: Segments | None = None
) -> tuple[GaugeHour, ...]:
    """The hours of [start_ms, end_ms), a whole number of them.

    `running` is the same period cut at its run-state samples (`running.segments`): then only the
    operating time counts. Without it all of the time does.
    """
    usable = series.usable()
    usable = usable.where(np.abs(usable.value) <= GAUGE_MAX)
    hours = np.arange(start_ms, end_ms + 1, HOUR_MS, dtype=np.int64)
    ends = np.concatenate((hours, usable.t_ms, usable.t_ms + interval_ms))
    knots = np.unique(ends[(ends >= start_ms) & (ends <= end_ms)])
    weight = np.diff(_elapsed(knots, start_ms, running))
    value, valid = held(usable, knots[:-1], interval_ms)
    first = np.searchsorted(knots, hours[:-1])
    counted = np.where(valid, weight, 0)
    sums = weighted_sums(millionths(value), counted, first)
    expected, known = np.add.reduceat(weight, first), np.add.reduceat(counted, first)
    return tuple(
        GaugeHour(begin, total, seen, mean_of(product, seen))
        for begin, total, seen, product in zip(
            hours[:-1].tolist(), expected.tolist(), known.tolist(), sums, strict=True
        )
    )


def millionths(value: Float64) -> Int64:
    """Values of at most `GAUGE_MAX` as whole millionths."""
    return np.rint(value * PER_UNIT).astype(np.int64)


def weighted_sums(value: Int64, weight: Int64, first: Int64) -> list[int]:
    """Exact sums of value × weight over the stretches that begin at `first`.

    Bounds: values up to 10^18, weights of a stretch up to 5.4 · 10^9 together (a month of half
    milliseconds).
    """
    high = np.add.reduceat((value >> _SHIFT) * weight, first)
    low = np.add.reduceat((value & ((1 << _SHIFT) - 1)) * weight, first)
    return [
        (above << _SHIFT) + below for above, below in zip(high.tolist(), low.tolist(), strict=True)
    ]


def mean_of(product: int, weight: int, decimals: int = MEAN_DECIMALS) -> Decimal | None:
    """The mean of a sum of millionths × weight, rounded once; None without weight."""
    return ratio(product, weight * PER_UNIT, decimals) if weight else None


def _elapsed(t_ms: Int64, start_ms: int, running: Segments | None) -> Int64:
    """Half milliseconds of counted time from the period's start to each instant, exact."""
    if running is None:
        return 2 * (t_ms - start_ms)
    length, half_ms = running.length_ms, running.half_ms
    begin = start_ms + np.concatenate(([0], np.cumsum(length)[:-1]))
    before = np.concatenate(([0], np.cumsum(half_ms)[:-1]))
    at = np.searchsorted(begin, t_ms, side="right") - 1
    elapsed: Int64 = before[at] + half_ms[at] // length[at] * (t_ms - begin[at])
    return elapsed
