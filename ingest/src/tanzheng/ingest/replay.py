"""The two streams that `audit` and `rebuild` hold against each other.

One is the signed batches of a gateway as they were stored, each checked against the enrolled keys
and its neighbours; the other is the rows of `reading` in the order (batch, point, time). Both are
read from one snapshot in pieces, so that memory stays bounded.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import psycopg

from tanzheng.core.batch import Batch, ChainHead, SignedBatch, check_successor
from tanzheng.core.errors import TanzhengError
from tanzheng.core.wire import unpack_kept
from tanzheng.ingest import ledger, rows
from tanzheng.ingest.chain import EARLY_BATCHES_MAX
from tanzheng.ingest.compare import (
    Difference,
    DifferenceFound,
    Group,
    Stored,
    compare_ledger,
    differs,
)
from tanzheng.ingest.enrolment import Gateway

FETCH_BATCHES = 64
GROUP_BATCHES = 256
GROUP_READINGS = 200_000
BLOCK_ROWS = 80_000
ALWAYS_MS = (0, 1 << 53)


@dataclass(slots=True)
class Report:
    """What was compared, and the first difference, if any."""

    batches: int = 0
    early: int = 0
    """Of these, batches ahead of their chain: the ones in between have not come."""
    readings: int = 0
    gaps: int = 0
    heads: dict[str, ChainHead] = field(default_factory=dict)
    difference: Difference | None = None

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "batches": self.batches,
            "early": self.early,
            "readings": self.readings,
            "gaps": self.gaps,
            "heads": {
                gw: {"epoch": head.epoch, "seq": head.seq, "digest": head.digest.hex()}
                for gw, head in self.heads.items()
            },
            "difference": asdict(self.difference) if self.difference else None,
        }


@contextmanager
def one_snapshot(database_url: str) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """Two connections that see the same instant: a COPY keeps a connection to itself."""
    with psycopg.connect(database_url) as first, psycopg.connect(database_url) as second:
        for connection in (first, second):
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        snapshot = first.execute("SELECT pg_export_snapshot()").fetchone()
        assert snapshot is not None
        second.execute(f"SET TRANSACTION SNAPSHOT '{snapshot[0]}'".encode())
        second.execute("SET LOCAL work_mem = '64MB'")  # sorts a month in memory
        yield first, second


def verified(
    connection: psycopg.Connection, gateway: Gateway, report: Report
) -> Iterator[tuple[Stored, SignedBatch]]:
    """The gateway's batches as they were stored, each checked against its key and its neighbours.

    At the end the chain must have come to the head that the ledger names.
    """
    walk = _Walk()
    with connection.cursor("audited batches", binary=True) as cursor:
        cursor.itersize = FETCH_BATCHES
        cursor.execute(
            "SELECT batch_id, gw, epoch, seq, digest, prev, made_ms, first_ms, last_ms, readings,"
            " raw FROM batch WHERE gw = %s ORDER BY batch_id",
            (gateway.gw,),
        )
        for row in cursor:
            stored = Stored(*row)
            try:
                signed = gateway.open(unpack_kept(stored.raw))
                walk.step(stored, signed.batch, signed.head)
            except TanzhengError as error:
                kind = f"signed batch refused ({type(error).__name__})"
                raise differs(stored, kind, "the next of the chain", error) from error
            compare_ledger(stored, signed)
            report.batches += 1
            yield stored, signed
    _compare_head(connection, gateway.gw, walk)
    report.early += len(walk.early)
    if walk.head is not None:
        report.heads[gateway.gw] = walk.head


def groups(
    chain: Iterable[tuple[Stored, SignedBatch]],
) -> Iterator[list[tuple[Stored, SignedBatch]]]:
    """Batches in pieces of at most `GROUP_BATCHES`, and `GROUP_READINGS` where one is not more."""
    group: list[tuple[Stored, SignedBatch]] = []
    readings = 0
    for stored, signed in chain:
        more = signed.batch.readings
        if group and (len(group) >= GROUP_BATCHES or readings + more > GROUP_READINGS):
            yield group
            group, readings = [], 0
        group.append((stored, signed))
        readings += more
    if group:
        yield group


class _Walk:
    """A chain as it grew: its head, and what was stored ahead of it."""

    def __init__(self) -> None:
        self.head: ChainHead | None = None
        self.early: dict[int, tuple[Stored, bytes, ChainHead]] = {}

    def step(self, stored: Stored, batch: Batch, found: ChainHead) -> None:
        """The next stored batch; a `SequenceError` where it can have no place."""
        head = self.head
        ahead = head is not None and batch.epoch == head.epoch and batch.seq > head.seq + 1
        if ahead and len(self.early) < EARLY_BATCHES_MAX and batch.seq not in self.early:
            self.early[batch.seq] = (stored, batch.prev, found)
            return
        check_successor(head, batch)
        if head is not None and found.epoch > head.epoch and self.early:
            raise self.missing()
        self.head = found
        while waiting := self.early.pop(self.head.seq + 1, None):
            stored, prev, found = waiting
            if prev != self.head.digest:
                raise differs(stored, "chain broken", self.head.digest, prev)
            self.head = found

    def missing(self) -> DifferenceFound:
        """The exception for a hole in what should be without one."""
        first = self.early[min(self.early)][0]
        expected = f"seq {self.head.seq + 1 if self.head else 1} before it"
        return differs(first, "batch missing", expected, "none")


def _compare_head(connection: psycopg.Connection, gw: str, walk: _Walk) -> None:
    """What the ledger names as the end of the gapless chain against the batches themselves."""
    row = connection.execute(
        "SELECT head_epoch, head_seq, head_digest FROM gateway WHERE gw = %s", (gw,)
    ).fetchone()
    named = ChainHead(row[0], row[1], bytes(row[2])) if row and row[2] is not None else None
    if named == walk.head:
        return
    if walk.early and named is not None:
        raise walk.missing()
    place = (named.epoch, named.seq) if named else (0, 0)
    raise DifferenceFound(
        Difference("ledger head changed", gw, *place, "", "", str(walk.head), str(named))
    )


def expected(
    group: Group,
    ids: Mapping[str, int],
    span_ms: tuple[int, int],
    archived: Mapping[int, int],
) -> rows.Readings:
    """The rows that the batches of a group make, in the order of their key; without those that
    lie in an archive (`archived`: UTC day since 1970 → last batch in it)."""
    parts = []
    for stored, signed in group:
        for point in signed.batch.points:
            if point not in ids:
                raise differs(stored, "point missing", point, "none", point=point)
        if stored.first_ms is None or stored.last_ms is None:
            continue
        if stored.first_ms < span_ms[1] and stored.last_ms >= span_ms[0]:
            parts.append(rows.readings_of(signed.batch, stored.batch_id, ids))
    found = rows.join(parts)
    found = found[(found["t_ms"] >= span_ms[0]) & (found["t_ms"] < span_ms[1])]
    days = found["t_ms"] // rows.DAY_MS
    for day in np.unique(days).tolist() if archived else []:
        keep = (days != day) | (found["batch_id"] > archived.get(day, -1))
        found, days = found[keep], days[keep]
    return found[np.lexsort((found["t_ms"], found["point_id"], found["batch_id"]))]


class ReadingStream:
    """Rows of `reading` in the order of their key, taken in pieces up to a batch."""

    def __init__(self, blocks: Iterator[rows.Readings]) -> None:
        self._blocks = blocks
        self._rest = rows.join([])

    def up_to(self, batch_id: int) -> rows.Readings:
        """All rows not yet taken whose batch_id is at most `batch_id`."""
        parts = [self._rest]
        while not len(parts[-1]) or parts[-1]["batch_id"][-1] <= batch_id:
            block = next(self._blocks, None)
            if block is None:
                break
            parts.append(block)
        everything = rows.join(parts)
        cut = int(np.searchsorted(everything["batch_id"], batch_id, side="right"))
        self._rest = everything[cut:]
        return everything[:cut]

    def remaining(self) -> Iterator[rows.Readings]:
        """All that is left, a block at a time."""
        first, self._rest = self._rest, rows.join([])
        if len(first):
            yield first
        yield from (block for block in self._blocks if len(block))

    def rest(self) -> rows.Readings:
        """All that is left."""
        return self.up_to(int(np.iinfo("i8").max))


def blocks(
    connection: psycopg.Connection, point_ids: list[int], span_ms: tuple[int, int]
) -> Generator[rows.Readings, None, None]:
    """The rows of these points in the order of their key, some MB at a time."""
    where = "point_id = ANY(%s)"
    parameters: list[Any] = [point_ids]
    if span_ms != ALWAYS_MS:  # without limits rows moved to infinity are found, too
        where += " AND t >= %s AND t < %s"
        parameters += map(ledger.instant, span_ms)
    statement = (
        f"COPY (SELECT point_id, t, value, quality, batch_id FROM reading WHERE {where} "  # noqa: S608
        "ORDER BY batch_id, point_id, t) TO STDOUT (FORMAT BINARY)"
    )
    block_bytes = BLOCK_ROWS * rows.COPY_ROW.itemsize
    with connection.cursor() as cursor, cursor.copy(statement.encode(), parameters) as copy:
        buffer, header = bytearray(), len(rows.COPY_HEADER)
        for data in copy:
            buffer += data[header:]
            header = max(0, header - len(data))
            if len(buffer) >= block_bytes + len(rows.COPY_TRAILER):
                yield rows.unpack(bytes(buffer[:block_bytes]))
                del buffer[:block_bytes]
        yield rows.unpack(bytes(buffer[: -len(rows.COPY_TRAILER)]))
