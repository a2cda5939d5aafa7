"""Totals from counters: the reading at the end less the reading at the start.

A counter goes on while nobody reads it, so a total survives every gap between its two readings.
Only a gap *at* a boundary matters: then the nearest valid reading stands in and a finding says so.
Where it rolled over, was reset or swapped, the ledger's lifts are added (see `ledger`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import numpy as np

from tanzheng.analytics.accounting.rounding import exact
from tanzheng.analytics.errors import CounterBoundaryMissing
from tanzheng.analytics.ledger import Correction, Mended, mend
from tanzheng.analytics.series import Series
from tanzheng.analytics.steps import CounterStep
from tanzheng.core.calendar import HOUR_MS, MINUTE_MS, PlantZone

BOUNDARY_TOLERANCE_MS = HOUR_MS


@dataclass(frozen=True, slots=True)
class Boundary:
    """A counter reading that stands for the instant `wanted_ms`; `value` in the counter's unit."""

    wanted_ms: int
    t_ms: int
    value: Decimal

    @property
    def exact(self) -> bool:
        """True where it was read at the very instant."""
        return self.t_ms == self.wanted_ms


@dataclass(frozen=True, slots=True)
class CounterMonth:
    """A counter over a period: both boundary readings, its mended readings, and the instants
    where it ran backwards and no ledger says why."""

    point: str
    opening: Boundary
    closing: Boundary
    decreases_ms: tuple[int, ...]
    mended: Mended

    @property
    def total(self) -> Decimal:
        """Closing less opening reading and the lifts between them, exact, in the counter's unit."""
        lift = self.mended.lift(self.opening.t_ms, self.closing.t_ms)
        return self.closing.value - self.opening.value + lift

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """What the ledger says of the period, applied or not."""
        return self.mended.corrections


def counter_month(
    point: str, series: Series, start_ms: int, end_ms: int, steps: Sequence[CounterStep] = ()
) -> CounterMonth:
    """The counter `point` over [start_ms, end_ms]; `CounterBoundaryMissing` where an end is open.

    A fall that none of `steps` explains is reported, not repaired: the total leaves it in, and a
    rule keeps such a month from being deposited.
    """
    mended = mend(series.between(start_ms, end_ms), steps)
    return CounterMonth(
        point,
        _nearest(point, mended.series, start_ms),
        _nearest(point, mended.series, end_ms),
        _falls(mended),
        mended,
    )


def _falls(mended: Mended) -> tuple[int, ...]:
    explained = {correction.t_ms for correction in mended.corrections if correction.applied}
    falls = np.flatnonzero(np.diff(mended.series.value) < 0) + 1
    return tuple(t_ms for t_ms in mended.series.t_ms[falls].tolist() if t_ms not in explained)


def hourly_differences(mended: Mended, hour_starts_ms: Sequence[int]) -> list[Decimal | None]:
    """Differences over each clock hour, None where a reading at one of its ends is missing."""
    usable = mended.series
    ends = np.array([*hour_starts_ms, hour_starts_ms[-1] + HOUR_MS], dtype=np.int64)
    at = np.searchsorted(usable.t_ms, ends)
    known = at < len(usable)
    known[known] = usable.t_ms[at[known]] == ends[known]
    readings = [
        (end, exact(float(usable.value[index]))) if ok else None
        for end, index, ok in zip(ends.tolist(), at.tolist(), known.tolist(), strict=True)
    ]
    return [
        None
        if first is None or last is None
        else last[1] - first[1] + mended.lift(first[0], last[0])
        for first, last in pairwise(readings)
    ]


def _nearest(point: str, usable: Series, wanted_ms: int) -> Boundary:
    distance = np.abs(usable.t_ms - wanted_ms)
    best = int(np.argmin(distance)) if len(usable) else 0
    if not len(usable) or distance[best] > BOUNDARY_TOLERANCE_MS:
        found = f"the nearest at {_utc(usable.t_ms[best])}" if len(usable) else "none in the month"
        raise CounterBoundaryMissing(
            f"counter {point}: expected a valid reading within "
            f"{BOUNDARY_TOLERANCE_MS // MINUTE_MS} minutes of {_utc(wanted_ms)}, got {found}"
        )
    return Boundary(wanted_ms, int(usable.t_ms[best]), exact(usable.value[best]))


def _utc(t_ms: int) -> str:
    return PlantZone(0).datetime(int(t_ms)).isoformat()
