"""What became of each value: the judgement is counting, nothing else."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tanzheng.core.batch import Batch


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts of values: all of `offered` must be `stored`, once, with the right quality.

    `invented` are stored values that were never offered; `unexplained` are slots with neither a
    reading nor a gap record.
    """

    offered: int
    stored: int
    lost: int
    duplicated: int
    wrong_quality: int
    invented: int
    gap_records: int
    unexplained: int

    @property
    def clean(self) -> bool:
        return not (
            self.lost or self.duplicated or self.wrong_quality or self.invented or self.unexplained
        )

    def with_lost(self, more: int) -> "Verdict":
        """The same with `more` values lost that were never even asked for."""
        return replace(self, lost=self.lost + more)

    def with_wrong_quality(self, more: int) -> "Verdict":
        """The same with `more` marks wrong or not there."""
        return replace(self, wrong_quality=self.wrong_quality + more)

    def with_invented(self, more: int) -> "Verdict":
        """The same with `more` values where there was none."""
        return replace(self, invented=self.invented + more)


def judge(
    offered: Mapping[str, Iterable[float]],
    batches: Sequence[Batch],
    interval_ms: int,
    quality: int | None = 0,
    until_ms: int | None = None,
) -> Verdict:
    """`offered` by point name; `quality` is what each stored value should carry
    (None: whatever).

    Slots are looked at from the first to the last that a point's readings or gaps name, up to
    `until_ms` where given.
    """
    stored: dict[str, list[float]] = {point: [] for point in offered}
    slots: dict[str, set[int]] = {point: set() for point in offered}
    wrong_quality = gap_records = 0
    for batch in batches:
        for point, column in zip(batch.points, batch.columns, strict=True):
            if point in stored:
                stored[point] += column.value
                slots[point] |= {t_ms - t_ms % interval_ms for t_ms in column.t_ms}
                wrong_quality += sum(quality not in (None, each) for each in column.quality)
        for gap in batch.gaps:
            named = [batch.points[index] for index in gap.points if batch.points[index] in stored]
            gap_records += bool(named)
            for point in named:
                slots[point] |= set(gap.slots)
    counts = {point: Counter(values) for point, values in stored.items()}
    wanted = {point: Counter(values) for point, values in offered.items()}
    return Verdict(
        offered=sum(each.total() for each in wanted.values()),
        stored=sum(each.total() for each in counts.values()),
        lost=sum((wanted[point] - counts[point]).total() for point in offered),
        duplicated=sum(
            sum(n - 1 for value, n in counts[point].items() if n > 1 and value in wanted[point])
            for point in offered
        ),
        wrong_quality=wrong_quality,
        invented=sum(
            n for point in offered for value, n in counts[point].items()
            if value not in wanted[point]
        ),
        gap_records=gap_records,
        unexplained=sum(_holes(each, interval_ms, until_ms) for each in slots.values()),
    )  # fmt: skip


def _holes(slots: set[int], interval_ms: int, until_ms: int | None) -> int:
    """Slots between the first and the last that are not in `slots`."""
    if not slots:
        return 0
    last_ms = max(slots) if until_ms is None else until_ms
    return len(set(range(min(slots), last_ms + 1, interval_ms)) - slots)
