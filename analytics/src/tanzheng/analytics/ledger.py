"""The offset ledger: by how much a counter's readings are lifted after a step. Pure.

A gateway tells in its signed batches where a counter stepped (`counter_step`: rollover, reset,
glitch) and which meter was swapped (`meter_swap`). A counter is mended by these records and by
nothing else: a fall that no record explains stays a fall, and a record that the readings do not
show is not applied. Both are findings.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from tanzheng.analytics.accounting.rounding import exact
from tanzheng.analytics.series import Series
from tanzheng.analytics.steps import SWAP, CounterStep

SAME = Decimal("1e-9")
"""A lift is told as the difference of two float64: nearer than this part, it is that difference."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A step as applied: readings from `t_ms` on are lifted by `lift` more.

    `applied` is False where the readings do not show what the record says; `superseded` where a
    recorded swap takes the place of a step that was found.
    """

    step: CounterStep
    t_ms: int
    lift: Decimal
    applied: bool
    superseded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Mended:
    """A counter's valid readings without the wrong ones, and what was done to them, by time."""

    series: Series
    corrections: tuple[Correction, ...] = ()

    def lift(self, after_ms: int, until_ms: int) -> Decimal:
        """By how much a difference over (after_ms, until_ms] is lifted."""
        return sum((c.lift for c in self.corrections if after_ms < c.t_ms <= until_ms), Decimal(0))

    def lifted(self) -> Series:
        """The readings with their lifts added, in float64: for comparison, not for totals."""
        value = self.series.value.copy()
        for correction in self.corrections:
            value[self.series.t_ms >= correction.t_ms] += float(correction.lift)
        return Series(self.series.t_ms, value, self.series.quality)


def mend(series: Series, steps: Sequence[CounterStep]) -> Mended:
    """The valid readings of one counter, mended by the ledger's `steps` among them.

    Steps at or before the first reading and swaps behind the last belong to other periods.
    """
    usable = series.usable()
    if not steps or not len(usable):
        return Mended(usable)
    first, last = int(usable.t_ms[0]), int(usable.t_ms[-1])
    inside = [step for step in steps if first < step.t_ms <= last]
    wrong = [_wrong(usable, step) for step in inside if step.kind == "glitch"]
    dropped = np.array([c.t_ms for c in wrong if c.applied], dtype=np.int64)
    usable = usable.where(~np.isin(usable.t_ms, dropped))
    swaps = [_swapped(usable, step) for step in inside if step.kind == SWAP]
    swapped = {c.t_ms for c in swaps if c.applied}
    stepped = [_stepped(usable, step, swapped) for step in _once(inside)]
    found = sorted((*wrong, *swaps, *stepped), key=lambda c: (c.t_ms, c.step.order))
    return Mended(usable, tuple(found))


def _once(steps: Sequence[CounterStep]) -> list[CounterStep]:
    """The roll-overs and resets; of two that contradict each other at one instant, neither."""
    stepped = [step for step in steps if step.kind in ("rollover", "reset")]
    told = Counter(step.t_ms for step in stepped)
    return [replace(step, lift=None) if told[step.t_ms] > 1 else step for step in stepped]


def _wrong(usable: Series, step: CounterStep) -> Correction:
    at = _index(usable, step.t_ms)
    seen = at is not None and exact(usable.value[at]) == step.to_value
    return Correction(step, step.t_ms, Decimal(0), seen)


def _swapped(usable: Series, step: CounterStep) -> Correction:
    """A swap lies at the first fall from its instant on that fits; a rise may hide it as well."""
    assert step.lift is not None
    begin = max(int(np.searchsorted(usable.t_ms, step.t_ms)), 1)
    falls = np.flatnonzero(np.diff(usable.value[begin - 1 :]) < 0)
    across = np.flatnonzero(usable.value[begin:] >= float(step.to_value))
    for index in (*(begin + falls[:1]), begin, *(begin + across[:1])):
        at = int(index)
        if at < len(usable) and _fits(usable, at, step):
            return Correction(step, int(usable.t_ms[at]), step.lift, True)
    return Correction(step, step.t_ms, Decimal(0), False)


def _fits(usable: Series, at: int, step: CounterStep) -> bool:
    before, after = exact(usable.value[at - 1]), exact(usable.value[at])
    return before <= step.from_value and after >= step.to_value


def _stepped(usable: Series, step: CounterStep, swapped_ms: set[int]) -> Correction:
    if step.t_ms in swapped_ms:
        return Correction(step, step.t_ms, Decimal(0), False, superseded=True)
    at = _index(usable, step.t_ms)
    none = Correction(step, step.t_ms, Decimal(0), False)
    if at is None or at == 0 or step.lift is None:
        return none
    before, after = exact(usable.value[at - 1]), exact(usable.value[at])
    lift = _snapped(step.lift, step)
    if after != step.to_value or not after < before <= after + lift:
        return none
    return Correction(step, step.t_ms, lift, True)


def _snapped(lift: Decimal, step: CounterStep) -> Decimal:
    lost = step.from_value - step.to_value
    return lost if abs(lift - lost) <= SAME * abs(step.from_value) else lift


def _index(series: Series, t_ms: int) -> int | None:
    at = int(np.searchsorted(series.t_ms, t_ms))
    return at if at < len(series) and series.t_ms[at] == t_ms else None
