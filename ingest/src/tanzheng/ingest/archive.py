"""Old months out of the database and back: written to files, compared, dropped, restored.

The month is one of UTC days, as the partitions are. The signed batches stay in the database: they
are the evidence, and rows can be made from them without any archive (`rebuild --archived`).
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import psycopg

from tanzheng.core.calendar import DAY_MS, Month, PlantZone
from tanzheng.core.errors import BadInput, CheckFailed, TanzhengError
from tanzheng.core.hashing import sha256
from tanzheng.ingest import audit_log, ledger, replay, rows
from tanzheng.ingest.archive_files import (
    File,
    Manifest,
    publish,
    read_day,
    read_manifest,
    write_day,
)
from tanzheng.ingest.maintenance import CLOSED_AFTER
from tanzheng.ingest.writer import connect

UTC_ZONE = PlantZone(0)
LOCK_WAIT = "2s"


class MonthHasHoles(CheckFailed):
    """Batches of the month are missing: wait for them, or archive with what is missing said."""


class RowsChanged(CheckFailed):
    """The database does not hold what was archived: nothing was dropped."""


class DatabaseBusy(TanzhengError):
    """Somebody holds the day's rows; what is done is done, run it again."""


@dataclass(frozen=True, slots=True)
class Archived:
    """A month's folder, its manifest, and the days dropped by this run."""

    folder: Path
    manifest: Manifest
    dropped: tuple[date, ...] = ()


def days(month: Month) -> list[date]:
    """The UTC days of a month."""
    first_ms, end_ms = month.bounds_ms(UTC_ZONE)
    return [UTC_ZONE.day(t_ms) for t_ms in range(first_ms, end_ms, DAY_MS)]


def archive(
    database_url: str, month: Month, out: Path, now: datetime,
    with_holes: bool = False, drop: bool = False,
) -> Archived:  # fmt: skip
    """Write `month` below `out` (unless it is there), and with `drop` take its rows away.

    `MonthHasHoles`, `BadInput` for a month that is not over, `RowsChanged`, `DatabaseBusy`.
    """
    folder = out / str(month)
    if not folder.exists():
        _write(database_url, month, folder, now, with_holes)
    manifest = read_manifest(folder)
    dropped = _drop(database_url, folder, manifest, month) if drop else ()
    return Archived(folder, manifest, tuple(dropped))


def _write(database_url: str, month: Month, folder: Path, now: datetime, with_holes: bool) -> None:
    end_ms = month.bounds_ms(UTC_ZONE)[1]
    if ledger.instant(end_ms) + CLOSED_AFTER > now:
        raise BadInput(f"archive: expected a month that is over (UTC), got {month}")
    with replay.one_snapshot(database_url) as (asking, reading):
        found = asking.execute(
            "SELECT count(*) FROM archived_day WHERE day = ANY(%s)", (days(month),)
        ).fetchone()
        if found != (0,):
            raise BadInput(f"archive: {month} was dropped before: restore it first")
        holes = holes_of(asking, month)
        if holes and not with_holes:
            raise MonthHasHoles(f"{month}: expected no holes, got: {'; '.join(holes)}")
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        points = ledger.point_ids(asking)
        files = [
            file for day in days(month) for file in _day(asking, reading, points, partial, day)
        ]
    if not files:
        raise BadInput(f"archive: expected readings in {month} (UTC), got none")
    publish(partial, folder, Manifest(str(month), tuple(holes), tuple(files)))


def _day(
    asking: psycopg.Connection, reading: psycopg.Connection,
    points: Mapping[str, Mapping[str, int]], folder: Path, day: date,
) -> Iterator[File]:  # fmt: skip
    """Each gateway's file; together they must have all rows of the day."""
    span_ms = span(day)
    total = 0
    for gw, ids in sorted(points.items()):
        found = rows.join(list(replay.blocks(reading, list(ids.values()), span_ms)))
        if len(found):
            if found["t_ms"].min() < span_ms[0]:
                raise CheckFailed(f"{gw} {day}: expected whole milliseconds: run `ingest audit`")
            yield write_day(folder, gw, day, found, {i: name for name, i in ids.items()})
            total += len(found)
    count = _stored(asking, day)[0]
    if count != total:
        raise CheckFailed(
            f"{day}: expected {total} readings of known points, got {count}: run `ingest audit`"
        )


def span(day: date) -> tuple[int, int]:
    """First instant of a UTC day and of the next."""
    first_ms = UTC_ZONE.midnight_ms(day)
    return first_ms, first_ms + DAY_MS


