"""Rows against evidence: rebuilds every row from the signed batches and compares.

The signed batches are read from the same database, but they need not be trusted: signature and
hash chain are checked with the enrolled keys. Rows and rebuilt rows are two streams in the order
(batch, point, time), compared in groups of batches, so that memory stays bounded. Batches come in
the order in which they were stored; one that came early waits until the chain has reached it.

What it cannot see: the last batches of a chain removed together with their rows, and the ledger's
head put back. That shows against the gateway's spool, its last signed ack or a sealed statement.
"""

from collections.abc import Mapping
from contextlib import closing

import psycopg

from tanzheng.core.calendar import Month
from tanzheng.ingest import enrolments, ledger, records, replay, rows
from tanzheng.ingest.compare import DifferenceFound, compare_readings, compare_records
from tanzheng.ingest.enrolment import Gateway
from tanzheng.ingest.progress import Advance, silent
from tanzheng.ingest.replay import Report


def audit(
    database_url: str,
    gateways: Mapping[str, Gateway],
    month: Month | None = None,
    advance: Advance = silent,
) -> Report:
    """Compare readings (of `month` in plant time), gaps and events with the signed batches.

    The chain is checked from the first batch on, whatever the month. Everything of a gateway is
    read from one snapshot, so ingest may go on meanwhile. `advance` hears of each group. Readings
    that lie in an archive are left out: `archive --restore` proves and brings them.
    """
    report = Report()
    try:
        for gateway in gateways.values():
            span_ms = month.bounds_ms(gateway.zone) if month else replay.ALWAYS_MS
            with replay.one_snapshot(database_url) as (batches, readings):
                _audit_gateway(batches, readings, gateway, span_ms, report, advance)
    except DifferenceFound as found:
        report.difference = found.difference
    return report


def _audit_gateway(
    batches: psycopg.Connection,
    readings: psycopg.Connection,
    gateway: Gateway,
    span_ms: tuple[int, int],
    report: Report,
    advance: Advance,
) -> None:
    gateway = enrolments.audited(batches, gateway)
    ids = ledger.point_ids(batches).get(gateway.gw, {})
    names = {point_id: name for name, point_id in ids.items()}
    archived = ledger.archived_days(batches)
    # Closed by us, also on a difference: rolling back a connection in the middle of its COPY hangs.
    with closing(replay.blocks(readings, list(names), span_ms)) as blocks:
        actual = replay.ReadingStream(blocks)
        for group in replay.groups(replay.verified(batches, gateway, report)):
            by_id = {stored.batch_id: stored for stored, _ in group}
            expected = replay.expected(group, ids, span_ms, archived)
            compare_readings(gateway.gw, expected, actual.up_to(max(by_id)), by_id, names)
            gaps = records.gaps_of(group, ids)
            compare_records(group, "gap record", gaps, records.stored_gaps(batches, by_id))
            events = records.events_of(group)
            compare_records(group, "event", events, records.stored_events(batches, by_id))
            report.readings += len(expected)
            report.gaps += sum(counter.total() for counter in gaps.values())
            advance(gateway.gw, len(group), len(expected))
        compare_readings(gateway.gw, rows.join([]), actual.rest(), {}, names)
