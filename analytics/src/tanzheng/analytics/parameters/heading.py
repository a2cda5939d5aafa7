"""The heading of a sheet: which column holds what, and in which unit."""

from collections.abc import Mapping
from dataclasses import dataclass

from tanzheng.analytics.parameters.flaws import Flaw
from tanzheng.analytics.parameters.grid import Cell, Grid, letters
from tanzheng.analytics.parameters.sheets import (
    Column,
    Sheets,
    SheetSpec,
    heading_parts,
)

SEARCHED_ROWS = 10


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading's row, and the column (from 1) of each name."""

    row: int
    places: Mapping[str, int]


def find_heading(
    grid: Grid, spec: SheetSpec, known: Sheets
) -> tuple[Heading | None, list[Flaw], list[Flaw]]:
    """The heading among the first rows, flaws of it, and notes on columns that are not ours."""
    rows = range(1, min(len(grid.rows), SEARCHED_ROWS) + 1)
    best = max(rows, key=lambda row: _matches(grid.rows[row - 1], spec), default=0)
    if not best or _matches(grid.rows[best - 1], spec) < min(2, len(spec.columns)):
        asked = ", ".join(column.heading.replace("\n", " ") for column in _required(spec))
        return (
            None,
            [
                Flaw(
                    grid.where(),
                    f"expected a heading within {SEARCHED_ROWS} rows with {asked}; got none",
                    f"前 {SEARCHED_ROWS} 行中未找到表头：{asked}",
                )
            ],
            [],
        )
    return _read(grid, best, spec, known)


def _read(
    grid: Grid, row: int, spec: SheetSpec, known: Sheets
) -> tuple[Heading, list[Flaw], list[Flaw]]:
    places: dict[str, int] = {}
    flaws: list[Flaw] = []
    notes: list[Flaw] = []
    for place, cell in enumerate(grid.rows[row - 1], 1):
        where = grid.where(row, place)
        column = _column(cell, spec)
        if column is None:
            notes += _not_ours(grid, row, place, cell)
        elif column.name in places:
            other = f"{letters(places[column.name])}{row}"
            flaws.append(
                Flaw(
                    where, f"expected {column.en} once, got it in {other} too", f"与 {other} 列重复"
                )
            )
        else:
            places[column.name] = place
            flaws += _unit_flaws(where, cell, column, known)
            if place in grid.hidden_columns:
                notes.append(Flaw(where, "a hidden column was imported", "隐藏列已导入"))
    for column in _required(spec):
        if column.name not in places:
            shown = column.heading.replace("\n", " ")
            flaws.append(
                Flaw(grid.where(row), f"expected a column {shown}, got none", f"缺少该列：{shown}")
            )
    return Heading(row, places), flaws, notes


def _unit_flaws(where: str, cell: Cell, column: Column, known: Sheets) -> list[Flaw]:
    field = column.field
    unit = heading_parts(str(cell.value))[1]
    if field is None or known.is_unit(unit, field):
        return []
    if not unit:
        return [
            Flaw(
                where,
                f"expected the unit in brackets, {column.en} ({field.unit}), got {cell.shown()}",
                f"表头缺少单位：应写作 {column.zh}({field.unit})",
            )
        ]
    en, zh = known.unit_hint(unit, field)
    return [
        Flaw(
            where,
            f"expected {column.en} in {field.unit}, got the unit {unit!r}{en}",
            f"{column.zh} 单位应为 {field.unit}，实为 {unit}{zh}",
        )
    ]


def _not_ours(grid: Grid, row: int, place: int, heading: Cell) -> list[Flaw]:
    """A column with data that has another heading, or none, is left out and said."""
    below = [line[place - 1] for line in grid.rows[row:] if place <= len(line)]
    if heading.kind == "empty" and all(cell.kind == "empty" for cell in below):
        return []
    return [
        Flaw(
            grid.where(row, place),
            f"this column is not imported: {heading.shown()}",
            f"该列未导入：{heading.shown()}",
        )
    ]


def _matches(line: tuple[Cell, ...], spec: SheetSpec) -> int:
    return sum(_column(cell, spec) is not None for cell in line)


def _column(cell: Cell, spec: SheetSpec) -> Column | None:
    if cell.kind != "text":
        return None
    label, _ = heading_parts(str(cell.value))
    return next((column for column in spec.columns if label in column.labels()), None)


def _required(spec: SheetSpec) -> list[Column]:
    return [column for column in spec.columns if column.required]
