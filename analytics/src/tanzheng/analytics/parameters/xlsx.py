"""XLSX to grids, of books that may be hostile.

openpyxl builds every cell of a merged range or hyperlink, however large, and Python's XML parser
follows entities. So each part is scanned first: what it declares is bounded before openpyxl sees
it. A part cannot hold more than it declares: `zipfile` stops there. Formulas are never evaluated.
"""

import io
import re
import struct
import warnings
import zipfile
import zlib
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from tanzheng.analytics.accounting.rounding import exact
from tanzheng.analytics.parameters.grid import (
    COLUMNS_MAX,
    ROWS_MAX,
    Block,
    Cell,
    Grid,
    check_size,
)
from tanzheng.core.errors import BadInput

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

PARTS_MAX = 200
UNPACKED_BYTES_MAX = 32 << 20
SHEETS_MAX = 30
BLOCK_CELLS_MAX = 20_000
DEPTH_MAX = 64
# What openpyxl and the parsers below it raise on a file that is no proper book.
_MALFORMED = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error,
    expat.ExpatError,
)  # fmt: skip
_REF = re.compile(r"\$?([A-Z]{1,3})\$?([1-9]\d{0,6})(?::\$?([A-Z]{1,3})\$?([1-9]\d{0,6}))?")


def read_xlsx(data: bytes, book: str, *, cached: bool = False) -> list[Grid]:
    """The worksheets of a book in their order; `BadInput` for what is no safe book.

    `cached`: a formula counts with the value that the spreadsheet program left in the file.
    """
    check_size(data, book)
    try:
        _scan(data, book)
        return [_grid(sheet, values, book) for sheet, values in _sheets(data, cached=cached)]
    except BadInput:
        raise
    except _MALFORMED as error:
        raise BadInput(
            f"{book}: expected an XLSX book, got a file that cannot be read as one "
            f"({type(error).__name__}) · 不是可读取的 XLSX 文件"
        ) from None


def _scan(data: bytes, book: str) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        unpacked = sum(part.file_size for part in parts)
        if len(parts) > PARTS_MAX or unpacked > UNPACKED_BYTES_MAX:
            raise BadInput(
                f"{book}: expected at most {PARTS_MAX} parts of {UNPACKED_BYTES_MAX >> 20} MiB "
                f"together, got {len(parts)} of {unpacked} bytes · 文件解压后过大"
            )
        for part in parts:
            name = part.filename.lower()
            if "externallinks/" in name or name.endswith("vbaproject.bin"):
                raise BadInput(
                    f"{book}: expected a book without macros and links to other books, "
                    f"got {part.filename[:60]} · 请另存为不含宏和外部链接的工作簿"
                )
            if name.endswith((".xml", ".rels")):
                _Scan(book).run(archive.read(part))


