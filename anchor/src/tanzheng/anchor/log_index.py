"""A PostgreSQL index over a log's files: which statements are there about whom.

The files are the log. The index follows them: each refresh adds what is new, in one transaction,
after it has made sure that it indexes this very log. Nothing is believed of it: `find` holds every
statement against the bytes in the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING

import psycopg

from tanzheng.anchor.errors import IndexDiffers, IndexUnavailable
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject
from tanzheng.core.log_files import opened

if TYPE_CHECKING:
    from tanzheng.anchor.chain_file import ChainFile
    from tanzheng.anchor.log_store import Contents, LogStore
    from tanzheng.core.checkpoint import SignedCheckpoint
    from tanzheng.core.log_files import LogFiles
    from tanzheng.core.statement import SignedStatement

# Two refreshes at once would both add the same statements. Any constant does.
LOCK_KEY = 0x74616E7A6C6F6769
COLUMNS = (
    *("log_id", "leaf", "digest", "type", "issuer", "kid"),
    *("enterprise", "unit", "period", "kind", "seq", "supersedes", "is_current"),
)
Entry = tuple[int, bytes]
FILTERS = ("enterprise", "unit", "period", "kind")


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did: statements and checkpoints added, and how many there are now."""

    added: int
    statements: int
    checkpoints: int


@dataclass(frozen=True, slots=True)
class Found:
    """A statement of the log, as its bytes say it; `checkpoint`: the first that covers it."""

    leaf: int
    signed: SignedStatement
    is_current: bool
    checkpoint: int | None


