"""Ingest end to end against a bare binary COPY, and the audit against reading the rows alone.

Both ways write the same month into the same partitioned table of the same server (fsync on). The
floor is one COPY of rows packed beforehand, in one transaction. Ingest gets what the broker
delivers: it unpacks, checks form, signature, chain and points, writes ledger, raw bytes and rows,
and commits group by group. A ratio of 1 is the floor's own speed.
"""

import queue
import tempfile
import threading
import time
from array import array
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import zstandard

from measure import Measured
from tanzheng.core.batch import GENESIS, Batch, ClockState, Column, sign
from tanzheng.core.calendar import PlantZone
from tanzheng.core.keys import SigningKey
from tanzheng.core.topics import batch_topic
from tanzheng.ingest import rows
from tanzheng.ingest.audit import audit
from tanzheng.ingest.decide import Checked, Message, Refused, examine
from tanzheng.ingest.embedded import EmbeddedPostgres
from tanzheng.ingest.enrolment import Gateway
from tanzheng.ingest.lane import GROUP_MESSAGES_MAX
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.writer import Writer

GW = "gw1"
POINTS = tuple(f"device{i}/active_power_kw" for i in range(13))
START_MS = 1_530_428_400_000
BATCHES = 744  # an hour each: a month of 31 days
SLOTS = 60
ROUNDS = 3
KEY = SigningKey.generate()
GATEWAYS = {GW: Gateway(GW, KEY.public, POINTS, PlantZone(0))}


def run() -> list[Measured]:
    """Rows: ingest and audit of a month of 580,320 readings, best of the rounds each."""
    messages = _month()
    with (
        tempfile.TemporaryDirectory(prefix="tz-") as folder,
        EmbeddedPostgres(Path(folder)) as server,
    ):
        migrate(server.url())
        packed = _packed(server.url(), messages)
        rounds = [_round(server.url(), messages, packed) for _ in range(ROUNDS)]
    count = BATCHES * SLOTS * len(POINTS)
    ingested, copied, audited, read = (min(times) for times in zip(*rounds, strict=True))
    return [
        Measured(
            f"ingest, {BATCHES} batches of {SLOTS * len(POINTS)}",
            count / ingested,
            "rows/s",
            "bare binary COPY of the rows",
            count / copied,
        ),
        Measured(
            "audit of these rows", count / audited, "rows/s", "COPY out in order", count / read
        ),
    ]


def _month() -> list[Message]:
    random = np.random.default_rng(1)
    messages, prev = [], GENESIS
    for seq in range(1, BATCHES + 1):
        start = START_MS + (seq - 1) * SLOTS * 60_000
        times = array("q", range(start, start + SLOTS * 60_000, 60_000))
        columns = tuple(
            Column(times, array("d", random.uniform(0, 1e6, SLOTS).tolist()), bytes(SLOTS))
            for _ in POINTS
        )
        clock = ClockState("bench", synced=True)
        signed = sign(Batch(GW, 1, seq, prev, start, clock, POINTS, columns), KEY)
        prev = signed.digest
        payload = zstandard.compress(signed.raw)
        messages.append(Message(batch_topic(GW), payload, START_MS + 40 * rows.DAY_MS))
    return messages


def _packed(url: str, messages: Sequence[Message]) -> bytes:
    """The month's rows as ingest writes them, ready to be copied; the partitions are there then."""
    _ingest(url, messages)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        statement = "COPY (TABLE reading) TO STDOUT (FORMAT BINARY)"
        with cursor.copy(statement) as copy:
            return b"".join(bytes(part) for part in copy)


def _round(
    url: str, messages: Sequence[Message], packed: bytes
) -> tuple[float, float, float, float]:
    """Seconds of ingest, bare COPY, audit, and reading the rows."""
    _empty(url)
    copied = _seconds(lambda: _copy(url, packed))
    _empty(url)
    ingested = _seconds(lambda: _ingest(url, messages))
    read = _seconds(lambda: _read(url))
    audited = _seconds(lambda: _audit(url))
    return ingested, copied, audited, read


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE reading, gap, event, batch")
        connection.execute(
            "UPDATE gateway SET (head_epoch, head_seq, head_digest) = ROW(NULL, NULL, NULL)"
        )
        connection.execute("CHECKPOINT")


def _copy(url: str, packed: bytes) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        statement = (
            "COPY reading (point_id, t, value, quality, batch_id) FROM STDIN (FORMAT BINARY)"
        )
        with cursor.copy(statement) as copy:
            copy.write(packed)


def _ingest(url: str, messages: Sequence[Message]) -> None:
    """As the service does it: one thread examines, the other writes what is ready in groups."""
    ready: queue.Queue[Checked | Refused] = queue.Queue(GROUP_MESSAGES_MAX)
    receiver = threading.Thread(target=_receive, args=(messages, ready))
    accepted = 0
    with closing(Writer(url, GATEWAYS)) as writer:
        receiver.start()
        while accepted < len(messages):
            group = [ready.get()]
            while len(group) < GROUP_MESSAGES_MAX and not ready.empty():
                group.append(ready.get())
            outcome = writer.write(group)
            assert not outcome.refused, outcome
            accepted += outcome.accepted
    receiver.join()


def _receive(messages: Sequence[Message], ready: queue.Queue[Checked | Refused]) -> None:
    for message in messages:
        ready.put(examine(message, GATEWAYS))


def _read(url: str) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        connection.execute("SET work_mem = '64MB'")
        statement = (
            "COPY (SELECT point_id, t, value, quality, batch_id FROM reading "
            "ORDER BY batch_id, point_id, t) TO STDOUT (FORMAT BINARY)"
        )
        with cursor.copy(statement) as copy:
            for _ in copy:
                pass


def _audit(url: str) -> None:
    assert audit(url, GATEWAYS).difference is None
