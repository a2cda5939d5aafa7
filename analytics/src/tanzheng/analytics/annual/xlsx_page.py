"""A worksheet that is written from top to bottom, with the looks of the report."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

FACE = "Microsoft YaHei"
DEEP, ACCENT, PALE, LINE, GREY, AMBER = "0E3B43", "1B7F79", "F1F6F5", "D3DEDD", "5F7178", "A8620A"
LINE_POINTS, EMPTY = 14, "—"
Cell = str | int | Decimal | None


class Page:
    """Writes rows; `row` is the next one, from 1."""

    def __init__(self, sheet: Worksheet) -> None:
        self.sheet, self.row = sheet, 1
        sheet.sheet_view.showGridLines = False
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.paperSize = "9"  # A4
        sheet.page_setup.fitToHeight = 0
        sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)

    def widths(self, widths: Sequence[float]) -> None:
        """Widths of the columns in characters."""
        for place, width in enumerate(widths, 1):
            self.sheet.column_dimensions[get_column_letter(place)].width = width

    def skip(self, rows: int = 1) -> None:
        """Leave rows empty."""
        self.row += rows

    def title(self, text: str, size: int = 16) -> None:
        """A heading."""
        self.line(text, size=size, bold=True, colour=DEEP)
        self.sheet.row_dimensions[self.row - 1].height = size * 1.9

    def line(self, text: Cell, *, size: float = 10, bold: bool = False, colour: str = DEEP) -> None:
        """One cell, as wide as its text."""
        cell = self._write(1, text, size=size, bold=bold, colour=colour)
        cell.alignment = Alignment(horizontal="left", vertical="center")
        self.row += 1

    def pair(self, label: str, value: Cell, *, colour: str = DEEP) -> None:
        """A label and its value."""
        self._write(1, label, colour=GREY)
        self._write(2, value, bold=True, colour=colour)
        self.sheet.cell(self.row, 2).alignment = Alignment(horizontal="left", vertical="center")
        self.row += 1

    def header(self, cells: Sequence[str], *, freeze: bool = False) -> None:
        """The heading of a table."""
        for place, text in enumerate(cells, 1):
            cell = self._write(place, text, size=9, bold=True, colour="FFFFFF")
            cell.fill = PatternFill("solid", fgColor=DEEP)
            cell.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
        self.sheet.row_dimensions[self.row].height = 46
        self.row += 1
        if freeze:
            self.sheet.freeze_panes = f"B{self.row}"

    def cells(
        self,
        cells: Sequence[Cell],
        *,
        total: bool = False,
        quiet: bool = False,
        doubtful: bool = False,
    ) -> None:
        """A row of a table: `total` stands out, `quiet` explains, `doubtful` warns."""
        for place, value in enumerate(cells, 1):
            colour = GREY if quiet else AMBER if doubtful else DEEP
            cell = self._write(place, value, size=8 if quiet else 10, bold=total, colour=colour)
            if total:
                cell.fill = PatternFill("solid", fgColor=PALE)
            cell.alignment = Alignment(
                horizontal="right" if isinstance(value, Decimal) or value == EMPTY else "left",
                vertical="top",
                wrap_text=not isinstance(value, Decimal),
                indent=0 if place == 1 or isinstance(value, Decimal) else 1,
            )
            side = Side(style="medium" if total else "thin", color=ACCENT if total else LINE)
            cell.border = Border(top=side) if total else Border(bottom=side)
        lines = max((self._lines(place, value) for place, value in enumerate(cells, 1)), default=1)
        self.sheet.row_dimensions[self.row].height = LINE_POINTS * lines + 3
        self.row += 1

    def _lines(self, column: int, value: Cell) -> int:
        """Into how many lines a text breaks: programs do not all see to it themselves."""
        width = self.sheet.column_dimensions[get_column_letter(column)].width - 2
        if not isinstance(value, str):
            return 1
        return sum(-(-_wide(part) // int(width)) or 1 for part in value.split("\n"))

    def _write(
        self,
        column: int,
        value: Cell,
        *,
        size: float = 10,
        bold: bool = False,
        colour: str = DEEP,
    ) -> Any:
        cell = self.sheet.cell(self.row, column, value)
        if isinstance(value, str):
            cell.data_type = "s"  # an enterprise called "=…" is a name, no formula
        cell.font = Font(name=FACE, size=size, bold=bold, color=colour)
        if isinstance(value, Decimal):
            cell.number_format = number_format(value)
        return cell


def _wide(text: str) -> int:
    """How many columns of a digit's width a text takes: Chinese signs take two."""
    return sum(2 if sign >= "⺀" else 1 for sign in text)


def number_format(value: Decimal) -> str:
    """As many decimals as are reported, thousands grouped."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "a reported figure is finite"
    return "#,##0" + (f".{'0' * -exponent}" if exponent < 0 else "")
