"""What is read and not yet acknowledged, on disk.

Contract: when a method that writes returns, what it wrote survives a power cut; when the process
dies inside it, or it raises `SpoolRefused`, either all or nothing of it is there. One writer holds
the folder's lock: two agents on one spool would sign two different batches for one place in the
chain. Any thread may call; `guard` is held by whoever needs several calls to be one.

`entry` holds what is read and not yet sealed, `batch` what is sealed and not yet acknowledged,
`chain` the last sealed place (`head`) and the last acknowledged one (`acked`); both outlive the
batches they name. Bytes in `batch.wire` are what goes to the broker: zstd of the signed batch.
`ledger` has a line for each counter, `inbox` the digest of every record taken from there,
`arrived` the instants of what devices sent by themselves, the newest `ARRIVED_MAX` that were
sealed: a sender that was not answered sends again, perhaps to the process after this one.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tanzheng.core.batch import ChainHead, Event
from tanzheng.edge.spool.database import (
    FILE_NAME,
    SpoolError,
    SpoolFull,
    SpoolRefused,
    Transaction,
    open_owned,
    refusal,
    take_lock,
)
from tanzheng.edge.spool.records import ArrivalEntry, Entry, encode_entry
from tanzheng.edge.steps import Doubt, Standing

__all__ = [
    "FILE_NAME", "Row", "Sealed", "Spool", "SpoolError", "SpoolFull", "SpoolRefused", "Unsealed",
    "row",
]  # fmt: skip

Row = tuple[int, bytes]
"""An entry to be committed: its newest slot (0: none) and its bytes."""

ARRIVED_MAX = 100_000
"""Readings of senders that are known again: about 8 MB of the file."""

_INSERT = "INSERT INTO entry (point_set, last_ms, body) VALUES (?, ?, ?)"
_ROWS_AT_ONCE = 32
_INSERT_MANY = _INSERT + ", (?, ?, ?)" * (_ROWS_AT_ONCE - 1)
"""Each statement lets other threads run, and then waits for its turn: few are better than many."""


def row(entry: Entry) -> Row:
    """`entry` as it is committed."""
    return entry.last_ms, encode_entry(entry)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signed batch on its way into the spool, with the entries it was made from.

    `arrived` are (point, instant) of its readings that devices sent by themselves.
    """

    head: ChainHead
    wire: bytes
    first_ms: int | None
    readings: int
    last_entry_id: int
    ledger: Mapping[str, Standing] = field(default_factory=dict)
    arrived: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True)
class Unsealed:
    """The oldest entries of one point set: (id, bytes), oldest first."""

    points: tuple[str, ...]
    entries: tuple[tuple[int, bytes], ...]


