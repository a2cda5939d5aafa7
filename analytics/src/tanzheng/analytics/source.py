"""A month's readings, gaps and signed batches from the database.

All queries of one month run in one read-only snapshot, so that rows and batches belong together
while ingest goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from tanzheng.analytics.database import connected
from tanzheng.analytics.errors import (
    BacklogUnderWay,
    MonthArchived,
    NothingRecorded,
    SeriesInvalid,
)
from tanzheng.analytics.series import EMPTY, PointGap, Recorded, Series, merged
from tanzheng.analytics.steps import CounterStep, in_order, steps_of
from tanzheng.core.batch import SignedBatch, open_signed
from tanzheng.core.wire import unpack_kept

if TYPE_CHECKING:
    from psycopg import Connection

    from tanzheng.core.calendar import Month
    from tanzheng.core.plant import Plant

POSTGRES_EPOCH_MS = 946_684_800_000  # 2000-01-01, where binary time stamps count from
ROW = np.dtype([("t_us", ">i8"), ("value", ">f8"), ("quality", ">i2")])

READINGS = """
    SELECT string_agg(
        timestamptz_send(t) || float8send(value) || int2send(quality), ''::bytea ORDER BY t)
    FROM reading
    WHERE point_id = %s
      AND t >= to_timestamp(%s::bigint / 1000.0)
      AND t <= to_timestamp(%s::bigint / 1000.0)
"""
"""One value for all rows: COPY and cursors hand over each row by itself, which costs more."""

POINT = "SELECT point_id FROM point WHERE gw = %s AND name = %s"
"""Asked by itself: joined, each day's table would be planned for every point."""
GAPS = """
    SELECT p.name, g.from_ms, g.to_ms, g.interval_ms, g.reason
    FROM gap g JOIN point p USING (point_id)
    WHERE g.gw = ANY(%s) AND g.from_ms <= %s AND g.to_ms > %s
"""
BATCHES = """
    WITH touching AS (
        SELECT gw, epoch, seq FROM batch
        WHERE gw = ANY(%s) AND first_ms <= %s AND last_ms >= %s
    ), first AS (
        SELECT DISTINCT ON (gw) * FROM touching ORDER BY gw, epoch, seq
    ), last AS (
        SELECT DISTINCT ON (gw) * FROM touching ORDER BY gw, epoch DESC, seq DESC
    )
    SELECT b.gw, b.raw FROM batch b JOIN first USING (gw) JOIN last USING (gw)
    WHERE (b.epoch, b.seq) >= (first.epoch, first.seq)
      AND (b.epoch, b.seq) <= (last.epoch, last.seq)
    ORDER BY b.gw, b.epoch, b.seq
"""
"""From the first batch that touches the month to the last: those between belong to the chain."""

WAITING = """
    SELECT e.gw, count(*), g.head_seq + 1, min(e.seq) - 1, e.epoch
    FROM early_batch e JOIN gateway g USING (gw)
    WHERE e.gw = ANY(%(gateways)s) AND (e.last_ms >= %(start)s) IS NOT FALSE
      AND (e.first_ms <= %(last)s OR NOT EXISTS (
          SELECT FROM batch b
          WHERE b.gw = e.gw AND b.epoch = g.head_epoch AND b.seq <= g.head_seq
            AND b.last_ms > %(last)s))
    GROUP BY e.gw, g.head_seq, e.epoch
    ORDER BY e.gw
"""
"""Batches ahead of their chain that touch the month, or whose chain has not come past the month: in
both cases what they wait for may belong to it. Batches of events only have no instants."""

ARCHIVED = """
    SELECT min(day), max(day) FROM archived_day
    WHERE day BETWEEN (to_timestamp(%(start)s::bigint / 1000.0) AT TIME ZONE 'UTC')::date
                  AND (to_timestamp(%(last)s::bigint / 1000.0) AT TIME ZONE 'UTC')::date
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database holds of a month: rows, and the signed batches of each gateway in order."""

    recorded: Recorded
    chains: dict[str, list[SignedBatch]]


