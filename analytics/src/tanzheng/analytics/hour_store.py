"""Dirty hours made again from the signed batches, and nothing else touched: database → database.

Ingest marks the hours that a batch, a gap or a correction reaches, in the same transaction. Here
each marked run is computed from the batches that touch it, in stretches that fit in memory; a row
of `hour` is written where something differs, and the mark goes if nobody set it again meanwhile.
Killed at any moment, the mark is still there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tanzheng.analytics.errors import DatabaseFault
from tanzheng.analytics.point_hours import PointHour, PointKind, Readings, point_hours
from tanzheng.analytics.steps import CounterStep, steps_of
from tanzheng.core.batch import open_signed
from tanzheng.core.calendar import HOUR_MS, Month, PlantZone
from tanzheng.core.columns import packed_of
from tanzheng.core.fields import point_field

if TYPE_CHECKING:
    from psycopg import Connection

    from tanzheng.core.batch import Batch
    from tanzheng.core.plant import Plant

READINGS_MAX = 4_000_000
"""Of one stretch: about 400 MB while it is computed."""
COLUMNS = {"point": "i8", "t_ms": "i8", "value": "f8", "quality": "u1"}
LOCK_KEY = 0x686F7572
SOFTWARE = "tanzheng-hours/1"

MARKS = "SELECT gw, from_ms, to_ms, mark FROM dirty_hour WHERE gw = ANY(%s) ORDER BY mark"
BATCHES = """
    SELECT raw FROM batch WHERE gw = %s AND last_ms >= %s AND first_ms <= %s ORDER BY epoch, seq
"""
CORRECTIONS = """
    SELECT point_id, from_ms, to_ms, value, quality FROM correction
    WHERE point_id = ANY(%s) AND from_ms < %s AND to_ms > %s ORDER BY correction_id
"""
KNOWN = """
    SELECT DISTINCT ON (point_id, hour) point_id, hour, value, quality, readings, valid_ms
    FROM hour WHERE point_id = ANY(%s) AND hour >= %s AND hour < %s
    ORDER BY point_id, hour, computed_at DESC
"""
WRITE = "COPY hour (point_id, hour, value, quality, readings, valid_ms, software) FROM STDIN"


class Mark(NamedTuple):
    """A run of whole hours of a gateway that is to be computed again."""

    gw: str
    from_ms: int
    to_ms: int
    mark: int


@dataclass(slots=True)
class Refreshed:
    """What a run did: marks that are gone, hours computed, rows written, readings looked at."""

    marks: int = 0
    hours: int = 0
    written: int = 0
    readings: int = 0


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


def refresh(
    database_url: str, plants: Sequence[Plant], say: Callable[[Mark], object] = lambda _: None
) -> Refreshed:
    """Compute every dirty hour of the plants' gateways; `DatabaseFault`.

    `say` is told of each mark before it is worked on. Only one runs at a time.
    """
    done = Refreshed()
    with _connection(database_url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        sources = {each.gw: each for plant in plants for each in _sources(connection, plant)}
        for row in connection.execute(MARKS, (list(sources),)).fetchall():
            mark = Mark(*row)
            say(mark)
            _refresh(connection, sources[mark.gw], mark, done)
    return done


def _refresh(connection: Connection[Any], source: Source, mark: Mark, done: Refreshed) -> None:
    for start_ms, end_ms in stretches(source, mark):
        with connection.transaction():
            phase_ms = _month(source, start_ms).bounds_ms(source.zone)[0]
            readings, steps = _readings(connection, source, start_ms, end_ms, phase_ms)
            hours = point_hours(readings, source.points, steps, start_ms, end_ms, phase_ms)
            done.written += _write(connection, source, hours, start_ms, end_ms)
        done.hours += len(hours)
        done.readings += len(readings.point)
    gone = connection.execute("DELETE FROM dirty_hour WHERE mark = %s", (mark.mark,))
    done.marks += gone.rowcount  # 0: marked again meanwhile


def stretches(source: Source, mark: Mark) -> Iterator[tuple[int, int]]:
    """The hours that the mark's readings reach, cut so that each stretch fits in memory.

    A counter's reading at the full hour ends the hour before; a reading whose interval does not
    divide the hour holds into the next.
    """
    back = HOUR_MS if any(point.counter for point in source.points) else 0
    over = max(0 if HOUR_MS % p.interval_ms == 0 else p.interval_ms for p in source.points)
    first, last = mark.from_ms - back, mark.to_ms + -(-over // HOUR_MS) * HOUR_MS
    most = max(1, READINGS_MAX // source.readings_per_hour) * HOUR_MS
    while first < last:  # slots begin anew with each month of the plant
        end = min(last, first + most, _month(source, first).bounds_ms(source.zone)[1])
        yield first, end
        first = end


def _month(source: Source, t_ms: int) -> Month:
    at = source.zone.datetime(t_ms)
    return Month(at.year, at.month)


def _sources(connection: Connection[Any], plant: Plant) -> Iterator[Source]:
    for gateway in plant.gateways:
        kinds = {
            point.name: PointKind(
                point.name,
                point_field(point.name).kind == "counter",
                plant.interval_ms(device, point),
            )
            for device in plant.devices
            if device.gateway == gateway.id
            for point in device.points
        }
        query = "SELECT name, point_id FROM point WHERE gw = %s ORDER BY point_id"
        known = [row for row in connection.execute(query, (gateway.id,)) if row[0] in kinds]
        if known:
            names, ids = zip(*known, strict=True)
            yield Source(gateway.id, plant.zone, tuple(kinds[name] for name in names), ids)


def _readings(
    connection: Connection[Any], source: Source, start_ms: int, end_ms: int, phase_ms: int
) -> tuple[Readings, list[CounterStep]]:
    """What the batches that touch the stretch have for it, corrected, and the counters' steps."""
    reach = start_ms - source.interval_ms_max
    place = {point.name: number for number, point in enumerate(source.points)}
    parts, steps = list[Readings](), list[CounterStep]()
    with connection.cursor(binary=True) as cursor:
        cursor.execute(BATCHES, (source.gw, reach, end_ms))
        for (raw,) in cursor:
            batch = open_signed(bytes(raw)).batch
            steps += steps_of(batch)
            parts.append(_columns(batch, place, reach, end_ms))
    columns = [
        np.concatenate([np.empty(0, kind), *(getattr(part, name) for part in parts)])
        for name, kind in COLUMNS.items()
    ]
    rows = connection.execute(CORRECTIONS, (list(source.ids), end_ms + 1, reach)).fetchall()
    readings = Readings(*columns)
    for point_id, *correction in rows:
        number = source.ids.index(point_id)
        at = Readings(*_slots(source.points[number], number, correction, reach, end_ms, phase_ms))
        readings = _replaced(readings, number, correction[0], correction[1], at)
    return readings, steps


