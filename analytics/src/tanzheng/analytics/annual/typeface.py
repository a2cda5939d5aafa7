"""The typeface of the PDF: embedded, and the same on every machine, or the bytes would differ."""

import io
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256

if TYPE_CHECKING:
    from reportlab.pdfbase.ttfonts import TTFont

NAME = "NotoSansSC"


class TypefaceLacking(BadInput):
    """No typeface, or one without a sign that the report needs."""

    def diagnostics(self) -> str:
        return (
            "The typeface that ships with tanzheng-analytics has the characters of GB 2312. Give "
            "another TrueType file with --font, such as DroidSansFallbackFull.ttf of Debian's "
            "fonts-droid-fallback, or install tanzheng-analytics again where the file is gone. "
            "内置字体含 GB 2312 汉字；遇生僻字请用 --font 指定 TrueType 字体；缺失请重新安装。"
        )


@dataclass(frozen=True, slots=True)
class Typeface:
    """Two weights, registered with reportlab under names that hold their digest."""

    regular: str
    bold: str
    characters: frozenset[int]
    sha256: bytes

    def check(self, text: str) -> None:
        """`TypefaceLacking` where `text` has a character that this typeface has not."""
        lacking = sorted({sign for sign in text if ord(sign) not in self.characters} - {"\n"})
        if lacking:
            shown = ", ".join(f"{sign} U+{ord(sign):04X}" for sign in lacking[:8])
            raise TypefaceLacking(
                f"expected a typeface with every character of the report, got none for {shown}"
            )


@cache
def shipped() -> Typeface:
    """Noto Sans SC, regular and bold, as it ships; `TypefaceLacking` where it is gone."""
    folder = resources.files("tanzheng.analytics.annual") / "fonts"
    try:
        weights = [(folder / f"{NAME}-{name}.ttf").read_bytes() for name in ("Regular", "Bold")]
    except OSError as error:
        raise TypefaceLacking(f"expected the typeface {NAME}, got none ({error})") from None
    return _registered(weights[0], weights[1], NAME)


def given(data: bytes, where: str) -> Typeface:
    """A TrueType file of the user's for both weights; `TypefaceLacking` where it is none."""
    return _registered(data, data, where)


def _registered(regular: bytes, bold: bytes, where: str) -> Typeface:
    try:
        from reportlab.pdfbase import pdfmetrics
    except ImportError:
        raise BadInput(
            "expected the library that writes PDF: install tanzheng-analytics[report] · "
            "请安装 PDF 组件"
        ) from None

    fonts = [_font(data, where) for data in (regular, bold)]
    for font in fonts:
        pdfmetrics.registerFont(font)
    characters = frozenset.intersection(*(frozenset(f.face.charToGlyph) for f in fonts))
    names = [font.fontName for font in fonts]
    return Typeface(names[0], names[1], characters, sha256(regular + bold))


def _font(data: bytes, where: str) -> "TTFont":
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    try:
        return TTFont(f"tanzheng-{sha256(data).hex()[:16]}", io.BytesIO(data))
    except (TTFError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise TypefaceLacking(f"{where}: expected a TrueType file, got {error}") from None
