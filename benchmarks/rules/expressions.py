"""Conditions as Polars expressions over a table that `dense` has put in order.

float64 cannot hold 0.15 exactly, so a value that lies on a threshold could fall on either side.
Two numbers therefore count as equal when they differ by at most `SLACK`, a hundredth of the finest
step that is reported, or by `SLACK_SHARE` of the right side, whichever is more in sum. On values
with the decimals of the guideline the answers are those of `exact`; a test holds the two together.
"""

import ast
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import reduce

import polars as pl

from tanzheng.analytics.rules.exact import Row, evaluate
from tanzheng.analytics.rules.vocabulary import MONTHS_BACK

SLACK = 1e-7
SLACK_SHARE = 1e-12


def there(months: int) -> str:
    """The helper column that says whether the row of `months` before is in the table."""
    return f"_there_{months}"


class Compiler:
    """Makes expressions of trees that `Expression` has checked.

    `parameters` are the constants of the rule; parts without a column are folded in Decimal.
    `months` collects how many months back the expressions look.
    """

    def __init__(self, parameters: Mapping[str, Decimal], months: set[int]) -> None:
        self.parameters = Row(parameters)
        self.months = months

    def __call__(self, node: ast.expr) -> pl.Expr:
        """The expression of `node`; null where it is not known."""
        constant = self._constant(node)
        if constant is not None:
            return pl.lit(constant)
        match node:
            case ast.BoolOp(op=op, values=parts):
                join = _both if isinstance(op, ast.And) else _either
                return reduce(join, map(self, parts))
            case ast.UnaryOp(op=op, operand=part):
                return ~self(part) if isinstance(op, ast.Not) else -self(part)
            case ast.Compare():
                return self._compared(node)
            case ast.BinOp(left=left, op=operation, right=right):
                return self._operated(operation, left, right)
            case ast.Call(func=ast.Name(id=name), args=parts):
                return self._word(name, parts)
            case ast.Name(id=name):
                return pl.col(name)
        raise AssertionError(f"unchecked node {ast.dump(node)}")

    def _constant(self, node: ast.expr) -> float | str | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if (
            isinstance(node, ast.Compare | ast.BoolOp)
            or _columns(node) - self.parameters.values.keys()
        ):
            return None
        value = evaluate(node, self.parameters)
        return float(value) if isinstance(value, Decimal) else None

    def _compared(self, node: ast.Compare) -> pl.Expr:
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            inside = self(node.left).is_in(_choices(node.comparators[0]))
            return inside if isinstance(node.ops[0], ast.In) else ~inside
        sides = [node.left, *node.comparators]
        pairs = zip(node.ops, sides, sides[1:], strict=False)
        return reduce(_both, (self._pair(op, a, b) for op, a, b in pairs))

    def _pair(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> pl.Expr:
        a, b = self(left), self(right)
        if self._exact(left) or self._exact(right):
            return _PLAIN_PAIRS[type(op)](a, b)
        constant = self._constant(right)
        if not isinstance(constant, float) and isinstance(first := self._constant(left), float):
            # Polars 2.1 gives one row for `literal < column` where the column is null throughout.
            a, constant, op = b, first, _MIRRORED.get(type(op), type(op))()
        if isinstance(constant, float):
            slack = SLACK + SLACK_SHARE * abs(constant)
            return _CONSTANT_PAIRS[type(op)](a, constant, slack)
        return _PAIRS[type(op)](a, b, b.abs() * SLACK_SHARE + SLACK)

    def _exact(self, node: ast.expr) -> bool:
        """Whether the side needs no slack: text, dates, and whole numbers made by a word."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str)
        if isinstance(node, ast.Name):
            return node.id in _DATES_AND_TEXTS or node.id.endswith("_on")
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return False
        if node.func.id in {*MONTHS_BACK, "earlier"}:
            return self._exact(node.args[0])
        return node.func.id in _WHOLE

    def _operated(self, operation: ast.operator, left: ast.expr, right: ast.expr) -> pl.Expr:
        a, b = self(left), self(right)
        if not isinstance(operation, ast.Div):
            return _ARITHMETIC[type(operation)](a, b)
        if self._constant(right) is not None:
            return a / b
        return pl.when(b != 0).then(a / b)

    def _word(self, name: str, parts: list[ast.expr]) -> pl.Expr:
        if name in MONTHS_BACK:
            return self._back(self(parts[0]), MONTHS_BACK[name])
        if name in {"earlier", "mean_before", "spread_last", "count_last"}:
            count = parts[1]
            assert isinstance(count, ast.Constant)
            assert isinstance(count.value, int)
            return self._window(name, self(parts[0]), count.value)
        if name == "rank":
            return _rank(self(parts[0]), _choices(ast.Tuple(parts[1:])))
        if name in {"min", "max"}:  # a literal stands on the right, see `_pair`
            parts = sorted(parts, key=lambda part: self._constant(part) is not None)
        return _WORDS[name](*map(self, parts))

    def _back(self, expression: pl.Expr, months: int) -> pl.Expr:
        if months == 0:
            return expression
        self.months.add(months)
        return pl.when(pl.col(there(months))).then(expression.shift(months))

    def _window(self, name: str, expression: pl.Expr, months: int) -> pl.Expr:
        if name == "earlier":
            return self._back(expression, months)
        if name == "mean_before":
            each = [self._back(expression, n) for n in range(1, months + 1)]
            known = pl.sum_horizontal(item.is_not_null() for item in each)
            mean = pl.sum_horizontal(each) / known
            return pl.when((known > 0) & (known * 2 >= months)).then(mean)
        each = [self._back(expression, n) for n in range(months)]
        if name == "count_last":
            return pl.sum_horizontal(item.fill_null(value=False).cast(pl.Int32) for item in each)
        spread = pl.max_horizontal(each) - pl.min_horizontal(each)
        return pl.when(pl.all_horizontal(item.is_not_null() for item in each)).then(spread)


_DATES_AND_TEXTS = {"month", "month_end"}
_WHOLE = {"days", "rank", "last_digit", "count_last", "units_sharing", "months_sharing"}


def _both(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return a & b


def _either(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return a | b


def _columns(node: ast.expr) -> set[str]:
    """Names that `node` reads, the words it calls left out."""
    called = {id(item.func) for item in ast.walk(node) if isinstance(item, ast.Call)}
    return {
        item.id for item in ast.walk(node) if isinstance(item, ast.Name) and id(item) not in called
    }


def _choices(node: ast.expr) -> list[str]:
    assert isinstance(node, ast.Tuple)
    return [str(item.value) for item in node.elts if isinstance(item, ast.Constant)]


def _rank(text: pl.Expr, places: list[str]) -> pl.Expr:
    ranks = {place: number for number, place in enumerate(places, 1)}
    return text.replace_strict(ranks, default=None, return_dtype=pl.Int32)


def _least(*parts: pl.Expr) -> pl.Expr:
    return reduce(lambda a, b: pl.when(a <= b).then(a).when(a > b).then(b), parts)


def _most(*parts: pl.Expr) -> pl.Expr:
    return reduce(lambda a, b: pl.when(a >= b).then(a).when(a < b).then(b), parts)


def _scale(decimals: pl.Expr) -> pl.Expr:
    return pl.lit(10.0) ** decimals


def _rounded(value: pl.Expr, decimals: pl.Expr) -> pl.Expr:
    """Half away from zero, with the slack that brings 2.675 (held as 2.67499…) to 2.68."""
    scaled = (value.abs() * _scale(decimals) + SLACK + 0.5).floor()
    return value.sign() * scaled / _scale(decimals)


def _last_digit(value: pl.Expr, decimals: pl.Expr) -> pl.Expr:
    return (value.abs() * _scale(decimals) + SLACK + 0.5).floor() % 10


def _sharing(of: list[str]) -> Callable[[pl.Expr], pl.Expr]:
    def count(text: pl.Expr) -> pl.Expr:
        return pl.when(text.is_not_null()).then(pl.struct(of).n_unique().over(text))

    return count


_ARITHMETIC: Mapping[type[ast.operator], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
}
_PAIRS: Mapping[type[ast.cmpop], Callable[[pl.Expr, pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Lt: lambda a, b, slack: a < b - slack,
    ast.LtE: lambda a, b, slack: a <= b + slack,
    ast.Gt: lambda a, b, slack: a > b + slack,
    ast.GtE: lambda a, b, slack: a >= b - slack,
    ast.Eq: lambda a, b, slack: (a - b).abs() <= slack,
    ast.NotEq: lambda a, b, slack: (a - b).abs() > slack,
}
_CONSTANT_PAIRS: Mapping[type[ast.cmpop], Callable[[pl.Expr, float, float], pl.Expr]] = {
    ast.Lt: lambda a, b, slack: a < b - slack,
    ast.LtE: lambda a, b, slack: a <= b + slack,
    ast.Gt: lambda a, b, slack: a > b + slack,
    ast.GtE: lambda a, b, slack: a >= b - slack,
    ast.Eq: lambda a, b, slack: a.is_between(b - slack, b + slack),
    ast.NotEq: lambda a, b, slack: ~a.is_between(b - slack, b + slack),
}
_MIRRORED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}
_PLAIN_PAIRS: Mapping[type[ast.cmpop], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
_WORDS: Mapping[str, Callable[..., pl.Expr]] = {
    "abs": lambda a: a.abs(),
    "min": _least,
    "max": _most,
    "is_known": lambda a: a.is_not_null(),
    "rounded": _rounded,
    "last_digit": _last_digit,
    "days": lambda a, b: (b - a).dt.total_days(),
    "units_sharing": _sharing(["enterprise", "unit"]),
    "months_sharing": _sharing(["month"]),
}
