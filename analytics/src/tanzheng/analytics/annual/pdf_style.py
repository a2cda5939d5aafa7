"""Colours, paragraphs and tables of the PDF."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import Paragraph, Spacer, Table

from tanzheng.analytics.annual.typeface import Typeface
from tanzheng.analytics.annual.words import Language, Words

INK, DEEP, ACCENT = HexColor("#16323F"), HexColor("#0E3B43"), HexColor("#1B7F79")
PALE, LINE, GREY = HexColor("#F1F6F5"), HexColor("#D3DEDD"), HexColor("#5F7178")
AMBER, AMBER_PALE = HexColor("#A8620A"), HexColor("#FCF3E3")
WHITE = HexColor("#FFFFFF")
SERIES = tuple(map(HexColor, ("#1B7F79", "#7DB8A6", "#16323F", "#E0A458", "#5B8DB8", "#B5616A")))
PAGE_WIDTH, PAGE_HEIGHT = A4
MARGIN, TOP, BOTTOM = 50.0, 62.0, 58.0
WIDTH = PAGE_WIDTH - 2 * MARGIN
PADDING = 4.5
_CJK_FROM = "⺀"


@dataclass(frozen=True)
class Style:
    """How this document writes, in one language."""

    face: Typeface
    language: Language

    def say(self, words: Words) -> str:
        """The words in the document's language."""
        return words.in_(self.language)

    def text(
        self,
        text: str,
        size: float = 8.5,
        *,
        bold: bool = False,
        colour: Color = INK,
        right: bool = False,
        wide: bool = False,
    ) -> Paragraph:
        """A paragraph; `wide` opens up its lines."""
        self.face.check(text)
        style = ParagraphStyle(
            "text",
            fontName=self.face.bold if bold else self.face.regular,
            fontSize=size,
            leading=size * (1.6 if wide else 1.38),
            textColor=colour,
            alignment=TA_RIGHT if right else TA_LEFT,
            wordWrap="CJK" if _is_mostly_cjk(text) else None,
        )
        return Paragraph(_marked(text, size), style)

    def heading(self, text: str, of: str = "") -> list[Any]:
        """A chapter's heading with a rule below it."""
        cells = [
            [self.text(text, 17, bold=True, colour=DEEP), self.text(of, 9, colour=GREY, right=True)]
        ]
        table = Table(cells, colWidths=[WIDTH * 0.66, WIDTH * 0.34])
        table.setStyle(
            [
                self._own_face,
                ("VALIGN", (0, 0), (-1, -1), "BOTTOM"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 7),
                ("LINEBELOW", (0, 0), (-1, -1), 1.4, ACCENT),
            ]
        )
        return [table, Spacer(1, 12)]

    def section(self, text: str) -> list[Any]:
        """A smaller heading within a chapter."""
        return [Spacer(1, 12), self.text(text, 10.5, bold=True, colour=ACCENT), Spacer(1, 5)]

    def table(
        self,
        headings: Sequence[str],
        rows: Sequence[Sequence[Any]],
        widths: Sequence[float],
        *,
        left: int = 1,
        last_is_total: bool = False,
        size: float = 8,
    ) -> Table:
        """A table; the first `left` columns hold words, the others numbers."""
        head = [
            self.text(text, size - 0.7, bold=True, colour=WHITE, right=place >= left)
            for place, text in enumerate(headings)
        ]
        body = [
            [
                self._cell(cell, size, place >= left, last_is_total and row is rows[-1])
                for place, cell in enumerate(row)
            ]
            for row in rows
        ]
        scale = WIDTH / sum(widths)
        table = Table([head, *body], colWidths=[scale * width for width in widths], repeatRows=1)
        table.setStyle(self._lines)
        if last_is_total:
            table.setStyle(
                [
                    ("BACKGROUND", (0, -1), (-1, -1), PALE),
                    ("LINEABOVE", (0, -1), (-1, -1), 0.9, ACCENT),
                ]
            )
        return table

    def fitting(self, rows: Sequence[Sequence[str]], size: float) -> list[float]:
        """Widths of columns in which no cell breaks; what is left is shared out equally."""
        natural = [
            max(stringWidth(cell, self.face.bold, size) for cell in column) + 2 * PADDING + 1
            for column in zip(*rows, strict=True)
        ]
        rest = max(WIDTH - sum(natural), 0) / len(natural)
        return [width + rest for width in natural]

    def tiles(self, cells: Sequence[Sequence[Any]], columns: int) -> Table:
        """Cells side by side on a pale ground, so many to a row."""
        rows = [list(cells[at : at + columns]) for at in range(0, len(cells), columns)]
        rows[-1] += [[] for _ in range(columns - len(rows[-1]))]
        table = Table(rows, colWidths=[WIDTH / columns] * columns)
        table.setStyle(
            [
                self._own_face,
                ("BACKGROUND", (0, 0), (-1, -1), PALE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 8),
                ("TOPPADDING", (0, 0), (-1, -1), 7),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
                ("LINEAFTER", (0, 0), (-2, -1), 0.8, WHITE),
                ("LINEBELOW", (0, 0), (-1, -2), 0.8, WHITE),
            ]
        )
        return table

    def _cell(self, cell: Any, size: float, right: bool, bold: bool) -> Any:
        if not isinstance(cell, str):
            return cell
        return self.text(cell, size, right=right, bold=bold)

    @property
    def _own_face(self) -> tuple[Any, ...]:
        """An empty cell names a font as well: without this, one that is not embedded."""
        return ("FONTNAME", (0, 0), (-1, -1), self.face.regular)

    @cached_property
    def _lines(self) -> list[Any]:
        return [
            self._own_face,
            ("BACKGROUND", (0, 0), (-1, 0), DEEP),
            ("VALIGN", (0, 0), (-1, 0), "MIDDLE"),
            ("VALIGN", (0, 1), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 1), (-1, -1), 0.4, LINE),
            ("TOPPADDING", (0, 0), (-1, -1), 3.2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3.8),
            ("LEFTPADDING", (0, 0), (-1, -1), PADDING),
            ("RIGHTPADDING", (0, 0), (-1, -1), PADDING),
        ]


def _is_mostly_cjk(text: str) -> bool:
    """Chinese may break anywhere; English words may not."""
    return sum(sign >= _CJK_FROM for sign in text) * 3 > len(text)


def _marked(text: str, size: float) -> str:
    lowered = f'CO<sub rise="{size * 0.16:.2f}" size="{size * 0.72:.2f}">2</sub>'
    return escape(text).replace("CO2", lowered).replace("\n", "<br/>")
