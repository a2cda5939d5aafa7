"""Worked examples: data files with the arithmetic written out, worked out once more here.

Nothing of the engine is used: whole fractions, half up. A line of `arithmetic` is
`NAME: EXPRESSION = VALUE → REPORTED`, the value cut off at `…`.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

FOLDER = Path(__file__).parent / "worked"
LINE = re.compile(r"(\w+): (.+) = (-?[\d.]+)(…?) → (-?[\d.]+)")


@dataclass(frozen=True, slots=True)
class Example:
    """One example: a unit-month as JSON, its arithmetic, and figures by name."""

    id: str
    formulas: tuple[str, ...]
    month: str
    arithmetic: tuple[str, ...]
    expected: dict[str, str]


def examples(name: str) -> list[Example]:
    """The examples of a file of `worked/`."""
    table = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    return [
        Example(
            row["id"],
            tuple(row["formulas"]),
            row["month"],
            tuple(row["arithmetic"].strip().splitlines()),
            row["expected"],
        )
        for row in table["example"]
    ]


def wrong_lines(example: Example) -> Iterator[str]:
    """Lines whose value or rounding is not what the expression gives."""
    for line in example.arithmetic:
        match = LINE.fullmatch(line)
        if match is None or not _holds(match):
            yield line


def reported(example: Example) -> set[str]:
    """The reported values of the arithmetic."""
    return {line.rpartition(" → ")[2] for line in example.arithmetic}


def _holds(match: re.Match[str]) -> bool:
    _, expression, shown, cut, rounded = match.groups()
    value = _value(expression)
    off = abs(value) - abs(Fraction(shown))
    close = 0 <= off < Fraction(1, 10 ** _places(shown)) if cut else off == 0
    return close and rounded == _half_up(value, _places(rounded))


def _places(text: str) -> int:
    return len(text.partition(".")[2])


def _half_up(value: Fraction, places: int) -> str:
    units = (abs(value) * 10**places + Fraction(1, 2)).__floor__()
    text = str(units).rjust(places + 1, "0")
    return ("-" if value < 0 and units else "") + f"{text[:-places]}.{text[-places:]}"


def _value(expression: str) -> Fraction:
    text = expression.replace("×", "*").replace("−", "-")
    assert re.fullmatch(r"[\d.+\-*/() ]+", text), text
    result = eval(re.sub(r"\d+(\.\d+)?", r"Fraction('\g<0>')", text))
    assert isinstance(result, Fraction)
    return result