class LogIndex:
    """The index of one log in a database."""

    def __init__(self, database_url: str, chain: ChainFile) -> None:
        self._url = database_url
        self._chain = chain

    def refresh(self, store: LogStore, rebuild: bool = False) -> Refreshed:
        """Bring the index to what the log holds, audited on the way; with `rebuild`, from nothing.

        `IndexDiffers` where it holds something else than the log, `LogDamaged`, `IndexUnavailable`:
        the index stays as it was.
        """
        contents, size = store.begin()
        with self._transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
            connection.execute(_schema())
            if rebuild:
                connection.execute(
                    "DELETE FROM evidence_log.log WHERE log_id = %s", (self._chain.log_id,)
                )
            connection.execute(
                "INSERT INTO evidence_log.log VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (self._chain.log_id, self._chain.chain_id, self._chain.contract),
            )
            known = self._check_checkpoints(connection, contents.checkpoints)
            entries = contents.taking_in(size)
            count = self._check_statements(connection, entries, size)
            subjects = self._add_statements(connection, entries)
            self._mark_replaced(connection, contents, subjects)
            self._add_checkpoints(connection, contents.checkpoints[known:])
        return Refreshed(size - count, size, len(contents.checkpoints))

    def find(
        self, files: LogFiles, size: int, wanted: Mapping[str, str], everything: bool = False
    ) -> Iterator[Found]:
        """Yield the statements about what is `wanted` (names of `FILTERS`) in the order of the log;
        without `everything`, the current ones.

        `IndexDiffers` where the log's bytes say something else than the index.
        """
        conditions = [f"s.{name} = %({name})s" for name in FILTERS if name in wanted]
        if not everything:
            conditions.append("s.is_current")
        where = "".join(f" AND {condition}" for condition in conditions)
        query = (
            "SELECT s.leaf, s.digest, s.is_current, (SELECT min(c.seq) FROM "  # noqa: S608
            "evidence_log.checkpoint c WHERE c.log_id = s.log_id AND c.size > s.leaf) "
            f"FROM evidence_log.statement s WHERE s.log_id = %(log_id)s{where} ORDER BY s.leaf"
        )
        values = {**wanted, "log_id": self._chain.log_id}
        with self._transaction() as connection:
            rows = connection.execute(query.encode(), values).fetchall()
        for leaf, digest, is_current, checkpoint in rows:
            if not 0 <= leaf < size:
                raise IndexDiffers(f"leaf {leaf}: expected one of {size} of the log")
            signed = files.statement(leaf)
            if signed.digest != bytes(digest) or not _is_about(signed.statement.subject, wanted):
                raise IndexDiffers(f"leaf {leaf}: expected the index to say what the log says")
            yield Found(leaf, signed, is_current, checkpoint)

    # ---------------------------------------------------------------- inside the transaction

    def _check_checkpoints(
        self, connection: psycopg.Connection, signed: list[SignedCheckpoint]
    ) -> int:
        """How many checkpoints the index has; each must be the log's."""
        rows = connection.execute(
            "SELECT seq, digest FROM evidence_log.checkpoint WHERE log_id = %s ORDER BY seq",
            (self._chain.log_id,),
        ).fetchall()
        ours = [(point.checkpoint.seq, point.digest) for point in signed]
        found = [(seq, bytes(digest)) for seq, digest in rows]
        if found != ours[: len(found)]:
            raise IndexDiffers(f"{len(found)} checkpoints: expected those of the log, got others")
        return len(found)

    def _check_statements(
        self, connection: psycopg.Connection, entries: Iterator[Entry], size: int
    ) -> int:
        """How many statements the index has; each must be the log's."""
        counted = connection.execute(
            "SELECT count(*) FROM evidence_log.statement WHERE log_id = %s", (self._chain.log_id,)
        ).fetchone()
        count = int(counted[0]) if counted else 0
        if count > size:
            raise IndexDiffers(f"expected at most {size} statements, got {count}")
        with connection.cursor(name="known") as rows:  # page by page
            rows.execute(
                "SELECT leaf, digest FROM evidence_log.statement WHERE log_id = %s ORDER BY leaf",
                (self._chain.log_id,),
            )
            for (index, raw), (leaf, digest) in zip(islice(entries, count), rows, strict=True):
                if (leaf, bytes(digest)) != (index, sha256(raw)):
                    raise IndexDiffers(f"leaf {index}: expected {sha256(raw).hex()}, got another")
        return count

    def _add_statements(
        self, connection: psycopg.Connection, entries: Iterator[Entry]
    ) -> set[Subject]:
        """Add what is left of the log, each as current; whom it is about."""
        statement = f"COPY evidence_log.statement ({', '.join(COLUMNS)}) FROM STDIN"
        subjects = set[Subject]()
        with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for leaf, raw in entries:
                signed = opened(leaf, raw)
                subjects.add(signed.statement.subject)
                copy.write_row(self._row(leaf, signed))
        return subjects

    def _mark_replaced(
        self, connection: psycopg.Connection, contents: Contents, subjects: set[Subject]
    ) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE evidence_log.statement SET is_current = false WHERE log_id = %s AND "
                "leaf <> %s AND is_current AND (enterprise, unit, period, kind) = (%s, %s, %s, %s)",
                [
                    (self._chain.log_id, contents.heads.index(each), *str(each).split("/"))
                    for each in subjects
                ],
            )

    def _row(self, leaf: int, signed: SignedStatement) -> tuple[object, ...]:
        stated = signed.statement
        subject = stated.subject
        return (
            *(self._chain.log_id, leaf, signed.digest, stated.TYPE, stated.issuer, signed.kid),
            *(subject.enterprise, subject.unit, subject.period, subject.kind, stated.seq),
            stated.supersedes.digest if stated.supersedes else None,
            True,
        )

    def _add_checkpoints(
        self, connection: psycopg.Connection, signed: list[SignedCheckpoint]
    ) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO evidence_log.checkpoint VALUES (%s, %s, %s, %s, %s)",
                [
                    (
                        self._chain.log_id,
                        each.checkpoint.seq,
                        each.checkpoint.size,
                        datetime.fromtimestamp(each.checkpoint.t_ms / 1000, UTC),
                        each.digest,
                    )
                    for each in signed
                ],
            )

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(self._url, connect_timeout=10) as connection:
                yield connection
        except psycopg.errors.UndefinedTable:
            raise IndexDiffers("expected an index in this database, there is none yet") from None
        except psycopg.Error as error:
            raise IndexUnavailable(
                f"index: expected the database to answer, got {error}"
            ) from error


def _schema() -> bytes:
    return (resources.files("tanzheng.anchor") / "log_index.sql").read_bytes()


def _is_about(subject: Subject, wanted: Mapping[str, str]) -> bool:
    return all(getattr(subject, name) == value for name, value in wanted.items())