def _interval_ms_max(plant: Plant, unit_id: str) -> int:
    return max(
        plant.interval_ms(device, point)
        for device in plant.devices
        if device.unit == unit_id
        for point in device.points
    )


def read_month(database_url: str, plant: Plant, unit_id: str, month: Month) -> Stored:
    """Rows and batches of a unit's month, closing slot included to its last millisecond.

    `NothingRecorded` where no batch touches the month, `BacklogUnderWay` where some may still come,
    `MonthArchived` where its readings were archived, `DatabaseFault` for the server's troubles.
    """
    used = plant.gateways_of_unit(unit_id)
    gateways = [gateway.id for gateway in used]
    start_ms, end_ms = month.bounds_ms(plant.zone)
    last_ms = end_ms + _interval_ms_max(plant, unit_id) - 1
    with _snapshot(database_url) as connection:
        _require_whole(connection, gateways, start_ms, last_ms)
        read = {
            point.name: series(connection, device.gateway, point.name, start_ms, last_ms)
            for device in plant.devices
            if device.unit == unit_id
            for point in device.points
        }
        gaps = connection.execute(GAPS, (gateways, last_ms, start_ms)).fetchall()
        batches = connection.execute(BATCHES, (gateways, last_ms, start_ms)).fetchall()
    if not batches:
        raise NothingRecorded(
            f"expected signed batches of {', '.join(gateways)} for {month}, got none"
        )
    chains = {
        gw: [open_signed(unpack_kept(bytes(raw))) for _, raw in rows]
        for gw, rows in groupby(batches, key=lambda row: str(row[0]))
    }
    known = tuple(sorted(PointGap(*row) for row in gaps))
    return Stored(Recorded(read, known, _told(chains, plant)), chains)


def _told(chains: dict[str, list[SignedBatch]], plant: Plant) -> tuple[CounterStep, ...]:
    """The counters' steps from the signed batches, not from the table of events: a verifier has
    the month's batches and nothing else."""
    return in_order(
        step
        for gw, chain in chains.items()
        for point in plant.points_of_gateway(gw)
        for signed in chain
        for step in steps_of(signed.batch)
        if step.point == point.name
    )


def _require_whole(
    connection: Connection[Any], gateways: list[str], start_ms: int, last_ms: int
) -> None:
    """A month is closed on the chain alone: refuse it while the chain has a hole in it, and while
    its readings are not in the database."""
    asked = {"gateways": gateways, "start": start_ms, "last": last_ms}
    for first_day, last_day in connection.execute(ARCHIVED, asked):
        if first_day is not None:
            raise MonthArchived(
                f"expected the month's readings in the database, got days from {first_day} to "
                f"{last_day} (UTC) in an archive"
            )
    for gw, count, first, last, epoch in connection.execute(WAITING, asked):
        raise BacklogUnderWay(
            f"the backlog of gateway {gw} is still under way: {count} batches await batches "
            f"{first} to {last} of epoch {epoch}"
        )


def series(connection: Connection[Any], gw: str, point: str, start_ms: int, last_ms: int) -> Series:
    """Readings of one point, both instants (UTC ms) included; `SeriesInvalid` for one twice."""
    known = connection.execute(POINT, (gw, point)).fetchone()
    if known is None:
        return EMPTY
    with connection.cursor(binary=True) as cursor:
        packed = cursor.execute(READINGS, (known[0], start_ms, last_ms)).fetchone()
    if packed is None or packed[0] is None:
        return EMPTY
    rows = np.frombuffer(packed[0], dtype=ROW)
    try:
        return merged(
            rows["t_us"].astype(np.int64) // 1000 + POSTGRES_EPOCH_MS,
            rows["value"].astype(np.float64),
            rows["quality"].astype(np.uint8),
        )
    except SeriesInvalid as error:
        raise SeriesInvalid(f"rows of {gw} {point}: {error}; run `tanzheng ingest audit`") from None


@contextmanager
def _snapshot(database_url: str) -> Iterator[Connection[Any]]:
    with connected(database_url) as connection:
        from psycopg import IsolationLevel

        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection
