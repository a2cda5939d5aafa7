"""Month close of a fleet from stored hours: `make bench-close`.

    make bench-close ARGS="--plants 350 --points 200 --seed 1"

Writes the stored hours to a temporary folder (about 0.7 MB a plant), closes them in a plain loop,
in a pool of two processes and on a Dask local cluster of two, and reads them once without closing:
the floor. Ends with exit code 3 where the bytes differ.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from close.store import MONTH, write

SECONDS_MAX = 300
WAYS = {
    "loop": "plain loop, 1 process",
    "pool": "multiprocessing pool, 2 processes",
    "dask": "Dask local cluster, 2 processes",
    "read": "floor: read and checked only, 2 processes",
}


def main() -> int:
    """Measure every way; 3 where two of them give different bytes."""
    parser = argparse.ArgumentParser(description="month close of a fleet from stored hours")
    parser.add_argument("--plants", type=int, default=3500)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked, console = parser.parse_args(), Console()
    with tempfile.TemporaryDirectory(prefix="tanzheng-close-") as name:
        folder = Path(name)
        begin = time.monotonic()
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            one = partial(write, folder, count=asked.points, seed=asked.seed)
            pool.map(one, range(asked.plants), chunksize=8)
        stored = sum(file.stat().st_size for file in folder.iterdir())
        values = asked.plants * asked.points * MONTH.hours
        console.print(
            f"{asked.plants:,} plants × {asked.points} points × {MONTH.hours} h = {values:,} hours,"
            f" {stored / 1e9:.2f} GB, written in {time.monotonic() - begin:.0f} s"
        )
        rows = [_run(how, folder, asked.plants, asked.points) for how in WAYS]
    console.print(_table(rows))
    digests = {row["sha256"] for row in rows if row["how"] != "read"}
    console.print(f"sha256 {' '.join(sorted(digests))}", soft_wrap=True)
    return 0 if len(digests) == 1 else 3


def _run(how: str, folder: Path, plants: int, points: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "close.contenders", how, str(folder), str(plants), str(points)]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    row: dict[str, Any] = json.loads(out)
    return row


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="month close · 月度核算")
    for column in ("how", "seconds", "plants/s", "peak RSS, main", "a worker", "output"):
        table.add_column(column, justify="left" if column == "how" else "right")
    for row in rows:
        style = "red" if row["seconds"] > SECONDS_MAX else ""
        table.add_row(
            WAYS[row["how"]],
            f"{row['seconds']:.1f}",
            f"{row['plants'] / row['seconds']:.1f}",
            f"{row['own_rss_kib'] / 1024:.0f} MiB",
            f"{row['worker_rss_kib'] / 1024:.0f} MiB",
            f"{row['size_bytes'] / 1e6:.1f} MB",
            style=style,
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
