"""Twelve months to the year of a unit, units to the enterprise. Pure.

Order of rounding (standards.md a.4, A6): the months are rounded already; their sum is the unit's
year, the sum of the units the enterprise's, both exact; the enterprise's total alone is rounded to
whole tonnes, half up. What is not known of each month is not formed, and a note says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tanzheng.analytics.annual.figures import Figure, Line, is_additive, is_capacity, joined, values
from tanzheng.analytics.annual.months import PackRef, UnitMonth
from tanzheng.core.fields import FIELDS

HOURS = "h"
HEAT = "heat_supplied_gj"
CO2E = "co2e_calculated_t"
Row = tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader of the report must know; `where` names the unit, or nothing."""

    code: str
    where: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class UnitYear:
    """A unit's year: its months in order, its figures and lines joined."""

    unit: str
    sector: str
    months: tuple[UnitMonth, ...]
    figures: tuple[Figure, ...]
    lines: tuple[Line, ...]

    @property
    def emission(self) -> Figure:
        """The year's emission in tonnes."""
        return self.figures[0]

    @property
    def packs(self) -> tuple[PackRef, ...]:
        """The packs of its months, each once, in order of time."""
        return tuple(dict.fromkeys(month.pack for month in self.months))


def unit_year(unit: str, sector: str, months: Iterable[UnitMonth]) -> UnitYear:
    """The year of a unit from its months, in whatever order they come."""
    ordered = tuple(sorted(months, key=lambda item: item.month))
    return UnitYear(
        unit,
        sector,
        ordered,
        _joined_figures([month.figures for month in ordered]),
        _joined_lines(ordered),
    )


def enterprise_figures(units: Sequence[UnitYear]) -> tuple[Figure, ...]:
    """The units together; hours of several units are no hours of the enterprise (A12)."""
    rows = [
        tuple(item for item in unit.figures if len(units) == 1 or item.unit != HOURS)
        for unit in units
    ]
    return _joined_figures([_one_emission(row, units) for row in rows], capacity_adds=True)


def not_formed(months: Sequence[UnitMonth]) -> tuple[str, ...]:
    """Figures that some months have and the year has not, for others lack them."""
    rows = [month.figures for month in months]
    names = dict.fromkeys(figure.name for row in rows for figure in row)
    formed = {figure.name for figure in _joined_figures(rows)}
    idle = {name for name in names if _columns(rows, name) and joined(_columns(rows, name)) is None}
    return tuple(name for name in names if name not in formed and name not in idle)


def _one_emission(row: Row, units: Sequence[UnitYear]) -> Row:
    """Where one unit has other gases, all are added up as CO2 equivalent."""
    names = {unit.emission.name for unit in units}
    name = next(iter(names)) if len(names) == 1 else CO2E
    return (Figure(name, row[0].unit, row[0].value), *row[1:])


def _joined_figures(rows: Sequence[Row], *, capacity_adds: bool = False) -> tuple[Figure, ...]:
    """The emission, then each figure that all rows have, in the order of the field dictionary."""
    names = {figure.name for row in rows for figure in row[1:]}
    found = [joined([row[0] for row in rows])]
    for name in sorted(names, key=list(FIELDS).index):
        figures = _columns(rows, name)
        if figures and is_capacity(name) and not capacity_adds:
            found.append(figures[-1])
        elif figures:
            found.append(joined(figures))
    return tuple(figure for figure in found if figure is not None)


def _columns(rows: Sequence[Row], name: str) -> list[Figure]:
    """A figure in all rows; empty where one lacks it or they are weighted by different things.

    A row may lack a ratio where there is nothing to weigh: nothing was burned, no heat supplied.
    """
    figures = [item for row in rows for item in row if item.name == name]
    by = {figure.ratio.by if figure.ratio else "" for figure in figures}
    lacking = [row for row in rows if all(item.name != name for item in row)]
    if len(by) > 1 or (lacking and (is_additive(name) or is_capacity(name))):
        return []
    return [] if any(_weighs(row, by) for row in lacking) else figures


def _weighs(row: Row, by: set[str]) -> bool:
    """Whether a ratio that this row lacks would have had something to weigh."""
    known = values(row)
    return bool(row[0].value) and not (by == {HEAT} and known.get(HEAT) == 0)


def _joined_lines(months: Sequence[UnitMonth]) -> tuple[Line, ...]:
    """A fuel that was not burned in a month has no line there, and counts as nothing."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for item in (item for month in months for item in month.lines):
        groups.setdefault(item.key, []).append(item)
    return tuple(
        Line(of, _joined_figures([item.figures for item in groups[name, of]]))
        for name, of in sorted(groups)
    )
