"""Conditions over Decimals, a row at a time: the reference, and the part that enters evidence.

Not known is None, as in SQL: it spreads through arithmetic and comparisons; `false and not known`
is false, `true or not known` is true. A division by zero is not known.
"""

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal

from tanzheng.analytics.rules.vocabulary import MONTHS_BACK

Value = Decimal | bool | str | date | None

WIDE = Context(prec=100_000)
"""Holds the decimals of any product of float64 that a condition has room for."""

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISON: Mapping[type[ast.cmpop], Callable[..., bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row's values; `back(n)` is the row of n months before, `sharing` counts over the table:
    given a column and its text, in how many units and in how many months that text stands.
    """

    values: Mapping[str, "Value"]
    back: Callable[[int], "Row | None"] = lambda _: None
    sharing: Callable[[str, str], tuple[int, int]] = lambda _, __: (1, 1)


def evaluate(node: ast.expr, row: Row) -> Value:
    """The value of a checked tree for `row`."""
    match node:
        case ast.BoolOp(op=op, values=parts):
            return _joined(isinstance(op, ast.And), (evaluate(part, row) for part in parts))
        case ast.UnaryOp(op=op, operand=part):
            value = evaluate(part, row)
            if value is None:
                return None
            return not value if isinstance(op, ast.Not) else -_number(value)
        case ast.Compare():
            return _compared(node, row)
        case ast.BinOp(left=left, op=operation, right=right):
            return _operated(operation, evaluate(left, row), evaluate(right, row))
        case ast.Call(func=ast.Name(id=name), args=parts):
            return _word(name, parts, row)
        case ast.Name(id=name):
            return row.values.get(name)
        case ast.Constant(value=str() as text):
            return text
        case ast.Constant(value=number):
            return Decimal(repr(number))
    raise AssertionError(f"unchecked node {ast.dump(node)}")


def _number(value: Value) -> Decimal:
    assert isinstance(value, Decimal)
    return value


def _joined(all_of: bool, parts: Iterable[Value]) -> bool | None:
    unknown = False
    for part in parts:
        if part is None:
            unknown = True
        elif bool(part) is not all_of:
            return not all_of
    return None if unknown else all_of


def _compared(node: ast.Compare, row: Row) -> bool | None:
    left = evaluate(node.left, row)
    if isinstance(node.ops[0], ast.In | ast.NotIn):
        choices = node.comparators[0]
        assert isinstance(choices, ast.Tuple)
        if left is None:
            return None
        inside = left in [evaluate(choice, row) for choice in choices.elts]
        return inside is isinstance(node.ops[0], ast.In)
    sides = [left, *(evaluate(part, row) for part in node.comparators)]
    pairs = zip(node.ops, sides, sides[1:], strict=False)
    return _joined(True, (_pair(type(op), a, b) for op, a, b in pairs))


def _pair(op: type[ast.cmpop], a: Value, b: Value) -> bool | None:
    return None if a is None or b is None else _COMPARISON[op](a, b)


def _operated(operation: ast.operator, a: Value, b: Value) -> Decimal | None:
    if a is None or b is None:
        return None
    try:
        return _ARITHMETIC[type(operation)](_number(a), _number(b))
    except ArithmeticError:
        return None


def _word(name: str, parts: list[ast.expr], row: Row) -> Value:
    if name in MONTHS_BACK:
        return _back(parts[0], row, MONTHS_BACK[name])
    if name == "earlier":
        return _back(parts[0], row, _count(parts[1]))
    if name in _WINDOWS:
        return _WINDOWS[name](parts[0], row, _count(parts[1]))
    values = [evaluate(part, row) for part in parts]
    if name == "is_known":
        return values[0] is not None
    if any(value is None for value in values):
        return None
    if name.endswith("_sharing"):
        assert isinstance(parts[0], ast.Name)
        units, months = row.sharing(parts[0].id, str(values[0]))
        return Decimal(units if name == "units_sharing" else months)
    return _PLAIN[name](values)


def _count(node: ast.expr) -> int:
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, int)
    return node.value


def _back(part: ast.expr, row: Row, months: int) -> Value:
    there = row.back(months) if months else row
    return None if there is None else evaluate(part, there)


def _mean_before(part: ast.expr, row: Row, months: int) -> Decimal | None:
    values = [_back(part, row, n) for n in range(1, months + 1)]
    known = [_number(value) for value in values if value is not None]
    if not known or 2 * len(known) < months:
        return None
    return sum(known, Decimal(0)) / len(known)


def _spread_last(part: ast.expr, row: Row, months: int) -> Decimal | None:
    values = [_back(part, row, n) for n in range(months)]
    known = [_number(value) for value in values if value is not None]
    return max(known) - min(known) if known and len(known) == months else None


def _count_last(part: ast.expr, row: Row, months: int) -> Decimal:
    return Decimal(sum(_back(part, row, n) is True for n in range(months)))


_WINDOWS: Mapping[str, Callable[[ast.expr, Row, int], Decimal | None]] = {
    "mean_before": _mean_before,
    "spread_last": _spread_last,
    "count_last": _count_last,
}


def _rounded(values: Sequence[Value]) -> Decimal:
    places = Decimal(1).scaleb(-int(_number(values[1])))
    return _number(values[0]).quantize(places, ROUND_HALF_UP, WIDE)


def _last_digit(values: Sequence[Value]) -> Decimal:
    scaled = abs(_rounded(values)).scaleb(int(_number(values[1])), WIDE)
    return Decimal(int(scaled) % 10)


def _rank(values: Sequence[Value]) -> Decimal | None:
    text, *places = values
    return Decimal(places.index(text) + 1) if text in places else None


def _days(values: Sequence[Value]) -> Decimal:
    first, second = values
    assert isinstance(first, date)
    assert isinstance(second, date)
    return Decimal((second - first).days)


_PLAIN: Mapping[str, Callable[[Sequence[Value]], Value]] = {
    "abs": lambda values: abs(_number(values[0])),
    "min": lambda values: min(map(_number, values)),
    "max": lambda values: max(map(_number, values)),
    "rounded": _rounded,
    "last_digit": _last_digit,
    "rank": _rank,
    "days": _days,
}


@dataclass(slots=True)
class Rows:
    """A table as rows of Decimals, by unit (or point) and month."""

    rows: Sequence[Mapping[str, Value]]
    key: Sequence[str]
    _index: dict[tuple[Value, ...], Mapping[str, Value]] = field(init=False)

    def __post_init__(self) -> None:
        self._index = {self._place(row, 0): row for row in self.rows}

    def __getitem__(self, number: int) -> Row:
        return self._row(self.rows[number])

    def _row(self, values: Mapping[str, Value]) -> Row:
        def back(months: int) -> Row | None:
            there = self._index.get(self._place(values, months))
            return None if there is None else self._row(there)

        return Row(values, back, self._sharing)

    def _place(self, values: Mapping[str, Value], months: int) -> tuple[Value, ...]:
        month = values["month"]
        assert isinstance(month, date)
        number = Decimal(month.year * 12 + month.month - months)
        return (*(values.get(name) for name in self.key), number)

    def _sharing(self, column: str, text: str) -> tuple[int, int]:
        same = [row for row in self.rows if row.get(column) == text]
        units = {(row["enterprise"], row["unit"]) for row in same}
        return len(units), len({row["month"] for row in same})
