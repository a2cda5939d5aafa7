"""A formula with the numbers put in, shown only where the arithmetic gives the node's own value.

The symbols of a formula stand for the inputs in the order of their first appearance. A formula
that its inputs do not follow gets no numbers rather than wrong ones.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

from tanzheng.analytics.accounting.tree import Node

_SYMBOL = re.compile(r"[^\W\d]\w*")
_SIGNS = str.maketrans({"×": "*", "·": "*", "−": "-"})
_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
PARTS_MAX = 8


def put_in(node: Node) -> str | None:
    """`152340.37 × 0.5055 × 99/100 × 44/12`; None where the formula cannot be filled in so."""
    text = _sum(node) if node.formula.startswith("Σ") else _filled(node)
    return text if text and _agrees(text, node) else None


def _sum(node: Node) -> str | None:
    if len(node.inputs) > PARTS_MAX:
        return None
    return " + ".join(f"{child.value:f}" for child in node.inputs)


def _filled(node: Node) -> str | None:
    symbols = list(dict.fromkeys(_SYMBOL.findall(node.formula)))
    if not symbols or len(symbols) > len(node.inputs):
        return None
    known = {name: f"{child.value:f}" for name, child in zip(symbols, node.inputs, strict=False)}
    return _SYMBOL.sub(lambda match: known[match[0]], node.formula)


def _agrees(text: str, node: Node) -> bool:
    """Whether the arithmetic is off from the reported value by half a unit of its last digit."""
    try:
        value = _value(ast.parse(text.translate(_SIGNS), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError):
        return False
    exponent = node.value.as_tuple().exponent
    assert isinstance(exponent, int), "a reported value is finite"
    return abs(value - Fraction(node.value)) * 2 <= Fraction(10) ** exponent


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant():
            return Fraction(repr(node.value)) if isinstance(node.value, float) else _whole(node)
        case ast.BinOp() if type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand)
    raise ValueError("expected numbers and + − × /")


def _whole(node: ast.Constant) -> Fraction:
    if not isinstance(node.value, int):
        raise ValueError("expected a number")  # noqa: TRY004 - arithmetic that is none
    return Fraction(node.value)
