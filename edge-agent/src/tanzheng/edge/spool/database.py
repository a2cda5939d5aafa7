"""The spool's file: who may open it, how it is made and brought to the present version.

SQLite, WAL, synchronous FULL. What SQLite says when a disk will not take a write becomes
`SpoolRefused`: nothing was written, the same may be tried again later.
"""

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from tanzheng.core.errors import TanzhengError

FILE_NAME = "spool.sqlite"
LOCK_NAME = "lock"
SCHEMA_VERSION = 3

_SCHEMA_1 = """
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
_SCHEMA_2 = """
CREATE TABLE ledger (
    point TEXT PRIMARY KEY, t_ms INTEGER NOT NULL, value REAL NOT NULL, offset REAL NOT NULL,
    doubt_ms INTEGER, doubt_value REAL, reset_ms INTEGER NOT NULL, reset_offset REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE inbox (digest BLOB PRIMARY KEY CHECK (length(digest) = 32)) STRICT, WITHOUT ROWID;
"""
_SCHEMA_3 = """
CREATE TABLE arrived (
    id INTEGER PRIMARY KEY, point TEXT NOT NULL, t_ms INTEGER NOT NULL, UNIQUE (point, t_ms)
) STRICT;
"""

_DISK_FULL = sqlite3.SQLITE_FULL
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class SpoolError(TanzhengError):
    """The spool cannot be used as it is."""


class SpoolFull(SpoolError):
    """There is no room: whoever offers data keeps them and offers them again."""


class SpoolRefused(SpoolFull):
    """The disk took nothing of it; `reason` is `disk_full` or `disk_error`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"expected a disk that takes writes, got {detail}")
        self.reason = reason

    def diagnostics(self) -> str:
        return (
            "Make room on the disk, or mount it for writing; the agent goes on by itself.\n"
            "请清理磁盘空间，或以可写方式挂载；采集程序会自动恢复。"
        )


def refusal(error: sqlite3.Error) -> SpoolError:
    """What a failed statement means for the agent."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return SpoolError(f"expected a sound spool, got {error}: run tanzheng edge fsck")
    return SpoolRefused("disk_full" if code == _DISK_FULL else "disk_error", str(error))


class Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK where the block raised."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise refusal(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: object, _: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
                return
        except sqlite3.Error as failed:
            self._roll_back()
            raise refusal(failed) from failed
        self._roll_back()
        if isinstance(error, sqlite3.Error):
            raise refusal(error) from error

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite may have rolled back by itself
            self._db.execute("ROLLBACK")


def take_lock(folder: Path) -> int:
    """The lock of the only writer; `SpoolError` where another process has it."""
    try:
        handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SpoolError(f"expected a folder for writing, got {error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SpoolError(f"expected a free spool, got one in use, at {folder}") from None
    return handle


def open_owned(path: Path, gateway: str) -> sqlite3.Connection:
    """The spool at `path`, made where there is none; `SpoolError` where it is another's.

    The connection is used by one thread at a time: `Spool.guard` sees to that.
    """
    try:
        if not path.exists():
            _create(path, gateway)
        db = sqlite3.connect(
            path, isolation_level=None, cached_statements=64, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as error:
        raise SpoolError(f"expected a spool or room for one, got {error}, at {path}") from error
    try:
        _check(db, path, gateway)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        # 4 MB of log: most entries are sealed and deleted before their pages would be copied.
        db.execute("PRAGMA wal_autocheckpoint = 1000")
        db.execute("PRAGMA cache_size = -2048")
        db.execute("PRAGMA secure_delete = OFF")  # the platform has what is deleted
        _migrate(db)
    except sqlite3.Error as error:
        db.close()
        raise SpoolError(f"expected a spool for writing, got {error}, at {path}") from error
    except BaseException:
        db.close()
        raise
    return db


def _create(path: Path, gateway: str) -> None:
    """An empty spool under its final name only when it is whole: a reader never sees half of it."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
        fresh.chmod(0o600)
        schema = f"{_SCHEMA_1}{_SCHEMA_2}{_SCHEMA_3}"
        db.executescript(f"BEGIN;{schema}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        db.execute("INSERT INTO meta VALUES ('gateway', ?)", (gateway,))
    fresh.rename(path)
    _sync_folder(path.parent)


def _check(db: sqlite3.Connection, path: Path, gateway: str) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if not 1 <= version <= SCHEMA_VERSION:
        raise SpoolError(f"expected spool version 1 to {SCHEMA_VERSION}, got {version}, at {path}")
    (owner,) = db.execute("SELECT value FROM meta WHERE key = 'gateway'").fetchone()
    if owner != gateway:
        raise SpoolError(f"expected a spool of gateway {gateway}, got one of {owner}")


def _migrate(db: sqlite3.Connection) -> None:
    """To the present version, in one transaction. Entries of version 1 stay as they are: they are
    still read."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version < SCHEMA_VERSION:
        schema = f"{_SCHEMA_2 if version == 1 else ''}{_SCHEMA_3}"
        db.executescript(f"BEGIN IMMEDIATE;{schema}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")


def _sync_folder(folder: Path) -> None:
    """The name of a new file is durable only when its folder is."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
