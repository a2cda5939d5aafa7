"""The checker that ships: reads a spool from its first byte to its last and believes nothing."""

import math
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tanzheng.core.batch import (
    ChainHead,
    SignedBatch,
    check_successor,
    open_signed,
)
from tanzheng.core.errors import CheckFailed, TanzhengError
from tanzheng.core.keys import VerifyKey
from tanzheng.core.wire import unpack
from tanzheng.edge.spool.database import FILE_NAME, SCHEMA_VERSION, SpoolError
from tanzheng.edge.spool.records import Entry, GapEntry, SlotEntry, decode_entry


class SpoolDamaged(CheckFailed):
    """The spool does not hold together; the message names the first place."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A whole spool: unsealed entries, batches not yet acknowledged, orphans set aside.

    `counters` is how many lines the ledger has.
    """

    entries: tuple[Entry, ...]
    batches: tuple[SignedBatch, ...]
    orphans: int
    head: ChainHead | None
    acked: ChainHead | None
    counters: int = 0


def check_spool(folder: Path, gateway: VerifyKey) -> Contents:
    """The contents of the spool in `folder`, every signature and link of the chain checked.

    `SpoolDamaged` names what does not hold; `SpoolError` where there is no spool.
    """
    path = folder / FILE_NAME
    if not path.exists():
        raise SpoolError(f"expected a spool, got nothing, at {path}")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        try:
            db.execute("BEGIN")  # one snapshot: an agent may be at work
            problem = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if problem != "ok":
                raise SpoolDamaged(f"{path}: expected a sound database, got {problem}")
            return _contents(db, gateway)
        except sqlite3.DatabaseError as error:
            raise SpoolDamaged(f"{path}: expected a spool, got {error}") from error


def _contents(db: sqlite3.Connection, gateway: VerifyKey) -> Contents:
    heads = {
        name: ChainHead(epoch, seq, bytes(digest))
        for name, epoch, seq, digest in db.execute("SELECT name, epoch, seq, digest FROM chain")
    }
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if not 1 <= version <= SCHEMA_VERSION:
        raise SpoolError(f"expected spool version 1 to {SCHEMA_VERSION}, got {version}")
    entries = _entries(db)
    batches = _batches(db, gateway, heads.get("acked"))
    head = batches[-1].head if batches else heads.get("acked")
    if heads.get("head") != head:
        raise SpoolDamaged(f"expected the chain's head to be {heads.get('head')}, got {head}")
    orphans = db.execute("SELECT count(*) FROM batch WHERE orphan").fetchone()[0]
    counters = _ledger(db) if version > 1 else 0
    return Contents(entries, tuple(batches), orphans, head, heads.get("acked"), counters)


def _entries(db: sqlite3.Connection) -> tuple[Entry, ...]:
    """Every entry, its points within its point set, its newest slot as the index says."""
    sizes = {
        point_set: len(names.split("\n"))
        for point_set, names in db.execute("SELECT id, names FROM point_set")
    }
    entries = []
    for entry_id, point_set, last_ms, body in db.execute(
        "SELECT id, point_set, last_ms, body FROM entry ORDER BY id"
    ):
        try:
            entry = decode_entry(body)
        except TanzhengError as error:
            raise SpoolDamaged(f"entry {entry_id}: {error}") from error
        if entry.last_ms != last_ms:
            raise SpoolDamaged(f"entry {entry_id}: expected slot {last_ms}, got {entry.last_ms}")
        points = _points(entry)
        if points and not 0 <= min(points) <= max(points) < sizes.get(point_set, 0):
            raise SpoolDamaged(f"entry {entry_id}: expected points of its point set {point_set}")
        entries.append(entry)
    return tuple(entries)


def _points(entry: Entry) -> set[int]:
    if isinstance(entry, GapEntry):
        return {point for cadence in entry.cadences for point in cadence.points or ()}
    found = {point for take in entry.takes for point in take.points}
    if isinstance(entry, SlotEntry):
        found |= {point for miss in entry.misses for point in miss.points}
    return found


def _ledger(db: sqlite3.Connection) -> int:
    """How many lines the ledger has; each of numbers that a counter can have."""
    lines = db.execute("SELECT point, t_ms, value, offset, reset_offset FROM ledger").fetchall()
    for point, t_ms, *numbers in lines:
        if t_ms < 0 or not all(map(math.isfinite, numbers)):
            raise SpoolDamaged(f"ledger {point}: expected an instant and finite numbers")
    return len(lines)


def _batches(
    db: sqlite3.Connection, gateway: VerifyKey, head: ChainHead | None
) -> list[SignedBatch]:
    batches = []
    rows = db.execute(
        "SELECT epoch, seq, digest, wire FROM batch WHERE NOT orphan ORDER BY epoch, seq"
    )
    for epoch, seq, digest, wire in rows:
        where = f"batch epoch {epoch} seq {seq}"
        try:
            signed = open_signed(unpack(wire))
            signed.verify(gateway)
            check_successor(head, signed.batch)
        except TanzhengError as error:
            raise SpoolDamaged(f"{where}: {error}") from error
        if signed.head != ChainHead(epoch, seq, digest):
            raise SpoolDamaged(f"{where}: expected its own place and hash, got {signed.head}")
        head = signed.head
        batches.append(signed)
    return batches
