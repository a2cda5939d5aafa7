"""The spool on disk: SQLite, WAL, synchronous FULL, one fsync for each commit.

Contract: when a method that writes returns, what it wrote survives a power cut; when the process
dies inside it, either all or nothing of it is there. One writer holds the folder's lock: two
agents on one spool would sign two different batches for one place in the chain.

`entry` holds what is read and not yet sealed, `batch` what is sealed and not yet acknowledged,
`chain` the last sealed place (`head`) and the last acknowledged one (`acked`); both outlive the
batches they name. Bytes in `batch.wire` are what goes to the broker: zstd of the signed batch.
"""

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tanzheng.core.batch import ChainHead, Event
from tanzheng.core.errors import TanzhengError
from tanzheng.edge.spool.records import Entry, EventEntry, decode_entry, encode_entry

FILE_NAME = "spool.sqlite"
LOCK_NAME = "lock"
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE chain (
    name TEXT PRIMARY KEY CHECK (name IN ('head', 'acked')),
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT, WITHOUT ROWID;
CREATE TABLE point_set (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    point_set INTEGER NOT NULL REFERENCES point_set,
    last_ms INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE batch (
    epoch INTEGER NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL CHECK (length(digest) = 32),
    first_ms INTEGER, readings INTEGER NOT NULL, orphan INTEGER NOT NULL DEFAULT 0,
    wire BLOB NOT NULL, PRIMARY KEY (epoch, seq)
) STRICT;
"""


class SpoolError(TanzhengError):
    """The spool cannot be used as it is."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A signed batch on its way into the spool, with the entries it was made from."""

    head: ChainHead
    wire: bytes
    first_ms: int | None
    readings: int
    last_entry_id: int


@dataclass(frozen=True, slots=True)
class Unsealed:
    """The oldest entries of one point set; `last_id` is the newest of them."""

    points: tuple[str, ...]
    entries: tuple[Entry, ...]
    last_id: int


class Spool:
    """One gateway's spool, opened for writing by one process."""

    def __init__(self, folder: Path, gateway: str, points: Sequence[str]) -> None:
        """Open or create; `SpoolError` where another process or gateway owns it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _take_lock(folder)
        try:
            self._db = _open_owned(folder / FILE_NAME, gateway)
        except BaseException:
            os.close(self._lock)
            raise
        self._point_set = self._point_set_id(points)
        row = self._db.execute("SELECT value FROM meta WHERE key = 'durable_ms'").fetchone()
        newest = self._db.execute("SELECT max(last_ms) FROM entry").fetchone()[0]
        durable = max(row[0] if row else 0, newest or 0)
        self.durable_ms: int | None = durable or None
        """The newest slot that is durable, sealed or not; None where none ever was."""
        self.unsealed: int = self._count("SELECT count(*) FROM entry")
        """How many entries wait to be sealed."""
        self.bytes_used: int = self._count(
            "SELECT coalesce(sum(length(wire)), 0) FROM batch"
        ) + self._count("SELECT coalesce(sum(length(body)), 0) FROM entry")
        """Bytes of batches and entries held."""
        self.head = self._chain("head")
        self.acked = self._chain("acked")
        self.opens_epoch = self._count("SELECT count(*) FROM meta WHERE key = 'opens_epoch'") > 0
        """True where the next batch begins the epoch after `head.epoch`."""

    def commit(self, entries: Sequence[Entry]) -> None:
        """Make `entries` durable, all or none, in one fsync."""
        rows = [(self._point_set, entry.last_ms, encode_entry(entry)) for entry in entries]
        sql = "INSERT INTO entry (point_set, last_ms, body) VALUES (?, ?, ?)"
        if len(rows) == 1:  # the usual slot: a statement alone is a transaction, and quicker
            self._db.execute(sql, rows[0])
        else:
            with _Transaction(self._db):
                self._db.executemany(sql, rows)
        self.unsealed += len(rows)
        self.bytes_used += sum(len(body) for _, _, body in rows)
        newest = max(entry.last_ms for entry in entries)
        self.durable_ms = max(self.durable_ms or 0, newest) or None

    def replace_last(self, entry: Entry) -> None:
        """Put `entry` in place of the newest one: how a gap grows without taking space."""
        body = encode_entry(entry)
        with _Transaction(self._db):
            self._db.execute(
                "UPDATE entry SET last_ms = ?, body = ? WHERE id = (SELECT max(id) FROM entry)",
                (entry.last_ms, body),
            )
        self.durable_ms = max(self.durable_ms or 0, entry.last_ms)

    def oldest(self, limit: int) -> Unsealed | None:
        """Up to `limit` of the oldest entries, all of one point set; None where there are none."""
        rows = self._db.execute(
            "SELECT id, point_set, body FROM entry ORDER BY id LIMIT ?", (limit,)
        ).fetchall()
        if not rows:
            return None
        point_set = rows[0][1]
        same = [row for row in rows if row[1] == point_set]
        if len(same) < len(rows):  # a later set may not overtake: stop at the first other one
            same = rows[: next(at for at, row in enumerate(rows) if row[1] != point_set)]
        names = self._db.execute(
            "SELECT names FROM point_set WHERE id = ?", (point_set,)
        ).fetchone()[0]
        entries = tuple(decode_entry(body) for _, _, body in same)
        return Unsealed(tuple(names.split("\n")), entries, same[-1][0])

    def seal(self, sealed: Sealed) -> None:
        """Put the batch in and its entries out, in one transaction."""
        head = sealed.head
        with _Transaction(self._db):
            self._db.execute(
                "INSERT INTO batch (epoch, seq, digest, first_ms, readings, wire)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (head.epoch, head.seq, head.digest, sealed.first_ms, sealed.readings, sealed.wire),
            )
            freed, count = self._db.execute(
                "SELECT sum(length(body)), count(*) FROM entry WHERE id <= ?",
                (sealed.last_entry_id,),
            ).fetchone()
            self._db.execute("DELETE FROM entry WHERE id <= ?", (sealed.last_entry_id,))
            self._set_chain("head", head)
            self._db.execute("DELETE FROM meta WHERE key = 'opens_epoch'")
            if self.durable_ms is not None:
                self._set_meta("durable_ms", self.durable_ms)
        self.head, self.opens_epoch = head, False
        self.unsealed -= count
        self.bytes_used += len(sealed.wire) - freed

    def digest_at(self, epoch: int, seq: int) -> bytes | None:
        """SHA-256 of our own signed batch at that place; None where it is not held."""
        row = self._db.execute(
            "SELECT digest FROM batch WHERE epoch = ? AND seq = ? AND NOT orphan", (epoch, seq)
        ).fetchone()
        return bytes(row[0]) if row else None

    def next_batch(self, epoch: int, seq: int) -> tuple[ChainHead, bytes] | None:
        """The first batch above (epoch, seq) and its wire bytes; None at the end."""
        row = self._db.execute(
            "SELECT epoch, seq, digest, wire FROM batch"
            " WHERE (epoch, seq) > (?, ?) AND NOT orphan ORDER BY epoch, seq LIMIT 1",
            (epoch, seq),
        ).fetchone()
        return (ChainHead(row[0], row[1], bytes(row[2])), bytes(row[3])) if row else None

    def free(self, acked: ChainHead) -> int:
        """Let go of everything up to `acked`, which the platform signed for; how many batches."""
        with _Transaction(self._db):
            freed, count = self._db.execute(
                "SELECT coalesce(sum(length(wire)), 0), count(*) FROM batch"
                " WHERE (epoch, seq) <= (?, ?) AND NOT orphan",
                (acked.epoch, acked.seq),
            ).fetchone()
            self._db.execute(
                "DELETE FROM batch WHERE (epoch, seq) <= (?, ?) AND NOT orphan",
                (acked.epoch, acked.seq),
            )
            self._set_chain("acked", acked)
        self.acked = acked
        self.bytes_used -= freed
        return int(count)

    def open_epoch(self, platform: ChainHead, event: Event) -> int:
        """Continue after the platform's head in a new epoch; how many own batches became orphans.

        For a spool that has lost the end of its chain. Batches not yet acknowledged are kept, not
        sent: the platform has signed for other or the same bytes at their places.
        """
        body = encode_entry(EventEntry(event))
        with _Transaction(self._db):
            orphans = self._db.execute("UPDATE batch SET orphan = 1 WHERE NOT orphan").rowcount
            self._set_chain("head", platform)
            self._set_chain("acked", platform)
            self._set_meta("opens_epoch", 1)
            self._db.execute(
                "INSERT INTO entry (point_set, last_ms, body) VALUES (?, 0, ?)",
                (self._point_set, body),
            )
        self.head = self.acked = platform
        self.opens_epoch = True
        self.unsealed += 1
        self.bytes_used += len(body)
        return orphans

    def close(self) -> None:
        """Close the file and give the lock back."""
        self._db.close()
        os.close(self._lock)

    def _count(self, sql: str) -> int:
        return int(self._db.execute(sql).fetchone()[0])

    def _chain(self, name: str) -> ChainHead | None:
        row = self._db.execute(
            "SELECT epoch, seq, digest FROM chain WHERE name = ?", (name,)
        ).fetchone()
        return ChainHead(row[0], row[1], bytes(row[2])) if row else None

    def _set_chain(self, name: str, head: ChainHead) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO chain VALUES (?, ?, ?, ?)",
            (name, head.epoch, head.seq, head.digest),
        )

    def _set_meta(self, key: str, value: int | str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _point_set_id(self, points: Sequence[str]) -> int:
        names = "\n".join(points)
        self._db.execute("INSERT OR IGNORE INTO point_set (names) VALUES (?)", (names,))
        row = self._db.execute("SELECT id FROM point_set WHERE names = ?", (names,)).fetchone()
        return int(row[0])


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK where the block raised."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _take_lock(folder: Path) -> int:
    handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SpoolError(f"expected a free spool, got one in use, at {folder}") from None
    return handle


def _create(path: Path, gateway: str) -> None:
    """An empty spool under its final name only when it is whole: a reader never sees half of it."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
        fresh.chmod(0o600)
        db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        db.execute("INSERT INTO meta VALUES ('gateway', ?)", (gateway,))
    fresh.rename(path)
    _sync_folder(path.parent)


def _open_owned(path: Path, gateway: str) -> sqlite3.Connection:
    """The spool at `path`, made where there is none; `SpoolError` where it is another's."""
    if not path.exists():
        _create(path, gateway)
    db = sqlite3.connect(path, isolation_level=None, cached_statements=64)
    try:
        _check(db, path, gateway)
    except BaseException:
        db.close()
        raise
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    # A short log is soon written over in place: its blocks exist already, which syncs quicker.
    db.execute("PRAGMA wal_autocheckpoint = 200")
    db.execute("PRAGMA cache_size = -2048")
    return db


def _check(db: sqlite3.Connection, path: Path, gateway: str) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise SpoolError(f"expected spool version {SCHEMA_VERSION}, got {version}, at {path}")
    (owner,) = db.execute("SELECT value FROM meta WHERE key = 'gateway'").fetchone()
    if owner != gateway:
        raise SpoolError(f"expected a spool of gateway {gateway}, got one of {owner}")


def _sync_folder(folder: Path) -> None:
    """The name of a new file is durable only when its folder is."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
