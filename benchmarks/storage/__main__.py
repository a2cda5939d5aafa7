"""Ingest on TimescaleDB behind mosquitto, beside bare COPY on the same table: `make bench-ingest`.

The table holds a month of six plants of 200 points at one minute, 53.6 million rows, each closed
day with its B-tree (point, time). What is ingested are further days of 5.2 million rows.
Exit code 1 where a limit is not kept.
"""

import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg
from rich.console import Console

from limits import Row, table
from storage import database, end_to_end, reads
from storage.end_to_end import Bench
from storage.fleet import Fleet
from storage.platform_run import Gateways
from tanzheng.ingest import ledger
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.enrolment import Gateway, read_gateways
from tanzheng.ingest.migrate import migrate
from timescale import INSIDE, Timescale


def main(rounds: int) -> int:
    """Measure, print the table, and say whether every limit was kept."""
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="tz-") as name,
        Timescale(INSIDE, **database.SETTINGS) as server,
    ):
        folder = Path(name)
        folder.chmod(0o711)
        rows = _measure(console, server, folder, rounds)
    return 0 if all(row.kept for row in rows) else 1


def _measure(console: Console, server: Timescale, folder: Path, rounds: int) -> list[Row]:
    url, fleet = server.url("postgres"), Fleet(folder)
    migrate(url)
    gateways = read_gateways(fleet.write())
    with console.status("a month of rows 一个月数据"):
        _enrol(url, gateways)
        taken_s, filled = database.timed(lambda: database.fill(url))
    console.print(f"{filled:,} rows in {taken_s:.0f} s, closed days indexed")
    with Broker(folder / "broker") as broker, closing(Gateways(broker, fleet)) as sides:
        bench = Bench(url, broker, fleet, sides, folder / "ingest.log")
        with console.status("ingest 入库"):
            rows = end_to_end.rows(bench, rounds)
    console.print(table("ingest 入库", rows))
    with console.status("reading 查询"):
        found = [*reads.rows(url), *reads.hours(url, fleet, rounds)]
    console.print(table("reading 查询", found))
    return [*rows, *found]


def _enrol(url: str, gateways: Mapping[str, Gateway]) -> None:
    with psycopg.connect(url) as connection:
        ledger.enrol(connection, gateways)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
