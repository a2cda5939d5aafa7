"""The SQL of ingest: every statement that reads or writes the ledger tables.

Functions on an open connection; the caller holds the transaction.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import psycopg

from tanzheng.core.batch import Batch, ChainHead
from tanzheng.core.errors import BadInput
from tanzheng.ingest import rows
from tanzheng.ingest.decide import Checked, Refused
from tanzheng.ingest.enrolment import Gateway

Place = tuple[str, int, int]
"""Gateway, epoch, sequence."""

# Open entries of one gateway. Beyond it a message is counted and logged only: a mad gateway must
# not fill the disk of all others. It keeps its data, because nothing of it is acknowledged.
QUARANTINE_OPEN_MAX = 10_000


def enrol(
    connection: psycopg.Connection, gateways: Mapping[str, Gateway]
) -> dict[str, dict[str, int]]:
    """Enter gateways and points that are new; point name → point_id for each gateway.

    Raises `BadInput` if the database knows a gateway with another key.
    """
    for gateway in gateways.values():
        connection.execute(
            "INSERT INTO gateway (gw, public_key) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (gateway.gw, gateway.key.raw),
        )
        stored = connection.execute(
            "SELECT public_key FROM gateway WHERE gw = %s", (gateway.gw,)
        ).fetchone()
        if stored is None or stored[0] != gateway.key.raw:
            raise BadInput(
                f"gateway {gateway.gw}: expected the enrolled key, got {gateway.key.kid.hex()}: "
                "another key needs a re-enrolment"
            )
        connection.execute(
            "INSERT INTO point (gw, name) SELECT %s, name FROM unnest(%s::text[]) AS name "
            "WHERE NOT EXISTS (SELECT FROM point p WHERE p.gw = %s AND p.name = name.name) "
            "ON CONFLICT DO NOTHING",
            (gateway.gw, list(gateway.points), gateway.gw),
        )
    return point_ids(connection)


def point_ids(connection: psycopg.Connection) -> dict[str, dict[str, int]]:
    """Gateway → point name → point_id."""
    ids: dict[str, dict[str, int]] = {}
    for gw, name, point_id in connection.execute("SELECT gw, name, point_id FROM point"):
        ids.setdefault(gw, {})[name] = point_id
    return ids


def lock_gateways(connection: psycopg.Connection, gateways: Iterable[str]) -> dict[str, bool]:
    """Keep other workers from these gateways until the transaction ends; gateway → suspended."""
    found = connection.execute(
        "SELECT gw, state = 'suspended' FROM gateway WHERE gw = ANY(%s) ORDER BY gw FOR UPDATE",
        (list(gateways),),
    )
    return dict(found.fetchall())


def heads(connection: psycopg.Connection, gateways: Iterable[str]) -> dict[str, ChainHead]:
    """The last stored batch of each gateway that has one. Read after `lock_gateways`."""
    found = connection.execute(
        "SELECT g.gw, b.epoch, b.seq, b.digest FROM unnest(%s::text[]) AS g(gw), LATERAL ("
        "SELECT epoch, seq, digest FROM batch WHERE batch.gw = g.gw "
        "ORDER BY epoch DESC, seq DESC LIMIT 1) AS b",
        (list(gateways),),
    )
    return {gw: ChainHead(epoch, seq, bytes(digest)) for gw, epoch, seq, digest in found}


def digests(connection: psycopg.Connection, places: Sequence[Place]) -> dict[Place, bytes]:
    """Digest of the stored batch in each place that is taken."""
    if not places:
        return {}
    gws, epochs, seqs = map(list, zip(*places, strict=True))
    found = connection.execute(
        "SELECT gw, epoch, seq, digest FROM batch JOIN "
        "unnest(%s::text[], %s::bigint[], %s::bigint[]) AS p(gw, epoch, seq) "
        "USING (gw, epoch, seq)",
        (gws, epochs, seqs),
    )
    return {(gw, epoch, seq): bytes(digest) for gw, epoch, seq, digest in found}


def insert_batches(connection: psycopg.Connection, accepted: Sequence[Checked]) -> list[int]:
    """The ledger rows of accepted batches; their ids in the same order."""
    ids: list[int] = []
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO batch (gw, epoch, seq, digest, prev, made_ms, first_ms, last_ms, readings,"
            " raw, received_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %b, %s) "
            "RETURNING batch_id",
            [_batch_row(checked) for checked in accepted],
            returning=True,
        )
        for _ in cursor.results():
            row = cursor.fetchone()
            assert row is not None
            ids.append(row[0])
    return ids


def _batch_row(checked: Checked) -> tuple[object, ...]:
    batch = checked.signed.batch
    first, last = batch.span_ms or (None, None)
    place = (batch.gw, batch.epoch, batch.seq, checked.digest, batch.prev, batch.made_ms)
    received = instant(checked.message.received_ms)
    return (*place, first, last, batch.readings, checked.signed.raw, received)


def ensure_days(connection: psycopg.Connection, days: Iterable[int]) -> None:
    """Make a place for the readings of these UTC days (counted from 1970)."""
    for day in days:
        connection.execute(
            "SELECT ensure_reading_day(%s)", (date(1970, 1, 1) + timedelta(days=day),)
        )


def copy_readings(connection: psycopg.Connection, readings: rows.Readings) -> None:
    """Write readings by one binary COPY."""
    statement = "COPY reading (point_id, t, value, quality, batch_id) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(rows.pack(readings))


def insert_gaps(
    connection: psycopg.Connection, gaps: Iterable[tuple[int, str, int, int, int, int, str]]
) -> None:
    """Write gap records as `gap_rows` gives them."""
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO gap VALUES (%s, %s, %s, %s, %s, %s, %s)", gaps)


def gap_rows(
    batch: Batch, batch_id: int, ids: Mapping[str, int]
) -> list[tuple[int, str, int, int, int, int, str]]:
    """Rows of `gap` in the table's column order: one for each point of each gap record."""
    return [
        (batch_id, batch.gw, ids[batch.points[index]], gap.from_ms, gap.to_ms, gap.interval_ms,
         gap.reason)
        for gap in batch.gaps
        for index in gap.points
    ]  # fmt: skip


