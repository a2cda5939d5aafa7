"""From a cell to a value: exactly what the column asks for, or a complaint that says what came.

Nothing is repaired. Where the intention is plain the complaint says what to write instead.
"""

import re
import unicodedata
from datetime import date, datetime, timedelta
from decimal import Decimal

from tanzheng.analytics.parameters.flaws import CellWrong
from tanzheng.analytics.parameters.grid import Cell
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import Field

TEXT_CHARS_MAX = 200
PLAIN = re.compile(r"-?\d{1,15}(\.\d{1,12})?", re.ASCII)
GROUPED = re.compile(r"-?\d{1,3}([,，' \u00a0\u202f]\d{3})+(\.\d+)?", re.ASCII)
WITH_UNIT = re.compile(r"(-?\d+(?:\.\d+)?)\s*([^\d\s.].*)", re.ASCII)
DASHES = {"-", "–", "—", "——", "/", "无", "n/a", "na", "nil", "none"}
LARGEST = Decimal(10) ** 15
SERIALS = range(20_000, 80_000)
"""Serial numbers of spreadsheets that are days from 1954 to 2119."""


def number(cell: Cell, field: Field, *, text_allowed: bool) -> Decimal:
    """A figure of `field`, not negative; `text_allowed` in CSV, where everything is text."""
    asked = f"expected a number in {field.unit}", f"应为数字（{field.unit}）"
    if cell.kind == "text" and text_allowed and PLAIN.fullmatch(str(cell.value)):
        value = Decimal(str(cell.value))
    elif cell.kind == "number" and isinstance(cell.value, Decimal):
        value = cell.value
    else:
        en, zh = _number_hint(cell)
        raise CellWrong(f"{asked[0]}, got {en}", f"{asked[1]}，实为{zh}")
    if cell.percent:
        raise CellWrong(
            f"{asked[0]}, got {value} formatted as a percentage: set the format to number and "
            f"write {value * 100:f}",
            f"{asked[1]}，实为百分比格式的 {value}：请改为数值格式并填写 {value * 100:f}",
        )
    return _within(value, field, asked)


def _within(value: Decimal, field: Field, asked: tuple[str, str]) -> Decimal:
    largest = Decimal(100) if field.unit == "%" else LARGEST
    if value < 0:
        raise CellWrong(
            f"{asked[0]} of at least 0, got {value}", f"{asked[1]}且不小于 0，实为 {value}"
        )
    if value > largest:
        raise CellWrong(
            f"{asked[0]} of at most {largest}, got {value}",
            f"{asked[1]}且不大于 {largest}，实为 {value}",
        )
    return value


def _number_hint(cell: Cell) -> tuple[str, str]:
    shown = cell.shown()
    if cell.kind == "empty":
        return "an empty cell", "空单元格"
    if cell.formula and cell.kind == "other":
        return (
            f"{shown}: paste the value, or declare --cached-formulas",
            f"{shown}：请粘贴为数值，或声明 --cached-formulas",
        )
    if cell.kind == "date":
        return f"the date {shown}: set the cell's format to number", f"日期 {shown}：请改为数值格式"
    if cell.kind != "text":
        return shown, f" {shown}"
    return _text_hint(str(cell.value), shown)


def _text_hint(text: str, shown: str) -> tuple[str, str]:
    narrow = unicodedata.normalize("NFKC", text).strip()
    if narrow.casefold() in DASHES:
        return (
            f"{shown}: leave the cell empty where nothing was measured",
            f" {shown}：未测时请留空",
        )
    if GROUPED.fullmatch(narrow):
        plain = re.sub(r"[^\d.-]", "", narrow)
        return (
            f"{shown}: a thousands separator; write {plain}",
            f" {shown}：请去掉千分位，写作 {plain}",
        )
    if PLAIN.fullmatch(narrow):
        if narrow != text:
            return (
                f"{shown}: full-width digits or spaces; write {narrow}",
                f" {shown}：含全角字符或空格，请写作 {narrow}",
            )
        return (
            f"the text {shown}: set the cell's format to number",
            f"文本 {shown}：请改为数值格式",
        )
    if match := WITH_UNIT.fullmatch(narrow):
        return (
            f"{shown}: the unit belongs into the heading; write {match[1]}",
            f" {shown}：单位写在表头，单元格只写 {match[1]}",
        )
    return shown, f" {shown}"


def day(cell: Cell) -> date:
    """A day: a date cell without a time, or the text YYYY-MM-DD."""
    if cell.kind == "date" and isinstance(cell.value, datetime):
        if cell.value.time() == datetime.min.time():
            return cell.value.date()
        raise CellWrong(
            f"expected a day, got the time {cell.value}: write {cell.value:%Y-%m-%d}",
            f"应为日期，实为时刻 {cell.value}：请写作 {cell.value:%Y-%m-%d}",
        )
    if cell.kind == "text" and re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(cell.value), re.ASCII):
        try:
            return date.fromisoformat(str(cell.value))
        except ValueError:
            raise CellWrong(
                f"expected a day of the calendar, got {cell.shown()}",
                f"日历中没有该日期：{cell.shown()}",
            ) from None
    hint = _day_hint(cell)
    en, zh = (f": write {hint}", f"：请写作 {hint}") if hint else ("", "")
    raise CellWrong(
        f"expected a date YYYY-MM-DD, got {_got(cell)}{en}",
        f"应为日期 YYYY-MM-DD，实为 {_got(cell)}{zh}",
    )


def _got(cell: Cell) -> str:
    if cell.kind == "number":
        return f"the number {cell.value}"
    return "an empty cell" if cell.kind == "empty" else cell.shown()


def _day_hint(cell: Cell) -> str:
    """What was most likely meant; day and month in another order could be either: no hint."""
    if isinstance(cell.value, Decimal):
        whole = int(cell.value)
        return str(date(1899, 12, 30) + timedelta(days=whole)) if whole in SERIALS else ""
    text = unicodedata.normalize("NFKC", str(cell.value)).strip()
    match = re.fullmatch(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?", text, re.ASCII)
    try:
        return str(date(int(match[1]), int(match[2]), int(match[3]))) if match else ""
    except ValueError:
        return ""


def month(cell: Cell) -> Month:
    """A month: the text YYYY-MM, or the date of its first day, which is what Excel makes of it."""
    if cell.kind == "date" and isinstance(cell.value, datetime):
        first = cell.value.day == 1 and cell.value.time() == datetime.min.time()
        if first and cell.value.year >= 1970:
            return Month(cell.value.year, cell.value.month)
    if cell.kind == "text" and str(cell.value).isascii():
        try:
            return Month.parse(cell.value)
        except BadInput:
            pass
    raise CellWrong(
        f"expected a month YYYY-MM, got {_got(cell)}", f"应为月份 YYYY-MM，实为 {_got(cell)}"
    )


def words(cell: Cell) -> str:
    """A line of text; a whole number is taken as its digits, for numbers of reports are such."""
    if cell.kind == "text" and isinstance(cell.value, str):
        text = cell.value.strip()
        if len(text) <= TEXT_CHARS_MAX and text.isprintable():
            return text
    if isinstance(cell.value, Decimal) and cell.value == cell.value.to_integral_value():
        return f"{int(cell.value)}"
    raise CellWrong(
        f"expected a line of at most {TEXT_CHARS_MAX} characters, got {_got(cell)}",
        f"应为一行不超过 {TEXT_CHARS_MAX} 字的文字，实为 {_got(cell)}",
    )
