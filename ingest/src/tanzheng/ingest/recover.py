"""Batches that this database lost and another one still has, taken as if they were sent again.

After a restore to an earlier moment the gateways have freed what the restore took away: the copies
left are in the database that was damaged, or in one restored to the end of its log. Nothing of
that database is believed: each batch passes the same examination as one from the broker, and the
chain says whether it belongs here.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

import psycopg
import zstandard

from tanzheng.core.topics import batch_topic
from tanzheng.core.wire import unpack_kept
from tanzheng.ingest.decide import Message, Reason, examine
from tanzheng.ingest.enrolment import Gateway
from tanzheng.ingest.writer import Writer

GROUP_BATCHES = 64
_ABOVE = (
    "SELECT raw, (extract(epoch FROM received_at) * 1000)::bigint FROM batch "
    "WHERE gw = %s AND (epoch, seq) > (%s, %s) ORDER BY epoch, seq"
)


@dataclass(slots=True)
class Recovered:
    """`found`: batches of the other database above our heads; what became of them here."""

    found: int = 0
    accepted: int = 0
    readings: int = 0
    duplicates: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "found": self.found,
            "accepted": self.accepted,
            "readings": self.readings,
            "duplicates": self.duplicates,
            "refused": dict(self.refused),
        }


def recover(
    database_url: str,
    source_url: str,
    gateways: Mapping[str, Gateway],
    advance: Callable[[int], object] = lambda batches: None,
) -> Recovered:
    """Take what `source_url` has of each gateway above its head here; may be run again.

    Raises psycopg's errors, and `SchemaMismatch` where the schema here is not ours. What is
    refused goes to quarantine.
    """
    total = Recovered()
    with closing(Writer(database_url, gateways)) as writer, psycopg.connect(source_url) as source:
        standing = writer.standing().heads
        for gw in gateways:
            head = standing.get(gw)
            place = (head.epoch, head.seq) if head else (0, 0)
            for group in _above(source, gw, place):
                outcome = writer.write([examine(message, writer.gateways) for message in group])
                total.found += len(group)
                total.accepted += outcome.accepted
                total.readings += outcome.readings
                total.duplicates += outcome.duplicates
                total.refused += outcome.refused
                advance(len(group))
    return total


def _above(source: psycopg.Connection, gw: str, place: tuple[int, int]) -> Iterator[list[Message]]:
    with source.cursor(f"recover_{gw}") as cursor:
        cursor.itersize = GROUP_BATCHES
        cursor.execute(_ABOVE, (gw, *place))
        while rows := cursor.fetchmany(GROUP_BATCHES):
            topic = batch_topic(gw)
            frames = ((zstandard.compress(unpack_kept(raw), 1), at_ms) for raw, at_ms in rows)
            yield [Message(topic, frame, at_ms) for frame, at_ms in frames]