def insert_events(connection: psycopg.Connection, batches: Iterable[tuple[int, Batch]]) -> None:
    """Write the events of accepted batches."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO event (batch_id, gw, t_ms, kind, detail) VALUES (%s, %s, %s, %s, %s)",
            [
                (batch_id, batch.gw, event.t_ms, event.kind, json.dumps(dict(event.detail)))
                for batch_id, batch in batches
                for event in batch.events
            ],
        )


def quarantine(connection: psycopg.Connection, refused: Iterable[Refused]) -> None:
    """Keep refused messages; one seen before is counted up."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO quarantine (topic, gw, reason_code, detail, digest, raw, received_at, "
            "seen_last_at) SELECT %(topic)s, %(gw)s, %(reason)s, %(detail)s, %(digest)s, %(raw)b, "
            "%(at)s, %(at)s WHERE (SELECT count(*) FROM (SELECT FROM quarantine "
            "WHERE gw = %(gw)s AND accepted_at IS NULL LIMIT %(max)s) AS open) < %(max)s "
            "ON CONFLICT (digest, reason_code, topic) DO UPDATE "
            "SET seen = quarantine.seen + 1, seen_last_at = EXCLUDED.seen_last_at",
            [_quarantine_row(item) for item in refused],
        )


def _quarantine_row(item: Refused) -> dict[str, object]:
    return {
        "topic": item.message.topic,
        "gw": item.gw or "",
        "reason": item.reason,
        "detail": item.detail,
        "digest": item.digest,
        "raw": item.message.payload,
        "at": instant(item.message.received_ms),
        "max": QUARANTINE_OPEN_MAX,
    }


def mark_accepted(connection: psycopg.Connection, digests_accepted: Sequence[bytes]) -> None:
    """Close the quarantine entries of batches that are accepted now."""
    connection.execute(
        "UPDATE quarantine SET accepted_at = now() WHERE digest = ANY(%s) AND accepted_at IS NULL",
        (list(digests_accepted),),
    )


def suspend(connection: psycopg.Connection, gw: str, reason: str) -> None:
    """Take nothing more from a gateway until it is enrolled anew."""
    connection.execute(
        "UPDATE gateway SET state = 'suspended', state_reason = %s, state_since = now() "
        "WHERE gw = %s",
        (reason, gw),
    )


def instant(t_ms: int) -> datetime:
    """UTC milliseconds as a timestamptz parameter."""
    return datetime.fromtimestamp(t_ms / 1000, UTC)