def _stored(connection: psycopg.Connection, day: date) -> tuple[int, int]:
    """Readings of a day in the database, and the highest batch they are of."""
    row = connection.execute(
        "SELECT count(*), coalesce(max(batch_id), 0) FROM reading WHERE t >= %s AND t < %s",
        tuple(map(ledger.instant, span(day))),
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def holes_of(connection: psycopg.Connection, month: Month) -> list[str]:
    """Why batches of the month may be missing, gateway by gateway, for people."""
    first_ms, end_ms = month.bounds_ms(UTC_ZONE)
    found = connection.execute(
        "SELECT gw, "
        "EXISTS (SELECT FROM early_batch e WHERE e.gw = g.gw AND (e.last_ms >= %(first)s) "
        "IS NOT FALSE AND NOT past), past "
        "FROM gateway g CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM batch b "
        "WHERE b.gw = g.gw AND (b.epoch, b.seq) <= (g.head_epoch, g.head_seq) "
        "AND b.last_ms >= %(end)s) AS past) AS chain "
        "WHERE EXISTS (SELECT FROM batch b WHERE b.gw = g.gw AND b.first_ms < %(end)s "
        "AND b.last_ms >= %(first)s) ORDER BY gw",
        {"first": first_ms, "end": end_ms},
    ).fetchall()
    return [
        f"{gw}: batches wait for others before them" if early
        else f"{gw}: its chain ends before the month does"
        for gw, early, past in found
        if early or not past
    ]  # fmt: skip


def _drop(database_url: str, folder: Path, manifest: Manifest, month: Month) -> list[date]:
    """Drop each day whose files are whole and equal to the rows; one transaction a day."""
    dropped = []
    digest = sha256(manifest.encode())
    with connect(database_url) as connection:
        points = ledger.point_ids(connection)
        gone = {day for (day,) in connection.execute("SELECT day FROM archived_day").fetchall()}
        for day in (day for day in days(month) if manifest.of_day(day) and day not in gone):
            files = manifest.of_day(day)
            _compare(connection, folder, files, points)
            _drop_day(connection, day, files, digest)
            dropped.append(day)
    return dropped


def _compare(
    connection: psycopg.Connection, folder: Path, files: list[File],
    points: Mapping[str, Mapping[str, int]],
) -> None:  # fmt: skip
    """Read the files back and hold them against the rows, bit by bit; else `RowsChanged`."""
    for file in files:
        ids = points.get(file.gw, {})
        kept = read_day(folder, file, ids)
        found = rows.join(list(replay.blocks(connection, list(ids.values()), span(file.day))))
        if _sorted(kept).tobytes() != found.tobytes():
            raise RowsChanged(
                f"{file.path}: expected the rows of {file.day} as they were archived, got others: "
                "move the folder away and archive anew"
            )


def _sorted(readings: rows.Readings) -> rows.Readings:
    return readings[np.lexsort((readings["t_ms"], readings["point_id"], readings["batch_id"]))]


def _drop_day(connection: psycopg.Connection, day: date, files: list[File], digest: bytes) -> None:
    """No batch comes between the last count and the drop: its table is locked, a moment."""
    readings = sum(file.readings for file in files)
    batch_id = max(file.batch_last for file in files)
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'".encode())
            connection.execute("LOCK TABLE batch IN SHARE ROW EXCLUSIVE MODE")
            if _stored(connection, day) != (readings, batch_id):
                raise RowsChanged(
                    f"{day}: expected {readings} readings up to batch {batch_id}, got others: "
                    "move the folder away and archive anew"
                )
            connection.execute("SELECT drop_reading_day(%s)", (day,))
            connection.execute(
                "INSERT INTO archived_day (day, batch_id_max, readings, manifest_sha256) "
                "VALUES (%s, %s, %s, %s)",
                (day, batch_id, readings, digest),
            )
            detail = {"day": day.isoformat(), "readings": readings, "manifest": digest.hex()}
            audit_log.add(connection, "archive drop", detail)
    except psycopg.errors.LockNotAvailable as error:
        raise DatabaseBusy(f"{day}: expected its lock within {LOCK_WAIT}: run it again") from error


def restore(database_url: str, folder: Path) -> tuple[int, int]:
    """Bring back the dropped days of an archive; how many days, and readings. One transaction a
    day; killed, it goes on with the next run."""
    manifest = read_manifest(folder)
    digest = sha256(manifest.encode())
    restored = readings = 0
    with connect(database_url) as connection:
        points = ledger.point_ids(connection)
        for day in sorted({file.day for file in manifest.files}):
            with connection.transaction():
                gone = connection.execute(
                    "DELETE FROM archived_day WHERE day = %s RETURNING manifest_sha256", (day,)
                ).fetchone()
                if gone is None:
                    continue  # it is there
                if bytes(gone[0]) != digest:
                    raise BadInput(f"{folder}: {day} was dropped with another archive")
                files = manifest.of_day(day)
                parts = [read_day(folder, file, points.get(file.gw, {})) for file in files]
                ledger.ensure_days(connection, [span(day)[0] // DAY_MS])
                ledger.copy_readings(connection, rows.pack(rows.join(parts)))
                audit_log.add(connection, "archive restore", {"day": day.isoformat()})
            restored, readings = restored + 1, readings + sum(f.readings for f in files)
    return restored, readings
