"""Which hours are to be computed anew: marked in the transaction that changes what they rest on."""

from collections.abc import Iterable

import psycopg

from tanzheng.core.calendar import HOUR_MS

Span = tuple[str, int, int]
"""Gateway, first and last instant (UTC ms) of what changed, both included."""


def runs(spans: Iterable[Span]) -> list[Span]:
    """Whole hours, half-open, that hold these spans; those that touch are one."""
    found: list[Span] = []
    for gw, first_ms, last_ms in sorted(spans):
        start, end = first_ms // HOUR_MS * HOUR_MS, (last_ms // HOUR_MS + 1) * HOUR_MS
        if found and found[-1][0] == gw and start <= found[-1][2]:
            found[-1] = (gw, found[-1][1], max(end, found[-1][2]))
        else:
            found.append((gw, start, end))
    return found


def mark(connection: psycopg.Connection, spans: Iterable[Span]) -> None:
    """Mark the hours of these spans, also those marked before."""
    if found := runs(spans):
        gws, from_ms, to_ms = map(list, zip(*found, strict=True))
        connection.execute(
            "SELECT mark_dirty(gw, f, t) FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) "
            "AS run(gw, f, t)",
            (gws, from_ms, to_ms),
        )
