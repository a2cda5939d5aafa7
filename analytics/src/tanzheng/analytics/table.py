"""A closed month as a page for the terminal, in English and Chinese."""

from collections import Counter

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tanzheng.analytics.closing import DEPOSIT_LABELS, Deposit
from tanzheng.analytics.hours import METHOD_LABELS
from tanzheng.analytics.rules.ruleset import CLASSES
from tanzheng.analytics.workflow import ClosedMonth
from tanzheng.core.fields import field
from tanzheng.core.manifest import REASON_LABELS

DEPOSIT_STYLES = {Deposit.READY: "green", Deposit.EXPLAIN: "yellow", Deposit.BLOCKED: "bold red"}
SEVERITY_STYLES = {"error": "bold red", "explain": "yellow", "warning": "cyan", "info": "dim"}
CLASS_NAMES = {
    "theoretical_extreme": "theoretical extreme",
    "threshold": "threshold",
    "standard_value": "standard value",
    "logic": "logic",
}
FINDINGS_SHOWN_MAX = 12


def render(closed: ClosedMonth) -> RenderableType:
    """The page: figures, hours and readings, rules, what to look at, where the package lies."""
    return Panel(
        Group(
            _figures(closed),
            *_sources(closed),
            _record(closed),
            _rules(closed),
            *_remarks(closed),
            _foot(closed),
        ),
        title=f"[bold]{closed.plant.name_zh} {closed.plant.name}[/] · {closed.result.unit} · "
        f"{closed.result.month}",
        box=box.ROUNDED,
        expand=False,
        padding=(1, 2),
    )


def _figures(closed: ClosedMonth) -> Table:
    table = _table("Figure", "指标", "Value 数值", "Unit 单位")
    table.columns[2].justify = "right"
    for item in closed.result.parameters:
        entry = field(item.name)
        style = "bold green" if item.name.startswith("co2_c") else ""
        table.add_row(entry.en, entry.zh, f"{item.value:,f}", item.unit, style=style)
    for absent in closed.result.absent:
        entry = field(absent.name)
        table.add_row(entry.en, entry.zh, *REASON_LABELS[absent.reason], style="dim")
    values = closed.result.values()
    cems, calculated = values.get("co2_cems_t"), values["co2_calculated_t"]
    if cems is not None and calculated:
        share = (cems / calculated - 1) * 100
        table.add_row(
            "CEMS against calculation", "CEMS 与核算之差", f"{share:+.2f}", "%", style="dim"
        )
    return table


def _sources(closed: ClosedMonth) -> list[Table]:
    """Where the figures of a filed plan come from."""
    if closed.result.filed is None:
        return []
    from tanzheng.analytics.parameters.sources import source_data
    from tanzheng.analytics.parameters.table import parameters_table

    return [parameters_table(closed.result.filed.month, source_data())]


def _record(closed: ClosedMonth) -> Table:
    table = _table("Record", "记录", "Count 数量")
    table.columns[2].justify = "right"
    methods = Counter(hour.method for hour in closed.result.hours)
    for method, count in sorted(methods.items()):
        en, zh = METHOD_LABELS[method]
        table.add_row(f"hours: {en}", f"小时：{zh}", f"{count:,}")
    slots = closed.result.slots
    table.add_row("readings", "读数", f"{slots.readings:,}")
    table.add_row("slots in gap records", "缺失记录中的采样时刻", f"{slots.in_gaps:,}")
    lost = sum(slots.unexplained.values())
    table.add_row(
        "slots unaccounted for", "无记录的采样时刻", f"{lost:,}", style="red" if lost else ""
    )
    table.add_row("signed batches", "签名数据批次", f"{closed.batches:,}")
    return table


def _rules(closed: ClosedMonth) -> Table:
    table = _table("Rules", "校验规则", "passed 通过", "failed 未过", "n/a 不适用")
    results = closed.closing.rule_results
    for kind, zh in CLASSES.items():
        outcomes = Counter(item.outcome for item in results if item.kind == kind)
        table.add_row(
            CLASS_NAMES[kind],
            zh,
            *(str(outcomes[outcome]) for outcome in ("passed", "failed", "not_applicable")),
        )
    for column in table.columns[2:]:
        column.justify = "right"
    return table


def _remarks(closed: ClosedMonth) -> list[Text]:
    failed = [item for item in closed.closing.rule_results if item.outcome == "failed"]
    lines = [
        Text(
            f"✗ {item.id} does not hold: {item.en}\n  不成立：{item.zh}",
            style=SEVERITY_STYLES[item.severity],
        )
        for item in failed
    ]
    found = sorted(
        closed.result.findings, key=lambda item: list(SEVERITY_STYLES).index(item.severity)
    )
    lines += [
        Text(f"• {item.en}\n  {item.zh}", style=SEVERITY_STYLES[item.severity])
        for item in found[:FINDINGS_SHOWN_MAX]
    ]
    if len(found) > FINDINGS_SHOWN_MAX:
        lines.append(Text(f"… and {len(found) - FINDINGS_SHOWN_MAX} more in findings.json"))
    return lines


def _foot(closed: ClosedMonth) -> Text:
    closing = closed.closing
    en, zh = DEPOSIT_LABELS[closing.deposit]
    return Text.assemble(
        "\n",
        (f"{en} · {zh}", DEPOSIT_STYLES[closing.deposit]),
        f"   closed {closing.closed_on}, deadline 期限 {closing.deadline}\n",
        "Evidence package 证据包  ",
        (str(closed.folder), "bold"),
    )


def _table(*headings: str) -> Table:
    """Two columns of words, which a narrow terminal may break, then figures, which it may not."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for index, heading in enumerate(headings):
        table.add_column(heading, no_wrap=index >= 2, overflow="fold")
    return table
