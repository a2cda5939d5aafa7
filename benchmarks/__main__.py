"""Runs the benchmarks of this folder and prints their ratios: `make bench`.

Each is a module `bench_*` whose `run()` measures a thing and what it is held against in the same
run. Figures move with the machine and its neighbours; the ratios are what to quote.
"""

import importlib
import sys
from pathlib import Path

from rich.console import Console

FOLDER = Path(__file__).parent


def main(wanted: list[str]) -> None:
    """Run the benchmarks whose names contain one of `wanted`, or all of them."""
    sys.path.insert(0, str(FOLDER))
    measure = importlib.import_module("measure")
    console, rows = Console(), []
    for name in sorted(path.stem for path in FOLDER.glob("bench_*.py")):
        if not wanted or any(word in name for word in wanted):
            with console.status(name):
                rows += importlib.import_module(name).run()
    console.print(measure.table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
