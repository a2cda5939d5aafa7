"""How the platform's entrance stands, gateway by gateway, read from the ledger alone.

No row of `reading` is touched: it answers in the same time with a day or ten years behind it,
but for the sums over `batch`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tanzheng.core.errors import BadInput

HOLES_MAX = 100
"""Of one gateway, the lowest; `holes_more` counts the rest."""

_GATEWAYS = """
SELECT g.gw, g.state, g.state_reason, g.head_epoch, g.head_seq, g.opens_epoch,
       sums.*, newest.last_ms AS newest_ms, early.*
FROM gateway g
CROSS JOIN LATERAL (
    SELECT count(*) AS batches, coalesce(sum(readings), 0)::bigint AS readings,
           coalesce(sum(octet_length(raw)), 0)::bigint AS raw_bytes,
           (extract(epoch FROM max(received_at)) * 1000)::bigint AS committed_ms
    FROM batch b WHERE b.gw = g.gw) AS sums
CROSS JOIN LATERAL (
    SELECT count(*) AS early_batches FROM early_batch e WHERE e.gw = g.gw) AS early
LEFT JOIN LATERAL (
    SELECT last_ms FROM batch b WHERE b.gw = g.gw AND b.readings > 0
    ORDER BY last_ms DESC LIMIT 1) AS newest ON true
WHERE %(gw)s::text IS NULL OR g.gw = %(gw)s ORDER BY g.gw
"""
# A hole is seen from the early batch above it. It is as old as the first batch that came past it.
_HOLES = """
SELECT gw, first_seq, seq - first_seq AS batches, since_ms FROM (
    SELECT gw, seq, lag(seq, 1, head) OVER (PARTITION BY gw ORDER BY seq) + 1 AS first_seq,
           (extract(epoch FROM min(received_at) OVER (
               PARTITION BY gw ORDER BY seq DESC)) * 1000)::bigint AS since_ms
    FROM (SELECT e.gw, e.seq, e.received_at, g.head_seq AS head
          FROM early_batch e JOIN gateway g USING (gw)) AS ahead
) AS steps WHERE seq > first_seq AND (%(gw)s::text IS NULL OR gw = %(gw)s) ORDER BY gw, first_seq
"""
_QUARANTINE = """
SELECT gw, reason_code, count(*), sum(seen)::bigint FROM quarantine WHERE accepted_at IS NULL
AND (%(gw)s::text IS NULL OR gw = %(gw)s) GROUP BY gw, reason_code ORDER BY gw, reason_code
"""


@dataclass(frozen=True, slots=True)
class Hole:
    """Batches that have not come, between the head and early ones: from `first_seq` so many."""

    first_seq: int
    batches: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """One gateway; None where there is nothing yet. Instants are UTC ms.

    `newest_ms`: the last instant of the newest batch that has readings. `committed_ms`: when the
    last stored batch arrived. `faults`: why it is not well, for people.
    """

    gw: str
    state: str
    state_reason: str
    head_epoch: int | None
    head_seq: int | None
    opens_epoch: int | None
    batches: int
    readings: int
    raw_bytes: int
    committed_ms: int | None
    newest_ms: int | None
    early_batches: int
    holes: tuple[Hole, ...]
    holes_more: int
    quarantine: Mapping[str, int]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """All gateways at `now_ms`. `strangers`: open quarantine of no enrolled gateway, by reason."""

    now_ms: int
    gateways: tuple[GatewayStatus, ...]
    strangers: Mapping[str, int]

    @property
    def faults(self) -> list[str]:
        """What is wrong, gateway by gateway."""
        return [f"{each.gw}: {fault}" for each in self.gateways for fault in each.faults]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {**asdict(self), "healthy": not self.faults}


def read_status(database_url: str, gw: str | None, now_ms: int, late_after_s: int) -> Status:
    """The standing of one gateway or all; what is older than `late_after_s` is a fault.

    `BadInput` where there is no such gateway.
    """
    only = {"gw": gw}
    with psycopg.connect(database_url) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(_GATEWAYS, only).fetchall()
        holes = _grouped(connection.execute(_HOLES, only))
        refused = _grouped(connection.execute(_QUARANTINE, only))
    if gw is not None and not found:
        raise BadInput(f"expected a gateway that the database knows, got {gw!r}")
    late_ms = now_ms - 1000 * late_after_s
    gateways = tuple(
        _gateway(row, holes.get(row["gw"], []), refused.get(row["gw"], []), late_ms)
        for row in found
    )
    return Status(now_ms, gateways, {reason: count for reason, count, _ in refused.get("", [])})


def _gateway(
    row: dict[str, Any], holes: list[Any], refused: list[Any], late_ms: int
) -> GatewayStatus:
    known = tuple(Hole(*hole) for hole in holes[:HOLES_MAX])
    quarantine = {reason: count for reason, count, _ in refused}
    faults = tuple(_faults(row, known, quarantine, late_ms))
    more = len(holes) - len(known)
    return GatewayStatus(**row, holes=known, holes_more=more, quarantine=quarantine, faults=faults)


def _faults(
    row: dict[str, Any], holes: tuple[Hole, ...], quarantine: Mapping[str, int], late_ms: int
) -> Iterable[str]:
    if row["state"] != "active":
        yield f"{row['state']}: {row['state_reason']}"
    if row["newest_ms"] is None:
        yield "no reading yet · 尚无数据"
    elif row["newest_ms"] < late_ms:
        yield "newest reading too old · 数据过旧"
    if any(hole.since_ms < late_ms for hole in holes):
        yield "a hole that does not close · 缺口未补"
    if "ingest_fault" in quarantine:
        yield "ingest_fault in quarantine · 内部错误"


def _grouped(found: Iterable[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    groups: dict[str, list[tuple[Any, ...]]] = {}
    for gw, *rest in found:
        groups.setdefault(gw, []).append(tuple(rest))
    return groups
