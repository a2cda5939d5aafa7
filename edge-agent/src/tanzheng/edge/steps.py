"""Counters: what a step is, and by how much the readings of a point must be lifted. Pure.

The raw value is always sent. Beside it the agent keeps a ledger: for each counter an offset, so
that raw + offset never steps back, and an event `counter_step` for each change of it. The event's
`lift` is the change: the batches of a month are enough to mend that month's counters.

| step | seen as | offset |
|---|---|---|
| normal | not less than before, not faster than the point can count | – |
| rollover | from near the limit to a little above 0 | + limit |
| reset | less than before, and it stays so (near 0, or a swap nobody recorded) | + what was lost |
| glitch | back and then forward again, or a leap and then back: one wrong reading | – |
| re_read | the same instant, or an older one (back-filled): no step at all | – |

One reading cannot tell a reset from a glitch: it is held as `doubt` until the next one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import gt

from tanzheng.core.batch import Column, Event
from tanzheng.core.quality import VALID

NEAR_LIMIT = 0.9
"""A counter beyond this part of its limit may roll over …"""
AFTER_ROLLOVER = 0.1
"""… to below this part of it."""
NEAR_ZERO = 0.01
"""Below this part of the value before, a counter that fell was set to 0."""
LEAP = 100.0
"""A step this many times faster than the fastest so far is read again before it is believed."""
LEAP_STEPS_MIN = 8
"""Steps seen before a leap can be told."""
STRIKES_MAX = 3
"""An implausible value that was read so often is what the counter says."""
SWAP = "meter_swap"
STEP = "counter_step"

_VALID = bytes(sorted(VALID))


@dataclass(frozen=True, slots=True)
class Counter:
    """What is known of a counter point, in the unit of its field; None = not known."""

    rollover: float | None = None
    rate_max_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reading that may be wrong: the next one tells."""

    t_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Standing:
    """A counter's line in the ledger: the last believed reading, and the offset.

    `reset_ms` and `reset_offset` are the last reset that was found without a record: a swap
    recorded later takes its place.
    """

    t_ms: int
    value: float
    offset: float = 0.0
    doubt: Doubt | None = None
    reset_ms: int = 0
    reset_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is not a normal one: `lift` is what it added to the offset."""

    kind: str
    t_ms: int
    from_value: float
    to_value: float
    offset: float
    lift: float = 0.0


def advance(now: Standing, t_ms: int, value: float, spec: Counter) -> tuple[Standing, Step | None]:
    """The ledger's line after a reading, and the step where it was not a normal one."""
    if t_ms <= now.t_ms:
        return now, None
    if now.doubt is not None:
        return _settle(now, now.doubt, t_ms, value, spec)
    if value < now.value:
        if spec.rollover and _rolls_over(now.value, value, spec.rollover):
            offset = now.offset + spec.rollover
            step = Step("rollover", t_ms, now.value, value, offset, spec.rollover)
            return replace(now, t_ms=t_ms, value=value, offset=offset), step
        return replace(now, doubt=Doubt(t_ms, value)), None
    if _too_fast(now, t_ms, value, spec):
        return replace(now, doubt=Doubt(t_ms, value)), None
    return replace(now, t_ms=t_ms, value=value), None


def _settle(
    now: Standing, doubt: Doubt, t_ms: int, value: float, spec: Counter
) -> tuple[Standing, Step | None]:
    """The reading after a doubtful one: was that one wrong, or does the counter go on from it?"""
    if t_ms <= doubt.t_ms:
        return now, None
    sure = replace(now, doubt=None)
    fell = doubt.value < now.value
    if value >= now.value and (fell or value < doubt.value):
        step = Step("glitch", doubt.t_ms, now.value, doubt.value, now.offset)
        return replace(sure, t_ms=t_ms, value=value), step
    if not fell and value >= doubt.value:  # it leapt and stayed: time that nobody read
        return replace(sure, t_ms=t_ms, value=value), None
    lost = now.value if doubt.value <= NEAR_ZERO * now.value else now.value - doubt.value
    reset = replace(
        sure, t_ms=doubt.t_ms, value=doubt.value, offset=now.offset + lost,
        reset_ms=doubt.t_ms, reset_offset=lost,
    )  # fmt: skip
    if not fell:  # a leap, then below what was before: the leap was wrong, the fall is new
        return replace(sure, doubt=Doubt(t_ms, value)), Step(
            "glitch", doubt.t_ms, now.value, doubt.value, now.offset
        )
    step = Step("reset", doubt.t_ms, now.value, doubt.value, reset.offset, lost)
    return advance(reset, t_ms, value, spec)[0], step


def _rolls_over(before: float, value: float, limit: float | None) -> bool:
    if not limit:
        return False
    return before >= NEAR_LIMIT * limit and 0 <= value <= AFTER_ROLLOVER * limit


def _too_fast(now: Standing, t_ms: int, value: float, spec: Counter) -> bool:
    if spec.rate_max_per_s is None:
        return False
    return value - now.value > spec.rate_max_per_s * (t_ms - now.t_ms) / 1000


def swapped(now: Standing | None, t_ms: int, final: float, initial: float) -> Standing:
    """The ledger's line after a recorded meter swap: the old one ended at `final`.

    Where the fall was found already and taken for a reset, the record corrects it.
    """
    if now is None:
        return Standing(t_ms, initial, final - initial)
    offset = now.offset + final - initial
    if now.t_ms < t_ms:
        return Standing(t_ms, initial, offset)
    if now.reset_ms >= t_ms:
        return replace(now, offset=offset - now.reset_offset, reset_ms=0, reset_offset=0.0)
    if now.doubt is not None and now.doubt.t_ms >= t_ms:
        return Standing(now.doubt.t_ms, now.doubt.value, offset)
    return replace(now, offset=offset)


