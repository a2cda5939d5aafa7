"""CSV to a grid: UTF-8 (with or without a mark) or GB 18030, comma, semicolon or tab."""

import csv
import io

from tanzheng.analytics.parameters.grid import COLUMNS_MAX, ROWS_MAX, Cell, Grid, check_size
from tanzheng.core.errors import BadInput

ENCODINGS = ("utf-8-sig", "gb18030")
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}


def read_csv(data: bytes, book: str, delimiter: str = "comma") -> Grid:
    """All cells as text; `BadInput` where the bytes are no such table."""
    check_size(data, book)
    text = _decoded(data, book)
    # Not stripped: a quoted cell may hold a line feed, and spaces are the cell reader's business.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[delimiter], strict=True)
    rows: list[tuple[Cell, ...]] = []
    try:
        for row in reader:
            rows.append(tuple(Cell("text", word) if word.strip() else Cell() for word in row))
            if len(rows) > ROWS_MAX or len(row) > COLUMNS_MAX:
                raise BadInput(
                    f"{book}, line {reader.line_num}: expected at most {ROWS_MAX} lines of "
                    f"{COLUMNS_MAX} cells, got more · 行列过多"
                )
    except csv.Error as error:
        raise BadInput(
            f"{book}, line {reader.line_num}: expected CSV with {delimiter}s, got {error} · "
            f"不是以该分隔符分隔的 CSV"
        ) from None
    return Grid(book, "", tuple(rows))


def _decoded(data: bytes, book: str) -> str:
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInput(f"{book}: expected text in UTF-8 or GB 18030, got other bytes · 编码无法识别")
