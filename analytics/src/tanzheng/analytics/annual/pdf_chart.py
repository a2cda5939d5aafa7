"""Twelve bars, stacked by unit, drawn as vectors."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from reportlab.lib.colors import Color
from reportlab.platypus import Flowable

from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.annual.pdf_style import GREY, INK, LINE, SERIES, WHITE, WIDTH
from tanzheng.analytics.annual.typeface import Typeface
from tanzheng.analytics.annual.words import number

HEIGHT = 150.0
_LEFT, _BASE, _TOP = 52.0, 18.0, 14.0
_LEGEND = 14.0
_STEPS = (1, 2, 5)


class MonthChart(Flowable):
    """`months`: label and the tonnes of each unit; `legend` names the units, none for one."""

    def __init__(
        self,
        months: Sequence[tuple[str, Sequence[Decimal]]],
        legend: Sequence[str],
        face: Typeface,
        height: float = HEIGHT,
        first_colour: int = 0,
    ) -> None:
        super().__init__()
        self.first_colour = first_colour
        self.months, self.legend, self.face = months, legend, face
        self.width, self.height = WIDTH, height

    def draw(self) -> None:
        """Axis, bars, legend on the canvas of the page."""
        canvas = self.canv
        top = max((sum(values, Decimal(0)) for _, values in self.months), default=Decimal(0))
        step = axis_step(top)
        whole = step * (int(top / step) + 1)
        top_room = _TOP + (_LEGEND if len(self.legend) > 1 else 0)
        scale = (self.height - _BASE - top_room) / float(whole)
        self._axis(canvas, step, whole, scale)
        slot = (self.width - _LEFT) / len(self.months)
        for place, (label, values) in enumerate(self.months):
            x = _LEFT + slot * (place + 0.5)
            self._bar(canvas, x, slot * 0.56, values, scale)
            canvas.setFillColor(GREY)
            canvas.setFont(self.face.regular, 7)
            canvas.drawCentredString(x, 5, label)
        self._legend(canvas)

    def _axis(self, canvas: Any, step: Decimal, whole: Decimal, scale: float) -> None:
        for index in range(int(whole / step) + 1):
            y = _BASE + float(step * index) * scale
            canvas.setStrokeColor(LINE if index else GREY)
            canvas.setLineWidth(0.5)
            canvas.line(_LEFT, y, self.width, y)
            canvas.setFillColor(GREY)
            canvas.setFont(self.face.regular, 6.5)
            canvas.drawRightString(_LEFT - 6, y - 2.2, number(step * index))

    def _bar(
        self, canvas: Any, x: float, width: float, values: Sequence[Decimal], scale: float
    ) -> None:
        y = _BASE
        for place, value in enumerate(values):
            height = float(value) * scale
            canvas.setFillColor(series_colour(self.first_colour + place))
            canvas.rect(x - width / 2, y, width, height, stroke=0, fill=1)
            y += height
        text = number(rounded(sum(values, Decimal(0)), 0))
        wide = canvas.stringWidth(text, self.face.regular, 6) + 3
        canvas.setFillColor(WHITE)
        canvas.rect(x - wide / 2, y + 1.2, wide, 6.6, stroke=0, fill=1)
        canvas.setFillColor(INK)
        canvas.setFont(self.face.regular, 6)
        canvas.drawCentredString(x, y + 3, text)

    def _legend(self, canvas: Any) -> None:
        x = _LEFT
        for place, name in enumerate(self.legend if len(self.legend) > 1 else ()):
            self.face.check(name)
            canvas.setFillColor(series_colour(place))
            canvas.rect(x, self.height - 9, 7, 7, stroke=0, fill=1)
            canvas.setFillColor(INK)
            canvas.setFont(self.face.regular, 7.5)
            canvas.drawString(x + 11, self.height - 8.4, name)
            x += 26 + canvas.stringWidth(name, self.face.regular, 7.5)


def axis_step(top: Decimal) -> Decimal:
    """1, 2 or 5 times a power of ten, so that three to six lines lie below `top`."""
    if top <= 0:
        return Decimal(1)
    power = Decimal(1).scaleb(top.adjusted() - 1)
    return next(
        step * power * ten for ten in (1, 10) for step in _STEPS if top <= 5 * step * power * ten
    )


def series_colour(place: int) -> Color:
    """The colour of a unit; they come again after six."""
    return SERIES[place % len(SERIES)]