Ledger = Mapping[str, Standing]


def account(
    points: Sequence[str],
    columns: Sequence[Column],
    events: Iterable[Event],
    counters: Mapping[str, Counter],
    ledger: Ledger,
) -> tuple[dict[str, Standing], list[Event]]:
    """Changed lines of the ledger and the events to tell, from the content of one batch."""
    swaps = _swaps(events)
    changed: dict[str, Standing] = {}
    told: list[Event] = []
    for point, column in zip(points, columns, strict=True):
        spec = counters.get(point)
        if spec is None or (not len(column) and point not in swaps):
            continue
        now, steps = _walk(ledger.get(point), column, swaps.pop(point, ()), spec)
        if now is not None:
            changed[point] = now
        told += [_event(point, step) for step in steps]
    for point, left in swaps.items():  # a meter that this point set does not read now
        now = ledger.get(point)
        for swap in left:
            now = swapped(now, *swap)
        assert now is not None
        changed[point] = now
    return changed, told


_Swap = tuple[int, float, float]


def _walk(
    now: Standing | None, column: Column, swaps: Sequence[_Swap], spec: Counter
) -> tuple[Standing | None, list[Step]]:
    if _is_plain(now, column, spec) and not swaps:
        t_ms, value = column.t_ms[-1], column.value[-1]
        return (Standing(t_ms, value) if now is None else replace(now, t_ms=t_ms, value=value)), []
    steps = []
    waiting = sorted(swaps)
    for t_ms, value, code in zip(column.t_ms, column.value, column.quality, strict=True):
        while waiting and waiting[0][0] <= t_ms:
            now = swapped(now, *waiting.pop(0))
        if code not in VALID:
            continue
        if now is None:
            now = Standing(t_ms, value)
            continue
        now, step = advance(now, t_ms, value, spec)
        if step is not None:
            steps.append(step)
    for swap in waiting:
        now = swapped(now, *swap)
    return now, steps


def _is_plain(now: Standing | None, column: Column, spec: Counter) -> bool:
    """True where every reading is valid and none steps back: seen without a step for each."""
    values = column.value
    if (
        not len(values)
        or column.quality.translate(None, _VALID)
        or any(map(gt, values, values[1:]))
    ):
        return False
    if now is None:
        return spec.rate_max_per_s is None
    return (
        now.doubt is None
        and now.t_ms < column.t_ms[0]
        and now.value <= values[0]
        and spec.rate_max_per_s is None
    )


def _event(point: str, step: Step) -> Event:
    device, _, field = point.partition("/")
    detail: dict[str, str | int] = {
        "device": device,
        "field": field,
        "kind": step.kind,
        "from": repr(step.from_value),
        "to": repr(step.to_value),
        "offset": repr(step.offset),
        "lift": repr(step.lift),
    }
    return Event(step.t_ms, STEP, detail)


def _swaps(events: Iterable[Event]) -> dict[str, list[_Swap]]:
    found: dict[str, list[_Swap]] = {}
    for event in events:
        if event.kind == SWAP:
            detail = event.detail
            swap = (event.t_ms, float(detail["final"]), float(detail["initial"]))
            found.setdefault(f"{detail['device']}/{detail['field']}", []).append(swap)
    return found


class Watch:
    """Says of a fresh reading whether it should be read again before it is believed.

    Only for the drivers' `suspect`: what it believes goes nowhere. Without a known `rate_max_per_s`
    a leap is told by the fastest step seen so far.
    """

    def __init__(self, counters: Mapping[int, Counter], known: Mapping[int, Standing]) -> None:
        self._counters = counters
        self._lines = {
            point: _Line(known[point].t_ms, known[point].value) if point in known else _Line()
            for point in counters
        }

    def suspect(self, point: int, value: float, t_ms: int) -> bool:
        """True where the value steps back without rolling over, or leaps."""
        line = self._lines.get(point)
        if line is None:
            return False
        if line.t_ms == 0 or self._plausible(line, self._counters[point], value, t_ms):
            line.believe(value, t_ms)
            return False
        line.strikes += 1
        if line.strikes >= STRIKES_MAX:
            line.believe(value, t_ms)
        return True

    def _plausible(self, line: "_Line", spec: Counter, value: float, t_ms: int) -> bool:
        if value < line.value:
            return _rolls_over(line.value, value, spec.rollover)
        seconds = max(t_ms - line.t_ms, 1) / 1000
        rate = (value - line.value) / seconds
        if spec.rate_max_per_s is not None:
            return rate <= spec.rate_max_per_s
        return line.steps < LEAP_STEPS_MIN or rate <= LEAP * line.rate_max


@dataclass(slots=True)
class _Line:
    t_ms: int = 0
    value: float = 0.0
    rate_max: float = 0.0
    steps: int = 0
    strikes: int = 0

    def believe(self, value: float, t_ms: int) -> None:
        seconds = max(t_ms - self.t_ms, 1) / 1000
        if self.t_ms and value > self.value:
            self.steps += 1
            if self.strikes == 0:
                self.rate_max = max(self.rate_max, (value - self.value) / seconds)
        self.t_ms, self.value, self.strikes = t_ms, value, 0
