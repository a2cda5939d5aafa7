"""XLSX and PDF: the same bytes each time, the numbers of the JSON, a typeface that has them all."""

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from analytics.years import accepted, accounts, coal_year, gas_year
from tanzheng.analytics.annual import typeface
from tanzheng.analytics.annual.accounts import read_accounts
from tanzheng.analytics.annual.assemble import annual_report
from tanzheng.analytics.annual.disclosure import form, statements
from tanzheng.analytics.annual.pdf import pdf
from tanzheng.analytics.annual.pdf_chart import axis_step
from tanzheng.analytics.annual.report import Report
from tanzheng.analytics.annual.typeface import TypefaceLacking
from tanzheng.analytics.annual.words import LANGUAGES, Language, Words, number
from tanzheng.analytics.annual.xlsx import xlsx
from tanzheng.analytics.annual.xlsx_sheets import sheet_names
from tanzheng.core.errors import BadInput


@cache
def final() -> Report:
    return annual_report(gas_year(), accepted(gas_year()))


@cache
def draft() -> Report:
    return annual_report(coal_year())


@cache
def pages(report: Report, language: Language) -> tuple[str, ...]:
    reader = PdfReader(io.BytesIO(pdf(report, language)))
    return tuple(re.sub(r"\s+", " ", page.extract_text()) for page in reader.pages)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("make", [final, draft])
