"""Rows with flaws, set apart where the user asks for it: as they were, with what is wrong."""

import csv
import io

from tanzheng.analytics.parameters.books import Book
from tanzheng.analytics.parameters.flaws import BookInvalid
from tanzheng.analytics.parameters.grid import Cell


def quarantined(book: Book) -> tuple[bytes, int]:
    """A CSV of the bad rows (UTF-8 with a mark, for Excel) and how many there are.

    A flaw of the heading or of merged cells spoils more than its row: `BookInvalid`.
    """
    spoilt = [flaw for sheet in book.sheets for flaw in sheet.flaws_of.get(0, ())]
    if spoilt:
        raise BookInvalid(spoilt)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["sheet", "row", "flaws", "cells"])
    count = 0
    for sheet in book.sheets:
        for row in sheet.bad_rows:
            flaws = " | ".join(str(flaw) for flaw in sheet.flaws_of[row])
            cells = [_text(cell) for cell in sheet.grid.rows[row - 1]]
            writer.writerow([sheet.grid.sheet, row, flaws, *cells])
            count += 1
    return out.getvalue().encode("utf-8-sig"), count


def _text(cell: Cell) -> str:
    """As it was, but never a formula for the program that opens the quarantine."""
    text = str(cell.value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
