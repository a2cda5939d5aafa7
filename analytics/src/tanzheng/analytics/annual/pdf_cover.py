"""What is drawn on the pages themselves: the cover, the footer, the draft stamp."""

from typing import Any

from reportlab.lib.colors import Color
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from tanzheng.analytics.annual import texts
from tanzheng.analytics.annual.pdf_style import (
    ACCENT,
    AMBER,
    BOTTOM,
    DEEP,
    GREY,
    INK,
    LINE,
    MARGIN,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    WHITE,
    WIDTH,
    Style,
)
from tanzheng.analytics.annual.report import Report, accepted_months
from tanzheng.analytics.annual.words import number

_BAND = PAGE_HEIGHT * 0.58
_SOFT = Color(1, 1, 1, 0.72)


def draw_cover(canvas: Canvas, report: Report, style: Style, digest: str, chart: Flowable) -> None:
    """The first page: what, who, when, how much; the state of its evidence below."""
    canvas.setFillColor(DEEP)
    canvas.rect(0, PAGE_HEIGHT - _BAND, PAGE_WIDTH, _BAND, stroke=0, fill=1)
    _rings(canvas)
    write = _Writer(canvas, style)
    write(style.say(texts.PRODUCT), MARGIN, PAGE_HEIGHT - 62, 9, _SOFT)
    write(str(report.year), MARGIN, PAGE_HEIGHT - 146, 58, WHITE, bold=True)
    write(style.say(texts.TITLE), MARGIN, PAGE_HEIGHT - 182, 25, WHITE, bold=True)
    write(style.say(report.name), MARGIN, PAGE_HEIGHT - 214, 14, WHITE)
    other = report.name.zh if style.language == "en" else report.name.en
    if other != style.say(report.name):
        write(other, MARGIN, PAGE_HEIGHT - 233, 9.5, _SOFT)
    _total(write, report, style)
    _facts(canvas, write, report, style, digest)
    chart.drawOn(canvas, MARGIN, 34)


class _Writer:
    """Writes a line that fits the page: smaller where it would not."""

    def __init__(self, canvas: Canvas, style: Style) -> None:
        self.canvas, self.style = canvas, style

    def __call__(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        colour: Color,
        *,
        bold: bool = False,
        width: float = WIDTH,
    ) -> float:
        """Draw `text`; how wide it came."""
        face = self.style.face
        face.check(text)
        font = face.bold if bold else face.regular
        wide = self.canvas.stringWidth(text, font, size)
        size = min(size, size * width / wide) if wide else size
        self.canvas.setFillColor(colour)
        self.canvas.setFont(font, size)
        self.canvas.drawString(x, y, text)
        return float(self.canvas.stringWidth(text, font, size))


def _rings(canvas: Canvas) -> None:
    """A quiet ornament: rings as of a tree, one for each month."""
    canvas.saveState()
    clip = canvas.beginPath()
    clip.rect(0, PAGE_HEIGHT - _BAND, PAGE_WIDTH, _BAND)
    canvas.clipPath(clip, stroke=0)
    canvas.setLineWidth(0.8)
    for ring in range(12):
        canvas.setStrokeColor(Color(1, 1, 1, 0.05 + 0.012 * (ring % 3)))
        canvas.circle(PAGE_WIDTH - 40, PAGE_HEIGHT - 96, 46 + 21 * ring, stroke=1, fill=0)
    canvas.restoreState()


def _total(write: _Writer, report: Report, style: Style) -> None:
    y = PAGE_HEIGHT - _BAND + 66
    write(style.say(texts.TOTAL), MARGIN, y + 66, 10.5, _SOFT)
    wide = write(number(report.total), MARGIN, y, 54, WHITE, bold=True, width=WIDTH - 120)
    unit = texts.TONNES_E if report.figures[0].name.startswith("co2e") else texts.TONNES
    write(style.say(unit), MARGIN + wide + 12, y, 12, WHITE, width=WIDTH - wide - 12)


def _facts(canvas: Canvas, write: _Writer, report: Report, style: Style, digest: str) -> None:
    accepted, months = accepted_months(report)
    facts = (
        (texts.ENTERPRISE_ID, report.enterprise),
        (texts.UNITS, str(len(report.units))),
        (texts.MONTHS_ACCEPTED, f"{accepted} / {months}"),
        (texts.STANDARD, _standards(report)),
        (texts.DUE, report.due or texts.NOT_FORMED),
        (texts.STATE, style.say(texts.DRAFT if report.is_draft else texts.FINAL)),
    )
    column = WIDTH / 3
    for place, (label, value) in enumerate(facts):
        x = MARGIN + column * (place % 3)
        y = PAGE_HEIGHT - _BAND - 34 - 50 * (place // 3)
        write(style.say(label), x, y, 8, GREY, width=column - 12)
        stamped = label is texts.STATE and report.is_draft
        write(value, x, y - 18, 13, AMBER if stamped else INK, bold=True, width=column - 16)
    y = PAGE_HEIGHT - _BAND - 144
    canvas.setStrokeColor(LINE)
    canvas.line(MARGIN, y + 20, PAGE_WIDTH - MARGIN, y + 20)
    write(style.say(texts.DIGEST), MARGIN, y, 8, GREY)
    write(digest, MARGIN, y - 15, 9, INK)
    write(report.software, MARGIN, y - 31, 8, GREY)


def _standards(report: Report) -> str:
    """The pack, or the first of several: all stand among the sources."""
    first, *others = [pack.name for pack in report.packs]
    return f"{first} + {len(others)}" if others else first


def draw_frame(canvas: Any, report: Report, style: Style, digest: str, pages: int) -> None:
    """Footer of every page, and the stamp where the report is a draft."""
    page = canvas.getPageNumber()
    if report.is_draft:
        _stamp(canvas, style)
    if page == 1:
        return
    canvas.setStrokeColor(LINE)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, BOTTOM - 14, PAGE_WIDTH - MARGIN, BOTTOM - 14)
    write = _Writer(canvas, style)
    title = f"{style.say(report.name)} · {report.year} · {style.say(texts.TITLE)}"
    write(title, MARGIN, BOTTOM - 26, 7, GREY, width=WIDTH * 0.72)
    write(f"report.json SHA-256 {digest}", MARGIN, BOTTOM - 37, 6, GREY)
    text = style.say(texts.PAGE).format(page=page, pages=pages)
    canvas.setFont(style.face.regular, 7.5)
    canvas.setFillColor(GREY)
    canvas.drawRightString(PAGE_WIDTH - MARGIN, BOTTOM - 26, text)
    canvas.setFillColor(ACCENT)
    canvas.rect(0, PAGE_HEIGHT - 8, PAGE_WIDTH, 8, stroke=0, fill=1)


def _stamp(canvas: Any, style: Style) -> None:
    canvas.saveState()
    canvas.setFillColor(Color(AMBER.red, AMBER.green, AMBER.blue, 0.13))
    canvas.setFont(style.face.bold, 92)
    canvas.translate(PAGE_WIDTH / 2, PAGE_HEIGHT / 2)
    canvas.rotate(40)
    canvas.drawCentredString(0, -30, "草稿 DRAFT")
    canvas.restoreState()
