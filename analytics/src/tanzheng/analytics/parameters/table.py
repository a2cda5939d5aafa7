"""Books and months for the terminal, in English and Chinese."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tanzheng.analytics.parameters.attachments import Attachment
from tanzheng.analytics.parameters.books import Book
from tanzheng.analytics.parameters.flaws import Flaw
from tanzheng.analytics.parameters.monthly import MonthParameters
from tanzheng.analytics.parameters.selection import STATUS_LABELS, Status
from tanzheng.analytics.parameters.sources import SourceData
from tanzheng.core.fields import field

STATUS_STYLES = {
    Status.VALID: "green",
    Status.CONSERVATIVE: "yellow",
    Status.DEFAULT: "yellow",
    Status.MISSING: "bold red",
}
SEVERITY_STYLES = {"error": "bold red", "explain": "yellow", "warning": "cyan", "info": "dim"}
MARKS = {"error": "✗", "explain": "!", "warning": "•", "info": "·"}


def render_book(book: Book, refused: int) -> RenderableType:
    """What a book holds, sheet by sheet, and what was left out."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for heading in ("Sheet", "工作表", "Lines 行", "Flaws 错误"):
        table.add_column(heading, justify="right" if " " in heading else "left")
    for sheet in book.sheets:
        style = "yellow" if sheet.flaws else ""
        table.add_row(
            sheet.spec.en, sheet.spec.zh, str(len(sheet.lines)), str(len(sheet.flaws)), style=style
        )
    parts: list[RenderableType] = [table, *_notes(book.notes)]
    if refused:
        parts.append(
            Text(f"! {refused} rows went to quarantine · {refused} 行已隔离", style="yellow")
        )
    return _panel(Group(*parts), f"[bold]{book.name}[/]")


def render_month(
    result: MonthParameters,
    attachments: Sequence[Attachment],
    notes: Sequence[Flaw],
    data: SourceData,
) -> RenderableType:
    """The parameters with their sources, findings by severity, and the attachments."""
    plan = result.plan
    title = f"[bold]{plan.enterprise}[/] · {plan.unit} · {result.month}"
    order = list(SEVERITY_STYLES)
    found = sorted(result.findings, key=lambda item: order.index(item.severity))
    lines = [
        Text(f"{MARKS[item.severity]} {item.en}\n  {item.zh}", style=SEVERITY_STYLES[item.severity])
        for item in found
    ]
    foot = Text.assemble(
        "\nPlan 方案  ",
        (f"version {result.version.id}", "bold"),
        f", valid from {result.version.valid_from}   sha256 {plan.sha256.hex()[:16]}…\n",
        f"Attachments 附件  {len(attachments)} files, "
        f"{sum(item.size for item in attachments):,} bytes, all as listed · 均与登记一致",
    )
    return _panel(Group(parameters_table(result, data), *lines, *_notes(notes), foot), title)


def parameters_table(result: MonthParameters, data: SourceData) -> Table:
    """Two lines a parameter, English over Chinese."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("Parameter 参数", overflow="fold")
    table.add_column("Value 数值", no_wrap=True, justify="right")
    table.add_column("Source 来源", no_wrap=True)
    table.add_column("Status 状态", no_wrap=True)
    for item in result.parameters:
        entry = field(item.name)
        value = "–" if item.value is None else f"{item.value:,f}"
        source = data.labels[item.source] if item.source else ("–", "–")
        table.add_row(
            f"{entry.en}\n[dim]{entry.zh}[/]", f"[bold]{value}[/]\n[dim]{item.unit}[/]",
            "\n".join(source),
            Text("\n".join(STATUS_LABELS[item.status]), style=STATUS_STYLES[item.status]),
        )  # fmt: skip
    return table


def _notes(notes: Sequence[Flaw]) -> list[Text]:
    return [Text(f"· {note}", style="dim") for note in notes]


def _panel(body: RenderableType, title: str) -> Panel:
    return Panel(body, title=title, box=box.ROUNDED, expand=False, padding=(1, 2))
