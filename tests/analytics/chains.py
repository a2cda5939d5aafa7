"""Signed batches of a recorded month, as a gateway would make them."""

from array import array
from collections.abc import Mapping, Sequence

from analytics.plants import PLANT
from tanzheng.analytics.series import PointGap, Series
from tanzheng.analytics.steps import CounterStep
from tanzheng.core.batch import GENESIS, Batch, ClockState, Column, Event, Gap, SignedBatch, sign
from tanzheng.core.keys import SigningKey
from tanzheng.core.plant import Plant

KEY = SigningKey.generate()
CLOCK = ClockState("test", True)


def sign_chain(
    series: Mapping[str, Series],
    gaps: Sequence[PointGap] = (),
    span_ms: int = 3 * 3_600_000,
    gw: str = "gw1",
    key: SigningKey = KEY,
    events: Sequence[Event] = (),
    plant: Plant = PLANT,
) -> list[SignedBatch]:
    """The readings in batches of `span_ms` each, each gap record and event where it begins."""
    points = tuple(point.name for point in plant.points_of_gateway(gw))
    first = min(int(series[point].t_ms[0]) for point in points)
    last = max(int(series[point].t_ms[-1]) for point in points)
    chain: list[SignedBatch] = []
    for begin in range(first, last + 1, span_ms):
        batch = Batch(
            gw=gw,
            epoch=1,
            seq=len(chain) + 1,
            prev=chain[-1].digest if chain else GENESIS,
            made_ms=begin + span_ms,
            clock=CLOCK,
            points=points,
            columns=tuple(_column(series[point], begin, begin + span_ms) for point in points),
            gaps=tuple(_gap(points, gap) for gap in gaps if begin <= gap.from_ms < begin + span_ms),
            events=tuple(event for event in events if begin <= event.t_ms < begin + span_ms),
        )
        chain.append(sign(batch, key))
    return chain


def step_event(step: CounterStep) -> Event:
    """The step as the agent tells it."""
    device, _, field = step.point.partition("/")
    detail: dict[str, str | int] = {
        "device": device,
        "field": field,
        "kind": step.kind,
        "from": str(step.from_value),
        "to": str(step.to_value),
        "offset": str(step.lift),
        "lift": str(step.lift),
    }
    return Event(step.t_ms, "counter_step", detail)


def _column(readings: Series, begin: int, end: int) -> Column:
    part = readings.between(begin, end - 1)
    return Column(
        array("q", part.t_ms.tolist()), array("d", part.value.tolist()), part.quality.tobytes()
    )


def _gap(points: Sequence[str], gap: PointGap) -> Gap:
    return Gap((points.index(gap.point),), gap.from_ms, gap.to_ms, gap.interval_ms, gap.reason)
