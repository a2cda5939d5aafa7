"""Worked examples of cement, aluminium, steel and Part 75: the arithmetic, and the engine."""

import ast
import operator
import re
import tomllib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tanzheng.analytics.accounting.document import loads
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.accounting.rounding import quotient
from tanzheng.analytics.accounting.sectors import SECTORS
from tanzheng.analytics.accounting.tree import Node

FOLDER = Path(__file__).parent / "examples"
EXAMPLES = [
    pytest.param(example, id=f"{file.stem}-{example['id']}")
    for file in sorted(FOLDER.glob("*.toml"))
    for example in tomllib.loads(file.read_text())["example"]
]
FORMULAS = {
    *("B1", "B2", "B3", "C1", "C2", "C3", "D1", "D2", "D3", "D4"),
    *("power, method 1", "power, method 2", "dry basis", "AD × EF × purity", "company level"),
    *("G-1", "G-2", "G-3", "G-4", "F-11", "F-19", "F-20"),
}
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def value_of(text: str) -> Fraction:
    """The exact value of an expression with + − × ÷ and brackets."""
    plain = text.replace("×", "*").replace("−", "-").replace("÷", "/")
    tree = ast.parse(re.sub(r"[\d.]+", r"'\g<0>'", plain), mode="eval")
    return _node(tree.body)


def _node(node: ast.expr) -> Fraction:
    if isinstance(node, ast.BinOp):
        calculate = OPERATORS[type(node.op)]
        result: Fraction = calculate(_node(node.left), _node(node.right))
        return result
    if isinstance(node, ast.UnaryOp):
        return -_node(node.operand)
    assert isinstance(node, ast.Constant)
    return Fraction(str(node.value))


def figures(example: dict[str, Any]) -> tuple[Node, ...]:
    document = loads(example["input"].encode(), example["id"])
    sector = SECTORS[document["sector"]]
    return sector.account(sector.model.model_validate(document), load_pack(example["standard"]))


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_arithmetic_is_right(example: dict[str, Any]) -> None:
    for step in example["steps"]:
        left, sign, right = step.rsplit(" ", 2)
        if sign == "=":
            assert value_of(left) == Fraction(right), step
        else:
            places = len(right.partition(".")[2])
            assert quotient(value_of(left), Fraction(1), places) == Decimal(right), step


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_engine_gives_the_same_digits(example: dict[str, Any]) -> None:
    nodes = figures(example)
    for name, shown in example["expected"].items():
        found = [item for node in nodes for item in node.walk() if item.name == name]
        if name.startswith("co2"):  # reported: the digits themselves
            assert shown in {f"{item.value:f}" for item in found}, name
        else:
            assert Decimal(shown) in {item.value for item in found}, name
    emission = nodes[0]
    assert example["expected"].get(emission.name, f"{emission.value:f}") == f"{emission.value:f}"


def test_each_formula_has_an_example() -> None:
    named = {name for param in EXAMPLES for name in _formulas(param.values[0])}
    assert named == FORMULAS


def _formulas(example: Any) -> list[str]:
    text: str = example["formula"]
    return [text] if text in FORMULAS else text.split(", ")