class Spool:
    """One gateway's spool, opened for writing by one process."""

    def __init__(self, folder: Path, gateway: str, points: Sequence[str]) -> None:
        """Open or create; `SpoolError` where another process or gateway owns it."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SpoolError(f"expected a folder for the spool, got {error}") from error
        self.guard = threading.RLock()
        self._lock = take_lock(folder)
        try:
            self._db = open_owned(folder / FILE_NAME, gateway)
            self.use_points(points)
        except BaseException:
            os.close(self._lock)
            raise
        (page_bytes,) = self._db.execute("PRAGMA page_size").fetchone()
        self._page_bytes = int(page_bytes)
        meta = self._db.execute("SELECT value FROM meta WHERE key = 'durable_ms'").fetchone()
        newest = self._db.execute("SELECT max(last_ms) FROM entry").fetchone()[0]
        durable = max(meta[0] if meta else 0, newest or 0)
        self.durable_ms: int | None = durable or None
        """The newest slot that is durable, sealed or not; None where none ever was."""
        self.unsealed: int = self._count("SELECT count(*) FROM entry")
        """How many entries wait to be sealed."""
        self.unsealed_bytes = self._count("SELECT coalesce(sum(length(body)), 0) FROM entry")
        self.sealed_bytes = self._count("SELECT coalesce(sum(length(wire)), 0) FROM batch")
        self.orphan_bytes = self._count(
            "SELECT coalesce(sum(length(wire)), 0) FROM batch WHERE orphan"
        )
        """Those of `sealed_bytes` that are kept aside, see `open_epoch`."""
        self.batches = self._count("SELECT count(*) FROM batch WHERE NOT orphan")
        """How many batches the platform has not signed for."""
        self.head = self._chain("head")
        self.acked = self._chain("acked")
        self.opens_epoch = self._count("SELECT count(*) FROM meta WHERE key = 'opens_epoch'") > 0
        """True where the next batch begins the epoch after `head.epoch`."""

    @property
    def bytes_used(self) -> int:
        """Bytes of batches and entries held."""
        return self.sealed_bytes + self.unsealed_bytes

    def use_points(self, points: Sequence[str]) -> None:
        """From now on entries are of this point set."""
        names = "\n".join(points)
        with self.guard, Transaction(self._db):
            self._db.execute("INSERT OR IGNORE INTO point_set (names) VALUES (?)", (names,))
            found = self._db.execute("SELECT id FROM point_set WHERE names = ?", (names,))
            self._point_set = int(found.fetchone()[0])

    def commit(self, entries: Iterable[Entry]) -> None:
        """Make `entries` durable, all or none, in one fsync."""
        self.commit_rows([row(entry) for entry in entries])

    def commit_rows(self, rows: Sequence[Row], record: bytes | None = None) -> None:
        """The same for entries as bytes; `record` is the digest of what came by the inbox."""
        with self.guard:
            with Transaction(self._db):
                self._insert(rows)
                if record is not None:
                    self._db.execute("INSERT INTO inbox VALUES (?)", (record,))
            self.unsealed += len(rows)
            self.unsealed_bytes += sum(len(body) for _, body in rows)
            self._durable_up_to(max((last_ms for last_ms, _ in rows), default=0))

    def replace_last(self, entry: Entry) -> None:
        """Put `entry` in place of the newest one: how a gap grows without taking space."""
        last_ms, body = row(entry)
        with self.guard:
            with Transaction(self._db):
                entry_id, size = self._db.execute(
                    "SELECT id, length(body) FROM entry ORDER BY id DESC LIMIT 1"
                ).fetchone()
                self._db.execute(
                    "UPDATE entry SET last_ms = ?, body = ? WHERE id = ?",
                    (last_ms, body, entry_id),
                )
            self.unsealed_bytes += len(body) - size
            self._durable_up_to(last_ms)

    def replace_oldest(self, entries: Sequence[tuple[int, int]], rows: Sequence[Row]) -> None:
        """Put `rows` in place of the oldest `entries` (id, bytes), of which there are as many."""
        ids = [entry_id for entry_id, _ in entries]
        with self.guard:
            with Transaction(self._db):
                (point_set,) = self._db.execute(
                    "SELECT point_set FROM entry WHERE id = ?", ids[:1]
                ).fetchone()
                self._db.execute("DELETE FROM entry WHERE id <= ?", ids[-1:])
                self._db.executemany(
                    "INSERT INTO entry (id, point_set, last_ms, body) VALUES (?, ?, ?, ?)",
                    [(at, point_set, *each) for at, each in zip(ids, rows, strict=False)],
                )
                if self.durable_ms is not None:
                    self._set_meta("durable_ms", self.durable_ms)
            self.unsealed += len(rows) - len(entries)
            self.unsealed_bytes += sum(len(body) for _, body in rows)
            self.unsealed_bytes -= sum(size for _, size in entries)

    def oldest(self, limit: int) -> Unsealed | None:
        """Up to `limit` of the oldest entries, all of one point set; None where there are none."""
        with self.guard:
            rows = self._db.execute(
                "SELECT id, point_set, body FROM entry ORDER BY id LIMIT ?", (limit,)
            ).fetchall()
            if not rows:
                return None
            first = rows[0][1]
            # A later set may not overtake: stop at the first other one.
            end = next((at for at, each in enumerate(rows) if each[1] != first), len(rows))
            (names,) = self._db.execute(
                "SELECT names FROM point_set WHERE id = ?", (first,)
            ).fetchone()
        entries = tuple((entry_id, body) for entry_id, _, body in rows[:end])
        return Unsealed(tuple(names.split("\n")), entries)

    def seal(self, sealed: Sealed) -> None:
        """Put the batch in and its entries out, in one transaction."""
        head, last = sealed.head, (sealed.last_entry_id,)
        with self.guard:
            with Transaction(self._db):
                self._db.execute(
                    "INSERT INTO batch (epoch, seq, digest, first_ms, readings, wire)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (head.epoch, head.seq, head.digest, sealed.first_ms, sealed.readings,
                     sealed.wire),
                )  # fmt: skip
                freed, count = self._db.execute(
                    "SELECT sum(length(body)), count(*) FROM entry WHERE id <= ?", last
                ).fetchone()
                self._db.execute("DELETE FROM entry WHERE id <= ?", last)
                self._set_chain("head", head)
                self._db.execute("DELETE FROM meta WHERE key = 'opens_epoch'")
                self._set_ledger(sealed.ledger)
                self._remember(sealed.arrived)
                if self.durable_ms is not None:
                    self._set_meta("durable_ms", self.durable_ms)
            self.head, self.opens_epoch = head, False
            self.unsealed -= count
            self.unsealed_bytes -= freed
            self.sealed_bytes += len(sealed.wire)
            self.batches += 1

    def digest_at(self, epoch: int, seq: int) -> bytes | None:
        """SHA-256 of our own signed batch at that place; None where it is not held."""
        with self.guard:
            found = self._db.execute(
                "SELECT digest FROM batch WHERE epoch = ? AND seq = ? AND NOT orphan", (epoch, seq)
            ).fetchone()
        return bytes(found[0]) if found else None

    def next_batch(self, epoch: int, seq: int) -> tuple[ChainHead, bytes] | None:
        """The first batch above (epoch, seq) and its wire bytes; None at the end."""
        with self.guard:
            found = self._db.execute(
                "SELECT epoch, seq, digest, wire FROM batch"
                " WHERE (epoch, seq) > (?, ?) AND NOT orphan ORDER BY epoch, seq LIMIT 1",
                (epoch, seq),
            ).fetchone()
        if found is None:
            return None
        return ChainHead(found[0], found[1], bytes(found[2])), bytes(found[3])

    def free(self, acked: ChainHead) -> int:
        """Let go of everything up to `acked`, which the platform signed for; how many batches.

        Where the disk refuses, nothing changed: the platform will say it again.
        """
        place = (acked.epoch, acked.seq)
        try:
            with self.guard:
                with Transaction(self._db):
                    freed, count = self._db.execute(
                        "SELECT coalesce(sum(length(wire)), 0), count(*) FROM batch"
                        " WHERE (epoch, seq) <= (?, ?) AND NOT orphan",
                        place,
                    ).fetchone()
                    self._db.execute(
                        "DELETE FROM batch WHERE (epoch, seq) <= (?, ?) AND NOT orphan", place
                    )
                    self._set_chain("acked", acked)
                self.acked = acked
                self.sealed_bytes -= freed
                self.batches -= count
        except SpoolRefused:
            return 0
        return int(count)

    def open_epoch(self, platform: ChainHead, event: Event, others: Sequence[Entry] = ()) -> int:
        """Continue after the platform's head in a new epoch; how many own batches became orphans.

        For a spool that has lost the end of its chain, or whose gateway was re-enrolled. Batches
        not yet acknowledged are kept, not sent: the platform has signed for other or the same bytes
        at their places, or takes nothing more there. `others` are committed with `event`.
        """
        rows = [row(entry) for entry in (ArrivalEntry((), (event,)), *others)]
        with self.guard:
            with Transaction(self._db):
                orphans = self._db.execute("UPDATE batch SET orphan = 1 WHERE NOT orphan").rowcount
                self._set_chain("head", platform)
                self._set_chain("acked", platform)
                self._set_meta("opens_epoch", 1)
                self._insert(rows)
            self.head = self.acked = platform
            self.opens_epoch = True
            self.unsealed += len(rows)
            self.unsealed_bytes += sum(len(body) for _, body in rows)
            self.batches, self.orphan_bytes = 0, self.sealed_bytes
        return orphans

    def oldest_ms(self) -> int | None:
        """The oldest instant that is not acknowledged; None where all is."""
        with self.guard:
            rows = self._db.execute(
                "SELECT * FROM (SELECT first_ms FROM batch WHERE NOT orphan AND first_ms NOTNULL"
                " ORDER BY epoch, seq LIMIT 1) UNION ALL SELECT * FROM"
                " (SELECT last_ms FROM entry WHERE last_ms > 0 ORDER BY id LIMIT 1)"
            ).fetchall()
        return min((each[0] for each in rows), default=None)

    def free_bytes_inside(self) -> int:
        """Bytes of the file that hold nothing and are written before the file grows."""
        with self.guard:
            return self._count("PRAGMA freelist_count") * self._page_bytes

    def ledger(self) -> dict[str, Standing]:
        """The lines of all counters, by point name."""
        with self.guard:
            rows = self._db.execute("SELECT * FROM ledger").fetchall()
        return {
            point: Standing(
                t_ms, value, offset, Doubt(d_ms, d_value) if d_ms is not None else None, *reset
            )
            for point, t_ms, value, offset, d_ms, d_value, *reset in rows
        }

    def arrived(self, point: str, first_ms: int, last_ms: int) -> set[int]:
        """The instants from `first_ms` to `last_ms` of which a reading of `point` arrived before
        and is sealed."""
        with self.guard:
            rows = self._db.execute(
                "SELECT t_ms FROM arrived WHERE point = ? AND t_ms BETWEEN ? AND ?",
                (point, first_ms, last_ms),
            ).fetchall()
        return {t_ms for (t_ms,) in rows}

    def knows_record(self, digest: bytes) -> bool:
        """Whether a record of the inbox was taken before."""
        with self.guard:
            return self._count("SELECT count(*) FROM inbox WHERE digest = ?", digest) > 0

    def close(self) -> None:
        """Close the file and give the lock back."""
        with self.guard:
            self._db.close()
            os.close(self._lock)

    def _insert(self, rows: Sequence[Row]) -> None:
        flat = [value for each in rows for value in (self._point_set, *each)]
        whole = len(rows) // _ROWS_AT_ONCE * _ROWS_AT_ONCE
        for at in range(0, 3 * whole, 3 * _ROWS_AT_ONCE):
            self._db.execute(_INSERT_MANY, flat[at : at + 3 * _ROWS_AT_ONCE])
        if rest := len(rows) - whole:
            self._db.execute(_INSERT + ", (?, ?, ?)" * (rest - 1), flat[3 * whole :])

    def _durable_up_to(self, last_ms: int) -> None:
        self.durable_ms = max(self.durable_ms or 0, last_ms) or None

    def _count(self, sql: str, *values: object) -> int:
        try:
            return int(self._db.execute(sql, values).fetchone()[0])
        except sqlite3.Error as error:
            raise refusal(error) from error

    def _chain(self, name: str) -> ChainHead | None:
        found = self._db.execute(
            "SELECT epoch, seq, digest FROM chain WHERE name = ?", (name,)
        ).fetchone()
        return ChainHead(found[0], found[1], bytes(found[2])) if found else None

    def _set_chain(self, name: str, head: ChainHead) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO chain VALUES (?, ?, ?, ?)",
            (name, head.epoch, head.seq, head.digest),
        )

    def _set_meta(self, key: str, value: int | str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _remember(self, arrived: Sequence[tuple[str, int]]) -> None:
        if arrived:
            self._db.executemany(
                "INSERT OR IGNORE INTO arrived (point, t_ms) VALUES (?, ?)", arrived
            )
            self._db.execute(
                "DELETE FROM arrived WHERE id <= (SELECT max(id) FROM arrived) - ?", (ARRIVED_MAX,)
            )

    def _set_ledger(self, lines: Mapping[str, Standing]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (point, now.t_ms, now.value, now.offset,
                 now.doubt and now.doubt.t_ms, now.doubt and now.doubt.value,
                 now.reset_ms, now.reset_offset)
                for point, now in lines.items()
            ],
        )  # fmt: skip
