"""The report as a PDF, in Chinese or English, the same layout: vectors and an embedded typeface.

Nothing of the clock goes in (`invariant`): equal reports give equal bytes.
"""

import io
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Frame,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Spacer,
)

from tanzheng.analytics.annual import texts
from tanzheng.analytics.annual.pdf_chart import HEIGHT, MonthChart
from tanzheng.analytics.annual.pdf_cover import draw_cover, draw_frame
from tanzheng.analytics.annual.pdf_style import (
    BOTTOM,
    MARGIN,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    TOP,
    WIDTH,
    Style,
)
from tanzheng.analytics.annual.pdf_tables import (
    UNITS_SHOWN_MAX,
    back_matter,
    unit_chapter,
    year_chapter,
)
from tanzheng.analytics.annual.report import Report
from tanzheng.analytics.annual.typeface import Typeface, shipped
from tanzheng.analytics.annual.words import Language
from tanzheng.core.hashing import sha256

_IDENTIFIER = re.compile(rb"\[<[0-9a-f]{32}><[0-9a-f]{32}>\]")
MOMENT = "D:20000101000000Z"


def pdf(report: Report, language: Language, face: Typeface | None = None) -> bytes:
    """The PDF; `TypefaceLacking` where the typeface has not every character."""
    style = Style(face or shipped(), language)
    digest = report.sha256.hex()
    pages = _built(report, style, digest, 0)[1]
    return _settled(_built(report, style, digest, pages)[0], f"{digest}/{language}")


def _built(report: Report, style: Style, digest: str, pages: int) -> tuple[bytes, int]:
    """The document, told its number of pages; it is built twice to know it."""
    out = io.BytesIO()
    count = 0

    def frame(canvas: Any, _document: Any) -> None:
        nonlocal count
        count = canvas.getPageNumber()
        draw_frame(canvas, report, style, digest, pages)

    def cover(canvas: Canvas, document: Any) -> None:
        canvas.setDateFormatter(_no_moment)
        draw_cover(canvas, report, style, digest, _chart(report, style, 92))
        frame(canvas, document)

    box = Frame(
        MARGIN, BOTTOM, WIDTH, PAGE_HEIGHT - TOP - BOTTOM,
        leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0,
    )  # fmt: skip
    document = BaseDocTemplate(
        out,
        pagesize=(PAGE_WIDTH, PAGE_HEIGHT),
        title=f"{report.year} {style.say(texts.TITLE)}",
        author=style.say(report.name),
        subject=digest,
        creator=report.software,
        lang="zh-CN" if style.language == "zh" else "en",
        initialFontName=style.face.regular,
        invariant=1,
    )
    document.addPageTemplates(
        [
            PageTemplate("cover", [box], onPage=cover),
            PageTemplate("inside", [box], onPage=frame),
        ]
    )
    document.build(_story(report, style))
    return out.getvalue(), count


def _no_moment(*_told: int) -> str:
    """`invariant` still listens to SOURCE_DATE_EPOCH of the environment; the report does not."""
    return MOMENT


def _settled(data: bytes, name: str) -> bytes:
    """The file with an identifier of its report, where the library's is made from a moment too."""
    identifier = sha256(name.encode()).hex()[:32].encode()
    settled, count = _IDENTIFIER.subn(b"[<%b><%b>]" % (identifier, identifier), data)
    assert count == 1, "a PDF file has one identifier"
    return settled


def _story(report: Report, style: Style) -> list[Any]:
    story: list[Any] = [NextPageTemplate("inside"), Spacer(1, 1), PageBreak()]
    story += year_chapter(report, style, _chart(report, style))
    for unit in report.units:
        story += [PageBreak(), *unit_chapter(unit, report, style)]
    return [*story, *back_matter(report, style)]


def _chart(report: Report, style: Style, height: float = HEIGHT) -> MonthChart:
    by_unit = [
        {item.month.month: item.emission.value for item in unit.months} for unit in report.units
    ]
    months: Sequence[tuple[str, list[Decimal]]] = [
        (f"{number:02d}", [unit.get(number, Decimal(0)) for unit in by_unit])
        for number in range(1, 13)
    ]
    names = [unit.unit for unit in report.units]
    if len(names) > UNITS_SHOWN_MAX:
        names, months = [], [(label, [sum(values, Decimal(0))]) for label, values in months]
    return MonthChart(months, names, style.face, height)
