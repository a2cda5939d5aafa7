"""Alerts against labels.

An alert is true when it names a unit and a month that a fault of that unit spans; else it is
false. A fault (an episode: a drift has several months) is found when a true alert meets it; its
size is the largest absolute effect of its months. Precision counts all alerts, whatever the size
of the fault they meet.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

BUCKETS = ((0.01, 0.02), (0.02, 0.05), (0.05, 0.10), (0.10, 0.21))
BIG = 0.05


@dataclass(frozen=True, slots=True)
class Flag:
    """What any method returns: a unit, its months (YYYY-MM) and the input it blames, if it does."""

    unit: str
    months: tuple[str, ...]
    blames: str | None = None


@dataclass
class Score:
    """Counts over one or more sets."""

    found: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    faults: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    alerts: int = 0
    true: int = 0
    blamed: int = 0
    big_months: int = 0
    big_months_found: int = 0
    plant_years: float = 0.0

    @property
    def precision(self) -> float:
        return self.true / self.alerts if self.alerts else 1.0

    @property
    def false_per_plant_year(self) -> float:
        return (self.alerts - self.true) / self.plant_years

    def recall(self, buckets: Iterable[int] = (2, 3), kind: str | None = None) -> float:
        keys = [key for key in self.faults if key[1] in buckets and kind in {None, key[0]}]
        return sum(self.found[key] for key in keys) / max(1, sum(self.faults[key] for key in keys))

    @property
    def f1(self) -> float:
        together = self.precision + self.recall(range(4))
        return 2 * self.precision * self.recall(range(4)) / together if together else 0.0


def bucket(effect: float) -> int:
    """The index of the size bucket of an absolute effect."""
    return max(at for at, (low, _) in enumerate(BUCKETS) if effect >= low - 1e-9)


def judge(flags: list[Flag], labels: pl.DataFrame, plant_years: float, into: Score) -> Score:
    """Adds a set to `into`."""
    into.plant_years += plant_years
    faulty = {(row["unit"], f"{row['month']:%Y-%m}"): row for row in labels.iter_rows(named=True)}
    hit: set[int] = set()
    covered: set[tuple[str, str]] = set()
    for flag in flags:
        met = [faulty[flag.unit, month] for month in flag.months if (flag.unit, month) in faulty]
        covered |= {(flag.unit, month) for month in flag.months}
        into.alerts += 1
        into.true += bool(met)
        into.blamed += bool(met) and met[0]["blamed"] == flag.blames
        hit |= {row["episode"] for row in met}
    episodes = labels.group_by("episode").agg(
        pl.col("kind").first(), pl.col("effect").abs().max().alias("size")
    )
    for row in episodes.iter_rows(named=True):
        key = (row["kind"], bucket(row["size"]))
        into.faults[key] += 1
        into.found[key] += row["episode"] in hit
    big = [key for key, row in faulty.items() if abs(row["effect"]) >= BIG]
    into.big_months += len(big)
    into.big_months_found += len(covered.intersection(big))
    return into
