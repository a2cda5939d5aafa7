"""The SQL of ingest: every statement that reads or writes the ledger tables.

Functions on an open connection; the caller holds the transaction.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import psycopg

from tanzheng.core.batch import Batch, ChainHead
from tanzheng.core.errors import BadInput
from tanzheng.core.topics import batch_topic
from tanzheng.ingest import rows
from tanzheng.ingest.chain import Chain, Link
from tanzheng.ingest.decide import Checked, Reason, Refused
from tanzheng.ingest.enrolment import Gateway

Place = tuple[str, int, int]
"""Gateway, epoch, sequence."""

# Open entries of one gateway. Beyond it a message is counted and logged only: a mad gateway must
# not fill the disk of all others. It keeps its data, because nothing of it is acknowledged.
QUARANTINE_OPEN_MAX = 10_000
FOLLOWING_PAGE = 1000


def enrol(
    connection: psycopg.Connection, gateways: Mapping[str, Gateway]
) -> dict[str, dict[str, int]]:
    """Enter gateways and points that are new; point name → point_id for each gateway.

    A key that signed nothing yet may be another one today. Raises `BadInput` if the database knows
    a gateway with a key that no re-enrolment explains.
    """
    for gateway in gateways.values():
        connection.execute(
            "INSERT INTO gateway (gw, public_key) VALUES (%s, %s) ON CONFLICT (gw) DO UPDATE "
            "SET public_key = excluded.public_key WHERE gateway.head_digest IS NULL",
            (gateway.gw, gateway.newest_key.raw),
        )
        stored = connection.execute(
            "SELECT public_key FROM gateway WHERE gw = %s", (gateway.gw,)
        ).fetchone()
        if stored is None or stored[0] != gateway.newest_key.raw:
            raise BadInput(
                f"gateway {gateway.gw}: expected the enrolled key, got "
                f"{gateway.newest_key.kid.hex()}: another key needs a re-enrolment, "
                "`tanzheng ingest enrol`"
            )
        enter_points(connection, gateway.gw, gateway.points)
    return point_ids(connection)


def enter_points(connection: psycopg.Connection, gw: str, names: Iterable[str]) -> None:
    """Enter the points of a gateway that are new; ids are not used up by those that are not."""
    connection.execute(
        "INSERT INTO point (gw, name) SELECT %s, name FROM unnest(%s::text[]) AS name "
        "WHERE NOT EXISTS (SELECT FROM point p WHERE p.gw = %s AND p.name = name.name) "
        "ON CONFLICT DO NOTHING",
        (gw, list(names), gw),
    )


def point_ids(connection: psycopg.Connection) -> dict[str, dict[str, int]]:
    """Gateway → point name → point_id."""
    ids: dict[str, dict[str, int]] = {}
    for gw, name, point_id in connection.execute("SELECT gw, name, point_id FROM point"):
        ids.setdefault(gw, {})[name] = point_id
    return ids


def lock_chains(connection: psycopg.Connection, gateways: Iterable[str]) -> dict[str, Chain]:
    """The chains of these gateways; other workers are kept from them until the transaction ends."""
    names = list(gateways)
    found = connection.execute(
        "SELECT gw, state = 'suspended', head_epoch, head_seq, head_digest, "
        "coalesce(opens_epoch, 0), public_key FROM gateway "
        "WHERE gw = ANY(%s) ORDER BY gw FOR UPDATE",
        (names,),
    )
    chains = {
        gw: Chain(
            None if digest is None else ChainHead(epoch, seq, bytes(digest)),
            suspended,
            opens_epoch=opens_epoch,
            public_key=bytes(public_key),
        )
        for gw, suspended, epoch, seq, digest, opens_epoch, public_key in found
    }
    waiting = connection.execute(
        "SELECT gw, count(*), sum(raw_bytes), max(seq) FROM early_batch WHERE gw = ANY(%s) "
        "GROUP BY gw",
        (names,),
    )
    for gw, early, early_bytes, top in waiting:
        chain = chains[gw]
        chain.early, chain.early_bytes, chain.top = early, int(early_bytes), top
    return chains


def links(
    connection: psycopg.Connection, places: Iterable[Place]
) -> dict[str, dict[tuple[int, int], Link]]:
    """The stored batches in these places and next to them, by gateway."""
    wanted = {(gw, epoch, seq + step) for gw, epoch, seq in places for step in (-1, 0, 1)}
    if not wanted:
        return {}
    gws, epochs, seqs = map(list, zip(*wanted, strict=True))
    rows_found = connection.execute(
        "SELECT gw, epoch, seq, digest, prev FROM batch JOIN "
        "unnest(%s::text[], %s::bigint[], %s::bigint[]) AS p(gw, epoch, seq) "
        "USING (gw, epoch, seq)",
        (gws, epochs, seqs),
    )
    found: dict[str, dict[tuple[int, int], Link]] = {}
    for gw, epoch, seq, digest, prev in rows_found:
        found.setdefault(gw, {})[epoch, seq] = Link(bytes(digest), bytes(prev))
    return found


def following(
    connection: psycopg.Connection, gw: str, head: ChainHead
) -> Iterator[tuple[int, Link]]:
    """Sequence and link of the stored batches of the head's epoch above it, rising."""
    after = head.seq
    while True:
        page = connection.execute(
            "SELECT seq, digest, prev FROM batch WHERE gw = %s AND epoch = %s AND seq > %s "
            "ORDER BY seq LIMIT %s",
            (gw, head.epoch, after, FOLLOWING_PAGE),
        ).fetchall()
        for seq, digest, prev in page:
            yield seq, Link(bytes(digest), bytes(prev))
            after = seq
        if len(page) < FOLLOWING_PAGE:
            return


