"""`make scale`: measures what a reading costs and writes the tables of docs/scale.md.

With --tables only the tables are made again, from the figures measured before.
"""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from scale.load import Cost, broker_us, measured
from scale.table import INTERVALS, costs_table, needs_table

HERE = Path(__file__).parent
FIGURES = HERE / "figures.toml"
PAGE = HERE.parents[1] / "docs/scale.md"
READINGS = 1_000_000


def figures() -> tuple[dict[str, Cost], dict[str, float]]:
    """As measured last: costs by interval, with and without B-tree; the broker's by interval."""
    found = tomllib.loads(FIGURES.read_text())
    return {name: Cost(**cost) for name, cost in found["cost"].items()}, found["broker_us"]


def measure() -> None:
    """Measure everything and keep it."""
    costs, broker = dict[str, Cost](), dict[str, float]()
    for name, interval_s in INTERVALS.items():
        costs[name] = measured(interval_s, READINGS)
        costs[f"{name}, no B-tree"] = measured(interval_s, READINGS, index=False)
        broker[name] = broker_us(interval_s)
        print(name, costs[name], broker[name], flush=True)
    text = "# Measured by `make scale`: one reading's cost, by interval.\n"
    for name, cost in costs.items():
        text += f'\n[cost."{name}"]\n' + _lines(asdict(cost))
    FIGURES.write_text(
        text + "\n[broker_us]\n" + _lines({f'"{n}"': us for n, us in broker.items()})
    )


def _lines(values: Mapping[str, float]) -> str:
    return "".join(
        f"{key} = {value if isinstance(value, int) else round(value, 3)}\n"
        for key, value in values.items()
    )


def page(text: str) -> str:
    """The page with its tables made from the figures."""
    costs, broker = figures()
    for mark, table in (
        ("costs", costs_table(costs, broker)),
        ("needs", needs_table(costs, broker)),
    ):
        begin, end = f"<!-- {mark}: make scale -->", f"<!-- end of {mark} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    if "--tables" not in sys.argv:
        measure()
    PAGE.write_text(page(PAGE.read_text()))
