"""A plant at real speed: the same parts on the machine's clock, until Ctrl-C."""

import time
from contextlib import ExitStack

import psycopg
from rich.console import Console
from rich.live import Live
from rich.table import Table

from tanzheng.core.fields import point_field
from tanzheng.demo.folder import RunFolder
from tanzheng.demo.servers import Platform, Replay

REFRESH_S = 1.0
LATEST = """
SELECT DISTINCT ON (p.name) p.name, r.value, r.t
FROM point p JOIN reading r USING (point_id)
WHERE r.t > now() - interval '10 minutes' ORDER BY p.name, r.t DESC
"""
TOTALS = "SELECT count(*), coalesce(sum(readings), 0) FROM batch"


def run_live(folder: RunFolder, replay: Replay, console: Console) -> None:
    """Start every part on the machine's clock and show what arrives; Ctrl-C stops all."""
    with ExitStack() as stack:
        platform = Platform.start(folder, replay, stack)
        parts = (platform.sim, platform.ingest, platform.start_agent())
        console.print(f"running in {folder.root} – Ctrl-C stops it 按 Ctrl-C 停止")
        connection = stack.enter_context(
            psycopg.connect(platform.servers.database.url(), autocommit=True)
        )
        with Live(console=console, refresh_per_second=2) as live:
            try:
                while True:
                    for part in parts:
                        part.check()
                    live.update(_table(connection))
                    time.sleep(REFRESH_S)
            except KeyboardInterrupt:
                live.console.print("stopping 停止")


def _table(connection: "psycopg.Connection[tuple[object, ...]]") -> Table:
    batches, readings = connection.execute(TOTALS).fetchone() or (0, 0)
    table = Table.grid(padding=(0, 2))
    for column in ("point", "value", "unit", "sampled"):
        table.add_column(no_wrap=True, justify="right" if column == "value" else "left")
    table.add_row(f"[bold]{batches:,} signed batches 批次 · {readings:,} readings 读数")
    for name, value, sampled in connection.execute(LATEST):
        item = point_field(str(name))
        table.add_row(str(name), f"{value:,.3f}", item.unit, f"{sampled:%H:%M:%S}")
    return table
