"""The chapters of the PDF: the year, each unit, disclosure, factors, evidence, notes."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from reportlab.platypus import CondPageBreak, KeepTogether, PageBreak, Spacer

from tanzheng.analytics.annual import texts
from tanzheng.analytics.annual.figures import Figure, Line, is_capacity
from tanzheng.analytics.annual.pdf_chart import MonthChart
from tanzheng.analytics.annual.pdf_style import AMBER, GREY, Style
from tanzheng.analytics.annual.report import Note, Report, UsedFactor, grouped
from tanzheng.analytics.annual.words import (
    SECTORS,
    STATES,
    constant_words,
    figure_words,
    line_words,
    number,
    unit_text,
)
from tanzheng.analytics.annual.year import UnitYear
from tanzheng.core.calendar import Month
from tanzheng.core.fields import FIELDS

COLUMNS_MAX = 8
TILES = 4
UNITS_SHOWN_MAX = 6


def year_chapter(report: Report, style: Style, chart: MonthChart) -> list[Any]:
    """Chart, months by unit, figures of the enterprise, why it is a draft."""
    say = style.say
    story = style.heading(say(texts.CONTENTS_YEAR), f"{report.enterprise} · {report.year}")
    if report.draft:
        story += _notes(report.draft, style, say(texts.WHY_DRAFT))
    story += [*style.section(say(texts.BY_MONTH)), chart, Spacer(1, 6)]
    story += [_months_by_unit(report, style)]
    story += style.section(say(texts.ENTERPRISE_FIGURES))
    story += [_tiles(report.figures, style)]
    return [*story, *_many_units(report, style)]


def _many_units(report: Report, style: Style) -> list[Any]:
    """The units down, where they are too many to stand across."""
    if len(report.units) <= UNITS_SHOWN_MAX:
        return []
    rows = [
        [unit.unit, style.say(SECTORS[unit.sector]), number(unit.emission.value)]
        for unit in report.units
    ]
    headings = [style.say(texts.UNIT), style.say(texts.SECTOR), f"{style.say(texts.YEAR)} t"]
    return [*style.section(style.say(texts.UNITS)), style.table(headings, rows, [2, 2, 1], left=2)]


def _months_by_unit(report: Report, style: Style) -> Any:
    """Months down, units across; where there are many units, their sum alone."""
    units = report.units if 1 < len(report.units) <= UNITS_SHOWN_MAX else ()
    emissions = [{item.month: item.emission.value for item in unit.months} for unit in units]
    whole: dict[Month, Decimal] = {}
    for item in (month for unit in report.units for month in unit.months):
        whole[item.month] = whole.get(item.month, Decimal(0)) + item.emission.value
    rows = [
        [str(month), *(_shown(unit.get(month)) for unit in emissions), number(whole[month])]
        for month in sorted(whole)
    ]
    totals = [number(unit.emission.value) for unit in units]
    rows.append([style.say(texts.YEAR), *totals, number(report.figures[0].value)])
    name = style.say(texts.ALL_UNITS)
    headings = [style.say(texts.MONTH), *(f"{unit.unit} t" for unit in units), f"{name} t"]
    return style.table(headings, rows, [1.0, *(1.2 for _ in headings[1:])], last_is_total=True)


def _shown(value: Decimal | None) -> str:
    return texts.NOT_FORMED if value is None else number(value)


def _label(name: str, style: Style) -> str:
    text = style.say(figure_words(name))
    return text[0].upper() + text[1:]


# ------------------------------------------------------------------ a unit


def unit_chapter(unit: UnitYear, report: Report, style: Style) -> list[Any]:
    """Figures of the year, the months, and each source of emissions."""
    sector = style.say(SECTORS[unit.sector])
    story = style.heading(f"{style.say(texts.UNIT)} {unit.unit}", f"{sector} · {report.year}")
    story += [_tiles(unit.figures, style)]
    story += [*style.section(style.say(texts.BY_MONTH)), _unit_chart(unit, report, style)]
    rows = [(item.month, item.figures) for item in unit.months]
    story += _blocks(style.say(texts.MONTH_FIGURES), rows, unit.figures, style)
    for line in unit.lines:
        title = f"{style.say(texts.LINES)}: {style.say(line_words(line.of, line.key[0]))}"
        story += _blocks(title, _line_rows(unit, line), line.figures, style)
    return story


def _blocks(
    title: str,
    rows: Sequence[tuple[Month, tuple[Figure, ...]]],
    year: Sequence[Figure],
    style: Style,
) -> list[Any]:
    """The tables of months below their title; none is broken over pages."""
    first, *others = _month_tables(rows, year, style)
    return [KeepTogether([*style.section(title), *first]), *map(KeepTogether, others)]


def _tiles(figures: Sequence[Figure], style: Style) -> Any:
    """The figures of a year as tiles: what, how much, in which unit."""
    cells = [
        [
            style.text(_label(item.name, style), 7, colour=GREY),
            style.text(f"{number(item.value)} {unit_text(item.unit)}", 10, bold=True),
        ]
        for item in figures
    ]
    return style.tiles(cells, TILES)


def _unit_chart(unit: UnitYear, report: Report, style: Style) -> MonthChart:
    values = {item.month.month: item.emission.value for item in unit.months}
    place = report.units.index(unit)
    months = [(f"{month:02d}", [values.get(month, Decimal(0))]) for month in range(1, 13)]
    return MonthChart(months, [unit.unit], style.face, height=96, first_colour=place)


def _line_rows(unit: UnitYear, line: Line) -> list[tuple[Month, tuple[Figure, ...]]]:
    """A month that has the line several times (two lots of one fuel) has several rows."""
    return [
        (month.month, item.figures)
        for month in unit.months
        for item in month.lines
        if item.key == line.key
    ]


def _month_tables(
    rows: Sequence[tuple[Month, tuple[Figure, ...]]], year: Sequence[Figure], style: Style
) -> Iterator[list[Any]]:
    """Months down, figures across, so many to a table as are legible; blocks not to be broken."""
    units = {figure.name: figure.unit for _, figures in rows for figure in figures}
    first = rows[0][1][0].name
    names = [first, *sorted(units.keys() - {first}, key=list(FIELDS).index)]
    names = [name for name in names if not is_capacity(name)]
    whole = {figure.name: number(figure.value) for figure in year}
    tables = -(-len(names) // COLUMNS_MAX)
    columns = -(-len(names) // tables)
    for start in range(0, len(names), columns):
        part = names[start : start + columns]
        body = [[str(month), *(_of(figures, name) for name in part)] for month, figures in rows]
        body.append([style.say(texts.YEAR), *(whole.get(name, texts.NOT_FORMED) for name in part)])
        headings = [f"{_label(name, style)}\n{unit_text(units[name])}" for name in part]
        table = style.table(
            [style.say(texts.MONTH), *headings],
            body,
            style.fitting(body, 7),
            last_is_total=True,
            size=7,
        )
        yield [Spacer(1, 8), table] if start else [table]


def _of(figures: Sequence[Figure], name: str) -> str:
    return next((number(item.value) for item in figures if item.name == name), texts.NOT_FORMED)


# ------------------------------------------------------------------ what stands behind it


def back_matter(report: Report, style: Style) -> list[Any]:
    """Disclosure, factors, evidence, method and notes."""
    return [
        PageBreak(),
        *_disclosure(report, style),
        PageBreak(),
        *_factors(report, style),
        PageBreak(),
        *_evidence(report, style),
        CondPageBreak(240),
        *style.section(style.say(texts.METHOD)),
        *(
            style.text(f"{place}. {style.say(words)}", wide=True)
            for place, words in enumerate(texts.METHODS, 1)
        ),
        *_notes(report.notes, style, style.say(texts.NOTES)),
    ]


def _disclosure(report: Report, style: Style) -> list[Any]:
    rows: list[list[Any]] = []
    part = None
    for row in report.disclosure:
        title = style.say(row.part) if row.part != part else ""
        part = row.part
        value = style.say(row.value)
        shown = value if row.filled else style.text(value, 8, colour=AMBER)
        rows.append([style.text(title, 8, bold=True), style.say(row.words), shown])
    headings = ["", style.say(texts.ITEM), style.say(texts.CONTENT)]
    sources = "; ".join(_source_text(item, style) for item in report.disclosure_sources)
    return [
        *style.heading(style.say(texts.DISCLOSURE), str(report.year)),
        style.table(headings, rows, [1.1, 1.5, 2.6], left=3),
        Spacer(1, 6),
        style.text(sources, 7, colour=GREY),
    ]


def _source_text(source: Any, style: Style) -> str:
    doubt = f", {style.say(texts.UNVERIFIED)}" if source.unverified else ""
    return f"{source.document} · {source.section} ({source.confidence}{doubt})"


def _factors(report: Report, style: Style) -> list[Any]:
    headings = [
        style.say(word) for word in (texts.FACTOR, texts.VALUE, texts.SOURCE, texts.CONFIDENCE)
    ]
    rounding = report.rounding.source
    packs = [
        [
            pack.name,
            f"{style.say(pack.words)}\n{pack.document}",
            style.say(STATES[pack.status]),
            pack.sha256.hex(),
        ]
        for pack in report.packs
    ]
    pack_headings = [style.say(texts.PACKS), style.say(texts.SOURCE), style.say(texts.STATE)]
    return [
        *style.heading(style.say(texts.FACTORS), str(report.year)),
        style.table([*pack_headings, "SHA-256"], packs, [1.1, 2.2, 0.7, 1.9], left=4, size=7.5),
        Spacer(1, 10),
        style.table(
            headings,
            [_factor(used, style) for used in report.factors],
            [1.9, 1.15, 2.5, 0.75],
            left=4,
            size=7.5,
        ),
        Spacer(1, 6),
        style.text(f"{style.say(texts.TOTAL)}: {_source_text(rounding, style)}", 7, colour=GREY),
        style.text(style.say(texts.CONFIDENCES), 7, colour=GREY),
    ]


def _factor(used: UsedFactor, style: Style) -> list[Any]:
    factor = used.factor
    source = factor.source
    text = f"{source.document} · {source.section}" + (f" · {source.note}" if source.note else "")
    confidence: Any = source.confidence
    if source.unverified:
        why = texts.DRAFT_SOURCE if source.draft else texts.UNVERIFIED
        confidence = style.text(f"{source.confidence}\n{style.say(why)}", 7.5, colour=AMBER)
    value = f"{number(factor.value)} {unit_text(factor.unit)}"
    name = style.text(style.say(constant_words(factor.name)), 7.5, bold=True)
    code = style.text(f"{factor.name} · {', '.join(used.units)}", 6, colour=GREY)
    return [[name, code], value, text, confidence]


def _evidence(report: Report, style: Style) -> list[Any]:
    words = (texts.UNIT, texts.MONTH, texts.VERSION, texts.STATE, texts.DEPOSITED, texts.MANIFEST)
    rows = []
    for unit in report.units:
        for item in unit.months:
            accepted = item.acceptance
            known = style.say(texts.state_words(accepted.state if accepted else ""))
            rows.append(
                [
                    unit.unit,
                    str(item.month),
                    str(accepted.version) if accepted else texts.NOT_FORMED,
                    known if accepted else style.text(known, 7, colour=AMBER),
                    str(accepted.deposited_on) if accepted else texts.NOT_FORMED,
                    style.text(item.origin.sha256.hex(), 6),
                ]
            )
    widths = [0.5, 0.65, 0.5, 0.7, 0.8, 2.9]
    return [
        *style.heading(style.say(texts.EVIDENCE), str(report.year)),
        style.table([style.say(word) for word in words], rows, widths, left=6, size=7),
    ]


def _notes(notes: Sequence[Note], style: Style, title: str) -> list[Any]:
    if not notes:
        return []
    rows = [style.text(f"• {style.say(note.told)}", wide=True) for note in grouped(notes)]
    return [*style.section(title), *rows]