def test_every_figure_of_the_json_stands_in_the_pdf(language: Language, make: "object") -> None:
    report = make()  # type: ignore[operator]
    text = " ".join(pages(report, language))
    wanted = {number(report.total)}
    for unit in report.units:
        wanted |= {number(item.value) for item in unit.figures}
        for month in unit.months:
            wanted |= {number(item.value) for item in month.figures if item.unit != "MW"}
            wanted |= {number(item.value) for line in month.lines for item in line.figures}
    assert [value for value in sorted(wanted) if value not in text] == []
    digests = {month.origin.sha256.hex() for unit in report.units for month in unit.months}
    assert all(digest in text for digest in digests)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_page_says_its_number_and_whose_digest_it_is(language: Language) -> None:
    inside = pages(final(), language)
    for place, text in enumerate(inside[1:], 2):
        assert final().sha256.hex() in text
        shown = f"第 {place} 页，共 {len(inside)} 页" if language == "zh" else f"Page {place} of"
        assert shown in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_draft_is_stamped_on_each_page_and_a_final_report_on_none(language: Language) -> None:
    assert all("草稿 DRAFT" in text for text in pages(draft(), language))
    assert not any("DRAFT" in text or "草稿" in text for text in pages(final(), language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_report_gives_the_same_bytes(language: Language) -> None:
    again = annual_report(gas_year()[::-1], accepted(gas_year())[::-1])
    assert pdf(again, language) == pdf(final(), language)
    assert xlsx(again) == xlsx(final())


def test_nothing_of_the_clock_is_in_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    before = (pdf(final(), "zh"), xlsx(final()))
    monkeypatch.setenv("TZ", "America/Denver")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert (pdf(final(), "zh"), xlsx(final())) == before


def test_every_font_is_embedded() -> None:
    reader = PdfReader(io.BytesIO(pdf(final(), "zh")))
    fonts = [
        font.get_object()
        for page in reader.pages
        for font in page["/Resources"]["/Font"].values()  # type: ignore[index]
    ]
    assert fonts
    assert all("/FontFile2" in font["/FontDescriptor"].get_object() for font in fonts)


def test_a_rare_character_is_named() -> None:
    rare = replace(final(), name=Words("Rare", "龘龘发电厂"))
    with pytest.raises(TypefaceLacking, match="龘 U\\+9F98") as raised:
        pdf(rare, "zh")
    assert "--font" in raised.value.diagnostics()


def test_a_name_is_no_markup() -> None:
    name = "Smith & Sons <b>'Power'</b> \"1\""
    named = replace(final(), name=Words(name, name))
    reader = PdfReader(io.BytesIO(pdf(named, "en")))
    text = " ".join(page.extract_text() for page in reader.pages)
    assert name in re.sub(r"\s+", " ", text)
    rows = [replace(row, value=Words(name, name)) for row in final().disclosure]
    pdf(replace(final(), disclosure=tuple(rows)), "zh")


def test_what_is_no_typeface_is_refused() -> None:
    with pytest.raises(TypefaceLacking, match=r"x\.ttf: expected a TrueType file"):
        typeface.given(b"no typeface", "x.ttf")


def cells(report: Report) -> Mapping[str, list[object]]:
    book = load_workbook(io.BytesIO(xlsx(report)))
    return {
        sheet.title: [cell.value for row in sheet.iter_rows() for cell in row if cell.value]
        for sheet in book.worksheets
    }


@pytest.mark.parametrize("make", [final, draft])
def test_every_figure_of_the_json_stands_in_the_xlsx(make: "object") -> None:
    report = make()  # type: ignore[operator]
    found = cells(report)
    for name, unit in zip(sheet_names(report.units), report.units, strict=True):
        shown = {Decimal(repr(v)) for v in found[name] if isinstance(v, (int, float))}
        wanted = {item.value for item in unit.figures if item.value}
        wanted |= {item.value for m in unit.months for item in m.figures if item.value}
        lines = [line for m in unit.months for line in m.lines]
        wanted |= {item.value for line in lines for item in line.figures if item.value}
        assert wanted <= shown
    assert int(report.total) in found["封面 Cover"]
    assert report.sha256.hex() in found["封面 Cover"]


def test_doubtful_factors_are_flagged() -> None:
    shown = "\n".join(map(str, cells(draft())["因子 Factors"]))
    assert "待核实 to be verified" in shown
    assert "M 95%" in shown
    text = " ".join(pages(draft(), "en"))
    assert "to be verified" in text
    assert "环办气候函〔2022〕485号" in text


def test_sheets_have_names_a_spreadsheet_accepts() -> None:
    (unit, _) = draft().units
    units = [replace(unit, unit=name) for name in ("1/2", "1:2", "x" * 60)]
    names = sheet_names(units)
    assert len({name.lower() for name in names}) == 3
    assert all(len(name) <= 31 and not set(name) & set("[]:*?/\\") for name in names)


def test_a_name_that_looks_like_a_formula_stays_a_name() -> None:
    named = replace(draft(), name=Words("=1+1", "=1+1"))
    book = load_workbook(io.BytesIO(xlsx(named)))
    found = [c for row in book["封面 Cover"].iter_rows() for c in row if c.value == "=1+1"]
    assert [cell.data_type for cell in found] == ["s"]


def test_the_disclosure_table_says_what_is_open() -> None:
    rows = final().disclosure
    assert {row.words.en for row in rows if not row.filled} >= {"Unified social credit code"}
    told = statements(b'credit_code = "91320600MA1X000000"\nname_zh = "A"', "d.toml")
    report = annual_report(gas_year(), stated=told)
    (row,) = [row for row in report.disclosure if row.words.en == "Unified social credit code"]
    assert (row.value.en, row.filled) == ("91320600MA1X000000", True)
    assert report.name == Words("Binhai Gas Power", "A")
    determined = next(row for row in rows if row.words.en.startswith("Fuel"))
    assert "G1 natural gas: heating value default, carbon default" in determined.value.en


def test_coal_says_in_how_many_months_it_was_not_measured() -> None:
    row = next(row for row in draft().disclosure if row.words.en.startswith("Fuel"))
    assert "heating value measured, carbon default in 2 of 12 months" in row.value.en


@pytest.mark.parametrize(
    ("fuel", "alternatives", "told"),
    [
        ({"fuel_ncv_gj_per_t": "22.560"}, [], "heating value measured, carbon default"),
        ({"fuel_carbon_tc_per_t": "0.5"}, [], "heating value not used, carbon measured"),
        ({}, ["fuel.bituminous.carbon_tc_per_gj"], "heating value default, carbon default"),
    ],
)
def test_how_a_fuel_was_determined(
    fuel: dict[str, str], alternatives: list[str], told: str
) -> None:
    month = {
        "sector": "cement",
        "unit": "line 1",
        "month": "2025-03",
        "clinker_t": "110000",
        "fuels": [{"fuel": "bituminous", "fuel_t": "13000", **fuel}],
        "alternatives": alternatives,
    }
    raw = accounts({"version": 1, "enterprise": "E", "months": [month]})
    report = annual_report(read_accounts(raw, "one.json"), partial=True)
    row = next(row for row in report.disclosure if row.words.en.startswith("Fuel"))
    assert row.value.en == f"line 1 bituminous coal: {told}"


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (b"a = ", "expected TOML"),
        (b'creditcode = "1"', "got 'creditcode'"),
        (b"credit_code = 91", "credit_code: expected a line"),
        (b'credit_code = "a\\nb"', "credit_code: expected a line"),
        (b'total = "1"', "got 'total'"),
    ],
)
def test_a_wrong_disclosure_file_is_refused(raw: bytes, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        statements(raw, "d.toml")


def test_every_row_of_the_form_has_a_source_for_each_sector() -> None:
    assert set(form().sources) == {"power", "cement", "aluminium", "steel"}
    assert all(source.document for source in form().sources.values())


@pytest.mark.parametrize(
    ("top", "step"),
    [("0", "1"), ("7", "2"), ("95480.3", "20000"), ("123456", "50000"), ("1", "0.2")],
)
def test_the_axis_has_three_to_six_lines(top: str, step: str) -> None:
    assert axis_step(Decimal(top)) == Decimal(step)
