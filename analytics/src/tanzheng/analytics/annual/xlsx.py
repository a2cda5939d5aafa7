"""The report as an XLSX book, in both languages: cover, year, a sheet a unit, disclosure, sources.

Figures are numbers with the decimals they are reported with; nothing is computed by the book. The
bytes are the same each time: no clock, and stored instead of packed (packers differ).
"""

import io
import re
import zipfile
from datetime import datetime
from typing import TYPE_CHECKING

from tanzheng.analytics.annual import texts, xlsx_sheets
from tanzheng.analytics.annual.report import Report
from tanzheng.analytics.annual.xlsx_page import Page

if TYPE_CHECKING:
    from openpyxl import Workbook

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a ZIP archive can say."""
_CHANGED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*")


def xlsx(report: Report) -> bytes:
    """The book."""
    book = _book(report)
    out = io.BytesIO()
    book.save(out)
    return _settled(out.getvalue())


def _book(report: Report) -> "Workbook":
    from openpyxl import Workbook

    book = Workbook()
    book.properties.creator = report.software
    book.properties.title = f"{report.year} {texts.TITLE.both}"
    book.properties.created = datetime(*EPOCH[:3])  # noqa: DTZ001 - a moment that says nothing
    first = book.active
    assert first is not None
    book.remove(first)
    for name, fill in xlsx_sheets.sheets(report):
        fill(Page(book.create_sheet(name)))
    return book


def _settled(data: bytes) -> bytes:
    """The archive without the moment it was saved."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as saved, zipfile.ZipFile(out, "w") as settled:
        for name in sorted(
            saved.namelist(), key=lambda name: (name != "[Content_Types].xml", name)
        ):
            raw = saved.read(name)
            if name == "docProps/core.xml":
                raw = _CHANGED.sub(rb"\g<1>1980-01-01T00:00:00Z", raw)
            settled.writestr(zipfile.ZipInfo(name, EPOCH), raw)
    return out.getvalue()
