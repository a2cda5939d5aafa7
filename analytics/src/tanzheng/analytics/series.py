"""Readings as columns: one `Series` a point, the same from signed batches and from the database."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tanzheng.analytics.errors import SeriesInvalid
from tanzheng.analytics.steps import CounterStep, in_order, steps_of
from tanzheng.core.batch import Batch, Column
from tanzheng.core.plant import Plant
from tanzheng.core.quality import VALID

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

READING_MAX = 1e15
"""No register counts further; a larger value is a fault, and decimals of it would overflow."""

VALID_CODES = np.array(sorted(VALID), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Series:
    """The readings of one point: instants (UTC ms, strictly rising), finite values, quality codes.

    The three arrays have one length. `SeriesInvalid` where an instant is repeated or out of
    order: two values for one instant are a fault upstream and never averaged away.
    """

    t_ms: Int64
    value: Float64
    quality: UInt8

    def __post_init__(self) -> None:
        if not len(self.t_ms) == len(self.value) == len(self.quality):
            raise SeriesInvalid(
                f"expected columns of one length, got {len(self.t_ms)} instants, "
                f"{len(self.value)} values, {len(self.quality)} quality codes"
            )
        back = np.flatnonzero(np.diff(self.t_ms) <= 0)
        if len(back):
            raise SeriesInvalid(
                f"expected rising instants, got t_ms {self.t_ms[back[0] + 1]} twice or out of order"
            )

    def __len__(self) -> int:
        return len(self.t_ms)

    @property
    def valid(self) -> Bool:
        """Which readings may enter a mean or a total."""
        return np.isin(self.quality, VALID_CODES)

    def usable(self) -> "Series":
        """The valid readings alone; a value beyond any register's range is not one."""
        return self.where(self.valid & (np.abs(self.value) <= READING_MAX))

    def where(self, keep: Bool) -> "Series":
        """The readings marked in `keep`."""
        return Series(self.t_ms[keep], self.value[keep], self.quality[keep])

    def between(self, first_ms: int, last_ms: int) -> "Series":
        """The readings of [first_ms, last_ms], both ends included."""
        low, high = np.searchsorted(self.t_ms, [first_ms, last_ms + 1])
        return Series(self.t_ms[low:high], self.value[low:high], self.quality[low:high])

    def on_grid(self, interval_ms: int, phase_ms: int) -> "Series":
        """The first reading of each slot, at the slot's instant: phase + a multiple of interval.

        A reading carries the moment of its reply, some milliseconds into its slot; months are
        computed on the grid, where the points of a slot stand side by side.
        """
        slots = self.t_ms - (self.t_ms - phase_ms) % interval_ms
        first = np.diff(slots, prepend=-1) > 0
        return Series(slots[first], self.value[first], self.quality[first])


EMPTY = Series(np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.uint8))


def merged(t_ms: Int64, value: Float64, quality: UInt8) -> Series:
    """The readings in the order of time. A reading that comes twice, equal in all, counts once:
    a gateway whose spool was set back sends in its new epoch what its old one had sent.

    `SeriesInvalid` where two readings of one instant differ.
    """
    order = np.argsort(t_ms, kind="stable")
    t_ms, value, quality = t_ms[order], value[order], quality[order]
    repeated = (np.diff(t_ms) == 0) & (np.diff(value) == 0) & (quality[1:] == quality[:-1])
    keep = np.concatenate(([True], ~repeated)) if len(t_ms) else np.empty(0, np.bool_)
    return Series(t_ms[keep], value[keep], quality[keep])


@dataclass(frozen=True, slots=True, order=True)
class PointGap:
    """Slots `from_ms`, `from_ms + interval_ms` … < `to_ms` of a point that no reading fills."""

    point: str
    from_ms: int
    to_ms: int
    interval_ms: int
    reason: str

    @property
    def last_ms(self) -> int:
        """The last slot of the gap."""
        return self.to_ms - 1 - (self.to_ms - 1 - self.from_ms) % self.interval_ms

    def touches(self, first_ms: int, last_ms: int) -> bool:
        """Whether it reaches into [first_ms, last_ms], both ends included."""
        return self.from_ms <= last_ms and self.last_ms >= first_ms


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded: readings by point name, the known gaps, the steps of counters."""

    series: Mapping[str, Series]
    gaps: tuple[PointGap, ...]
    steps: tuple[CounterStep, ...] = ()


def from_batches(batches: Iterable[Batch], plant: Plant) -> Recorded:
    """The readings and gaps of `batches`, which may come in any order.

    A gateway speaks only for the points that the plant file gives it: others are left out, as
    they are from the database's rows. `SeriesInvalid` where two batches hold different values of
    one point for the same instant.
    """
    own = {
        gateway.id: {point.name for point in plant.points_of_gateway(gateway.id)}
        for gateway in plant.gateways
    }
    columns: dict[str, list[tuple[Int64, Float64, UInt8]]] = {}
    gaps: list[PointGap] = []
    steps: set[CounterStep] = set()
    for batch in batches:
        points = own.get(batch.gw, set())
        for point, column in zip(batch.points, batch.columns, strict=True):
            if point in points:
                columns.setdefault(point, []).append(_arrays(column))
        gaps.extend(gap for gap in _point_gaps(batch) if gap.point in points)
        steps.update(step for step in steps_of(batch) if step.point in points)
    series = {point: _joined(point, parts) for point, parts in sorted(columns.items())}
    return Recorded(series, tuple(sorted(gaps)), in_order(steps))


def _arrays(column: Column) -> tuple[Int64, Float64, UInt8]:
    return (
        np.frombuffer(column.t_ms, dtype=np.int64),
        np.frombuffer(column.value, dtype=np.float64),
        np.frombuffer(column.quality, dtype=np.uint8),
    )


def _point_gaps(batch: Batch) -> Iterator[PointGap]:
    for gap in batch.gaps:
        for index in gap.points:
            yield PointGap(batch.points[index], gap.from_ms, gap.to_ms, gap.interval_ms, gap.reason)


def _joined(point: str, parts: Sequence[tuple[Int64, Float64, UInt8]]) -> Series:
    t_ms, value, quality = (np.concatenate(column) for column in zip(*parts, strict=True))
    try:
        return merged(t_ms, value, quality)
    except SeriesInvalid as error:
        raise SeriesInvalid(f"point {point}: {error}") from None
