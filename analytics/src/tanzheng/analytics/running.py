"""When a unit ran, from samples of its run state.

Between two neighbouring samples the state is taken by the trapezoid rule: equal states mean that
state, different ones count half. A start or stop lies somewhere between its two samples, so each
shifts the operating time by at most half a polling interval, and neither way on average. Times are
in *half milliseconds* to stay whole.

Across a gap (samples further apart than one and a half intervals) the same rule interpolates the
operating time, but such time is not *measured* and no CEMS value in it counts as valid.
"""

from dataclasses import dataclass

import numpy as np

from tanzheng.analytics.errors import NothingRecorded
from tanzheng.analytics.series import Bool, Int64, Series
from tanzheng.core.calendar import HOUR_MS


@dataclass(frozen=True, eq=False)
class Segments:
    """The period cut at every sample and every clock hour; all arrays have one length.

    `half_ms`: operating time in half milliseconds; `length_ms`: clock time; `measured`: between
    two samples without a gap; `sample`: index of the run-state sample whose rates stand for it
    (the earlier one unless only the later one ran: a rate belongs to the time after its sample).
    `first` holds the index of each clock hour's first segment.
    """

    half_ms: Int64
    length_ms: Int64
    measured: Bool
    sample: Int64
    first: Int64

    def by_hour(self, amount: Int64) -> Int64:
        """Sums of `amount` (one value a segment) by clock hour, exact."""
        sums: Int64 = np.add.reduceat(amount, self.first)
        return sums


def run_samples(series: Series, start_ms: int, end_ms: int) -> Series:
    """The valid samples of a run state in [start_ms, end_ms]: anything but 0 and 1 is not a state.

    `NothingRecorded` where there is none: without it no hour can be told from another.
    """
    usable = series.between(start_ms, end_ms).usable()
    samples = usable.where((usable.value == 0) | (usable.value == 1))
    if not len(samples):
        raise NothingRecorded(
            f"expected valid readings of the run state in [{start_ms}, {end_ms}] ms, got none"
        )
    return samples


def segments(samples: Series, start_ms: int, end_ms: int, interval_ms: int) -> Segments:
    """Cut [start_ms, end_ms), a whole number of clock hours, by `samples` of one point.

    Of the samples outside only the nearest on either side matter, so a stretch of a month is cut
    as the whole month is.
    """
    state = samples.value.astype(np.int64)
    hours = np.arange(start_ms, end_ms + 1, HOUR_MS, dtype=np.int64)
    knots = np.union1d(hours, samples.between(start_ms, end_ms).t_ms)
    before = np.searchsorted(samples.t_ms, knots[:-1], side="right") - 1
    left = np.maximum(before, 0)
    right = np.minimum(before + 1, len(samples) - 1)
    apart = samples.t_ms[right] - samples.t_ms[left]
    length = np.diff(knots)
    return Segments(
        half_ms=length * (state[left] + state[right]),
        length_ms=length,
        measured=(apart > 0) & (2 * apart <= 3 * interval_ms),
        sample=np.where(state[left] == 1, left, right),
        first=np.searchsorted(knots, hours[:-1]),
    )


def transitions(samples: Series) -> int:
    """How often the state changed between neighbouring samples."""
    return int(np.count_nonzero(np.diff(samples.value)))
