"""From tables to few alerts: the best explanation of each unit's months, again until none is left.

The threshold follows from a stated rate of false alerts a plant-year and the number of
explanations that are tried; no label enters it. Scores are first brought to the spread that the
class itself shows, so that residuals with memory from month to month do not alarm by themselves.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from tanzheng.analytics.anomalies import marks as marking
from tanzheng.analytics.anomalies.alert import Alert, Known, Rival, describe
from tanzheng.analytics.anomalies.blame import Field, Shape, prepare, shapes, windowed
from tanzheng.analytics.anomalies.graph import Graph, Input, load_graph
from tanzheng.analytics.anomalies.marks import Mark
from tanzheng.analytics.anomalies.panel import Panel, panel
from tanzheng.analytics.anomalies.residuals import fit
from tanzheng.analytics.anomalies.robust import Array, scale, surprise, threshold

EFFECT_MIN = 0.008
"""Smaller changes of an input are not worth a visit."""


RIVALS_MAX = 3
LOOKED_FOR = 10
"""Marks that are looked for in a plant-month: the chance that it bears any is so much larger."""


@dataclass(frozen=True)
class Tried:
    """One explanation of all units and months: an input over a shape that starts there."""

    item: Input
    index: int
    shape: Shape
    size: Array  # (units, months): change of the input's logarithm that fits best
    score: Array  # (units, months): squared score, marks included
    plain: Array  # (units, months): without the marks


@dataclass(frozen=True)
class Found:
    """The best explanation of a unit (row) from a month (start) on, and what stands beside it."""

    best: Tried
    row: int
    start: int
    limit: float
    borne: tuple[Mark, ...]
    rivals: tuple[Rival, ...]


@dataclass(frozen=True)
class Examination:
    """A fleet as it was looked at: `levels[row]` residuals could be judged of a unit, of which
    none means that the unit was not looked at."""

    fleet: Panel
    levels: Array
    limit: float
    alerts: tuple[Alert, ...]


def detect(
    unit_month: pl.DataFrame,
    lab_report: pl.DataFrame,
    point_month: pl.DataFrame,
    rate: float | None = None,
) -> list[Alert]:
    """Alerts of all power units, worst first. `rate`: false alerts aimed at in a plant-year."""
    return list(examine(unit_month, lab_report, point_month, rate).alerts)


def examine(
    unit_month: pl.DataFrame,
    lab_report: pl.DataFrame,
    point_month: pl.DataFrame,
    rate: float | None = None,
    known: frozenset[Known] = frozenset(),
) -> Examination:
    """Alerts as `detect` gives them, with what they were found in. An alert that is `known`
    already does not take the place of a new one."""
    graph = load_graph()
    fleet = panel(unit_month, lab_report)
    field = prepare(fleet, fit(fleet), graph)
    found = marking.find(fleet, lab_report, point_month, graph)
    limit = _limit(graph, rate or graph.false_alerts_per_plant_year)
    alerts = _search(fleet, field, found, graph, limit, known)
    alerts.sort(key=lambda alert: -alert.score)
    return Examination(fleet, field.levels(), limit, tuple(alerts))


def _limit(graph: Graph, rate: float) -> float:
    """Squared score to pass: a year of months, each start tried with every input and shape."""
    return threshold(rate, 12 * sum(len(shapes(item)) for item in graph.inputs))


def explanations(fleet: Panel, field: Field, graph: Graph) -> list[Tried]:
    """Every input over every shape, without marks, in the class's own spread."""
    pull, weight = field.information()
    classes = np.array(fleet.unit_class)
    tried = []
    for index, item in enumerate(graph.inputs):
        for shape in shapes(item):
            above = windowed(pull[index], shape.weights, 1)
            below = windowed(weight[index], shape.weights, 2)
            below[~(below > 1)] = np.nan
            normal = above / np.sqrt(below)
            for name in sorted(set(fleet.unit_class)):
                spread = scale(normal[classes == name].reshape(-1, 1), 0)
                normal[classes == name] /= np.fmax(spread, 1.0)
            score = np.nan_to_num(normal**2)
            tried.append(Tried(item, index, shape, above / below, score, score))
    return tried


