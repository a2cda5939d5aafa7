"""The tables of docs/scale.md from the measured costs: pure arithmetic."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scale.load import Cost

PLANTS, POINTS = 3500, 200
INTERVALS = {"1 min": 60, "10 s": 10, "1 s": 1}
BUSY = 0.5
"""What a machine is planned to be busy: room for a backlog after an outage, for queries, for us."""
NODE_CORES = 16
PROVINCES = 31
DAY_S = 86_400
COSTS_HEAD = (
    "| a reading every · 间隔 | readings a batch | row B | B-tree B | `batch.raw` B | WAL B "
    "| wire B | ingest µs | database µs | broker µs a message |\n"
    "|---|---|---|---|---|---|---|---|---|---|\n"
)
HEAD = (
    "| a reading every · 间隔 | rows/s · 行/秒 | batches/s | rows, GB a day | + B-tree "
    "| + `batch.raw` | WAL, MB/s | cores: ingest | database | broker | workers | database nodes |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True, slots=True)
class Need:
    """What the whole country needs at one interval."""

    rows_s: float
    batches_s: float
    row_gb_day: float
    index_gb_day: float
    raw_gb_day: float
    wal_mb_s: float
    ingest_cores: float
    database_cores: float
    broker_cores: float

    @property
    def workers(self) -> int:
        """Ingest processes, each planned to be half busy on a core of its own."""
        return math.ceil(self.ingest_cores / BUSY)

    @property
    def nodes(self) -> int:
        """Database machines of NODE_CORES, planned to be half busy."""
        return math.ceil(self.database_cores / (NODE_CORES * BUSY))


def need(interval_s: int, cost: Cost, broker_us: float) -> Need:
    """For PLANTS plants of POINTS points each."""
    rows_s = PLANTS * POINTS / interval_s
    batches_s = rows_s / cost.readings_a_batch
    day_gb = rows_s * DAY_S / 1e9
    return Need(
        rows_s,
        batches_s,
        day_gb * cost.row_b,
        day_gb * cost.index_b,
        day_gb * cost.raw_b,
        rows_s * cost.wal_b / 1e6,
        rows_s * cost.ingest_us / 1e6,
        rows_s * cost.database_us / 1e6,
        batches_s * broker_us / 1e6,
    )


def costs_table(costs: Mapping[str, Cost], broker_us: Mapping[str, float]) -> str:
    """Measured: one reading."""
    rows = [
        f"| {name} | {cost.readings_a_batch:,} | {cost.row_b:.0f} | {cost.index_b:.0f} "
        f"| {cost.raw_b:.1f} | {cost.wal_b:.0f} | {cost.wire_b:.1f} | {cost.ingest_us:.2f} "
        f"| {cost.database_us:.2f} | {_shown(broker_us.get(name))} |"
        for name, cost in costs.items()
    ]
    return COSTS_HEAD + "\n".join(rows)


def needs_table(costs: Mapping[str, Cost], broker_us: Mapping[str, float]) -> str:
    """Computed: 3,500 plants."""
    rows = []
    for name, interval_s in INTERVALS.items():
        for label, key in ((name, name), (f"{name}, no B-tree", f"{name}, no B-tree")):
            each = need(interval_s, costs[key], broker_us[name])
            rows.append(
                f"| {label} | {each.rows_s:,.0f} | {each.batches_s:,.0f} | {each.row_gb_day:,.0f} "
                f"| {each.index_gb_day:,.0f} | {each.raw_gb_day:,.0f} | {each.wal_mb_s:,.1f} "
                f"| {each.ingest_cores:.2f} | {each.database_cores:.2f} | {each.broker_cores:.2f} "
                f"| {each.workers} | {each.nodes} |"
            )
    return HEAD + "\n".join(rows)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
