"""Who did what to the platform's database: entries that each hold the digest of the one before.

The table only grows and the database chains it (`0007_hours.sql`); this makes entries and checks
the chain on its own. What it cannot see: the newest entries taken away. That shows against a head
that was written down elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from tanzheng.core import canonical_json
from tanzheng.core.closed import record
from tanzheng.core.errors import CheckFailed
from tanzheng.core.hashing import HASH_BYTES, sha256

GENESIS = bytes(HASH_BYTES)


class AuditLogBroken(CheckFailed):
    """The audit log is not the chain it was: somebody changed the database behind the software."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry: its number (0: there is none) and digest."""

    number: int
    digest: bytes


def add(connection: psycopg.Connection, action: str, detail: Mapping[str, Any]) -> None:
    """Enter `action` in the caller's transaction: it is there if the deed is."""
    found = connection.execute("SELECT session_user::text, clock_timestamp()::text").fetchone()
    assert found is not None
    entry = {"action": action, "actor": found[0], "at": found[1], "detail": dict(detail)}
    text = canonical_json.dumps(entry).decode()
    connection.execute("INSERT INTO audit_log (entry) VALUES (%s)", (text,))


def verify(connection: psycopg.Connection, known: bytes | None = None) -> Head:
    """The head of a log that is whole; `known`: a digest that must be one of its own.

    `AuditLogBroken` names the first entry that does not follow.
    """
    head, seen = Head(0, GENESIS), known is None or known == GENESIS
    with connection.transaction(), connection.cursor("audit_log", binary=True) as cursor:
        cursor.execute("SELECT number, entry, prev, digest FROM audit_log ORDER BY number")
        for number, entry, prev, digest in cursor:
            if number != head.number + 1:
                raise AuditLogBroken(f"audit log: expected entry {head.number + 1}, got {number}")
            if prev != head.digest or digest != sha256(prev + entry.encode()):
                raise AuditLogBroken(
                    f"audit log: entry {number}: expected SHA-256 of its text after the entry "
                    f"before, got {digest.hex()}"
                )
            head = Head(number, digest)
            seen = seen or digest == known
    if not seen and known is not None:
        raise AuditLogBroken(f"audit log: expected an entry with digest {known.hex()}, got none")
    return head


def latest(connection: psycopg.Connection, limit: int) -> list[dict[str, Any]]:
    """The last entries, the newest first."""
    found = connection.execute(
        "SELECT number, entry, digest FROM audit_log ORDER BY number DESC LIMIT %s", (limit,)
    )
    return [
        {"number": number, **_read(number, entry), "digest": bytes(digest).hex()}
        for number, entry, digest in found
    ]


def _read(number: int, entry: str) -> dict[str, Any]:
    keys = ("action", "actor", "at", "detail")
    where = f"audit log entry {number}"
    return dict(record(canonical_json.loads(entry.encode(), where), keys, where))