def _columns(batch: Batch, place: dict[str, int], first_ms: int, last_ms: int) -> Readings:
    packed = packed_of(batch.columns)
    codes = np.array([place.get(point, -1) for point in batch.points], dtype=np.int64)
    t_ms = np.frombuffer(packed.offsets, "<u4").astype(np.int64) + packed.t0
    value, quality = np.frombuffer(packed.values, "<f8"), np.frombuffer(packed.quality, "u1")
    readings = Readings(np.repeat(codes, packed.counts), t_ms, value, quality)
    keep = (t_ms >= first_ms) & (t_ms <= last_ms) & (readings.point >= 0)
    return readings if keep.all() else readings.where(keep)


def _slots(
    point: PointKind,
    number: int,
    correction: Sequence[Any],
    first_ms: int,
    last_ms: int,
    phase_ms: int,
) -> tuple[Any, Any, Any, Any]:
    """Columns of what a correction puts into each slot of its span; none without a value."""
    from_ms, to_ms, value, quality = correction
    begin, step = max(from_ms, first_ms), point.interval_ms
    begin += (phase_ms - begin) % step
    end = min(to_ms, last_ms + 1) if value is not None else begin
    t_ms = np.arange(begin, end, step, dtype=np.int64)
    told = float(value) if value is not None else 0.0
    count = len(t_ms)
    return np.full(count, number), t_ms, np.full(count, told), np.full(count, quality, np.uint8)


def _replaced(
    readings: Readings, number: int, from_ms: int, to_ms: int, instead: Readings
) -> Readings:
    """The readings of one point in [from_ms, to_ms) replaced, also where there were none."""
    inside = readings.point == number
    inside &= (readings.t_ms >= from_ms) & (readings.t_ms < to_ms)
    kept = readings.where(~inside)
    pairs = [(getattr(kept, name), getattr(instead, name)) for name in COLUMNS]
    return Readings(*map(np.concatenate, pairs))


def _write(
    connection: Connection[Any],
    source: Source,
    hours: Sequence[PointHour],
    start_ms: int,
    end_ms: int,
) -> int:
    """Enter the hours that are new or differ from what counts now; how many."""
    span = (list(source.ids), instant(start_ms), instant(end_ms))
    known = {(row[0], row[1]): row[2:] for row in connection.execute(KNOWN, span)}
    written = 0
    with connection.cursor().copy(WRITE) as copy:
        for hour in hours:
            key = source.ids[hour.point], instant(hour.start_ms)
            told = (hour.value, hour.quality, hour.readings, hour.valid_ms)
            if known.get(key) != told:
                copy.write_row((*key, *told, SOFTWARE))
                written += 1
    return written


def instant(t_ms: int) -> datetime:
    """UTC milliseconds as the database takes them."""
    return datetime.fromtimestamp(t_ms / 1000, UTC)


def _connection(database_url: str) -> Connection[Any]:
    try:
        import psycopg
    except ImportError:
        raise DatabaseFault(
            "expected the database driver: install tanzheng-analytics[database]"
        ) from None
    try:
        return psycopg.connect(database_url, autocommit=True)
    except psycopg.Error as error:
        raise DatabaseFault(f"database: {str(error).strip()}") from error
