"""A small safe language for rule conditions.

Decimals, names, + - * /, comparisons, and/or/not, abs, min, max.

The text is parsed with Python's own parser and walked node by node; nothing is ever handed to
`eval`. Any other construct is refused when the rule is loaded, not when a month is closed.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tanzheng.analytics.errors import PackInvalid

Value = Decimal | bool
TEXT_CHARS_MAX = 500

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISON: Mapping[type[ast.cmpop], Callable[[Decimal, Decimal], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max}


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed condition and the names it reads."""

    text: str
    tree: ast.expr
    names: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> "Expression":
        """The condition written as `text`; `PackInvalid` for anything outside the language."""
        if len(text) > TEXT_CHARS_MAX:
            raise PackInvalid(f"expected a condition of at most {TEXT_CHARS_MAX} characters")
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise PackInvalid(f"expected a condition, got {text!r}: {error}") from None
        names: set[str] = set()
        if not _check(tree, names):
            raise PackInvalid(f"expected a condition that is true or false, got {text!r}")
        return cls(text, tree, frozenset(names))

    def holds(self, values: Mapping[str, Decimal]) -> bool:
        """Whether the condition is true of `values`, which must name all of `names`.

        A division by zero is no answer: the condition counts as not held.
        """
        try:
            return bool(_evaluate(self.tree, values))
        except ArithmeticError:
            return False


def _check(node: ast.expr, names: set[str]) -> bool:
    """Refuse what the language has not; collect names; return whether `node` is a truth value."""
    match node:
        case ast.BoolOp(values=parts):
            _expect(parts, names, truth=True)
            return True
        case ast.UnaryOp(op=ast.Not(), operand=part):
            _expect([part], names, truth=True)
            return True
        case ast.Compare(left=left, ops=ops, comparators=rest) if all(
            type(op) in _COMPARISON for op in ops
        ):
            _expect([left, *rest], names, truth=False)
            return True
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            _expect([left, right], names, truth=False)
        case ast.UnaryOp(op=ast.USub(), operand=part):
            _expect([part], names, truth=False)
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if (
            name in _FUNCTIONS and parts and (len(parts) == 1) == (name == "abs")
        ):
            _expect(parts, names, truth=False)
        case ast.Name(id=name):
            names.add(name)
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            if not Decimal(repr(number)).is_finite():
                raise PackInvalid("expected finite numbers in a condition")
        case _:
            raise PackInvalid(f"condition: {ast.unparse(node)!r} is outside the rule language")
    return False


def _expect(parts: list[ast.expr], names: set[str], truth: bool) -> None:
    for part in parts:
        if _check(part, names) is not truth:
            wanted = "a truth value" if truth else "a number"
            raise PackInvalid(f"condition: expected {wanted}, got {ast.unparse(part)!r}")


def _evaluate(node: ast.expr, values: Mapping[str, Decimal]) -> Value:
    match node:
        case ast.BoolOp(op=op, values=parts):
            each = (bool(_evaluate(part, values)) for part in parts)
            return all(each) if isinstance(op, ast.And) else any(each)
        case ast.UnaryOp(op=op, operand=part):
            value = _evaluate(part, values)
            return not value if isinstance(op, ast.Not) else -Decimal(value)
        case ast.Compare(left=left, ops=ops, comparators=rest):
            sides = [Decimal(_evaluate(part, values)) for part in (left, *rest)]
            pairs = zip(ops, sides, sides[1:], strict=False)
            return all(_COMPARISON[type(op)](a, b) for op, a, b in pairs)
        case ast.BinOp(left=left, op=operation, right=right):
            a, b = (Decimal(_evaluate(part, values)) for part in (left, right))
            return _ARITHMETIC[type(operation)](a, b)
        case ast.Call(func=ast.Name(id=name), args=parts):
            result: Decimal = _FUNCTIONS[name](*(Decimal(_evaluate(p, values)) for p in parts))
            return result
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=number):
            return Decimal(repr(number))
    raise AssertionError(f"unchecked node {ast.dump(node)}")
