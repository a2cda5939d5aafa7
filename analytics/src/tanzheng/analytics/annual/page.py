"""The year on a terminal, in English and Chinese."""

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tanzheng.analytics.annual import texts
from tanzheng.analytics.annual.packet import Checked
from tanzheng.analytics.annual.report import Report, accepted_months, grouped
from tanzheng.analytics.annual.words import figure_words, number, unit_text


def report_page(report: Report) -> RenderableType:
    """Total, units, figures of the enterprise, and what must be known."""
    total = Text.assemble(
        (number(report.total), "bold green"), f" t  {texts.TOTAL.en} {texts.TOTAL.zh}"
    )
    accepted, months = accepted_months(report)
    state = Text(f"{texts.MONTHS_ACCEPTED.en} {texts.MONTHS_ACCEPTED.zh}: {accepted} / {months}")
    if report.is_draft:
        state.append(f"   {texts.DRAFT.en} {texts.DRAFT.zh}", "bold yellow")
    notes = [
        Text(f"• {note.told.en}\n  {note.told.zh}", "yellow")
        for note in grouped((*report.draft, *report.notes))
    ]
    return Panel(
        Group(total, state, _units(report), _figures(report), *notes),
        title=f"[bold]{escape(report.name.en)} · {report.year}[/]",
        box=box.ROUNDED,
        expand=False,
        padding=(1, 2),
    )


def _units(report: Report) -> Table:
    table = _table("Unit 机组", "Months 月数", "t")
    for unit in report.units:
        table.add_row(unit.unit, str(len(unit.months)), number(unit.emission.value))
    return table


def _figures(report: Report) -> Table:
    table = _table("Figure", "指标", "Value 数值", "Unit 单位")
    for item in report.figures:
        words = figure_words(item.name)
        table.add_row(words.en, words.zh, number(item.value), unit_text(item.unit))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for heading in headings:
        right = heading in {"t", "Months 月数", "Value 数值"}
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    return table


def checked_page(checked: Checked, *, with_evidence: bool) -> RenderableType:
    """What was checked of a packet."""
    again = (
        "XLSX and PDF made again, byte for byte · XLSX 与 PDF 已逐字节重制比对"
        if checked.made_again
        else "made with other libraries: XLSX and PDF not made again · 制作环境不同，未重制"
    )
    lines = [
        Text("✓ digests and sums hold · 摘要与求和一致", "green"),
        Text(
            f"{'✓' if checked.made_again else '•'} {again}", "green" if checked.made_again else ""
        ),
    ]
    if with_evidence:
        lines.append(Text("✓ each month is its evidence's · 各月与证据一致", "green"))
    total = Text(f"{number(checked.report.total)} t", "bold")
    if checked.report.is_draft:
        total.append(f"   {texts.DRAFT.en} {texts.DRAFT.zh}", "bold yellow")
    return Group(*lines, total)
