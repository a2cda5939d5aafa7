"""What is timed by `make bench-rules`: tables in memory in, every failure out.

Files and the catalogue are read and libraries loaded before the clock starts.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import polars as pl

from rules import peer
from tanzheng.analytics.rules import fleet
from tanzheng.analytics.rules.catalogue import FleetRule
from tanzheng.analytics.rules.frame import prepared
from tanzheng.analytics.rules.report import Report
from tanzheng.analytics.rules.suppression import Suppressions

CONTENDERS = ("tanzheng", "tanzheng, words", "pandera, column", "pandera, frame", "floor")
MONTHS = 12

Rules = Sequence[FleetRule]
Frames = Mapping[str, pl.DataFrame]
Found = dict[str, pl.DataFrame]
"""Rule and row key of each failure, by table."""


def ours(frames: Frames, rules: Rules, words: bool) -> Found:
    """This engine; with `words`, each failure in two languages too."""
    found, report = {}, Report(b"", Suppressions())
    for table, frame in frames.items():
        verdicts = fleet.run(frame, rules, table)
        named = [group.rule.id for group in verdicts.failures for _ in group.place]
        found[table] = verdicts.keys().with_columns(rule=pl.Series(named, dtype=pl.String))
        if words:
            report.add(verdicts, table)
    if words:
        report.to_json()
    return found


def pandera(frames: Frames, rules: Rules, hung: peer.Hung) -> Found:
    return {table: pl.concat(peer.failures(frame, rules, hung)) for table, frame in frames.items()}


class Floor:
    """One bare pass of numpy, two columns to one, for each distinct step of the rules."""

    def __init__(self, frames: Frames, rules: Rules) -> None:
        self.passes: list[tuple[int, int]] = []
        for table, frame in frames.items():
            mine = [rule for rule in rules if rule.table == table]
            for sector, rows in prepared(frame, table).sectors():
                held = [rule for rule in mine if sector is None or rule.sector in {sector, "all"}]
                steps = fleet.RulePlan(held).steps
                self.passes.append((len(rows.place), len(steps)))

    def __call__(self) -> Found:
        for rows, steps in self.passes:
            a, b, out = np.ones((3, rows))
            for _ in range(steps):
                np.multiply(a, b, out=out)
        return {}


def made(name: str, frames: Frames, rules: Rules) -> Callable[[], Found]:
    """The contender `name`, ready to be timed."""
    if name == "floor":
        return Floor(frames, rules)
    if name.startswith("pandera"):
        contender = partial(pandera, rules=rules, hung=_hung(name))
    else:
        contender = partial(ours, rules=rules, words=name == "tanzheng, words")
    contender({table: frame.head(MONTHS) for table, frame in frames.items()})  # loads what it needs
    return partial(contender, frames)


def _hung(name: str) -> peer.Hung:
    return "frame" if name.endswith("frame") else "column"
