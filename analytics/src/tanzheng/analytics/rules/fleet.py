"""A table of many units against many rules: screened in float64, settled in Decimal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from tanzheng.analytics.rules.bounded import Mask, Number, Truth, either
from tanzheng.analytics.rules.catalogue import FleetRule, judged, placeholders
from tanzheng.analytics.rules.compiled import Places, Plan, Screen, Text
from tanzheng.analytics.rules.expression import Expression
from tanzheng.analytics.rules.frame import prepared
from tanzheng.analytics.rules.rows import EPOCH, Rows
from tanzheng.analytics.rules.tables import TableShape

ALL = "all"
FEW = 16
"""As many doubtful rows are settled one by one, without bounds a row."""
NONE = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows a rule was held against, by outcome."""

    passed: int
    failed: int
    not_applicable: int

    def __add__(self, more: "Tally") -> "Tally":
        return Tally(
            self.passed + more.passed,
            self.failed + more.failed,
            self.not_applicable + more.not_applicable,
        )


@dataclass(frozen=True, slots=True)
class Failures:
    """The rows that do not keep `rule` by their place in the table."""

    rule: FleetRule
    place: Places
    values: Callable[[], Mapping[str, Sequence[object]]]
    """For each placeholder of the message its values there; computed when asked for."""


@dataclass(slots=True)
class Verdicts:
    """What the rules said of one table; `frame` is the table with the types of its shape."""

    shape: TableShape
    frame: pl.DataFrame
    tallies: dict[str, Tally] = field(default_factory=dict)
    failures: list[Failures] = field(default_factory=list)

    def keys(self) -> pl.DataFrame:
        """The row key of each failure, rule after rule."""
        # A list: Polars loads numpy.ma for an array, which takes longer than all of this.
        places = [NONE, *(group.place for group in self.failures)]
        keys: pl.DataFrame = self.frame.select(self.shape.row_key)[np.concatenate(places).tolist()]
        return keys


def run(
    frame: pl.DataFrame,
    rules: Sequence[FleetRule],
    where: str,
    advance: Callable[[int], None] = lambda _: None,
) -> Verdicts:
    """All of `rules` that are about this table, held against each row of `frame`."""
    table = prepared(frame, where)
    verdicts = Verdicts(table.shape, table.frame)
    mine = [rule for rule in rules if rule.table == table.shape.name]
    plan = RulePlan(mine)
    for sector, rows in table.sectors():
        judge = Judge(plan, rows)
        for rule in mine:
            if sector is None or rule.sector in {sector, ALL}:
                _judge(judge, rule, verdicts)
        advance(len(rows.place))
    return verdicts


def _judge(judge: "Judge", rule: FleetRule, verdicts: Verdicts) -> None:
    held, failed = judge(rule)
    passes, fails = int(np.count_nonzero(held)), int(np.count_nonzero(failed))
    tally = Tally(passes, fails, len(held) - passes - fails)
    old = verdicts.tallies.get(rule.id, Tally(0, 0, 0))
    verdicts.tallies[rule.id] = old + tally
    if fails:
        at = np.flatnonzero(failed)
        values = partial(judge.shown, rule, at)
        verdicts.failures.append(Failures(rule, judge.rows.place[at], values))


def answers(frame: pl.DataFrame, rule: FleetRule, where: str) -> list[bool | None]:
    """True, false, or None where the rule does not apply or the answer is not known, by row."""
    found: list[bool | None] = [None] * frame.height
    plan = RulePlan([rule])
    for _, rows in prepared(frame, where).sectors():
        held, failed = Judge(plan, rows)(rule)
        for place, yes, no in zip(rows.place, held, failed, strict=True):
            found[place] = bool(yes) if yes or no else None
    return found


class RulePlan(Plan):
    """A plan with the places of each rule's `when` and condition."""

    def __init__(self, rules: Sequence[FleetRule]) -> None:
        super().__init__()
        self.rules = {
            rule.id: (
                self.add(rule.when.tree, rule.parameters) if rule.when else None,
                self.add(rule.condition.tree, rule.parameters),
            )
            for rule in rules
        }


class Judge:
    """Holds the rules of a plan against rows."""

    def __init__(self, plan: RulePlan, rows: Rows) -> None:
        self.plan, self.rows = plan, rows
        self.shape = rows.place.shape
        self._screen = Screen(plan, rows)

    def __call__(self, rule: FleetRule) -> tuple[Mask, Mask]:
        """Where the rule holds and where it fails; elsewhere it does not apply or is not known."""
        held, failed, doubt = self.screened(rule, self._screen)
        if len(doubt) > FEW:
            held, failed, doubt = self.screened(rule, Screen(self.plan, self.rows, close=True))
        if len(doubt):
            held, failed = held.copy(), failed.copy()
        for place in doubt:
            row = self.rows.exact(int(place), _names(rule), rule.parameters)
            answer = judged(rule, row)
            held[place], failed[place] = answer is True, answer is False
        return held, failed

    @np.errstate(all="ignore")
    def screened(self, rule: FleetRule, screen: Screen) -> tuple[Mask, Mask, Places]:
        """Where it holds, where it fails, and the places where that is doubtful."""
        when, condition = self.plan.rules[rule.id]
        shape = self.shape
        applies: Truth | None = None if when is None else screen(when)
        if applies is not None and applies.doubt is None and not applies.true.any():
            return np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), NONE
        truth: Truth = screen(condition)
        true, false, doubt = truth.true, truth.false, truth.doubt
        if applies is not None:
            true, false = true & applies.true, false & applies.true
            may = applies.true if applies.doubt is None else applies.true | applies.doubt
            doubt = either(None if doubt is None else doubt & may, applies.doubt)
        open_ = np.flatnonzero(_spread(doubt, shape)) if doubt is not None else NONE
        return _spread(true, shape), _spread(false, shape), open_

    def shown(self, rule: FleetRule, at: Places) -> dict[str, Sequence[object]]:
        """The values of the message's placeholders at the places `at`."""
        names = [name for name in placeholders(rule.message[0]) if name not in rule.parameters]
        return {name: self._values(name, rule, at) for name in names}

    @np.errstate(all="ignore")
    def _values(self, text: str, rule: FleetRule, at: Places) -> Sequence[object]:
        if text in self.rows.whole.shape.columns:
            kind, column = self.rows.whole.shape.columns[text].kind, self.rows.column(text)
        else:
            expression = Expression.value(text, self.rows.whole.shape.schema(rule.parameters))
            kind = expression.type.kind
            step = self.plan.add(expression.tree, rule.parameters)
            column = Screen(self.plan, self.rows, once=True)(step)
        if isinstance(column, Text):
            words = [*column.words, None]
            return [words[code] for code in _spread(column.code, self.shape)[at].tolist()]
        if isinstance(column, Truth):
            known = _spread(column.true | column.false, self.shape)[at]
            true = _spread(column.true, self.shape)[at]
            return [bool(yes) if there else None for yes, there in zip(true, known, strict=True)]
        numbers = _spread(column.value if isinstance(column, Number) else column, self.shape)[at]
        found = numbers.astype(object)
        found[np.isnan(numbers)] = None
        if kind == "date":
            return [None if days is None else EPOCH + timedelta(days=days) for days in found]
        return list(found)


def _spread(array: Any, shape: tuple[int]) -> Any:
    """One value for all rows as one a row."""
    return array if array.shape else np.broadcast_to(array, shape)


def _names(rule: FleetRule) -> frozenset[str]:
    return rule.condition.names | (rule.when.names if rule.when else frozenset())
