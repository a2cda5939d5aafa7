"""Counts every reading: what the simulator saw taken against what the database holds.

A reading is one point at one grid instant. The simulator logs a slot as taken when the agent says
that it is durable; nothing here asks the agent or ingest what they believe.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant

STORED = """
SELECT (extract(epoch FROM r.t) * 1000)::bigint, count(*), count(DISTINCT r.point_id)
FROM reading r JOIN point p USING (point_id)
WHERE p.gw = %(gw)s
  AND r.t >= to_timestamp(%(start)s / 1000.0) AND r.t < to_timestamp(%(end)s / 1000.0)
GROUP BY 1
"""
GAPS = """
SELECT g.from_ms, g.to_ms, g.interval_ms, g.reason, count(*)
FROM gap g WHERE g.gw = %(gw)s AND g.from_ms < %(end)s AND g.to_ms > %(start)s
GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Count:
    """Readings of the month; `unexplained` are neither taken nor in a gap record."""

    slots: int
    points: int
    taken: int
    stored: int
    in_gaps: int
    lost: int
    duplicated: int
    unexplained: int
    gap_reasons: Mapping[str, int]


def taken_slots(log: Path, start_ms: int, end_ms: int) -> dict[int, int]:
    """Slot → readings of the simulator's log within [start, end); each slot is there once."""
    taken: dict[int, int] = {}
    for number, line in enumerate(log.read_text().splitlines(), start=1):
        entry = json.loads(line)
        slot = int(entry["slot_ms"])
        if slot in taken:
            raise BadInput(f"{log}: line {number}: expected each slot once, got {slot} again")
        if start_ms <= slot < end_ms:
            taken[slot] = int(entry["readings"])
    return taken


def count(database_url: str, plant: Plant, month: Month, log: Path) -> Count:
    """Count the month of the plant's gateway."""
    gateway = plant.gateways[0]
    points = len(plant.points_of_gateway(gateway.id))
    start_ms, end_ms = month.bounds_ms(plant.zone)
    taken = taken_slots(log, start_ms, end_ms)
    bounds = {"gw": gateway.id, "start": start_ms, "end": end_ms}
    with psycopg.connect(database_url) as connection:
        stored = {t: (rows, distinct) for t, rows, distinct in connection.execute(STORED, bounds)}
        gaps = connection.execute(GAPS, bounds).fetchall()
    reasons: Counter[str] = Counter()
    for from_ms, to_ms, every, reason, rows in gaps:
        inside = sum(start_ms <= t < end_ms for t in range(from_ms, to_ms, every))
        reasons[reason] += inside * rows
    slots = len(range(start_ms, end_ms, gateway.interval_ms))
    return Count(
        slots=slots,
        points=points,
        taken=sum(taken.values()),
        stored=sum(rows for rows, _ in stored.values()),
        in_gaps=reasons.total(),
        lost=sum(max(0, n - stored.get(slot, (0, 0))[1]) for slot, n in taken.items()),
        duplicated=sum(rows - distinct for rows, distinct in stored.values()),
        unexplained=slots * points - sum(taken.values()) - reasons.total(),
        gap_reasons=dict(reasons),
    )
