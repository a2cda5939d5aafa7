"""Steps of counters as a gateway tells them in its signed batches: events into records. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from tanzheng.core.batch import Batch, Event

STEP, SWAP = "counter_step", "meter_swap"
KINDS = ("rollover", "reset", "glitch", SWAP)
VALUE_MAX = Decimal("1e15")
"""As `series.READING_MAX`: no register counts further."""


@dataclass(frozen=True, slots=True)
class CounterStep:
    """What the ledger says of one step of `point`, in the counter's unit.

    `t_ms` is the first reading after the step (of a glitch: the wrong one), of a swap the recorded
    instant. `lift` is None where the record does not say it: such a step is not mended.
    """

    point: str
    t_ms: int
    kind: str
    from_value: Decimal
    to_value: Decimal
    lift: Decimal | None

    @property
    def order(self) -> tuple[str, int, str, Decimal, Decimal]:
        """By what records are sorted."""
        return self.point, self.t_ms, self.kind, self.from_value, self.to_value


def steps_of(batch: Batch) -> Iterator[CounterStep]:
    """The steps and swaps that `batch` tells. An event of another shape is none."""
    for event in batch.events:
        if event.kind in (STEP, SWAP) and (step := _step(event)) is not None:
            yield step


def in_order(steps: Iterable[CounterStep]) -> tuple[CounterStep, ...]:
    """Each record once, in an order that does not depend on how it came."""
    return tuple(sorted(set(steps), key=lambda step: (step.order, str(step.lift))))


def _step(event: Event) -> CounterStep | None:
    detail = event.detail
    point = f"{detail.get('device')}/{detail.get('field')}"
    swap = event.kind == SWAP
    kind = SWAP if swap else str(detail.get("kind"))
    before = _decimal(detail.get("final" if swap else "from"))
    after = _decimal(detail.get("initial" if swap else "to"))
    if kind not in KINDS or before is None or after is None:
        return None
    lift = before - after if swap else _decimal(detail.get("lift"))
    return CounterStep(point, event.t_ms, kind, before, after, lift)


def _decimal(text: object) -> Decimal | None:
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) <= VALUE_MAX else None


def on_grid(step: CounterStep, interval_ms: int, phase_ms: int) -> CounterStep:
    """The step at the instant of its slot, where `Series.on_grid` puts its reading."""
    return replace(step, t_ms=step.t_ms - (step.t_ms - phase_ms) % interval_ms)
