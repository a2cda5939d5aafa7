"""Conditions as steps over whole columns: each part that rules share is computed once.

The second back end beside `exact`, for fleets. Columns are float64 with bounds on their error
(`bounded`), so that an answer is the one that `exact` gives or is marked as doubtful.
"""

import ast
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, reduce
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tanzheng.analytics.rules import bounded
from tanzheng.analytics.rules.bounded import Array, Number, Truth
from tanzheng.analytics.rules.exact import Row, evaluate
from tanzheng.analytics.rules.vocabulary import MONTHS_BACK

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Text:
    """`code` is a row's place in `words`, -1 where not known."""

    code: Places
    words: Sequence[str]


Column = Number | Truth | Text


class Rows(Protocol):
    """What steps ask of the rows that they run over."""

    def column(self, name: str) -> Array | Text:
        """Numbers and dates (as days) with NaN where not known, or a text."""
        ...

    def most(self, name: str) -> float:
        """No number of the column is larger, on either side of zero."""
        ...

    def earlier(self, values: Any, absent: Any, months: int) -> Any:
        """Each row's value so many months before, `absent` where there is no such row."""
        ...

    def sharing(self, name: str, of: str) -> Array:
        """In how many units (or months) the row's text stands; NaN where it has none."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """`operation` of the results of `parts`, which stand before it, and of what is `given`."""

    operation: Callable[..., Column]
    parts: tuple[int, ...]
    given: Any


class Plan:
    """The steps of many conditions, equal ones once."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._places: dict[Hashable, int] = {}

    def add(self, node: ast.expr, parameters: Mapping[str, Decimal]) -> int:
        """The place of the step that gives `node`, a tree that `Expression` has checked."""
        match node:
            case ast.BoolOp(op=op, values=values):
                join = bounded.both if isinstance(op, ast.And) else bounded.any_of
                return reduce(
                    lambda a, b: self._step(join, a, b), (self.add(v, parameters) for v in values)
                )
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return self._step(bounded.denied, self.add(part, parameters))
            case ast.Compare():
                return self._compared(node, parameters)
            case ast.Constant(value=str() as text):
                return self._step(Text, given=(np.int64(0), (text,)))
            case ast.Name(id=name) if name not in parameters:
                return self._step(_column, given=(name,))
        return self._figured(node, parameters)

    def waiting(self) -> Counter[int]:
        """How many steps need each step."""
        return Counter(part for step in self.steps for part in step.parts)

    def _step(self, operation: Callable[..., Column], *parts: int, given: Any = ()) -> int:
        key = (operation, parts, given)
        place = self._places.setdefault(key, len(self.steps))
        if place == len(self.steps):
            self.steps.append(Step(operation, parts, given))
        return place

    def _compared(self, node: ast.Compare, parameters: Mapping[str, Decimal]) -> int:
        left = self.add(node.left, parameters)
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            inside = self._step(_among, left, given=(_choices(node.comparators[0]),))
            if isinstance(node.ops[0], ast.In):
                return inside
            return self._step(bounded.denied, inside)
        sides = [left, *(self.add(part, parameters) for part in node.comparators)]
        pairs = zip(node.ops, sides, sides[1:], strict=False)
        places = [self._step(_held, a, b, given=(type(op),)) for op, a, b in pairs]
        return reduce(lambda a, b: self._step(bounded.both, a, b), places)

    def _figured(self, node: ast.expr, parameters: Mapping[str, Decimal]) -> int:
        """A number; parts without a column are folded in Decimal, as `exact` computes them."""
        operation: Callable[..., Column] = _constant
        nodes: list[ast.expr] = []
        match node:
            case ast.BinOp(left=left, op=sign, right=right):
                operation, nodes = _ARITHMETIC[type(sign)], [left, right]
            case ast.UnaryOp(operand=part):
                operation, nodes = bounded.negative, [part]
            case ast.Call(func=ast.Name(id=name), args=args):
                if name not in _PLAIN:
                    return self._word(name, args, parameters)
                operation, nodes = _PLAIN[name], args
            case _:
                pass
        parts = [self.add(part, parameters) for part in nodes]
        if all(self.steps[part].operation is _constant for part in parts):
            return self._step(_constant, given=(evaluate(node, Row(parameters)),))
        if len(parts) == 1:
            return self._step(operation, parts[0])
        return reduce(lambda a, b: self._step(operation, a, b), parts)

    def _word(self, name: str, args: list[ast.expr], parameters: Mapping[str, Decimal]) -> int:
        first = self.add(args[0], parameters)
        if name in MONTHS_BACK:
            return self._back(first, MONTHS_BACK[name])
        match name:
            case "rank":
                return self._step(_rank, first, given=(_choices(ast.Tuple(args[1:])),))
            case "days":
                return self._step(_days, first, self.add(args[1], parameters))
            case "is_known":
                return self._step(_is_known, first)
            case "units_sharing" | "months_sharing":
                assert isinstance(args[0], ast.Name)
                return self._step(_sharing, given=(args[0].id, name.removesuffix("_sharing")))
        count = args[1]
        assert isinstance(count, ast.Constant)
        assert isinstance(count.value, int)
        return self._windowed(name, first, count.value)

    def _windowed(self, name: str, first: int, count: int) -> int:
        if name == "earlier":
            return self._back(first, count)
        if name in _DIGITS:
            return self._step(_DIGITS[name], first, given=(count,))
        months = range(1, count + 1) if name == "mean_before" else range(count)
        parts = [self._back(first, n) for n in months]
        return self._step(_WINDOWS[name], *parts)

    def _back(self, first: int, months: int) -> int:
        return first if months == 0 else self._step(_back, first, given=(months,))


