"""The registry's books: SQLite, one transaction an item, with the feed's position in it.

Lines arrive in any order and any number of times. The next one is checked and booked, or put into
quarantine; one further on is held until the gap is closed; one that is no authentic line of this
feed is kept as refused. Killed at any moment, the books are those before or after an item.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from tanzheng.core.errors import TanzhengError
from tanzheng.core.feed import FeedItem, FeedStatus, SignedItem, open_line
from tanzheng.core.hashing import sha256
from tanzheng.feed.errors import FeedInput, LedgerUnavailable, NotProved
from tanzheng.feed.posting import Account, Standing, post

if TYPE_CHECKING:
    from tanzheng.feed.check import Checker

HELD_MAX = 10_000
NEVER = (1 << 53) - 1
FORGED_BYTES_MAX = 4096
"""What is kept of a line that the operator did not sign."""
SCHEMA = """
CREATE TABLE feed (
    id INTEGER PRIMARY KEY CHECK (id = 1), schema INTEGER NOT NULL, chain_id INTEGER NOT NULL,
    contract BLOB NOT NULL, seq INTEGER NOT NULL, digest BLOB) STRICT;
CREATE TABLE item (
    seq INTEGER PRIMARY KEY, digest BLOB NOT NULL, line BLOB NOT NULL, subject TEXT NOT NULL,
    year INTEGER NOT NULL, reason TEXT, stored INTEGER, superseded INTEGER) STRICT;
CREATE TABLE entry (
    seq INTEGER NOT NULL REFERENCES item, account TEXT NOT NULL, subject TEXT NOT NULL,
    year INTEGER NOT NULL, version INTEGER NOT NULL, tonnes INTEGER NOT NULL,
    PRIMARY KEY (seq, account)) STRICT;
CREATE TABLE figure (
    subject TEXT NOT NULL, year INTEGER NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
    tonnes INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (subject, year)) STRICT;
CREATE TABLE held (seq INTEGER PRIMARY KEY, line BLOB NOT NULL) STRICT;
CREATE TABLE refused (
    sha256 BLOB PRIMARY KEY, line BLOB NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
    count INTEGER NOT NULL) STRICT;
