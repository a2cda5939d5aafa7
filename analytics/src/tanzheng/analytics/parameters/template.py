"""The book a plant engineer starts from: headings with units, widths, checks on entry, an example.

The example stands in a sheet of its own kind's guide, not in the data sheets: a line that must be
deleted before use would be imported one day.
"""

import io
from typing import TYPE_CHECKING

from tanzheng.analytics.parameters.books import GUIDE
from tanzheng.analytics.parameters.sheets import Column, SheetSpec, sheets

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

ROWS_PREPARED = 400
INK = "1F3A5F"
REQUIRED_FILL = "DCE6F1"
OPTIONAL_FILL = "F2F2F2"


def template(sector: str) -> bytes:
    """An XLSX book for `sector`."""
    from openpyxl import Workbook

    book = Workbook()
    specs = sheets().of_sector(sector)
    first = book.active
    assert first is not None
    book.remove(first)
    for spec in specs:
        _data_sheet(book.create_sheet(spec.title), spec)
    _guide(book.create_sheet(GUIDE), specs)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _data_sheet(sheet: "Worksheet", spec: SheetSpec) -> None:
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
    from openpyxl.utils import get_column_letter

    line = Side(style="thin", color="BFBFBF")
    for place, column in enumerate(spec.columns, 1):
        cell = sheet.cell(1, place, column.heading)
        fill = REQUIRED_FILL if column.required else OPTIONAL_FILL
        cell.fill = PatternFill("solid", fgColor=fill)
        cell.font = Font(name="Microsoft YaHei", bold=column.required, color=INK, size=10)
        cell.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
        cell.border = Border(bottom=Side(style="medium", color=INK), right=line)
        letter = get_column_letter(place)
        sheet.column_dimensions[letter].width = max(15, 2 * len(column.zh) + 4)
        for row in range(2, ROWS_PREPARED + 1):
            sheet.cell(row, place).number_format = number_format(column)
        _validate(sheet, column, f"{letter}2:{letter}{ROWS_PREPARED}")
    sheet.row_dimensions[1].height = 48
    sheet.freeze_panes = "B2"


def number_format(column: Column) -> str:
    """How a spreadsheet shows the column: as many decimals as are reported, dates as ISO."""
    if column.field is not None:
        return f"0.{'0' * (column.field.decimals or 0)}".rstrip(".")
    return "yyyy-mm-dd" if column.kind == "day" else "@"


def _validate(sheet: "Worksheet", column: Column, cells: str) -> None:
    from openpyxl.worksheet.datavalidation import DataValidation

    asked = DataValidation(allow_blank=True, showErrorMessage=True)
    asked.errorTitle = "碳证 Tanzheng"
    if column.field is not None:
        asked.type, asked.operator, asked.formula1 = "decimal", "between", "0"
        asked.formula2 = "100" if column.field.unit == "%" else "1000000000"
        asked.error = f"请填写数字，单位 {column.field.unit} · a number in {column.field.unit}"
    elif column.kind == "day":
        asked.type, asked.operator, asked.formula1 = "date", "greaterThan", "36526"
        asked.error = "请填写日期 · a date, YYYY-MM-DD"
    elif column.choices:
        asked.type, asked.formula1 = "list", f'"{",".join(column.choices)}"'
        asked.error = "请从列表中选择 · choose from the list"
    else:
        return
    sheet.add_data_validation(asked)
    asked.add(cells)


_GUIDE_LINES = (
    "碳证 Tanzheng · 月度参数填报 monthly parameters",
    "每个工作表的表头不可改动；深色列必填，灰色列可空。",
    "Keep the headings; bold columns are required, grey ones may be empty.",
    "数字单元格只填数字：不写单位、千分位、横线；未测请留空。",
    "Numbers only: no units, separators, dashes; empty where not measured.",
    "日期 YYYY-MM-DD，月份 YYYY-MM。公式请粘贴为数值。",
    "Dates YYYY-MM-DD, months YYYY-MM. Paste formulas as values.",
    "可在最后加“合计”行：只核对，不导入。 A last row 合计 is checked, not imported.",
)


def _guide(sheet: "Worksheet", specs: tuple[SheetSpec, ...]) -> None:
    from openpyxl.styles import Font

    for row, text in enumerate(_GUIDE_LINES, 1):
        sheet.cell(row, 1, text).font = Font(name="Microsoft YaHei", bold=row == 1, color=INK)
    row = len(_GUIDE_LINES) + 2
    for spec in specs:
        title = f"示例 example: {spec.title}"
        sheet.cell(row, 1, title).font = Font(name="Microsoft YaHei", bold=True, color=INK)
        for place, column in enumerate(spec.columns, 1):
            sheet.cell(row + 1, place, column.heading.replace("\n", " "))
            sheet.cell(row + 2, place, spec.example.get(column.name, ""))
        row += 4
    sheet.column_dimensions["A"].width = 28
