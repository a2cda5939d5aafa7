"""Figures that add up: a sum, or a ratio that keeps what stands above and below its line.

A month's heating value is not averaged over the year: its heat (FC·NCV) is added up and divided by
the fuel added up, and so is every other ratio (standards.md a.1: A4, A11, A12; f.4 no. 2). So a
year is the same whichever way its months and units are grouped, and is rounded once, half up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tanzheng.analytics.accounting.rounding import quotient
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import field

_ADDITIVE = ("mass", "volume", "energy", "time")
_CAPACITY = "power"


@dataclass(frozen=True, slots=True)
class Ratio:
    """What a ratio is made of; `by` names what it is weighted by, the denominator."""

    numerator: Decimal
    denominator: Decimal
    by: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A reported figure, rounded to its decimals; `ratio` is None where figures simply add up."""

    name: str
    unit: str
    value: Decimal
    ratio: Ratio | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One source of emissions of a unit: its emission first, then what it was computed from.

    `of` is the fuel, the material or the product; empty where a unit has one such line only.
    """

    of: str
    figures: tuple[Figure, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What makes the lines of two months the same line."""
        return self.figures[0].name, self.of


def is_additive(name: str) -> bool:
    """Whether the months of a figure are summed."""
    return field(name).quantity in _ADDITIVE


def is_capacity(name: str) -> bool:
    """Whether a figure stays what it is from month to month."""
    return field(name).quantity == _CAPACITY


def joined(figures: Sequence[Figure]) -> Figure | None:
    """The figure of all months or units together; None where a ratio has nothing below its line.

    `BadInput` where ratios are weighted by different things.
    """
    first = figures[0]
    if first.ratio is None:
        total = sum((figure.value for figure in figures[1:]), first.value)
        return Figure(first.name, first.unit, total)
    ratios = [figure.ratio for figure in figures if figure.ratio is not None]
    if len(ratios) < len(figures) or {ratio.by for ratio in ratios} != {first.ratio.by}:
        raise BadInput(f"{first.name}: expected one weight in all months, got several")
    whole = Ratio(
        sum((ratio.numerator for ratio in ratios), Decimal(0)),
        sum((ratio.denominator for ratio in ratios), Decimal(0)),
        first.ratio.by,
    )
    if not whole.denominator:
        return None
    value = quotient(whole.numerator, whole.denominator, field(first.name).decimals or 0)
    return Figure(first.name, first.unit, value, whole)


def values(figures: Iterable[Figure]) -> dict[str, Decimal]:
    """The figures by name."""
    return {figure.name: figure.value for figure in figures}


def weighted(name: str, unit: str, value: Decimal, weight: Decimal, by: str) -> Figure:
    """A figure that a later mean weighs by `weight`."""
    return Figure(name, unit, value, Ratio(value * weight, weight, by))


def line(of: str, emission: Figure, found: dict[str, tuple[Decimal, str]]) -> Line:
    """A line from its emission and what stands below it: name → value and unit.

    Quantities are summed; heating value and carbon are weighted by the first quantity, carbon per
    heat by its heat, oxidation by its carbon.
    """
    quantity = next((name for name in found if is_additive(name)), None)
    figures = [emission]
    for name, (value, unit) in found.items():
        if is_additive(name):
            figures.append(Figure(name, unit, value))
        else:
            if quantity is None:
                raise BadInput(f"{of or emission.name}: expected a quantity beside {name}")
            weight, by = _weight(name, quantity, found)
            figures.append(weighted(name, unit, value, weight, by))
    return Line(of, tuple(figures))


def _weight(name: str, quantity: str, found: dict[str, tuple[Decimal, str]]) -> tuple[Decimal, str]:
    weight, by = found[quantity][0], quantity
    heat = next((key for key in found if "_ncv_gj_per_" in key), None)
    carbon = next((key for key in found if _is_carbon_content(key)), None)
    if name.endswith("carbon_tc_per_gj") and heat:
        return weight * found[heat][0], f"{by} × {heat}"
    if name == "oxidation_percent" and carbon:
        return weight * found[carbon][0], f"{by} × {carbon}"
    return weight, by


def _is_carbon_content(name: str) -> bool:
    return field(name).quantity == "carbon content" and "_ad_" not in name and "_d_" not in name
