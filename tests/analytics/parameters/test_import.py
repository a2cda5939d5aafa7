"""Import of books: what is good comes in as it stands, every bad cell is named at once."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet

from analytics.spreadsheets import DAILY, book_bytes, csv_book, daily, day
from tanzheng.analytics.parameters.books import read_book
from tanzheng.analytics.parameters.flaws import BookInvalid
from tanzheng.core.errors import BadInput

GOOD = (day(1), 8215.4, 20.913, 11.2)


def flaws(*rows: Any, **changed: Any) -> list[str]:
    return [str(flaw) for flaw in daily(*rows, **changed).flaws]


def test_a_good_book_comes_in_as_it_stands() -> None:
    book = daily(GOOD, (day(2), 8000, None, 11.25)).checked()
    first, second = book.lines("daily")
    assert first.values == {
        "day": date(2025, 3, 1),
        "coal_t": Decimal("8215.4"),
        "coal_ncv_gj_per_t": Decimal("20.913"),
        "coal_moisture_percent": Decimal("11.2"),
    }
    assert second.number("coal_ncv_gj_per_t") is None
    assert second.where("coal_t") == "book.xlsx, sheet 日报, cell B3"
    assert book.notes == ()


def test_every_bad_cell_is_reported_at_once() -> None:
    found = flaws((day(1), "1,234.5", "—", 11.2), (45718, "１２３", -1, 101))
    assert [text.partition(":")[0].rpartition(" ")[2] for text in found] == [
        "B2", "C2", "A3", "B3", "C3", "D3",
    ]  # fmt: skip
    with pytest.raises(BookInvalid, match="nothing is imported: 6 places must be mended") as raised:
        daily((day(1), "1,234.5", "—", 11.2), (45718, "１２３", -1, 101)).checked()
    assert all(flaw.zh for flaw in raised.value.flaws)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1,234.5", "got '1,234.5': a thousands separator; write 1234.5"),
        ("1，234", "a thousands separator; write 1234"),
        ("1 234 567.8", "a thousands separator; write 1234567.8"),
        ("8215.4", "got the text '8215.4': set the cell's format to number"),
        ("１２３", "full-width digits or spaces; write 123"),
        ("12.3吨", "the unit belongs into the heading; write 12.3"),
        ("12.3 t", "the unit belongs into the heading; write 12.3"),
        ("—", "leave the cell empty where nothing was measured"),
        ("无", "leave the cell empty where nothing was measured"),
        ("about 8000", "expected a number in t, got 'about 8000'"),
        (-0.01, "expected a number in t of at least 0, got -0.01"),
        (1e20, "expected a number in t of at most"),
        (None, "expected a number in t, got an empty cell"),
        (True, "expected a number in t, got True"),
        ("#DIV/0!", "expected a number in t, got #DIV/0!"),
        (day(1), "got the date 2025-03-01"),
        ("=8000+215", "a formula 公式: paste the value, or declare --cached-formulas"),
    ],
)
def test_a_cell_that_is_no_number(value: Any, said: str) -> None:
    (found,) = flaws((day(1), value, 20.9, 11.2))
    assert found.startswith("book.xlsx, sheet 日报, cell B2: 燃煤消耗量 coal burned: ")
    assert said in found


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (45717, "got the number 45717: write 2025-03-01"),
        ("2025/3/1", "got '2025/3/1': write 2025-03-01"),
        ("2025年3月1日", "write 2025-03-01"),
        ("20250301", "write 2025-03-01"),
        ("3/1/2025", "got '3/1/2025' ·"),  # day and month could be either: no hint
        ("2025-02-30", "expected a day of the calendar, got '2025-02-30'"),
        (day(1, 8), "expected a day, got the time 2025-03-01 08:30:00"),
        (None, "got an empty cell"),
    ],
)
def test_a_cell_that_is_no_day(value: Any, said: str) -> None:
    (found,) = flaws((value, 8215.4, 20.9, 11.2))
    assert "cell A2: 日期 date: " in found
    assert said in found


def test_a_percentage_format_is_not_read_past() -> None:
    def percent(sheet: Worksheet) -> None:
        sheet["D2"].number_format = "0.0%"

    (found,) = flaws((day(1), 8215.4, 20.9, 0.112), change=percent)
    assert "cell D2" in found
    assert "0.112 formatted as a percentage: set the format to number and write 11.2" in found


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("燃煤消耗量(kg)", "in t, got the unit 'kg': 1 kg is 0.001 t; convert the column"),
        ("coal burned (万吨)", "1 万吨 is 10000 t"),
        ("燃煤消耗量（斤）", "got the unit '斤' ·"),
        ("燃煤消耗量", "expected the unit in brackets, coal burned (t)"),
    ],
)
def test_a_wrong_unit_is_refused_with_the_factor(heading: str, said: str) -> None:
    raw = book_bytes([("日期", heading), (day(1), 8215.4)])
    (flaw,) = read_book(raw, "book.xlsx", "power").flaws
    assert flaw.where.endswith("cell B1")
    assert said in str(flaw)


def test_kilocalories_are_not_taken_for_gigajoules() -> None:
    heading = ("日期", "燃煤消耗量(t)", "燃煤收到基低位发热量(kcal/kg)")
    raw = book_bytes([heading, (day(1), 8215, 4990)])
    (flaw,) = read_book(raw, "book.xlsx", "power").flaws
    assert "1 kcal/kg is 0.0041868 GJ/t" in flaw.en


@pytest.mark.parametrize(
    "heading",
    [
        "燃煤消耗量(t)",
        "燃煤消耗量（吨）",
        "Coal burned (t)",
        "燃煤消耗量\ncoal burned (t)",
        "coal_t [T]",
    ],
)
def test_headings_in_either_language(heading: str) -> None:
    raw = book_bytes([("Date" if heading[0] == "C" else "日期", heading), (day(1), 8215.4)])
    assert read_book(raw, "book.xlsx", "power").checked().lines("daily")[0].number("coal_t")


def test_a_heading_that_is_missing_twice_or_elsewhere() -> None:
    missing = read_book(book_bytes([("日期", "全水分(%)"), (day(1), 11)]), "book.xlsx", "power")
    assert "row 1: expected a column 燃煤消耗量 coal burned (t), got none" in str(missing.flaws[0])
    twice = read_book(book_bytes([(*DAILY, DAILY[1]), (*GOOD, 1)]), "book.xlsx", "power")
    assert "cell E1: expected coal burned once, got it in B1 too" in str(twice.flaws[0])
    nothing = read_book(book_bytes([("a", "b"), (1, 2)]), "book.xlsx", "power")
    assert "expected a heading within 10 rows" in str(nothing.flaws[0])


def test_merged_cells_in_the_data_are_refused_and_in_the_title_not() -> None:
    def title(sheet: Worksheet) -> None:
        sheet.insert_rows(1)
        sheet["A1"] = "2025年3月 燃煤日报"
        sheet.merge_cells("A1:D1")

    assert daily(GOOD, change=title).checked().lines("daily")[0].row == 3
    found = flaws(GOOD, (day(2), 1, 2, 3), change=lambda sheet: sheet.merge_cells("A2:A3"))
    assert found[0].startswith("book.xlsx, sheet 日报, cell A2: expected single cells")


def test_the_same_day_twice() -> None:
    (found,) = flaws(GOOD, (day(2), 1, 2, 3), (day(1), 8000, 20.9, 11))
    assert "cell A4: expected 2025-03-01 once, got it again after row 2" in found


def test_a_month_twice_and_a_negative_consumption() -> None:
    heading = ("月份", "期初库存(t)", "购入量(t)", "外销及其他用量(t)", "期末库存(t)")
    rows = [heading, ("2025-03", 10, 5, 0, 8), (day(1), 10, 5, 0, 8),
            ("2025-04", 10, 5, 0, 45)]  # fmt: skip
    book = read_book(book_bytes(rows, "购销存台账"), "book.xlsx", "power")
    assert "cell A3: expected 2025-03 once, got it again after row 2" in str(book.flaws[0])
    assert "of at least 0, got 10 + 5 − 0 − 45 = -30 t" in str(book.flaws[1])
    wrong = read_book(book_bytes([heading, ("2025.3", 1, 1, 1, 1)], "stock"), "b.xlsx", "power")
    assert "expected a month YYYY-MM, got '2025.3'" in str(wrong.flaws[0])


def test_totals_are_checked_and_not_imported() -> None:
    rows = (GOOD, (day(2), 8000.1, 20.5, 11))
    good = daily(*rows, ("合计", 16215.5, 20.709, None), ("填报人：张三",))
    assert [line.row for line in good.checked().lines("daily")] == [2, 3]
    assert "a remark below the totals is not imported: '填报人：张三'" in str(good.notes[0])
    (off,) = flaws(*rows, ("合计", 16215.6, 20.8, None))[1:]
    assert "cell C4: expected the weighted mean of the lines, 20.709 GJ/t, got 20.8" in off
    (below,) = flaws(*rows, ("合计", 16215.5), (day(3), 1))
    assert "row 5: expected no line of data below the totals row" in below
    formula = daily(*rows, ("total", "=SUM(B2:B3)")).checked()
    assert "is not checked" in str(formula.notes[0])


def test_what_is_left_out_or_hidden_is_said() -> None:
    def hide(sheet: Worksheet) -> None:
        sheet["F1"], sheet["F2"] = "备注", "x"
        sheet.row_dimensions[3].hidden = True
        sheet.column_dimensions["D"].hidden = True
        assert sheet.parent is not None
        sheet.parent.create_sheet("草稿")["A1"] = 1

    book = daily(GOOD, (day(2), 1, 2, 3), (), (day(4), 1, 2, 3), change=hide).checked()
    said = " | ".join(str(note) for note in book.notes)
    asked = ("sheet 草稿: this sheet", "F1: this column is not imported: '备注'",
             "D1: a hidden column", "hidden rows were imported: 3", "1 blank rows")  # fmt: skip
    for word in asked:
        assert word in said


def test_a_cached_formula_counts_only_where_declared() -> None:
    raw = book_bytes([DAILY, (day(1), "=8000+215", 20.9, 11)])
    (flaw,) = read_book(raw, "book.xlsx", "power", cached=True).flaws
    assert "a formula without a value" in flaw.en  # openpyxl writes none


def test_csv_in_both_encodings_and_with_a_mark() -> None:
    text = "日期,燃煤消耗量(t)\n2025-03-01,8215.40\n\n2025-03-02,0\n"
    for raw in (text.encode(), text.encode("utf-8-sig"), text.encode("gb18030")):
        book = read_book(raw, "b.csv", "power", kind="daily").checked()
        assert book.lines("daily")[0].number("coal_t") == Decimal("8215.40")
    assert csv_book(text.replace(",", ";"), delimiter="semicolon").checked().lines("daily")
    with pytest.raises(BadInput, match="expected the kind of this CSV"):
        read_book(text.encode(), "b.csv", "power")


@pytest.mark.parametrize("figure", ["+5", "5e3", "0x10", "5,5", " 5", "५", "nan", "1_000", ""])
def test_a_csv_figure_is_plain(figure: str) -> None:
    text = f'日期,燃煤消耗量(t)\n2025-03-01,"{figure}"\n'
    (flaw,) = csv_book(text).flaws
    assert flaw.where == "book.csv, cell B2"


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=12))
def test_any_text_in_a_cell_is_a_figure_or_one_flaw(text: str) -> None:
    quoted = text.replace('"', '""')
    try:
        book = csv_book(f'日期,燃煤消耗量(t)\n2025-03-01,"{quoted}"\n')
    except BadInput:
        return  # a character that no CSV may hold
    assert len(book.flaws) + len(book.lines("daily")) == 1


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_book_or_a_named_error(data: bytes) -> None:
    for name in ("b.csv", "b.xlsx"):
        with pytest.raises(BadInput) as raised:
            read_book(data, name, "power", kind="daily").checked()
        assert "expected" in str(raised.value)