"""


class Outcome(StrEnum):
    """What became of a line."""

    BOOKED = "booked"
    REPEATED = "repeated"
    HELD = "held"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Problem:
    """An item in quarantine (`seq`), or a refused line (`seq` None, `count` times)."""

    seq: int | None
    reason: str
    count: int = 1


class Ledger:
    """The books at `path`, of the feed that `checker` names."""

    def __init__(self, path: Path, checker: Checker) -> None:
        self.checker = checker
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
            for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                self._db.execute(f"PRAGMA {setting}")
        except sqlite3.Error as error:
            raise FeedInput(f"ledger: expected an SQLite file in {path}, got {error}") from error
        self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    # ---------------------------------------------------------------- position

    @property
    def seq(self) -> int:
        """Sequence of the last item taken in, booked or in quarantine."""
        return int(self._db.execute("SELECT seq FROM feed").fetchone()[0])

    @property
    def _digest(self) -> bytes | None:
        found: bytes | None = self._db.execute("SELECT digest FROM feed").fetchone()[0]
        return found

    def digest_of(self, seq: int) -> bytes | None:
        """Digest of an item that was taken in."""
        found = self._db.execute("SELECT digest FROM item WHERE seq = ?", (seq,)).fetchone()
        return found[0] if found else None

    def take(self, line: bytes) -> Outcome:
        """Take in one line of the feed, without its line feed; then what was held behind it."""
        with self._transaction():
            outcome = self._take(line)
        while outcome in (Outcome.BOOKED, Outcome.QUARANTINED) and self._take_held():
            pass
        return outcome

    def retry(self) -> int:
        """Check the quarantine anew (the trust file may have grown); number of items booked."""
        booked = 0
        waiting = self._db.execute("SELECT seq, line FROM item WHERE reason IS NOT NULL ORDER BY 1")
        for seq, line in waiting.fetchall():
            with self._transaction():
                reason = self._book(open_line(line).item)
                self._db.execute("UPDATE item SET reason = ? WHERE seq = ?", (reason, seq))
            booked += reason is None
        return booked

    # ---------------------------------------------------------------- the books

    def balances(self, account: Account = Account.CONFIRMED) -> dict[tuple[str, int], int]:
        """Tonnes on `account` by subject and year, where there are any."""
        found = self._db.execute(
            "SELECT subject, year, SUM(tonnes) FROM entry WHERE account = ? GROUP BY 1, 2"
            " HAVING SUM(tonnes) <> 0 ORDER BY 1, 2",
            (account.value,),
        )
        return {(subject, year): tonnes for subject, year, tonnes in found}

    def standing(self, subject: str, year: int) -> Standing | None:
        """How a figure stands, None before its first item."""
        found = self._db.execute(
            "SELECT version, status, tonnes, sequence FROM figure WHERE subject = ? AND year = ?",
            (subject, year),
        ).fetchone()
        return Standing(found[0], FeedStatus(found[1]), found[2], found[3]) if found else None

    def problems(self) -> list[Problem]:
        """What is not booked and should be looked at; empty where all is well."""
        waiting = self._db.execute(
            "SELECT seq, reason FROM item WHERE reason IS NOT NULL ORDER BY seq"
        )
        found = [Problem(seq, reason) for seq, reason in waiting]
        refused = self._db.execute(
            "SELECT reason, count FROM refused WHERE at > ? ORDER BY rowid", (self.seq,)
        )
        return found + [Problem(None, reason, count) for reason, count in refused]

    def counts(self) -> dict[str, int]:
        """Rows of each table; `stored`: items proved by storage under a trusted block."""
        tables = ("item", "entry", "held", "refused")
        found = {
            table: int(self._db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608
            for table in tables
        }
        stored = self._db.execute("SELECT COUNT(*) FROM item WHERE stored = 1").fetchone()
        return {**found, "stored": int(stored[0])}

    def audit(self) -> None:
        """Post all booked items anew from their lines; `NotProved` where the books differ."""
        figures: dict[tuple[str, int], Standing] = {}
        entries = list[tuple[object, ...]]()
        lines = self._db.execute("SELECT line FROM item WHERE reason IS NULL ORDER BY seq")
        for (line,) in lines:
            item = open_line(line).item
            key = (item.subject, item.year)
            figures[key], posting = post(figures.get(key), item)
            for account, tonnes in (
                (posting.source.value, -posting.tonnes),
                (posting.target.value, posting.tonnes),
            ):
                entries.append((item.seq, account, *key, item.figure_version, tonnes))
        found = self._db.execute("SELECT seq, account, subject, year, version, tonnes FROM entry")
        told = {key: self.standing(*key) for key in figures}
        if sorted(found.fetchall()) != sorted(entries) or told != figures:
            raise NotProved("ledger: expected the entries that follow from its items, got others")

    # ---------------------------------------------------------------- one line

    def _take(self, line: bytes) -> Outcome:
        try:
            signed = open_line(line)
            self.checker.authentic(signed)
        except TanzhengError as error:
            return self._refuse(line[:FORGED_BYTES_MAX], str(error), self.seq + 1)
        item, seq = signed.item, self.seq
        if item.seq <= seq:
            return self._repeated(signed)
        if item.seq > seq + 1:
            return self._hold(signed)
        if item.prev != self._digest:
            reason = f"item {item.seq}: expected the digest of item {seq} before it, got another"
            return self._refuse(line, reason, NEVER)
        return self._next(signed)

    def _next(self, signed: SignedItem) -> Outcome:
        item = signed.item
        self._db.execute(
            "INSERT INTO item (seq, digest, line, subject, year) VALUES (?, ?, ?, ?, ?)",
            (item.seq, signed.digest, signed.line, item.subject, item.year),
        )
        reason = self._book(item)
        self._db.execute("UPDATE item SET reason = ? WHERE seq = ?", (reason, item.seq))
        self._db.execute("UPDATE feed SET seq = ?, digest = ?", (item.seq, signed.digest))
        self._db.execute("DELETE FROM held WHERE seq <= ?", (item.seq,))
        return Outcome.BOOKED if reason is None else Outcome.QUARANTINED

    def _book(self, item: FeedItem) -> str | None:
        """Check and post; why not, where it is not booked."""
        earlier = self._db.execute(
            "SELECT seq FROM item"
            " WHERE subject = ? AND year = ? AND seq < ? AND reason IS NOT NULL",
            (item.subject, item.year, item.seq),
        ).fetchone()
        if earlier is not None:
            return f"{item.subject} {item.year}: follows on item {earlier[0]}, which is not booked"
        try:
            checked = self.checker.check(item)
            after, posting = post(self.standing(item.subject, item.year), item)
        except TanzhengError as error:
            return str(error)
        figure = (item.subject, item.year)
        entries = ((posting.source, -posting.tonnes), (posting.target, posting.tonnes))
        self._db.executemany(
            "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)",
            [(item.seq, acc.value, *figure, after.version, tonnes) for acc, tonnes in entries],
        )
        self._db.execute(
            "INSERT OR REPLACE INTO figure VALUES (?, ?, ?, ?, ?, ?)",
            (*figure, after.version, after.status.value, after.tonnes, after.sequence),
        )
        self._db.execute(
            "UPDATE item SET stored = ?, superseded = ? WHERE seq = ?",
            (checked.stored, checked.superseded, item.seq),
        )
        return None

    def _repeated(self, signed: SignedItem) -> Outcome:
        (digest,) = self._db.execute(
            "SELECT digest FROM item WHERE seq = ?", (signed.item.seq,)
        ).fetchone()
        if digest == signed.digest:
            return Outcome.REPEATED
        reason = f"item {signed.item.seq}: the operator signed two of this sequence"
        return self._refuse(signed.line, reason, NEVER)

    def _hold(self, signed: SignedItem) -> Outcome:
        if self.counts()["held"] < HELD_MAX:
            self._db.execute(
                "INSERT OR IGNORE INTO held VALUES (?, ?)", (signed.item.seq, signed.line)
            )
        return Outcome.HELD

    def _take_held(self) -> bool:
        found = self._db.execute("SELECT line FROM held WHERE seq = ?", (self.seq + 1,)).fetchone()
        if found is None:
            return False
        with self._transaction():
            outcome = self._take(found[0])
            self._db.execute("DELETE FROM held WHERE line = ?", (found[0],))
        return outcome is not Outcome.REFUSED

    def _refuse(self, line: bytes, reason: str, at: int) -> Outcome:
        """Keep the evidence. It counts as a problem until an item is taken in at `at`."""
        self._db.execute(
            "INSERT INTO refused VALUES (?, ?, ?, ?, 1)"
            " ON CONFLICT (sha256) DO UPDATE SET count = count + 1, at = max(at, excluded.at)",
            (sha256(line), line, reason, at),
        )
        return Outcome.REFUSED

    # ---------------------------------------------------------------- the file

    def _open(self) -> None:
        domain = self.checker.authority.domain
        with self._transaction():
            if not self._db.execute("SELECT 1 FROM sqlite_schema").fetchone():
                for statement in filter(str.strip, SCHEMA.split(";")):
                    self._db.execute(statement)
                self._db.execute(
                    "INSERT INTO feed VALUES (1, 1, ?, ?, 0, NULL)",
                    (domain.chain_id, domain.contract),
                )
            found = self._db.execute("SELECT schema, chain_id, contract FROM feed").fetchone()
        if found != (1, domain.chain_id, domain.contract):
            raise FeedInput(
                f"ledger: expected books of contract 0x{domain.contract.hex()} on chain "
                f"{domain.chain_id}, got others"
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:  # SQLite may have ended it by itself
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise LedgerUnavailable(f"ledger: expected to write it, got {error}") from error
            raise