class Screen:
    """Results of a plan over some rows; each step is computed when it is asked for, then kept for
    as long as another step waits for it; with `once`, none is kept."""

    def __init__(self, plan: Plan, rows: Rows, close: bool = False, once: bool = False) -> None:
        self.plan, self.rows, self.close = plan, rows, close
        self._results: dict[int, Column] = {}
        self._waiting = Counter[int]() if once else plan.waiting()

    def __call__(self, place: int) -> Any:
        """The result at `place` of the plan."""
        found = self._results.get(place)
        if found is not None:
            return found
        step = self.plan.steps[place]
        parts = [self(part) for part in step.parts]
        at = (self,) if step.operation in _AT_ROWS else ()
        result = step.operation(*at, *parts, *step.given)
        if self._waiting[place] > 0:
            self._results[place] = result
        for part in step.parts:
            self._waiting[part] -= 1
            if not self._waiting[part]:
                self._results.pop(part, None)
        return result


def _column(screen: Screen, name: str) -> Column:
    found = screen.rows.column(name)
    if isinstance(found, Text):
        return found
    return (
        bounded.close_leaf(found) if screen.close else bounded.leaf(found, screen.rows.most(name))
    )


def _back(screen: Screen, value: Column, months: int) -> Column:
    def taken(array: Any, absent: Any) -> Any:
        return screen.rows.earlier(array, absent, months)

    def bound(array: Any) -> Any:
        return array if np.ndim(array) == 0 else taken(array, 0.0)

    if isinstance(value, Text):
        return Text(taken(value.code, -1), value.words)
    doubt = None if value.doubt is None else taken(value.doubt, False)
    if isinstance(value, Truth):
        return Truth(taken(value.true, False), taken(value.false, False), doubt)
    return Number(
        taken(value.value, np.nan),
        bound(value.size),
        bound(value.error),
        value.sharp,
        bound(value.grid),
        doubt,
    )


def _sharing(screen: Screen, name: str, of: str) -> Number:
    return bounded.counted(screen.rows.sharing(name, of))


_AT_ROWS = {_column, _back, _sharing}


@cache
def _constant(value: Decimal | None) -> Number:
    if value is None:
        return bounded.counted(bounded.UNKNOWN)
    nearest = float(value)
    sharp = Decimal(repr(nearest)) == value
    size = abs(nearest)
    exponent = value.normalize().as_tuple().exponent
    grid = 10.0 ** int(exponent) if sharp else 0.0
    error = bounded.EPSILON * size + bounded.TINY
    return Number(np.array(nearest), size, error, sharp, grid)


def _held(a: Column, b: Column, operation: type[ast.cmpop]) -> Truth:
    if isinstance(a, Text) and isinstance(b, Text):
        same = _same(a, b)
        return same if operation is ast.Eq else bounded.denied(same)
    assert isinstance(a, Number)
    assert isinstance(b, Number)
    return bounded.compared(operation, a, b)


def _same(a: Text, b: Text) -> Truth:
    places = {word: place for place, word in enumerate(a.words)}
    moved = np.array([*(places.get(word, -2) for word in b.words), -1])[b.code]
    known = (a.code >= 0) & (b.code >= 0)
    same = a.code == moved
    return Truth(same & known, ~same & known)


def _among(text: Text, choices: Sequence[str]) -> Truth:
    inside = np.array([*(word in choices for word in text.words), False])[text.code]
    known = text.code >= 0
    return Truth(inside, ~inside & known)


def _rank(text: Text, choices: Sequence[str]) -> Number:
    ranks = {choice: rank for rank, choice in reversed([*enumerate(choices, 1)])}
    table = np.array([*(ranks.get(word, np.nan) for word in text.words), np.nan])
    return bounded.counted(table[text.code])


def _days(first: Number, second: Number) -> Number:
    return bounded.counted(second.value - first.value)


def _is_known(value: Column) -> Truth:
    if isinstance(value, Text):
        known = value.code >= 0
        return Truth(known, ~known)
    if isinstance(value, Truth):
        known = value.true | value.false
        return Truth(known, ~known, value.doubt)
    missing = np.isnan(value.value)
    return Truth(~missing, missing, value.doubt)


def _count(*parts: Truth) -> Number:
    doubt = reduce(bounded.either, (part.doubt for part in parts), None)
    number = np.zeros(np.shape(parts[0].true) if parts else ())
    for part in parts:
        number = number + part.true
    return bounded.counted(number, doubt)


_ARITHMETIC: Mapping[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: bounded.added,
    ast.Sub: bounded.subtracted,
    ast.Mult: bounded.multiplied,
    ast.Div: bounded.divided,
}
_PLAIN: Mapping[str, Callable[..., Number]] = {
    "abs": bounded.absolute,
    "min": bounded.least,
    "max": bounded.most,
}
_DIGITS: Mapping[str, Callable[[Number, int], Number]] = {
    "rounded": bounded.rounded,
    "last_digit": bounded.last_digit,
}
_WINDOWS: Mapping[str, Callable[..., Number]] = {
    "mean_before": bounded.mean,
    "spread_last": bounded.spread,
    "count_last": _count,
}


def _choices(node: ast.expr) -> tuple[str, ...]:
    assert isinstance(node, ast.Tuple)
    return tuple(str(item.value) for item in node.elts if isinstance(item, ast.Constant))
