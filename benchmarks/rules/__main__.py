"""`make bench-rules`: a fleet's year against every rule, beside pandera: docs/performance.md.

Each round of each contender runs in a process of its own, in turn, so that the memory is its own.
Each reports every failure as rule, plant and month; ours once more with its words in two languages.
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

ROUNDS, PLANTS, SEED = 5, 3500, 20261128
MB = 1024
TABLES = ("unit_month", "lab_report", "point_month")
Rounds = dict[str, list[dict[str, object]]]


def timed(name: str, folder: Path) -> None:
    """One round of one contender: prints seconds, memory and every failure."""
    import polars as pl

    from rules.contenders import made
    from tanzheng.analytics.rules.catalogue import load_catalogue

    frames = {table: pl.read_parquet(folder / f"{table}.parquet") for table in TABLES}
    contender = made(name, frames, load_catalogue().rules)
    start, worked = time.perf_counter(), time.process_time()
    found = contender()
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB
    failures = sorted(
        (
            table,
            row["rule"],
            *(str(row[key]) for key in frame.columns if key not in {"rule", "_row"}),
        )
        for table, frame in found.items()
        for row in frame.iter_rows(named=True)
    )
    print(json.dumps({"seconds": seconds, "cpu_s": worked, "rss_mb": rss, "failures": failures}))


def main(rounds: int, plants: int) -> None:
    """All rounds, the proof that the failures are the same, the table."""
    from rules import generator
    from rules.contenders import CONTENDERS
    from tanzheng.analytics.rules.catalogue import load_catalogue

    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = 0
        for table in TABLES:
            frame = getattr(generator, table)(plants, SEED)
            frame.write_parquet(folder / f"{table}.parquet")
            rows += frame.height
        results: Rounds = {who: [] for who in CONTENDERS}
        for number in range(rounds):
            for who in CONTENDERS:
                with console.status(f"round {number + 1}: {who}"):
                    results[who].append(_round(who, folder))
    count = _same_failures(results)
    console.print(_table(results))
    console.print(
        f"{plants:,} plants × {generator.MONTHS} months, {rows:,} rows of {len(TABLES)} tables, "
        f"{len(load_catalogue().rules)} rules: {count:,} failures, the same in every round of all"
    )


def _round(who: str, folder: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "rules", "--timed", who, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def _same_failures(results: Rounds) -> int:
    found = [item["failures"] for who, each in results.items() if who != "floor" for item in each]
    if any(other != found[0] for other in found):
        raise SystemExit("expected the same failures from all, got different ones")
    return len(found[0]) if isinstance(found[0], list) else 0


def _table(results: Rounds) -> Table:
    table = Table(
        "who", "seconds, median (min to max)", "it ÷ ours", "CPU s", "it ÷ ours", "RSS, MB"
    )
    ours = [statistics.median(_figures(results["tanzheng"], key)) for key in ("seconds", "cpu_s")]
    for who, rounds in results.items():
        seconds, worked = _figures(rounds, "seconds"), _figures(rounds, "cpu_s")
        medians = [statistics.median(seconds), statistics.median(worked)]
        ratios = [f"{it / own:.2f}" for it, own in zip(medians, ours, strict=True)]
        spread = f"{medians[0]:.3f} ({seconds[0]:.3f} to {seconds[-1]:.3f})"
        rss = f"{_figures(rounds, 'rss_mb')[-1]:,.0f}"
        table.add_row(who, spread, ratios[0], f"{medians[1]:.3f}", ratios[1], rss)
    return table


def _figures(rounds: list[dict[str, object]], key: str) -> list[float]:
    return sorted(float(str(item[key])) for item in rounds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--timed"]:
        timed(sys.argv[2], Path(sys.argv[3]))
    else:
        numbers = [int(text) for text in sys.argv[1:]]
        main(*(numbers + [ROUNDS, PLANTS][len(numbers) :]))
