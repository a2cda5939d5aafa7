"""The sheets of the XLSX book."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from tanzheng.analytics.annual import texts
from tanzheng.analytics.annual.figures import Figure, Line
from tanzheng.analytics.annual.report import Report, accepted_months, grouped
from tanzheng.analytics.annual.words import (
    SECTORS,
    STATES,
    constant_words,
    figure_words,
    line_words,
    unit_text,
)
from tanzheng.analytics.annual.xlsx_page import ACCENT, AMBER, GREY, Cell, Page
from tanzheng.analytics.annual.year import UnitYear
from tanzheng.core.fields import FIELDS

Fill = Callable[[Page], None]
TITLE_CHARS_MAX = 31
_FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\'", "_"))


def sheets(report: Report) -> Iterator[tuple[str, Fill]]:
    """Names and contents of the sheets, in order."""
    yield "封面 Cover", lambda page: _cover(report, page)
    yield "年度 Year", lambda page: _year(report, page)
    for name, unit in zip(sheet_names(report.units), report.units, strict=True):
        yield name, lambda page, unit=unit: _unit(report, unit, page)  # type: ignore[misc]
    yield "信息公开 Disclosure", lambda page: _disclosure(report, page)
    yield "因子 Factors", lambda page: _factors(report, page)
    yield "存证 Evidence", lambda page: _evidence(report, page)
    yield "算法 Method", lambda page: _method(report, page)


def sheet_names(units: Sequence[UnitYear]) -> list[str]:
    """A name for each unit that a spreadsheet program accepts; numbered where they would meet."""
    names = list[str]()
    for place, unit in enumerate(units, 1):
        name = f"机组 {unit.unit}".translate(_FORBIDDEN)[:TITLE_CHARS_MAX]
        taken = name.lower() in (other.lower() for other in names)
        names.append(f"{name[: TITLE_CHARS_MAX - 5]} {place}" if taken else name)
    return names


def _cover(report: Report, page: Page) -> None:
    page.widths([46, 74])
    page.title(f"{report.year} {texts.TITLE.zh}", 24)
    page.line(texts.TITLE.en, size=13, colour=GREY)
    page.skip()
    page.title(report.name.both, 15)
    page.skip()
    unit = texts.TONNES_E if report.figures[0].name.startswith("co2e") else texts.TONNES
    page.line(f"{texts.TOTAL.both}（{unit.both}）", colour=GREY)
    page.line(report.total, size=34, bold=True, colour=ACCENT)
    page.sheet.row_dimensions[page.row - 1].height = 52
    page.skip()
    accepted, months = accepted_months(report)
    state = texts.DRAFT if report.is_draft else texts.FINAL
    page.pair(texts.STATE.both, state.both, colour=AMBER if report.is_draft else ACCENT)
    page.pair(texts.ENTERPRISE_ID.both, report.enterprise)
    page.pair(texts.UNITS.both, len(report.units))
    page.pair(texts.MONTHS_ACCEPTED.both, f"{accepted} / {months}")
    page.pair(texts.STANDARD.both, ", ".join(pack.name for pack in report.packs))
    page.pair(texts.DUE.both, report.due or texts.NOT_FORMED)
    page.pair(texts.DIGEST.both, report.sha256.hex())
    page.pair("software", report.software)
    for note in grouped(report.draft):
        page.pair(texts.WHY_DRAFT.both, note.told.both, colour=AMBER)


def _year(report: Report, page: Page) -> None:
    page.widths([44, *(18 for _ in report.units), 20])
    page.title(f"{report.year} {texts.CONTENTS_YEAR.both}")
    _stamp(report, page)
    page.header(
        [
            texts.MONTH.both,
            *(f"{unit.unit}\nt" for unit in report.units),
            f"{texts.ALL_UNITS.both}\nt",
        ],
    )
    by_unit = [{item.month: item.emission.value for item in unit.months} for unit in report.units]
    for month in sorted({month for unit in by_unit for month in unit}):
        values = [unit.get(month) for unit in by_unit]
        known = sum((value for value in values if value is not None), Decimal(0))
        page.cells([str(month), *values, known])
    totals = [unit.emission.value for unit in report.units]
    page.cells([texts.YEAR.both, *totals, report.figures[0].value], total=True)
    page.skip()
    page.title(texts.ENTERPRISE_FIGURES.both, 12)
    _figures(report.figures, page)


def _stamp(report: Report, page: Page) -> None:
    if report.is_draft:
        page.line(texts.DRAFT.both, size=14, bold=True, colour=AMBER)


def _figures(figures: Sequence[Figure], page: Page) -> None:
    page.header([texts.FIGURE.both, texts.VALUE.both, texts.MEASURE.both])
    for item in figures:
        page.cells([figure_words(item.name).both, item.value, unit_text(item.unit)])


def _unit(report: Report, unit: UnitYear, page: Page) -> None:
    page.widths([24, *(17 for _ in range(20))])
    page.title(f"{texts.UNIT.both} {unit.unit} · {SECTORS[unit.sector].both}")
    _stamp(report, page)
    rows = [(str(item.month), item.figures) for item in unit.months]
    _months(rows, unit.figures, page, freeze=True)
    for line in unit.lines:
        page.skip()
        page.title(f"{texts.LINES.both}: {line_words(line.of, line.key[0]).both}", 12)
        _months(_line_rows(unit, line), line.figures, page)


def _line_rows(unit: UnitYear, line: Line) -> list[tuple[str, tuple[Figure, ...]]]:
    return [
        (str(month.month), item.figures)
        for month in unit.months
        for item in month.lines
        if item.key == line.key
    ]


def _months(
    rows: Sequence[tuple[str, tuple[Figure, ...]]],
    year: Sequence[Figure],
    page: Page,
    *,
    freeze: bool = False,
) -> None:
    units = {item.name: item.unit for _, figures in rows for item in figures}
    first = rows[0][1][0].name
    names = [first, *sorted(units.keys() - {first}, key=list(FIELDS).index)]
    page.header(
        [
            texts.MONTH.both,
            *(f"{figure_words(name).both}\n{unit_text(units[name])}" for name in names),
        ],
        freeze=freeze,
    )
    for month, figures in rows:
        page.cells([month, *_values(figures, names)])
    page.cells([texts.YEAR.both, *_values(year, names)], total=True)
    page.cells([texts.METHOD.both, *(_rule(year, name) for name in names)], quiet=True)


def _values(figures: Sequence[Figure], names: Sequence[str]) -> list[Cell]:
    known = {item.name: item.value for item in figures}
    return [known.get(name, texts.NOT_FORMED) for name in names]


def _rule(year: Sequence[Figure], name: str) -> str:
    found = next((item for item in year if item.name == name), None)
    if found is None:
        return texts.NOT_FORMED
    if found.ratio is None:
        return "Σ" if name != "rated_capacity_mw" else "="
    factors = found.ratio.by.split(" × ")
    words = " × ".join(figure_words(factor).both for factor in factors)
    return f"Σ(x·{words}) / Σ {words}"


def _disclosure(report: Report, page: Page) -> None:
    page.widths([36, 46, 80])
    page.title(texts.DISCLOSURE.both)
    _stamp(report, page)
    page.header(["", texts.ITEM.both, texts.CONTENT.both], freeze=True)
    part = None
    for row in report.disclosure:
        title = row.part.both if row.part != part else ""
        part = row.part
        page.cells([title, row.words.both, row.value.both], doubtful=not row.filled)
    page.skip()
    for source in report.disclosure_sources:
        text = f"{source.document} · {source.section} ({source.confidence})"
        page.line(text, size=8, colour=AMBER if source.unverified else GREY)


def _factors(report: Report, page: Page) -> None:
    page.widths([44, 14, 16, 34, 52, 14, 30, 18])
    page.title(texts.FACTORS.both)
    _stamp(report, page)
    page.header(
        [
            texts.FACTOR.both,
            texts.VALUE.both,
            texts.MEASURE.both,
            "名称 name",
            texts.SOURCE.both,
            texts.CONFIDENCE.both,
            "备注 remark",
            texts.UNITS.both,
        ],
        freeze=True,
    )
    for used in report.factors:
        factor, source = used.factor, used.factor.source
        doubt = texts.DRAFT_SOURCE if source.draft else texts.UNVERIFIED
        remarks = [source.note, doubt.both if source.unverified else ""]
        page.cells(
            [
                constant_words(factor.name).both,
                factor.value,
                unit_text(factor.unit),
                factor.name,
                f"{source.document} · {source.section}",
                source.confidence,
                "; ".join(filter(None, remarks)),
                ", ".join(used.units),
            ],
            doubtful=source.unverified,
        )
    page.line(texts.CONFIDENCES.both, size=8, colour=GREY)
    page.skip()
    page.header(
        [texts.PACKS.both, texts.VERSION.both, texts.STATE.both, "SHA-256", texts.SOURCE.both]
    )
    for pack in report.packs:
        state = STATES[pack.status].both
        text = f"{pack.words.both} · {pack.document}"
        page.cells([pack.name, pack.version, state, pack.sha256.hex(), text])


def _evidence(report: Report, page: Page) -> None:
    page.widths([16, 12, 22, 12, 18, 16, 70, 70])
    page.title(texts.EVIDENCE.both)
    _stamp(report, page)
    page.header(
        [
            texts.UNIT.both,
            texts.MONTH.both,
            texts.KIND.both,
            texts.VERSION.both,
            texts.STATE.both,
            texts.DEPOSITED.both,
            texts.MANIFEST.both,
            "电厂描述文件 plant file SHA-256",
        ],
        freeze=True,
    )
    for unit in report.units:
        for item in unit.months:
            told = item.acceptance
            plant = item.origin.plant_sha256
            page.cells(
                [
                    unit.unit,
                    str(item.month),
                    texts.KINDS[item.origin.kind].both,
                    told.version if told else texts.NOT_FORMED,
                    texts.state_words(told.state if told else "").both,
                    str(told.deposited_on) if told else texts.NOT_FORMED,
                    item.origin.sha256.hex(),
                    plant.hex() if plant else texts.NOT_FORMED,
                ],
                doubtful=told is None,
            )


def _method(report: Report, page: Page) -> None:
    page.widths([120])
    page.title(texts.METHOD.both)
    _stamp(report, page)
    for place, words in enumerate(texts.METHODS, 1):
        page.line(f"{place}. {words.zh}")
        page.line(f"    {words.en}", colour=GREY)
    rounding = report.rounding.source
    page.line(
        f"{texts.TOTAL.both}: {rounding.document} · {rounding.section} ({rounding.confidence})",
        size=8,
        colour=AMBER if rounding.unverified else GREY,
    )
    page.skip()
    page.title(texts.NOTES.both, 12)
    for note in grouped((*report.draft, *report.notes)):
        page.line(note.told.both)
    if not report.draft and not report.notes:
        page.line(texts.NO_NOTES.both)