def _search(
    fleet: Panel,
    field: Field,
    found: list[Mark],
    graph: Graph,
    limit: float,
    known: frozenset[Known],
) -> list[Alert]:
    tried = explanations(fleet, field, graph)
    found = _without_the_copied_from(found, tried)
    marked = [_with_marks(one, found) for one in tried]
    stacked = np.stack([one.score for one in marked])
    alerts = []
    for row in range(len(fleet.units)):
        spent: Counter[int] = Counter()
        for which, start in _explained(marked, stacked[:, row].copy(), limit):
            best, year = marked[which], (len(fleet.months) - 1 - start) // 12
            months = range(start, start + len(best.shape.weights))
            borne = [
                mark
                for mark in found
                if mark.row == row and mark.column in months and _speaks(mark, best.item)
            ]
            small = abs(np.nan_to_num(best.size[row, start])) < EFFECT_MIN
            if (small and not borne) or spent[year] >= graph.alerts_per_plant_year_max:
                continue
            rivals = _rivals(marked, best, row, start)
            alerts.append(
                describe(fleet, field, Found(best, row, start, limit, tuple(borne), rivals))
            )
            spent[year] += not alerts[-1].known_as() & known
    return alerts


def _explained(marked: list[Tried], scores: Array, limit: float) -> Iterator[tuple[int, int]]:
    """Explanations of one unit over the limit, the best first: which, from which month on.

    A start whose window meets an explained month is explained, too. `scores`: (tried, months).
    """
    while True:
        which, start = divmod(int(np.argmax(scores)), scores.shape[1])
        if scores[which, start] < limit:
            return
        yield which, start
        end = start + len(marked[which].shape.weights)
        for one, other in enumerate(marked):
            scores[one, max(0, start - len(other.shape.weights) + 1) : end] = 0


def _rivals(marked: list[Tried], best: Tried, row: int, start: int) -> tuple[Rival, ...]:
    """The best score of each other input from the same month on, the best first."""
    scores: dict[str, Rival] = {}
    for one in marked:
        item, score = one.item, round(float(one.score[row, start]), 1)
        if item.id != best.item.id and score > 0:
            old = scores.get(item.id)
            if old is None or old.score < score:
                scores[item.id] = Rival(item.id, item.en, item.zh, score)
    return tuple(sorted(scores.values(), key=lambda rival: -rival.score)[:RIVALS_MAX])


def _with_marks(tried: Tried, found: list[Mark]) -> Tried:
    """Marks speak for single months of their input; a mark alone needs no residual."""
    if len(tried.shape.weights) > 1:
        return tried
    score = tried.score.copy()
    for mark in found:
        if _speaks(mark, tried.item):
            score[mark.row, mark.column] += surprise(LOOKED_FOR * mark.chance)
    return Tried(tried.item, tried.index, tried.shape, tried.size, score, tried.plain)


def _speaks(mark: Mark, item: Input) -> bool:
    """Whether a mark is one of this input."""
    return item.id in mark.inputs or item.blames in mark.inputs


def _without_the_copied_from(found: list[Mark], tried: list[Tried]) -> list[Mark]:
    """Of two bearers of a copy, the one whose own figures fit worse is held to be the copy."""
    single = [one for one in tried if len(one.shape.weights) == 1]

    def misfit(row: int, column: int) -> float:
        return max(float(one.plain[row, column]) for one in single if one.item.blames != "cems")

    kept = []
    for mark in found:
        if mark.twin is None:
            kept.append(mark)
            continue
        own, other = misfit(mark.row, mark.column), misfit(*mark.twin)
        if (own, (mark.column, mark.row)) > (other, (mark.twin[1], mark.twin[0])):
            kept.append(mark)
    return kept
