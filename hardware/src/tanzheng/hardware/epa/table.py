"""Rows of a CSV file, one at a time, with a bound on everything that is held in memory."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from tanzheng.hardware.epa.columns import Columns, find_columns
from tanzheng.hardware.epa.errors import UnreadableFile

LINE_CHARS_MAX: Final = 65_536


def rows(path: Path) -> Iterator[tuple[Columns, int, list[str]]]:
    """(columns, 1-based line, cells) of every row after the header; blank lines are passed over.

    Takes a byte order mark, CRLF and quoted cells. `UnreadableFile` where the file is none or is
    no table, `MissingColumn` from its header.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            yield from _rows(path, stream)
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror or error}") from error


def _rows(path: Path, stream: TextIO) -> Iterator[tuple[Columns, int, list[str]]]:
    reader = csv.reader(_lines(path, stream), strict=True)
    columns: Columns | None = None
    try:
        for cells in reader:
            if not any(cells):
                continue
            if columns is None:
                columns = find_columns(cells, str(path))
            else:
                yield columns, reader.line_num, cells
    except csv.Error as error:
        raise UnreadableFile(f"{path}, line {reader.line_num}: no CSV ({error})") from error
    if columns is None:
        raise UnreadableFile(f"expected a header line and hours, got an empty file, at {path}")


def _lines(path: Path, stream: TextIO) -> Iterator[str]:
    number = 0
    while line := stream.readline(LINE_CHARS_MAX):
        number += 1
        if len(line) == LINE_CHARS_MAX and not line.endswith(("\n", "\r")):
            raise UnreadableFile(
                f"expected lines of less than {LINE_CHARS_MAX} characters, at {path}, line {number}"
            )
        yield line
