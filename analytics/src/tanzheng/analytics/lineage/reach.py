"""Which signed batches an hour's figures come from: those that hold a reading, a gap record or a
ledger record of the slots that reach it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tanzheng.analytics.inputs import MonthInputs
from tanzheng.analytics.steps import steps_of
from tanzheng.core.batch import Batch, SignedBatch
from tanzheng.core.plant import Plant


def hourly_points(inputs: MonthInputs) -> list[str]:
    """The points whose readings stand in an hour's record, each once, the run state first."""
    roles = (*inputs.cems_roles, *inputs.counters)
    names = (inputs.run_name, *(inputs.points[role].name for role in roles))
    return list(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class BatchRange:
    """Batches of one gateway and epoch, `first_seq` to `last_seq`; `head`: digest of the last."""

    gw: str
    epoch: int
    first_seq: int
    last_seq: int
    head: bytes

    @property
    def id(self) -> str:
        """The node's id."""
        return f"batches:{self.gw}:{self.epoch}:{self.first_seq}-{self.last_seq}"


class Reach:
    """The batches of a month, by what they hold of the unit's points."""

    def __init__(
        self, plant: Plant, inputs: MonthInputs, chains: Mapping[str, Sequence[SignedBatch]]
    ) -> None:
        self._inputs = inputs
        self._samples_ms = inputs.run_samples().t_ms
        names = set(hourly_points(inputs))
        self._gateways = {
            gw: (interval_ms, [_Held.of(signed, names, interval_ms) for signed in chains[gw]])
            for gw in sorted(chains)
            for interval_ms in [_interval_ms_max(plant, inputs, gw)]
        }

    def slots(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        """First and last instant that clock hours of [from_ms, to_ms) look at: the run-state
        samples that enclose them."""
        at = int(np.searchsorted(self._samples_ms, from_ms, side="right")) - 1
        after = int(np.searchsorted(self._samples_ms, to_ms))
        first = int(self._samples_ms[at]) if at >= 0 else from_ms
        last = int(self._samples_ms[after]) if after < len(self._samples_ms) else to_ms
        return first, last

    def batches(self, from_ms: int, to_ms: int) -> dict[str, list[SignedBatch]]:
        """Of each gateway the batches that the clock hours of [from_ms, to_ms) come from."""
        first, last = self.slots(from_ms, to_ms)
        found = {}
        for gw, (interval_ms, held) in self._gateways.items():
            # a CEMS value holds for one interval: at a sample the slot before may speak
            begin = first - (first - self._inputs.start_ms) % interval_ms
            found[gw] = [each.signed for each in held if each.reaches(begin, last)]
        return found

    def ranges(self, from_ms: int, to_ms: int) -> list[BatchRange]:
        """The same as ranges of sequence numbers."""
        return [
            each
            for gw, batches in self.batches(from_ms, to_ms).items()
            for each in ranges(gw, batches)
        ]

    def telling(self, point: str, t_ms: int) -> list[BatchRange]:
        """The batches that hold the slot `t_ms` of one point: its reading or its ledger record."""
        found: list[BatchRange] = []
        interval_ms = self._inputs.intervals_ms[point]
        for gw, (_, held) in self._gateways.items():
            holds = [
                each.signed for each in held if _holds(each.signed.batch, point, t_ms, interval_ms)
            ]
            found += ranges(gw, holds)
        return found


def _interval_ms_max(plant: Plant, inputs: MonthInputs, gw: str) -> int:
    """The longest interval of the unit's points behind a gateway."""
    names = (point.name for point in plant.points_of_gateway(gw))
    return max(inputs.intervals_ms[name] for name in names if name in inputs.intervals_ms)


def ranges(gw: str, batches: Sequence[SignedBatch]) -> Iterator[BatchRange]:
    """Batches in chain order as ranges without a hole."""
    start = 0
    for end in range(1, len(batches) + 1):
        last = batches[end - 1].batch
        following = batches[end].batch if end < len(batches) else None
        if following is None or (following.epoch, following.seq) != (last.epoch, last.seq + 1):
            head = batches[end - 1].digest
            yield BatchRange(gw, last.epoch, batches[start].batch.seq, last.seq, head)
            start = end


@dataclass(frozen=True, slots=True)
class _Held:
    """A batch with the instants of its readings, gap records and ledger records."""

    signed: SignedBatch
    times: tuple[Sequence[int], ...]
    gaps: tuple[tuple[int, int], ...]
    interval_ms: int

    @classmethod
    def of(cls, signed: SignedBatch, names: set[str], interval_ms: int) -> "_Held":
        batch = signed.batch
        wanted = [i for i, point in enumerate(batch.points) if point in names]
        columns = {id(batch.columns[i].t_ms): batch.columns[i].t_ms for i in wanted}
        steps = sorted(step.t_ms for step in steps_of(batch) if step.point in names)
        gaps = tuple(
            (gap.from_ms, gap.slots[-1]) for gap in batch.gaps if set(gap.points) & set(wanted)
        )
        times = tuple(each for each in (*columns.values(), steps) if len(each))
        return cls(signed, times, gaps, interval_ms)

    def reaches(self, first_ms: int, last_ms: int) -> bool:
        """Whether it holds something of the slots from `first_ms` to `last_ms`."""
        before_ms = last_ms + self.interval_ms
        return any(
            bisect_left(times, first_ms) < bisect_left(times, before_ms) for times in self.times
        ) or any(first <= last_ms and last >= first_ms for first, last in self.gaps)


def _holds(batch: Batch, point: str, t_ms: int, interval_ms: int) -> bool:
    last_ms = t_ms + interval_ms - 1
    if any(step.point == point and t_ms <= step.t_ms <= last_ms for step in steps_of(batch)):
        return True
    if point not in batch.points:
        return False
    times = batch.columns[batch.points.index(point)].t_ms
    return bisect_left(times, t_ms) < bisect_right(times, last_ms)
