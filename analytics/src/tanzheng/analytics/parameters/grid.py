"""A sheet as it was read: cells with their place, before anything is made of them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from tanzheng.core.errors import BadInput

CellKind = Literal["empty", "number", "date", "text", "other"]
ROWS_MAX = 5_000
COLUMNS_MAX = 100
BOOK_BYTES_MAX = 10 << 20


@dataclass(frozen=True, slots=True)
class Cell:
    """`value` by `kind`: Decimal, datetime, str (an odd value is shown as text).

    `percent`: formatted as a percentage, so that 0.08 shows as 8 %. `formula`: not a typed-in
    value; where `kind` is not "other", the value is the one the spreadsheet program left.
    """

    kind: CellKind = "empty"
    value: Decimal | datetime | str = ""
    percent: bool = False
    formula: bool = False

    def shown(self) -> str:
        """The value for a message, short."""
        text = repr(self.value) if self.kind == "text" else str(self.value)
        return text if len(text) <= 40 else f"{text[:37]}..."


@dataclass(frozen=True, slots=True)
class Block:
    """Merged cells: first row and column, last row and column, counted from 1."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, slots=True)
class Grid:
    """A sheet of `book`; `sheet` is empty for a CSV file. Rows and columns count from 1."""

    book: str
    sheet: str
    rows: tuple[tuple[Cell, ...], ...]
    merged: tuple[Block, ...] = ()
    hidden: bool = False
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()

    def where(self, row: int | None = None, column: int | None = None) -> str:
        """`book.xlsx, sheet 日报, cell C7`; of a CSV file `book.csv, cell C7`."""
        words = [self.book]
        if self.sheet:
            words.append(f"sheet {self.sheet}")
        if row is not None:
            words.append(f"cell {letters(column)}{row}" if column else f"row {row}")
        return ", ".join(words)


def letters(column: int) -> str:
    """The name of a column as spreadsheets show it: 1 is A, 27 is AA."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def check_size(data: bytes, book: str) -> None:
    """`BadInput` for a file over `BOOK_BYTES_MAX`."""
    if len(data) > BOOK_BYTES_MAX:
        raise BadInput(
            f"{book}: expected at most {BOOK_BYTES_MAX >> 20} MiB, got {len(data)} bytes · "
            f"文件不得超过 {BOOK_BYTES_MAX >> 20} MiB"
        )
