"""Every row that the database has, against every reading that was offered."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psycopg

from ingest.boxes import Box

Row = tuple[str, int]
"""Point and UTC ms."""


@dataclass(frozen=True, slots=True)
class Count:
    """`lost`: offered, no row. `doubled`: rows too many. `wrong`: never offered, other value or
    quality, a chain that ends elsewhere, a refusal that is missing in the quarantine or too much
    there."""

    offered: int
    stored: int
    lost: int
    doubled: int
    wrong: int
    refused: int
    """Messages that are in quarantine to stay."""

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)


def offered(boxes: Iterable[Box]) -> Iterator[tuple[Row, tuple[float, int]]]:
    """Every reading that the gateways signed."""
    for box in boxes:
        for signed in box.signed:
            batch = signed.batch
            for point, column in zip(batch.points, batch.columns, strict=True):
                for t_ms, value, quality in zip(
                    column.t_ms, column.value, column.quality, strict=True
                ):
                    yield (point, t_ms), (value, quality)


def count(url: str, boxes: list[Box], refusals: Counter[str]) -> Count:
    """The verdict on a database at rest."""
    wanted = dict(offered(boxes))
    seen: Counter[Row] = Counter()
    wrong = 0
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT name, (extract(epoch FROM t) * 1000)::bigint, value, quality "
            "FROM reading JOIN point USING (point_id)"
        )
        for name, t_ms, value, quality in rows:
            seen[name, t_ms] += 1
            wrong += wanted.get((name, t_ms)) != (value, quality)
        wrong += _heads_wrong(connection, boxes)
        kept = open_refusals(connection)
    wrong += ((refusals - kept) + (kept - refusals)).total()
    lost = len(wanted.keys() - seen.keys())
    doubled = seen.total() - len(seen)
    return Count(len(wanted), len(wanted) - lost, lost, doubled, wrong, kept.total())


def open_refusals(connection: psycopg.Connection) -> Counter[str]:
    """What is in quarantine and was not accepted later, by reason."""
    rows = connection.execute(
        "SELECT reason_code, count(*) FROM quarantine WHERE accepted_at IS NULL GROUP BY 1"
    )
    return Counter({str(reason): int(number) for reason, number in rows})


def _heads_wrong(connection: psycopg.Connection, boxes: list[Box]) -> int:
    rows = connection.execute("SELECT gw, head_digest FROM gateway")
    found = {str(gw): bytes(digest or b"") for gw, digest in rows}
    return sum(found[box.gw] != box.signed[-1].digest for box in boxes)
