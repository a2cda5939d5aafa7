"""`make bench-rules`: a fleet's year against every rule, beside pandera: docs/performance.md.

Each round of each contender runs in a process of its own, in turn, so that the memory is its own.
ARGS: number of rounds, then number of plants.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROUNDS, PLANTS, SEED = 3, 3500, 20261128
MB = 1024
TABLES = ("unit_month", "lab_report", "point_month")
CONTENDERS = ("tanzheng", "pandera")


def contender(name: str, folder: Path) -> None:
    """One round: reads the tables, judges them, prints seconds, memory and every failure."""
    import polars as pl

    from rules import peer
    from tanzheng.analytics.rules import fleet
    from tanzheng.analytics.rules.catalogue import load_catalogue
    from tanzheng.analytics.rules.report import Report
    from tanzheng.analytics.rules.suppression import Suppressions

    rules = load_catalogue().rules
    frames = {table: pl.read_parquet(folder / f"{table}.parquet") for table in TABLES}
    start = time.perf_counter()
    found: list[tuple[str, str, int]] = []
    for table, frame in frames.items():
        if name == "pandera":
            found += [(table, *item) for item in peer.failures(frame, rules, table)]
        else:
            report = Report(b"", Suppressions())
            report.add(fleet.run(frame, rules, table), table)
            found += [(table, item.rule.id, item.row) for item in report.failures]
    seconds = time.perf_counter() - start
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB
    print(json.dumps({"seconds": seconds, "rss_mb": rss, "failures": sorted(found)}))


def main(rounds: int, plants: int) -> None:
    """All rounds, the proof that the failures are the same, the table."""
    from rules import generator
    from tanzheng.analytics.rules.catalogue import load_catalogue

    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = 0
        for table in TABLES:
            frame = getattr(generator, table)(plants, SEED)
            frame.write_parquet(folder / f"{table}.parquet")
            rows += frame.height
        results: dict[str, list[dict[str, object]]] = {who: [] for who in CONTENDERS}
        for number in range(rounds):
            for who in CONTENDERS:
                with console.status(f"round {number + 1}: {who}"):
                    results[who].append(_round(who, folder))
    failures = [item["failures"] for each in results.values() for item in each]
    if any(other != failures[0] for other in failures):
        raise SystemExit("expected the same failures from both, got different ones")
    console.print(_table(results))
    count = len(failures[0]) if isinstance(failures[0], list) else 0
    console.print(
        f"{plants:,} plants × {generator.MONTHS} months, {rows:,} rows of {len(TABLES)} tables, "
        f"{len(load_catalogue().rules)} rules: {count:,} failures, the same in every round of both"
    )


def _round(who: str, folder: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "rules", "--contender", who, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def _table(results: dict[str, list[dict[str, object]]]) -> Table:
    table = Table("who", "seconds, median (min to max)", "RSS, MB", "ours ÷ it")
    medians = {}
    for who, rounds in results.items():
        seconds = sorted(float(str(item["seconds"])) for item in rounds)
        medians[who] = statistics.median(seconds)
        rss = max(float(str(item["rss_mb"])) for item in rounds)
        ratio = f"{medians[who] / medians['tanzheng']:.1f} × faster"
        spread = f"{medians[who]:.2f} ({seconds[0]:.2f} to {seconds[-1]:.2f})"
        table.add_row(who, spread, f"{rss:,.0f}", "" if who == "tanzheng" else ratio)
    return table


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contender"]:
        contender(sys.argv[2], Path(sys.argv[3]))
    else:
        numbers = [int(text) for text in sys.argv[1:]]
        main(*(numbers + [ROUNDS, PLANTS][len(numbers) :]))
