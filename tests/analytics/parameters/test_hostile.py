"""Books that were made to harm: bounded before anything is built from them."""

import io
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.spreadsheets import DAILY, book_bytes, day
from tanzheng.analytics.parameters import grid
from tanzheng.analytics.parameters.books import read_book
from tanzheng.core.errors import BadInput

GOOD = book_bytes([DAILY, (day(1), 8215.4, 20.9, 11.2)])
SHEET = "xl/worksheets/sheet1.xml"
END = b"</sheetData>"


def changed(
    part: str, change: Callable[[bytes], bytes], extra: dict[str, bytes] | None = None
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name == part else data)
        for name, data in (extra or {}).items():
            new.writestr(name, data)
    return out.getvalue()


def in_sheet(before: bytes, after: bytes) -> bytes:
    def change(data: bytes) -> bytes:
        assert before in data
        return data.replace(before, after, 1)

    return changed(SHEET, change)


HOSTILE = {
    "a merged range over all cells": (
        in_sheet(END, END + b'<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'),
        "merged cells and links over at most",
    ),
    "a link over all cells": (
        in_sheet(END, END + b'<hyperlinks><hyperlink ref="A1:XFD1048576"/></hyperlinks>'),
        "merged cells and links over at most",
    ),
    "a cell in the last row": (in_sheet(b'<c r="A2"', b'<c r="A1048576"'), "at most 5000 rows"),
    "a row behind the last": (in_sheet(b'<row r="2"', b'<row r="99999999"'), "at most 5000 rows"),
    "a cell in the last column": (in_sheet(b'<c r="B2"', b'<c r="XFD2"'), "at most 5000 rows"),
    "entities": (
        changed("xl/workbook.xml", lambda data: b'<!DOCTYPE a [<!ENTITY b "c">]>' + data),
        "without a document type",
    ),
    "a bomb": (changed("", bytes, {"xl/media/a.bin": bytes(40 << 20)}), "parts of 32 MiB"),
    "many parts": (changed("", bytes, {f"p/{n}": b"" for n in range(300)}), "at most 200 parts"),
    "links to other books": (
        changed("", bytes, {"xl/externalLinks/externalLink1.xml": b"<a/>"}), "links to other books",
    ),
    "macros": (changed("", bytes, {"xl/vbaProject.bin": b""}), "without macros"),
    "deep XML": (changed("", bytes, {"a.xml": b"<a>" * 999 + b"</a>" * 999}), "at most 64 deep"),
    "no sheet": (changed(SHEET, lambda _: b""), "cannot be read as one"),
    "no zip": (b"PK\x03\x04", "cannot be read as one"),
    "too large": (bytes(grid.BOOK_BYTES_MAX + 1), "at most 10 MiB"),
}  # fmt: skip


@pytest.mark.parametrize("flaw", HOSTILE)
def test_a_hostile_book_is_refused(flaw: str) -> None:
    data, said = HOSTILE[flaw]
    with pytest.raises(BadInput, match=said):
        read_book(data, "book.xlsx", "power").checked()


def test_the_book_without_harm_is_read() -> None:
    assert read_book(changed("", bytes), "book.xlsx", "power").checked().lines("daily")


PARTS = {name: zipfile.ZipFile(io.BytesIO(GOOD)).read(name)
         for name in zipfile.ZipFile(io.BytesIO(GOOD)).namelist()}  # fmt: skip


@settings(deadline=None, max_examples=120)
@given(st.sampled_from(sorted(PARTS)), st.data())
def test_a_damaged_part_is_read_or_a_named_error(part: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, max(len(PARTS[part]) - 1, 0)))
    put = data.draw(st.binary(max_size=6))
    cut = data.draw(st.integers(0, 6))
    raw = changed(part, lambda old: old[:at] + put + old[at + cut :])
    try:
        book = read_book(raw, "book.xlsx", "power")
    except BadInput:
        return
    assert book.flaws or book.lines("daily")
