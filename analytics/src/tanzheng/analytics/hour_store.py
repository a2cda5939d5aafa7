"""Dirty hours made again from the signed batches, and nothing else touched: database → database.

Ingest marks the hours that a batch, a gap or a correction reaches, in the same transaction. Here
each marked run is computed from the batches that touch it, in stretches that fit in memory; a row
of `hour` is written where something differs, and the mark goes if nobody set it again meanwhile.
Killed at any moment, the mark is still there.
"""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING, Any, NamedTuple

from tanzheng.analytics.database import connected
from tanzheng.analytics.hour_readings import Source, Stretch
from tanzheng.analytics.point_hours import PointHour, PointKind
from tanzheng.core.calendar import HOUR_MS, Month
from tanzheng.core.errors import BadInput, CheckFailed
from tanzheng.core.fields import point_field

if TYPE_CHECKING:
    from psycopg import Connection

    from tanzheng.core.plant import Plant

READINGS_MAX = 4_000_000
"""Of one stretch: about 400 MB while it is computed."""
PIECES_MAX = 32
"""In so many pieces, each with a connection of its own, is the work dealt out."""
LOCK_KEY = 0x686F7572
SOFTWARE = "tanzheng-hours/1"
NULL = r"\N"
"""As COPY has it in text."""

MARKS = "SELECT gw, from_ms, to_ms, mark FROM dirty_hour WHERE from_ms < %s ORDER BY mark"
DONE = """
    WITH gone AS (DELETE FROM dirty_hour WHERE mark = %(mark)s RETURNING gw, to_ms)
    SELECT CASE WHEN to_ms > %(until)s THEN mark_dirty(gw, %(until)s, to_ms) END FROM gone
"""
"""What is not over yet stays marked."""
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


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a run did: marks that are gone, hours computed, rows written, readings looked at; and
    what kept a mark from going, in words."""

    marks: int = 0
    hours: int = 0
    written: int = 0
    readings: int = 0
    faults: tuple[str, ...] = ()

    def __add__(self, other: Refreshed) -> Refreshed:
        return Refreshed(
            self.marks + other.marks,
            self.hours + other.hours,
            self.written + other.written,
            self.readings + other.readings,
            self.faults + other.faults,
        )


@dataclass(frozen=True, slots=True)
class Task:
    """Marks of one gateway, to be worked off for the hours before `until_ms`."""

    source: Source
    marks: tuple[Mark, ...]
    until_ms: int


def refresh(
    database_url: str,
    plants: Sequence[Plant],
    now_ms: int,
    pool: Executor | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Refreshed:
    """Compute every dirty hour of the plants' gateways that is over by `now_ms`; `DatabaseFault`.

    An hour that still goes on stays marked. Gateways are dealt out to the processes of `pool`.
    `progress` is told how many of them are done, of how many. Only one refresh runs at a time.
    """
    with connected(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        tasks = list(_tasks(connection, plants, now_ms - now_ms % HOUR_MS))
        pieces = min(len(tasks), PIECES_MAX)
        dealt = [tasks[n::pieces] for n in range(pieces)]
        progress(0, len(tasks))
        total, ended = Refreshed(), 0
        work = partial(_work, database_url)
        for piece, done in zip(
            dealt, pool.map(work, dealt) if pool else map(work, dealt), strict=True
        ):
            total += done
            ended += len(piece)
            progress(ended, len(tasks))
    return total


@contextmanager
def processes(count: int) -> Iterator[Executor | None]:
    """A pool for `refresh`, which may be used again and again; None for one process.

    Whoever is still at work at the end is stopped: what it had not committed is still marked.
    """
    if count == 1:
        yield None
        return
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(count, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        yield pool
    finally:
        for worker in active_children():
            worker.terminate()
        pool.shutdown(cancel_futures=True)


def _tasks(connection: Connection[Any], plants: Sequence[Plant], until_ms: int) -> Iterator[Task]:
    marks = defaultdict[str, list[Mark]](list)
    for row in connection.execute(MARKS, (until_ms,)):
        marks[row[0]].append(Mark(*row))
    for plant in plants:
        for source in _sources(connection, plant, marks.keys()):
            yield Task(source, tuple(marks[source.gw]), until_ms)


def _work(database_url: str, tasks: Sequence[Task]) -> Refreshed:
    done = Refreshed()
    with connected(database_url, autocommit=True) as connection:
        for task in tasks:
            for mark in task.marks:
                done += _refresh(connection, task, mark)
    return done


def _refresh(connection: Connection[Any], task: Task, mark: Mark) -> Refreshed:
    done = Refreshed()
    try:
        for stretch in stretches(task.source, mark.from_ms, min(mark.to_ms, task.until_ms)):
            with connection.transaction():
                hours, count = stretch.hours(connection)
                done += Refreshed(0, len(hours), _write(connection, stretch, hours), count)
    except (BadInput, CheckFailed) as error:  # of this gateway alone: its mark stays, others go on
        return done + Refreshed(faults=(f"{mark.gw}: {error}",))
    told = {"mark": mark.mark, "until": task.until_ms}
    return done + Refreshed(connection.execute(DONE, told).rowcount)  # 0: marked again meanwhile


def stretches(source: Source, from_ms: int, to_ms: int) -> Iterator[Stretch]:
    """The hours that readings of [from_ms, to_ms) reach, cut so that each stretch fits in memory.

    A counter's reading at the full hour ends the hour before; a reading whose interval does not
    divide the hour holds into the next.
    """
    back = HOUR_MS if any(point.counter for point in source.points) else 0
    over = max(0 if HOUR_MS % p.interval_ms == 0 else p.interval_ms for p in source.points)
    first, last = from_ms - back, to_ms + -(-over // HOUR_MS) * HOUR_MS
    most = max(1, READINGS_MAX // source.readings_per_hour) * HOUR_MS
    while first < last:  # slots begin anew with each month of the plant
        at = source.zone.datetime(first)
        begin, end = Month(at.year, at.month).bounds_ms(source.zone)
        end = min(last, first + most, end)
        yield Stretch(source, first, end, begin)
        first = end


def _sources(
    connection: Connection[Any], plant: Plant, marked: Collection[str]
) -> Iterator[Source]:
    for gateway in plant.gateways:
        if gateway.id not in marked:
            continue
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


def _write(connection: Connection[Any], stretch: Stretch, hours: Sequence[PointHour]) -> int:
    """Enter the hours that are new or differ from what counts now; how many."""
    begins = {
        at: (instant(at), str(instant(at)))
        for at in range(stretch.start_ms, stretch.end_ms, HOUR_MS)
    }
    ids, lines = stretch.source.ids, list[str]()
    span = (list(ids), instant(stretch.start_ms), instant(stretch.end_ms))
    known = {(row[0], row[1]): row[2:] for row in connection.execute(KNOWN, span)}
    for point, at, value, quality, readings, valid_ms in hours:
        hour, text = begins[at]
        if known.get((ids[point], hour)) != (value, quality, readings, valid_ms):
            told = NULL if value is None else value
            lines.append(
                f"{ids[point]}\t{text}\t{told}\t{quality}\t{readings}\t{valid_ms}\t{SOFTWARE}\n"
            )
    with connection.cursor().copy(WRITE) as copy:
        copy.write("".join(lines))
    return len(lines)


def instant(t_ms: int) -> datetime:
    """UTC milliseconds as the database takes them."""
    return datetime.fromtimestamp(t_ms / 1000, UTC)
