"""Rows made anew from the signed batches, piece by piece.

Each piece (some batches of one gateway) is compared first; where its rows differ they are replaced
in one transaction, with the gateway's chain locked, so ingest may go on. A run that was killed left
whole pieces only: run it again. What a signed batch itself has wrong is no matter of rows: there it
stops, names the place, and has not touched it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import psycopg

from tanzheng.core.calendar import Month
from tanzheng.ingest import audit_log, enrolments, hours_dirty, ledger, records, replay, rows
from tanzheng.ingest.audit import audit
from tanzheng.ingest.compare import (
    Difference,
    DifferenceFound,
    Group,
    compare_readings,
    compare_records,
)
from tanzheng.ingest.enrolment import Gateway
from tanzheng.ingest.progress import Advance, silent
from tanzheng.ingest.writer import connect

# Outside of it an instant is not worth an index: years 1970 to 2200.
PLAUSIBLE_MS = (0, 7_258_118_400_000)


@dataclass(slots=True)
class Counts:
    """How many rows differed; a changed one is there, with another content."""

    missing: int = 0
    extra: int = 0
    changed: int = 0

    def add(self, other: "Counts") -> None:
        """Count these, too."""
        self.missing += other.missing
        self.extra += other.extra
        self.changed += other.changed

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.changed)


@dataclass(slots=True)
class RebuildReport:
    """What was compared, what differed, what was made anew.

    `refused`: where a signed batch or the ledger itself is wrong. `after`: the first difference
    that is left after rows were made anew; None proves that all are equal.
    """

    check: bool
    batches: int = 0
    readings: int = 0
    gaps: int = 0
    differed: dict[str, Counts] = field(
        default_factory=lambda: {name: Counts() for name in ("reading", "gap", "event")}
    )
    first: Difference | None = None
    pieces_rebuilt: int = 0
    refused: Difference | None = None
    after: Difference | None = None

    @property
    def holds(self) -> bool:
        """Rows and signed batches are equal now."""
        left = self.first if self.check else self.after
        return self.refused is None and left is None

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {**asdict(self), "equal": self.holds}


@dataclass(frozen=True, slots=True)
class _Work:
    """What all pieces of a gateway have in common."""

    gateway: Gateway
    ids: Mapping[str, int]
    span_ms: tuple[int, int]
    writing: psycopg.Connection
    report: RebuildReport

    @property
    def names(self) -> dict[int, str]:
        return {point_id: name for name, point_id in self.ids.items()}


def rebuild(
    database_url: str,
    gateways: Mapping[str, Gateway],
    month: Month | None = None,
    check: bool = False,
    advance: Advance = silent,
    archived: bool = False,
) -> RebuildReport:
    """Make readings (of `month` in plant time), gaps and events equal to the signed batches.

    `check` True: only compare. `archived` True: also the readings that lie in an archive alone, as
    when its files are lost; of all gateways and always. After rows were made anew everything is
    compared once more.
    """
    report = RebuildReport(check)
    try:
        with closing(connect(database_url)) as writing:
            if archived:
                _forget_archives(writing)
            for gateway in gateways.values():
                span_ms = month.bounds_ms(gateway.zone) if month else replay.ALWAYS_MS
                with replay.one_snapshot(database_url) as (batches, readings):
                    known = enrolments.audited(batches, gateway)
                    ids = ledger.point_ids(batches).get(gateway.gw, {})
                    work = _Work(known, ids, span_ms, writing, report)
                    _gateway(work, batches, readings, advance)
    except DifferenceFound as found:
        report.refused = found.difference
    else:
        if report.pieces_rebuilt:
            report.after = audit(database_url, gateways, month, advance).difference
    return report


def _forget_archives(connection: psycopg.Connection) -> None:
    """From here on these readings are missing, until they are made: run it again if killed."""
    with connection.transaction():
        gone = connection.execute("DELETE FROM archived_day").rowcount
        audit_log.add(connection, "archive forget", {"days": gone})


def _gateway(
    work: _Work, batches: psycopg.Connection, readings: psycopg.Connection, advance: Advance
) -> None:
    seen = replay.Report()
    archived = ledger.archived_days(batches)
    with closing(replay.blocks(readings, list(work.names), work.span_ms)) as blocks:
        actual = replay.ReadingStream(blocks)
        for group in replay.groups(replay.verified(batches, work.gateway, seen)):
            expected = replay.expected(group, work.ids, work.span_ms, archived)
            _piece(work, group, expected, actual.up_to(group[-1][0].batch_id), batches)
            work.report.batches += len(group)
            work.report.readings += len(expected)
            advance(work.gateway.gw, len(group), len(expected))
        for block in actual.remaining():
            _piece(work, [], rows.join([]), block, batches)


def _piece(
    work: _Work, group: Group, expected: rows.Readings, actual: rows.Readings,
    batches: psycopg.Connection,
) -> None:  # fmt: skip
    """Compare a piece, count what differs, and put it right."""
    by_id = {stored.batch_id: stored for stored, _ in group}
    gaps, events = records.gaps_of(group, work.ids), records.events_of(group)
    stored_gaps = records.stored_gaps(batches, by_id)
    stored_events = records.stored_events(batches, by_id)
    found = {
        "reading": readings_differing(expected, actual),
        "gap": records_differing(gaps, stored_gaps),
        "event": records_differing(events, stored_events),
    }
    work.report.gaps += sum(counter.total() for counter in gaps.values())
    if not any(found.values()):
        return
    for name, counts in found.items():
        work.report.differed[name].add(counts)
    if work.report.first is None:
        try:
            compare_readings(work.gateway.gw, expected, actual, by_id, work.names)
            compare_records(group, "gap record", gaps, stored_gaps)
            compare_records(group, "event", events, stored_events)
        except DifferenceFound as difference:
            work.report.first = difference.difference
    if not work.report.check:
        _replace(work, group, expected, actual)
        work.report.pieces_rebuilt += 1


def readings_differing(expected: rows.Readings, actual: rows.Readings) -> Counts:
    """How the two differ by key (batch, point, instant); values bit by bit."""
    if expected.tobytes() == actual.tobytes():
        return Counts()
    wanted, found = Counter(_keyed(expected)), Counter(_keyed(actual))
    missing, extra = wanted - found, found - wanted
    keys = Counter(key for key, _ in missing), Counter(key for key, _ in extra.elements())
    changed = (keys[0] & keys[1]).total()
    return Counts(missing.total() - changed, extra.total() - changed, changed)


def _keyed(readings: rows.Readings) -> Iterator[tuple[tuple[int, int, int], tuple[int, int]]]:
    keys = zip(*(readings[name].tolist() for name in ("batch_id", "point_id", "t_ms")), strict=True)
    bits = np.ascontiguousarray(readings["value"]).view("i8").tolist()
    return zip(keys, zip(bits, readings["quality"].tolist(), strict=True), strict=True)


def records_differing(expected: records.Records, actual: records.Records) -> Counts:
    """How many gap records or events differ, batch by batch."""
    counts = Counts()
    for batch_id in expected.keys() | actual.keys():
        wanted = expected.get(batch_id, Counter())
        found = actual.get(batch_id, Counter())
        missing, extra = (wanted - found).total(), (found - wanted).total()
        changed = min(missing, extra)
        counts.add(Counts(missing - changed, extra - changed, changed))
    return counts


def _replace(work: _Work, group: Group, expected: rows.Readings, actual: rows.Readings) -> None:
    """One transaction: the piece's rows go, what its batches make comes."""
    connection, gw = work.writing, work.gateway.gw
    with connection.transaction():
        connection.execute("SELECT FROM gateway WHERE gw = %s FOR UPDATE", (gw,))
        ids = [stored.batch_id for stored, _ in group]
        kept = {  # a batch that was stranded since the snapshot has no rows to make
            batch_id
            for (batch_id,) in connection.execute(
                "SELECT batch_id FROM batch WHERE batch_id = ANY(%s)", (ids,)
            )
        }
        _delete_readings(work, ids, expected, actual)
        batches = [(s.batch_id, signed.batch) for s, signed in group if s.batch_id in kept]
        made = expected[np.isin(expected["batch_id"], list(kept))]
        ledger.ensure_days(connection, np.unique(made["t_ms"] // rows.DAY_MS).tolist())
        ledger.copy_readings(connection, rows.pack(made))
        for table in ("gap", "event"):
            connection.execute(f"DELETE FROM {table} WHERE batch_id = ANY(%s)".encode(), (ids,))  # noqa: S608
        gap_rows = [ledger.gap_rows(batch, batch_id, work.ids) for batch_id, batch in batches]
        ledger.insert_gaps(connection, chain.from_iterable(gap_rows))
        ledger.insert_events(connection, batches)
        hours_dirty.mark(connection, _changed(gw, group, actual))
        audit_log.add(connection, "rebuild", {"gw": gw, "batches": ids[:1] + ids[1:][-1:]})


def _changed(gw: str, group: Group, actual: rows.Readings) -> Iterator[hours_dirty.Span]:
    """What the piece's batches span, and the rows that were there, where an hour can be named."""
    for stored, _ in group:
        if stored.first_ms is not None and stored.last_ms is not None:
            yield gw, stored.first_ms, stored.last_ms
    t_ms = actual["t_ms"]
    plausible = t_ms[(t_ms >= PLAUSIBLE_MS[0]) & (t_ms < PLAUSIBLE_MS[1])]
    if len(plausible):
        yield gw, int(plausible.min()), int(plausible.max())


def _delete_readings(
    work: _Work, ids: list[int], expected: rows.Readings, actual: rows.Readings
) -> None:
    """Rows of the piece's batches, and rows that no batch of the gateway explains."""
    foreign = np.setdiff1d(actual["batch_id"], ids).tolist()
    first_ms, end_ms = _bounds(np.concatenate([expected["t_ms"], actual["t_ms"]]), work.span_ms)
    within = ""
    if (first_ms, end_ms) != replay.ALWAYS_MS:
        within = " AND t >= to_timestamp(%(first)s / 1000.0) AND t < to_timestamp(%(end)s / 1000.0)"
    work.writing.execute(
        "DELETE FROM reading r WHERE point_id = ANY(%(points)s) AND (batch_id = ANY(%(ids)s) OR "  # noqa: S608
        "(batch_id = ANY(%(foreign)s) AND NOT EXISTS "
        "(SELECT FROM batch b WHERE b.batch_id = r.batch_id AND b.gw = %(gw)s)))"
        f"{within}".encode(),
        {"points": list(work.names), "ids": ids, "foreign": foreign, "gw": work.gateway.gw,
         "first": first_ms, "end": end_ms},
    )  # fmt: skip


def _bounds(t_ms: Any, span_ms: tuple[int, int]) -> tuple[int, int]:
    """Instants among which all rows of a piece lie; the whole span where one is out of reason."""
    if not len(t_ms) or t_ms.min() < PLAUSIBLE_MS[0] or t_ms.max() >= PLAUSIBLE_MS[1]:
        return span_ms
    return max(int(t_ms.min()), span_ms[0]), min(int(t_ms.max()) + 1, span_ms[1])
