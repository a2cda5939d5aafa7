"""The test pairs that stand in the rules' own data, held against both back ends; and mutants.

A mutant is a rule with one small wrong: a comparison turned round, a threshold doubled or halved,
a part of an `and` or of a chain left out, and, as the sharpest, a threshold moved by one per cent.
One per cent of a tolerance of 0.01 is finer than the last reported place: some of those survive.
"""

import ast
import calendar
import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from tanzheng.analytics.rules.catalogue import Example, FleetRule, Values, judged
from tanzheng.analytics.rules.exact import Row, Rows, Value
from tanzheng.analytics.rules.tables import TABLES

Mutation = Literal["comparison", "threshold", "threshold, 1 %", "conjunct"]
FACTORS: Mapping[Mutation, tuple[Decimal, ...]] = {
    "threshold": (Decimal(2), Decimal("0.5")),
    "threshold, 1 %": (Decimal("1.01"), Decimal("0.99")),
}
_TURNED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


def replace_values(row: Row, parameters: Mapping[str, Decimal]) -> Row:
    """`row` and the rows before it with the rule's parameters beside their values."""

    def back(months: int) -> Row | None:
        there = row.back(months)
        return None if there is None else replace_values(there, parameters)

    return Row({**row.values, **parameters}, back, row.sharing)


def rows_of(rule: FleetRule, example: Example) -> list[dict[str, Value]]:
    """The example as a table, the row that is judged first."""
    return [with_calendar(row) for row in (example.row, *example.before, *example.others)]


def with_calendar(row: Values) -> dict[str, Value]:
    """The row with the columns that follow from its month."""
    month = row["month"]
    assert isinstance(month, date)
    days = calendar.monthrange(month.year, month.month)[1]
    return {
        **row,
        "month_end": month.replace(day=days),
        "month_number": Decimal(month.month),
        "hours_of_month": Decimal(days * 24),
    }


def judged_exactly(rule: FleetRule, example: Example) -> bool | None:
    """What the exact back end says of the example's row."""
    rows = Rows(rows_of(rule, example), TABLES[rule.table].series_key)
    return judged(rule, replace_values(rows[0], rule.parameters))


def judged_as_fleet(rule: FleetRule, example: Example) -> bool | None:
    """What the columnar back end says of the example's row."""
    import polars as pl

    from tanzheng.analytics.rules import fleet

    rows = [
        {name: float(v) if isinstance(v, Decimal) else v for name, v in row.items()}
        for row in (example.row, *example.before, *example.others)
    ]
    return fleet.answers(pl.DataFrame(rows, infer_schema_length=None), rule, rule.id)[0]


@dataclass(frozen=True, slots=True)
class Fault:
    """An example that the rule judges otherwise than its data say."""

    rule: str
    back_end: str
    expected: str
    number: int
    got: bool | None

    def __str__(self) -> str:
        outcome = {True: "passed", False: "failed", None: "did not apply"}[self.got]
        return (
            f"{self.rule}: {self.back_end}: expected example {self.number} of {self.expected!r} "
            f"to {self.expected}, got: it {outcome}"
        )


def faults(rule: FleetRule, both: bool = True) -> Iterator[Fault]:
    """Where the rule and its own examples disagree; with `both`, in either back end."""
    judges = {"exact": judged_exactly, **({"columns": judged_as_fleet} if both else {})}
    for name, judge in judges.items():
        for expected, examples in (("pass", rule.passing), ("fail", rule.failing)):
            for number, example in enumerate(examples, 1):
                if (got := judge(rule, example)) is not (expected == "pass"):
                    yield Fault(rule.id, name, expected, number, got)


def mutants(rule: FleetRule) -> Iterator[tuple[Mutation, str, FleetRule]]:
    """Each mutant of the rule with its kind and a word on what was changed."""
    for number, _ in enumerate(_comparisons(rule.condition.tree)):
        yield "comparison", f"comparison {number + 1} turned", _turned(rule, number)
    yield from _moved(rule)
    yield from _shortened(rule)


def _moved(rule: FleetRule) -> Iterator[tuple[Mutation, str, FleetRule]]:
    for kind, factors in FACTORS.items():
        for name, value in rule.parameters.items():
            for factor in factors:
                moved = value * factor if value else factor - 1
                changed = {**rule.parameters, name: moved}
                yield kind, f"{name} = {moved}", replace(rule, parameters=changed)


def _shortened(rule: FleetRule) -> Iterator[tuple[Mutation, str, FleetRule]]:
    tree = rule.condition.tree
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        for number in range(len(tree.values)):
            rest = [part for index, part in enumerate(tree.values) if index != number]
            shorter = _with_tree(rule, ast.BoolOp(ast.And(), rest))
            yield "conjunct", f"part {number + 1} left out", shorter
    if isinstance(tree, ast.Compare) and len(tree.ops) > 1:
        ends = (
            ast.Compare(tree.left, tree.ops[:-1], tree.comparators[:-1]),
            ast.Compare(tree.comparators[0], tree.ops[1:], tree.comparators[1:]),
        )
        for number, part in enumerate(ends, 1):
            yield "conjunct", f"end {number} of the chain left out", _with_tree(rule, part)


def survives(mutant: FleetRule) -> bool:
    """Whether the embedded examples fail to notice the mutant."""
    return next(faults(mutant, both=False), None) is None


def _comparisons(tree: ast.expr) -> list[tuple[ast.Compare, int]]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    pairs = [(node, place) for node in found for place in range(len(node.ops))]
    return [(node, place) for node, place in pairs if type(node.ops[place]) in _TURNED]


def _turned(rule: FleetRule, number: int) -> FleetRule:
    tree = copy.deepcopy(rule.condition.tree)
    node, place = _comparisons(tree)[number]
    node.ops[place] = _TURNED[type(node.ops[place])]()
    return _with_tree(rule, tree)


def _with_tree(rule: FleetRule, tree: ast.expr) -> FleetRule:
    return replace(rule, condition=replace(rule.condition, tree=tree))