class _Scan:
    """One pass over the XML of a part: no entities, bounded depth, ranges and cell places."""

    def __init__(self, book: str) -> None:
        self.book = book
        self.depth = 0
        self.block_cells = 0

    def run(self, xml: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.Parse(xml, True)

    def _doctype(self, *_declared: object) -> None:
        raise BadInput(f"{self.book}: expected XML without a document type · 文件含有 DOCTYPE")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise BadInput(f"{self.book}: expected XML at most {DEPTH_MAX} deep, got deeper")
        kind = name.rpartition(":")[2]
        if kind in {"mergeCell", "hyperlink"}:
            self._block(attributes.get("ref", ""))
        elif kind == "c" and "r" in attributes:
            self._place(attributes["r"])
        elif kind == "row" and int(attributes.get("r", "1")) > ROWS_MAX:
            self._beyond(f"row {attributes['r'][:10]}")

    def _end(self, _name: str) -> None:
        self.depth -= 1

    def _block(self, ref: str) -> None:
        top, left, bottom, right = _corners(ref)
        self.block_cells += (abs(bottom - top) + 1) * (abs(right - left) + 1)
        if self.block_cells > BLOCK_CELLS_MAX:
            raise BadInput(
                f"{self.book}: expected merged cells and links over at most {BLOCK_CELLS_MAX} "
                f"cells, got {ref[:30]} · 合并单元格范围过大"
            )

    def _place(self, ref: str) -> None:
        row, column, _, _ = _corners(ref)
        if row > ROWS_MAX or column > COLUMNS_MAX:
            self._beyond(f"cell {ref[:12]}")

    def _beyond(self, what: str) -> None:
        raise BadInput(
            f"{self.book}: expected at most {ROWS_MAX} rows and {COLUMNS_MAX} columns, got {what}: "
            f"delete the rows and columns behind your data · 请删除数据以外的行列"
        )


def _corners(ref: str) -> tuple[int, int, int, int]:
    match = _REF.fullmatch(ref)
    if match is None:
        raise ValueError(ref)
    left, top = _column(match[1]), int(match[2])
    return top, left, int(match[4] or top), _column(match[3]) if match[3] else left


def _column(name: str) -> int:
    number = 0
    for letter in name:
        number = 26 * number + ord(letter) - 64
    return number


def _sheets(data: bytes, *, cached: bool) -> "list[tuple[Worksheet, Worksheet | None]]":
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        # Parts that openpyxl does not know (shapes, newer validations) hold no data of ours.
        warnings.simplefilter("ignore")
        formulas = load_workbook(io.BytesIO(data), keep_links=False)
        left = load_workbook(io.BytesIO(data), keep_links=False, data_only=True) if cached else None
    if len(formulas.worksheets) > SHEETS_MAX:
        raise BadInput(f"expected at most {SHEETS_MAX} sheets, got {len(formulas.worksheets)}")
    return [
        (sheet, None if left is None else left.worksheets[index])
        for index, sheet in enumerate(formulas.worksheets)
    ]


def _grid(sheet: "Worksheet", values: "Worksheet | None", book: str) -> Grid:
    if sheet.max_row > ROWS_MAX or sheet.max_column > COLUMNS_MAX:
        raise BadInput(f"{book}: expected at most {ROWS_MAX} rows and {COLUMNS_MAX} columns")
    rows = tuple(
        tuple(_cell(cell, values) for cell in row)
        for row in sheet.iter_rows(max_row=sheet.max_row, max_col=sheet.max_column)
    )
    return Grid(
        book,
        sheet.title,
        rows,
        tuple(
            Block(block.min_row, block.min_col, block.max_row, block.max_col)
            for block in sheet.merged_cells.ranges
        ),
        sheet.sheet_state != "visible",
        frozenset(row for row in range(1, len(rows) + 1) if sheet.row_dimensions[row].hidden),
        _hidden_columns(sheet),
    )


def _hidden_columns(sheet: "Worksheet") -> frozenset[int]:
    spans = [
        range(column.min or 1, min(column.max or 1, COLUMNS_MAX) + 1)
        for column in sheet.column_dimensions.values()
        if column.hidden
    ]
    return frozenset(chain.from_iterable(spans))


def _cell(cell: Any, values: "Worksheet | None") -> Cell:
    formula = cell.data_type == "f"
    if formula and values is None:
        return Cell("other", "a formula 公式", formula=True)
    if formula and values is not None:
        cell = values.cell(cell.row, cell.column)
        if cell.value is None:
            return Cell("other", "a formula without a value 公式无缓存值", formula=True)
    return _plain(cell, formula=formula)


def _plain(cell: Any, *, formula: bool) -> Cell:
    value = cell.value
    percent = "%" in str(cell.number_format)
    if value is None:
        return Cell()
    if isinstance(value, bool) or cell.data_type == "e":
        return Cell("other", str(value), percent, formula)
    if isinstance(value, (int, float)):
        number = exact(value) if isinstance(value, float) else Decimal(value)
        if number.is_finite():
            return Cell("number", number, percent, formula)
        return Cell("other", str(value), percent, formula)
    if isinstance(value, datetime):
        return Cell("date", value, percent, formula)
    if isinstance(value, date):
        return Cell("date", datetime(value.year, value.month, value.day), percent, formula)  # noqa: DTZ001
    if isinstance(value, str):
        return Cell("text", value, percent, formula) if value.strip() else Cell()
    return Cell("other", str(value), percent, formula)
