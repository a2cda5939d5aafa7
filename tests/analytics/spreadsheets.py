"""Small books for tests: a sheet of plain values, or a CSV of the same."""

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from tanzheng.analytics.parameters.books import Book, read_book
from tanzheng.analytics.parameters.sheets import sheets

DAILY = ("日期", "燃煤消耗量(t)", "燃煤收到基低位发热量(GJ/t)", "全水分(%)")


def day(number: int, hour: int = 0) -> datetime:
    """A day of March 2025 as a date cell, which has no zone."""
    clock = f"{hour:02d}:30" if hour else "00:00"
    return datetime.fromisoformat(f"2025-03-{number:02d}T{clock}")


def book_bytes(
    rows: Sequence[Sequence[Any]],
    sheet: str = "日报",
    change: Callable[[Worksheet], None] = lambda _sheet: None,
) -> bytes:
    """An XLSX book of one sheet; `change` works on it before it is saved."""
    book = Workbook()
    page = book.active
    assert isinstance(page, Worksheet)
    page.title = sheet
    for row in rows:
        page.append(list(row))
    change(page)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def daily(*rows: Sequence[Any], change: Callable[[Worksheet], None] = lambda _: None) -> Book:
    """A daily book with the usual heading over `rows`, read."""
    return read_book(book_bytes([DAILY, *rows], change=change), "book.xlsx", "power")


def csv_book(text: str, kind: str = "daily", delimiter: str = "comma") -> Book:
    """A CSV book, read."""
    return read_book(text.encode(), "book.csv", "power", kind=kind, delimiter=delimiter)


def heading(kind: str) -> list[str]:
    """The heading of a kind of sheet as the template has it."""
    return [column.heading for column in sheets().spec(kind).columns]
