"""Gap records and events of a group of batches: as the batches make them, and as they are stored.

Both as multisets by batch_id of what a row holds beside it, so that they can be compared.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

from tanzheng.ingest import ledger
from tanzheng.ingest.compare import Group, event_key

Records = dict[int, Counter[tuple[Any, ...]]]


def gaps_of(group: Group, ids: Mapping[str, int]) -> Records:
    """The gap records that the batches make."""
    return {
        stored.batch_id: Counter(
            row[1:] for row in ledger.gap_rows(signed.batch, stored.batch_id, ids)
        )
        for stored, signed in group
    }


def events_of(group: Group) -> Records:
    """The events that the batches make."""
    return {
        stored.batch_id: Counter(
            (stored.gw, *event_key(event.t_ms, event.kind, dict(event.detail)))
            for event in signed.batch.events
        )
        for stored, signed in group
    }


def stored_gaps(connection: psycopg.Connection, batch_ids: Iterable[int]) -> Records:
    """The rows of `gap` for these batches."""
    found = connection.execute(
        "SELECT batch_id, gw, point_id, from_ms, to_ms, interval_ms, reason FROM gap "
        "WHERE batch_id = ANY(%s)",
        (list(batch_ids),),
    )
    return _by_batch(found)


def stored_events(connection: psycopg.Connection, batch_ids: Iterable[int]) -> Records:
    """The rows of `event` for these batches."""
    found = connection.execute(
        "SELECT batch_id, gw, t_ms, kind, detail FROM event WHERE batch_id = ANY(%s)",
        (list(batch_ids),),
    )
    return _by_batch((batch_id, gw, *event_key(*rest)) for batch_id, gw, *rest in found)


def _by_batch(records: Iterable[tuple[Any, ...]]) -> Records:
    found: Records = {}
    for batch_id, *record in records:
        found.setdefault(batch_id, Counter())[tuple(record)] += 1
    return found