def set_head(connection: psycopg.Connection, gw: str, head: ChainHead) -> None:
    """The chain of `gw` is gapless up to `head` from now on."""
    connection.execute(
        "UPDATE gateway SET head_epoch = %s, head_seq = %s, head_digest = %s WHERE gw = %s",
        (head.epoch, head.seq, head.digest, gw),
    )


def strand(connection: psycopg.Connection, gw: str, last: ChainHead) -> int:
    """Move to quarantine what is early in the epoch that ended with `last`; how many batches.

    It can never join. The signed bytes are kept, the rows made from them go.
    """
    place = {"gw": gw, "epoch": last.epoch, "seq": last.seq, "topic": batch_topic(gw)}
    stranded = "SELECT * FROM batch WHERE gw = %(gw)s AND epoch = %(epoch)s AND seq > %(seq)s"
    kept = connection.execute(
        "INSERT INTO quarantine (topic, gw, reason_code, detail, digest, raw, received_at, "  # noqa: S608
        f"seen_last_at) SELECT %(topic)s, gw, '{Reason.CLOSED}', format('%%s epoch %%s seq %%s: "
        "stored early, its epoch ended before the batches in between came', gw, epoch, seq), "
        f"digest, raw, received_at, received_at FROM ({stranded}) AS b "
        "ON CONFLICT (digest, reason_code, topic) DO NOTHING".encode(),
        place,
    )
    connection.execute(
        "DELETE FROM reading r USING point p, "  # noqa: S608
        f"(SELECT min(first_ms) AS first, max(last_ms) AS last FROM ({stranded}) AS b) AS span "
        "WHERE p.gw = %(gw)s AND r.point_id = p.point_id AND r.t >= to_timestamp(first / 1000.0) "
        "AND r.t <= to_timestamp(last / 1000.0) "
        f"AND r.batch_id IN (SELECT batch_id FROM ({stranded}) AS b)".encode(),
        place,
    )
    connection.execute(
        "SELECT mark_dirty(%(gw)s, min(first_ms), max(last_ms) + 1) "  # noqa: S608
        f"FROM ({stranded}) AS b HAVING min(first_ms) IS NOT NULL".encode(),
        place,
    )
    for table in ("gap", "event", "batch"):
        connection.execute(
            f"DELETE FROM {table} WHERE batch_id IN "  # noqa: S608
            f"(SELECT batch_id FROM ({stranded}) AS b)".encode(),
            place,
        )
    return kept.rowcount


def insert_batches(connection: psycopg.Connection, accepted: Sequence[Checked]) -> list[int]:
    """The ledger rows of accepted batches; their ids, rising, in the same order."""
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
    batch = checked.batch
    first, last = batch.span_ms or (None, None)
    place = (batch.gw, batch.epoch, batch.seq, checked.digest, batch.prev, batch.made_ms)
    received = instant(checked.message.received_ms)
    return (*place, first, last, batch.readings, checked.message.payload, received)


def ensure_days(connection: psycopg.Connection, days: Iterable[int]) -> None:
    """Make a place for the readings of these UTC days (counted from 1970)."""
    for day in days:
        connection.execute(
            "SELECT ensure_reading_day(%s)", (date(1970, 1, 1) + timedelta(days=day),)
        )


def archived_days(connection: psycopg.Connection) -> dict[int, int]:
    """UTC day (since 1970) → the last batch whose readings of that day lie in an archive alone."""
    found = connection.execute("SELECT day - date '1970-01-01', batch_id_max FROM archived_day")
    return dict(found.fetchall())


def copy_readings(connection: psycopg.Connection, packed: memoryview) -> None:
    """Write readings by one binary COPY of rows without header and trailer."""
    statement = "COPY reading (point_id, t, value, quality, batch_id) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for part in (rows.COPY_HEADER, packed, rows.COPY_TRAILER):
            copy.write(part)


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
