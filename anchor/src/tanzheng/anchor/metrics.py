"""What waits for the chain, as a text file for Prometheus' node exporter (its textfile collector).

Written after every try and in one step, so that a scrape never sees half of it. It needs no port;
where the process is dead the file's age says so (`node_textfile_mtime_seconds`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import generate_latest

from tanzheng.files import durable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tanzheng.anchor.backlog import Backlog
    from tanzheng.anchor.runner import Retries


def write(
    path: Path, backlog: Backlog, retries: Retries, nodes: Mapping[str, bool], now_ms: int
) -> None:
    """Replace `path`; `nodes`: name → whether it answered when it was last asked."""
    registry = CollectorRegistry(auto_describe=False)

    def gauge(name: str, text: str, value: float) -> None:
        Gauge(f"tanzheng_anchor_{name}", text, registry=registry).set(value)

    gauge("statements_waiting", "Statements in no final checkpoint", backlog.statements)
    gauge("checkpoints_waiting", "Signed checkpoints that are not final", len(backlog.checkpoints))
    age_s = 0.0 if backlog.since_ms is None else max(0.0, (now_ms - backlog.since_ms) / 1000)
    gauge("oldest_waiting_seconds", "Age of the oldest checkpoint that is not final", age_s)
    gauge("failures", "Tries that failed since the start", retries.total)
    gauge("failures_in_a_row", "Tries that failed since the last success", retries.in_a_row)
    gauge("retry_delay_seconds", "Wait after the last failure, 0 without one", retries.delay_s)
    up = Gauge("tanzheng_anchor_node_up", "1 where the node answered", ["node"], registry=registry)
    for name, answered in nodes.items():
        up.labels(name).set(answered)
    durable.overwrite(path, generate_latest(registry))
