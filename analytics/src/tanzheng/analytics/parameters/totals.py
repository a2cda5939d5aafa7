"""The totals row of a sheet against its lines. It is checked, never imported."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.parameters.flaws import CellWrong
from tanzheng.core.fields import Field

ADDITIVE = {"mass", "energy", "volume", "time"}


def check_totals(
    total: Decimal,
    name: str,
    field: Field,
    lines: Iterable[Mapping[str, Decimal | None]],
    weight: str,
) -> None:
    """`CellWrong` where `total` is off by over one unit of the last reported place.

    A mass or energy is a sum; other figures are means weighted by `weight`, or not compared where
    the sheet has none (standards.md a.4: tolerance of one unit in the last place).
    """
    rows = [row for row in lines if row[name] is not None]
    figures = [row[name] or Decimal(0) for row in rows]
    if field.quantity in ADDITIVE:
        expected, how = sum(figures, Decimal(0)), ("the sum of the lines", "各行之和")
    else:
        weights = [row.get(weight) or Decimal(0) for row in rows]
        whole = sum(weights, Decimal(0))
        if not whole:
            return
        parts = (figure * mass for figure, mass in zip(figures, weights, strict=True))
        expected = sum(parts, Decimal(0)) / whole
        how = ("the weighted mean of the lines", "各行加权平均")
    places = field.decimals or 0
    if abs(rounded(expected, places) - total) > Decimal(1).scaleb(-places):
        shown = rounded(expected, places)
        raise CellWrong(
            f"expected {how[0]}, {shown} {field.unit}, got {total}",
            f"应为{how[1]} {shown} {field.unit}，实为 {total}",
        )
