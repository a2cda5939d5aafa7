"""Runs every benchmark of this folder and prints its ratios: `make bench`.

Each is a module `bench_*` whose `run()` measures a thing and what it is held against in the same
run, and returns rows of name, value, unit, against, ratio. Figures move with the machine and its
neighbours; the ratios are what to quote.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent


def main(wanted: list[str]) -> None:
    """Run the benchmarks whose names contain one of `wanted`, or all of them."""
    sys.path.insert(0, str(FOLDER))
    console = Console()
    table = Table(border_style="dim", title="benchmarks 基准", title_justify="left")
    for column in ("what", "measured", "unit", "against", "ratio"):
        table.add_column(column, justify="right" if column in ("measured", "ratio") else "left")
    names = sorted(path.stem for path in FOLDER.glob("bench_*.py"))
    for name in names:
        if wanted and not any(word in name for word in wanted):
            continue
        with console.status(name):
            rows: list[dict[str, Any]] = importlib.import_module(name).run()
        for row in rows:
            ratio = f"{row['ratio']:.3g}"
            table.add_row(row["name"], f"{row['value']:,.4g}", row["unit"], row["against"], ratio)
    console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
