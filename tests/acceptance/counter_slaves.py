"""A Modbus meter whose register is a counter, and what the readings of one add up to."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from acceptance.slaves import Asked, Slave
from tanzheng.core.batch import Batch

AT_ONCE_S = 0.09
"""A question that comes sooner after the last one is the same reading, read again."""


@dataclass
class CounterSlave(Slave):
    """`raw` says what the register shows at the n-th reading (from 0), each value once.

    `glitches`: readings whose first answer is that number instead, by n.
    """

    raw: Callable[[int], int] = lambda n: n
    glitches: dict[int, int] = field(default_factory=dict)
    _last_s: float = 0.0

    def good(self, asked: Asked) -> bytes:
        n, now_s = len(self.answered), time.monotonic()
        if n in self.glitches:
            return self.frame(asked, self.glitches.pop(n))
        if not self.answered or now_s - self._last_s > AT_ONCE_S:
            self.answered.append(self.raw(n))
        self._last_s = now_s
        return self.frame(asked, self.answered[-1])


def steps(batches: Sequence[Batch], kind: str) -> list[tuple[int, float]]:
    """(instant, offset from then on) of the `counter_step` events of that kind."""
    return [
        (event.t_ms, float(event.detail["offset"]))
        for batch in batches
        for event in batch.events
        if event.kind == "counter_step" and event.detail["kind"] == kind
    ]


def steps_back(batches: Sequence[Batch], point: str) -> int:
    """How often raw + offset is less than it was before, by the events told."""
    offsets = sorted(
        (event.t_ms, float(event.detail["offset"]))
        for batch in batches
        for event in batch.events
        if event.kind == "counter_step"
    )
    readings = sorted(
        (t_ms, value)
        for batch in batches
        for name, column in zip(batch.points, batch.columns, strict=True)
        if name == point
        for t_ms, value in zip(column.t_ms, column.value, strict=True)
    )
    totals = [
        value + next((offset for at, offset in reversed(offsets) if at <= t_ms), 0.0)
        for t_ms, value in readings
    ]
    return sum(later < earlier for earlier, later in pairwise(totals))
