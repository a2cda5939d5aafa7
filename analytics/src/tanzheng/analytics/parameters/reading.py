"""From a grid to records: the heading found, every cell read, every flaw kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tanzheng.analytics.parameters import cells
from tanzheng.analytics.parameters.flaws import CellWrong, Flaw
from tanzheng.analytics.parameters.grid import Cell, Grid
from tanzheng.analytics.parameters.heading import Heading, find_heading
from tanzheng.analytics.parameters.sheets import TOTALS, Column, Sheets, SheetSpec, plain
from tanzheng.analytics.parameters.totals import check_totals
from tanzheng.core.calendar import Month

Value = Decimal | date | Month | str


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was read: values by column (absent where the cell is empty), and its place."""

    grid: Grid
    row: int
    places: Mapping[str, int]
    values: Mapping[str, Value]

    def where(self, name: str | None = None) -> str:
        """The place of a cell of this line; of the line where the sheet has no such column."""
        return self.grid.where(self.row, self.places.get(name) if name else None)

    def number(self, name: str) -> Decimal | None:
        """A figure, None where its cell is empty."""
        value = self.values.get(name)
        return value if isinstance(value, Decimal) else None

    def day(self, name: str) -> date:
        """A day that the sheet requires."""
        value = self.values[name]
        assert isinstance(value, date)
        return value

    def month(self) -> Month:
        """The month of a monthly sheet."""
        value = self.values["month"]
        assert isinstance(value, Month)
        return value

    def text(self, name: str) -> str:
        """A text, empty where its cell is empty."""
        value = self.values.get(name, "")
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was read of one sheet. `notes`: what was left out or is odd, though no flaw.

    `flaws_of`: flaws by row; one of the heading stands under row 0.
    """

    spec: SheetSpec
    grid: Grid
    lines: tuple[Line, ...]
    flaws_of: Mapping[int, Sequence[Flaw]]
    notes: tuple[Flaw, ...]

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """Every flaw, by row."""
        return tuple(flaw for row in sorted(self.flaws_of) for flaw in self.flaws_of[row])

    @property
    def bad_rows(self) -> list[int]:
        """The rows below the heading that hold a flaw."""
        return sorted(row for row in self.flaws_of if row)


def read_sheet(grid: Grid, spec: SheetSpec, known: Sheets) -> Sheet:
    """Read `grid` as a sheet of kind `spec`. Nothing is raised: flaws are counted, not met."""
    heading, flaws, notes = find_heading(grid, spec, known)
    found = {0: flaws} if flaws else {}
    if heading is None:
        return Sheet(spec, grid, (), found, tuple(notes))
    body = _Body(grid, spec, heading, found, notes)
    body.read()
    return Sheet(spec, grid, tuple(body.lines), found, tuple(notes))


class _Body:
    """The rows under the heading; fills `lines`, `found` (flaws by row) and `notes`."""

    def __init__(
        self,
        grid: Grid,
        spec: SheetSpec,
        heading: Heading,
        found: dict[int, list[Flaw]],
        notes: list[Flaw],
    ) -> None:
        self.grid = grid
        self.spec = spec
        self.heading = heading
        self.found = found
        self.notes = notes
        self.lines: list[Line] = []
        self.keys: list[tuple[int, tuple[Value, ...]]] = []

    def read(self) -> None:
        blank, between, totals_row = 0, 0, 0
        merged = self._merged_rows()
        for row in range(self.heading.row + 1, len(self.grid.rows) + 1):
            line = self.grid.rows[row - 1]
            if _is_blank(line):
                blank += 1
                continue
            between += blank
            blank = 0
            if row in merged:
                continue
            if totals_row:
                self._after_totals(row, line)
            elif any(self._is_total(cell) for cell in line):
                totals_row = row
            else:
                self._line(row, line)
        self._once()
        if totals_row:
            self._totals(totals_row)
        self._note_rest(between)

    def _merged_rows(self) -> set[int]:
        rows: set[int] = set()
        for block in self.grid.merged:
            if block.bottom < self.heading.row:
                continue
            where = self.grid.where(block.top, block.left)
            self._flaw(
                0,
                where,
                f"expected single cells, got cells merged to row {block.bottom}: split them and "
                "fill each",
                f"存在合并单元格（至第 {block.bottom} 行）：请取消合并并逐格填写",
            )
            rows |= set(range(block.top, block.bottom + 1))
        return rows

    def _line(self, row: int, line: Sequence[Cell]) -> None:
        values: dict[str, Value] = {}
        for name, place in self.heading.places.items():
            column = self.spec.column(name)
            cell = line[place - 1] if place <= len(line) else Cell()
            if cell.kind == "empty" and not column.required:
                continue
            try:
                values[name] = _value(cell, column, text_allowed=not self.grid.sheet)
            except CellWrong as wrong:
                label = f"{column.zh} {column.en}: "
                where = self.grid.where(row, place)
                self._flaw(row, where, label + wrong.en, wrong.zh)
        if all(name in values for name in self.spec.key):
            self.keys.append((row, tuple(values[name] for name in self.spec.key)))
        if row not in self.found:
            self.lines.append(Line(self.grid, row, self.heading.places, values))

    def _once(self) -> None:
        """The same key twice is a flaw of the later line: which one holds is not ours to say."""
        seen: dict[tuple[Value, ...], int] = {}
        for row, key in self.keys:
            first = seen.setdefault(key, row)
            if first == row:
                continue
            shown = ", ".join(str(part) for part in key)
            self._flaw(
                row,
                self.grid.where(row, self.heading.places[self.spec.key[-1]]),
                f"expected {shown} once, got it again after row {first}",
                f"{shown} 重复出现，首次在第 {first} 行",
            )
        for check in _LINE_CHECKS.get(self.spec.name, ()):
            for line in self.lines:
                if complaint := check(line):
                    self._flaw(line.row, line.where(), *complaint)
        self.lines = [line for line in self.lines if line.row not in self.found]

    def _totals(self, row: int) -> None:
        if any(number != row for number in self.found):
            self._note(
                row, "totals are not checked while lines are wrong", "数据行有误，未核对合计"
            )
            return
        columns = {
            line.row: {name: line.number(name) for name in self.heading.places}
            for line in self.lines
        }
        given = self.grid.rows[row - 1]
        for name, place in self.heading.places.items():
            field = self.spec.column(name).field
            cell = given[place - 1] if place <= len(given) else Cell()
            if field is None or cell.kind == "empty":
                continue
            where = self.grid.where(row, place)
            if cell.kind != "number" and not (cell.kind == "text" and not self.grid.sheet):
                self.notes.append(
                    Flaw(where, f"a total that is no number ({cell.shown()}) is not checked",
                         "合计不是数值，未核对")
                )  # fmt: skip
                continue
            try:
                total = cells.number(cell, field, text_allowed=True)
                check_totals(total, name, field, columns.values(), self.spec.weight)
            except CellWrong as wrong:
                self._flaw(row, where, wrong.en, wrong.zh)

    def _after_totals(self, row: int, line: Sequence[Cell]) -> None:
        shown = next(cell.shown() for cell in line if cell.kind != "empty")
        if all(cell.kind in {"empty", "text"} for cell in line) and self.grid.sheet:
            self._note(
                row, f"a remark below the totals is not imported: {shown}", "合计行以下的备注未导入"
            )
        else:
            self._flaw(
                row,
                self.grid.where(row),
                f"expected no line of data below the totals row, got {shown}",
                "合计行以下不应再有数据",
            )

    def _is_total(self, cell: Cell) -> bool:
        return cell.kind == "text" and plain(str(cell.value)) in TOTALS

    def _note_rest(self, blank: int) -> None:
        hidden = sorted({line.row for line in self.lines} & self.grid.hidden_rows)
        if blank:
            self._note(None, f"{blank} blank rows were passed over", f"跳过空行 {blank} 行")
        if hidden:
            rows = ", ".join(str(row) for row in hidden)
            self._note(None, f"hidden rows were imported: {rows}", f"隐藏行已导入：{rows}")
        if not self.lines and not self.found:
            self._note(None, "no lines under the heading", "表头下没有数据")

    def _flaw(self, row: int, where: str, en: str, zh: str) -> None:
        self.found.setdefault(row, []).append(Flaw(where, en, zh))

    def _note(self, row: int | None, en: str, zh: str) -> None:
        self.notes.append(Flaw(self.grid.where(row), en, zh))


def _value(cell: Cell, column: Column, *, text_allowed: bool) -> Value:
    if column.field is not None:
        return cells.number(cell, column.field, text_allowed=text_allowed)
    if column.kind == "day":
        return cells.day(cell)
    if column.kind == "month":
        return cells.month(cell)
    text = cells.words(cell)
    if column.choices and text not in column.choices:
        asked = ", ".join(column.choices)
        raise CellWrong(
            f"expected one of {asked}, got {text!r}", f"应为 {asked} 之一，实为 {text!r}"
        )
    return text


def _is_blank(line: Sequence[Cell]) -> bool:
    return all(cell.kind == "empty" for cell in line)


def _stock_positive(line: Line) -> tuple[str, str] | None:
    names = ("coal_opening_stock_t", "coal_received_t", "coal_other_use_t", "coal_closing_stock_t")
    opening, received, other, closing = (line.number(name) or Decimal(0) for name in names)
    burned = opening + received - other - closing
    if burned >= 0:
        return None
    shown = f"{opening} + {received} − {other} − {closing} = {burned} t"
    return (
        f"expected opening + received − other use − closing of at least 0, got {shown}",
        f"期初+购入−其他−期末 应不小于 0，实为 {shown}",
    )


_LINE_CHECKS: Mapping[str, Sequence[Callable[[Line], tuple[str, str] | None]]] = {
    "stock": (_stock_positive,)
}
