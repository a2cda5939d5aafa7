"""What signed batches and corrections have for a run of hours of a gateway: database → hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tanzheng.analytics.point_hours import (
    PointHour,
    PointKind,
    Readings,
    hours_of,
    point_hours,
    slot_sums,
)
from tanzheng.analytics.steps import CounterStep, steps_of
from tanzheng.core.batch import open_signed
from tanzheng.core.calendar import HOUR_MS, PlantZone
from tanzheng.core.columns import packed_of
from tanzheng.core.wire import unpack_kept

if TYPE_CHECKING:
    from decimal import Decimal

    from psycopg import Connection

    from tanzheng.analytics.series import Int64
    from tanzheng.core.batch import Batch

COLUMNS = {"point": "i8", "t_ms": "i8", "value": "f8", "quality": "u1"}
BATCHES = """
    SELECT raw FROM batch WHERE gw = %s AND last_ms >= %s AND first_ms <= %s ORDER BY epoch, seq
"""
CORRECTIONS = """
    SELECT point_id, from_ms, to_ms, value, quality FROM correction
    WHERE point_id = ANY(%s) AND from_ms < %s AND to_ms > %s ORDER BY correction_id
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A gateway's points as the plant file and the database know them."""

    gw: str
    zone: PlantZone
    points: tuple[PointKind, ...]
    ids: tuple[int, ...]

    @property
    def readings_per_hour(self) -> int:
        """How many a full hour has."""
        return sum(HOUR_MS // point.interval_ms or 1 for point in self.points)

    @property
    def interval_ms_max(self) -> int:
        """How far back a reading may hold."""
        return max(point.interval_ms for point in self.points)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole hours [start_ms, end_ms) of a gateway within one month, whose slots begin at
    `phase_ms`."""

    source: Source
    start_ms: int
    end_ms: int
    phase_ms: int

    @property
    def reach_ms(self) -> int:
        """From when on a reading may hold into it."""
        return self.start_ms - self.source.interval_ms_max

    def hours(self, connection: Connection[Any]) -> tuple[list[PointHour], int]:
        """The hours of every point, and how many readings were looked at.

        By sums where readings came slot after slot and nobody corrected one; else from all of
        them side by side.
        """
        corrections = self._corrections(connection)
        found = None if corrections else self._summed(connection)
        return found or self._from_all(connection, corrections)

    def _summed(self, connection: Connection[Any]) -> tuple[list[PointHour], int] | None:
        points = self.source.points
        sums = slot_sums(points, self.start_ms, self.end_ms, self.phase_ms)
        if sums is None:
            return None
        steps, fits = list[CounterStep](), True
        places = self._places()
        for batch in self._batches(connection):  # to the end: cut short, it would be cancelled
            steps += steps_of(batch)
            fits = fits and sums.add(places(batch), packed_of(batch.columns))
        if not fits:
            return None
        return hours_of(sums, points, steps, self.start_ms, self.phase_ms), sums.readings

    def _from_all(
        self, connection: Connection[Any], corrections: Sequence[Sequence[Any]]
    ) -> tuple[list[PointHour], int]:
        parts, steps, places = list[Readings](), list[CounterStep](), self._places()
        for batch in self._batches(connection):
            steps += steps_of(batch)
            parts.append(self._columns(batch, places(batch)))
        columns = [
            np.concatenate([np.empty(0, kind), *(getattr(part, name) for part in parts)])
            for name, kind in COLUMNS.items()
        ]
        readings = Readings(*columns)
        for correction in corrections:
            readings = self._corrected(readings, *correction)
        bounds = self.start_ms, self.end_ms, self.phase_ms
        return point_hours(readings, self.source.points, steps, *bounds), len(readings.point)

    def _batches(self, connection: Connection[Any]) -> Iterator[Batch]:
        asked = (self.source.gw, self.reach_ms, self.end_ms)
        with connection.cursor() as cursor:
            for (raw,) in cursor.stream(BATCHES, asked, binary=True):
                yield open_signed(unpack_kept(raw)).batch

    def _corrections(self, connection: Connection[Any]) -> list[tuple[Any, ...]]:
        asked = (list(self.source.ids), self.end_ms + 1, self.reach_ms)
        return connection.execute(CORRECTIONS, asked).fetchall()

    def _places(self) -> Callable[[Batch], Int64]:
        """Of a batch's points the index of each in `source`, -1 for one that is not known."""
        known = {point.name: number for number, point in enumerate(self.source.points)}
        return lambda batch: np.array([known.get(point, -1) for point in batch.points], np.int64)

    def _columns(self, batch: Batch, places: Int64) -> Readings:
        packed = packed_of(batch.columns)
        t_ms = np.frombuffer(packed.offsets, "<u4").astype(np.int64) + packed.t0
        value, quality = np.frombuffer(packed.values, "<f8"), np.frombuffer(packed.quality, "u1")
        readings = Readings(np.repeat(places, packed.counts), t_ms, value, quality)
        keep = (t_ms >= self.reach_ms) & (t_ms <= self.end_ms) & (readings.point >= 0)
        return readings if keep.all() else readings.where(keep)

    def _corrected(
        self,
        readings: Readings,
        point_id: int,
        from_ms: int,
        to_ms: int,
        value: Decimal | None,
        quality: int,
    ) -> Readings:
        """With what a correction says in each slot of its span, also where there was no reading;
        none without a value."""
        number = self.source.ids.index(point_id)
        inside = readings.point == number
        inside &= (readings.t_ms >= from_ms) & (readings.t_ms < to_ms)
        kept = readings.where(~inside)
        if value is None:
            return kept
        begin, step = max(from_ms, self.reach_ms), self.source.points[number].interval_ms
        begin += (self.phase_ms - begin) % step
        t_ms = np.arange(begin, min(to_ms, self.end_ms + 1), step, dtype=np.int64)
        count = len(t_ms)
        values = np.full(count, float(value)), np.full(count, quality, np.uint8)
        instead = Readings(np.full(count, number), t_ms, *values)
        pairs = [(getattr(kept, name), getattr(instead, name)) for name in COLUMNS]
        return Readings(*map(np.concatenate, pairs))
