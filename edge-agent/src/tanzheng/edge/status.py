"""What an agent's spool holds, read from outside while it runs. Opens the spool read-only."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tanzheng.edge.counters import STATUS_NAME
from tanzheng.edge.spool.store import FILE_NAME, SpoolError


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """Depth and heads of a spool. Heads are (epoch, seq), None before the first batch.

    `oldest_ms` is the first instant not yet acknowledged, None where all is.
    """

    gateway: str
    unsealed: int
    batches: int
    readings: int
    orphans: int
    bytes_used: int
    oldest_ms: int | None
    durable_ms: int | None
    head: tuple[int, int] | None
    acked: tuple[int, int] | None
    agent: dict[str, Any]


def read_status(folder: Path) -> SpoolStatus:
    """The status of the spool in `folder`; `SpoolError` where there is none."""
    path = folder / FILE_NAME
    if not path.exists():
        raise SpoolError(f"expected a spool, got nothing, at {path}")
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return _read(db, folder)
    except sqlite3.DatabaseError as error:
        raise SpoolError(f"expected a spool, got {error}, at {path}") from error
    finally:
        db.close()


def _read(db: sqlite3.Connection, folder: Path) -> SpoolStatus:
    db.execute("BEGIN")  # one snapshot for all that follows
    meta = dict(db.execute("SELECT key, value FROM meta"))
    heads = {name: (e, s) for name, e, s in db.execute("SELECT name, epoch, seq FROM chain")}
    batches, readings, wire_bytes, first_ms = db.execute(
        "SELECT count(*), coalesce(sum(readings), 0), coalesce(sum(length(wire)), 0),"
        " min(first_ms) FROM batch WHERE NOT orphan"
    ).fetchone()
    orphans = db.execute("SELECT count(*) FROM batch WHERE orphan").fetchone()[0]
    unsealed, body_bytes, oldest, newest = db.execute(
        "SELECT count(*), coalesce(sum(length(body)), 0), min(nullif(last_ms, 0)), max(last_ms)"
        " FROM entry"
    ).fetchone()
    starts = [each for each in (first_ms, oldest) if each is not None]
    return SpoolStatus(
        gateway=str(meta["gateway"]),
        unsealed=unsealed,
        batches=batches,
        readings=readings,
        orphans=orphans,
        bytes_used=wire_bytes + body_bytes,
        oldest_ms=min(starts, default=None),
        durable_ms=max(meta.get("durable_ms", 0), newest or 0) or None,
        head=heads.get("head"),
        acked=heads.get("acked"),
        agent=agent_status(folder),
    )


def agent_status(folder: Path) -> dict[str, Any]:
    """What the agent of the spool in `folder` last said of itself; empty where it never did."""
    try:
        body = json.loads((folder / STATUS_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}
