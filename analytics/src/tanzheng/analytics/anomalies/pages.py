"""Alerts as pages for the terminal, in English and Chinese."""

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tanzheng.analytics.anomalies.alert import Alert, Evidence
from tanzheng.analytics.anomalies.report import Report
from tanzheng.analytics.seats import LEVEL_NAMES

PEERS_MIN = 5
"""A class of fewer units knows its spread by little more than the unit itself."""
BAR_MAX = 12
COURSES = {
    "step": ("changed", "突变"),
    "drift": ("drifted", "漂移"),
    "swap": ("moved to the month after", "跨月转移"),
}


def report_page(told: Report) -> RenderableType:
    """The alerts, one a row, then what was looked at and what was not."""
    return Group(*([_alerts(told)] if told.alerts else []), *_foot(told))


def _alerts(told: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("Alert\n告警", no_wrap=True, style="bold")
    table.add_column("Unit, months\n机组、月份", no_wrap=True)
    table.add_column("To blame\n疑似原因", ratio=1)
    table.add_column("Change\n偏离", justify="right", no_wrap=True)
    table.add_column("Score\n得分", justify="right", no_wrap=True)
    for alert in told.alerts:
        aside = alert.id in told.suppressed
        table.add_row(
            "\n".join([alert.id, " ".join(told.leads.get(alert.id, ()))]),
            f"{alert.enterprise} {alert.unit}\n{span(alert)}",
            Text.assemble(alert.en, "\n", (alert.zh, "dim")),
            f"{alert.effect_percent:+.1f} %\n{_tonnes(alert)}",
            f"{alert.score:.0f}\n> {alert.limit:.0f}",
            style="dim strike" if aside else "",
        )
    return table


def _foot(told: Report) -> Iterator[Text]:
    en, zh = LEVEL_NAMES[told.seat.level]
    place = f"{en} {zh} {told.seat.code}".strip()
    yield Text(
        f"alerts {len(told.alerts)}, units {told.units}, {place}, "
        f"{told.first_month} to {told.last_month}"
        f" · {told.units} 台机组，{len(told.alerts)} 条告警"
    )
    if told.suppressed:
        count = len(told.suppressed)
        yield Text(f"{count} set aside by a suppression · {count} 条已豁免", style="yellow")
    for name, count in told.peers.items():
        if count < PEERS_MIN:
            yield Text(
                f"{name}: {count} units, few peers: judge with care · 同类机组少，谨慎判断",
                style="yellow",
            )
    if told.not_looked_at:
        units = ", ".join(" ".join(unit) for unit in told.not_looked_at[:8])
        yield Text(
            f"not looked at, too few months: {len(told.not_looked_at)} ({units}) · "
            f"月份不足，未检测：{len(told.not_looked_at)} 台",
            style="yellow",
        )
    if told.other_sector_rows:
        rows = told.other_sector_rows
        yield Text(
            f"{rows:,} rows of other sectors not looked at: power only · "
            f"其他行业 {rows:,} 行未检测：目前仅发电",
            style="yellow",
        )


def alert_page(alert: Alert) -> RenderableType:
    """One alert: what is to blame and why, what else might be, what to check on site."""
    return Panel(
        Group(
            _facts(alert),
            Text("\nEvidence 证据", style="bold"),
            _evidence(alert.evidence),
            *_rivals(alert),
            Text("\nCheck on site 现场核查", style="bold"),
            Text(f"{alert.check_en}\n{alert.check_zh}"),
        ),
        title=f"[bold]{alert.id}[/] · {alert.enterprise} {alert.unit} · {span(alert)}",
        box=box.ROUNDED,
        padding=(1, 2),
    )


def _facts(alert: Alert) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    course_en, course_zh = COURSES[alert.course]
    table.add_row("To blame 疑似原因", Text.assemble((alert.en, "bold"), f" {alert.zh}"))
    table.add_row("Change 偏离", f"{alert.effect_percent:+.2f} %, {course_en} {course_zh}")
    if alert.effect_t is not None:
        table.add_row("CO2 booked 排放量影响", f"{alert.effect_t:+,.0f} t")
    table.add_row("Score 得分", f"{alert.score:.1f}, limit 限值 {alert.limit:.1f}")
    table.add_row("Division 行政区划", alert.division)
    return table


def _evidence(items: tuple[Evidence, ...]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, style="red")
    for item in items:
        words = Text.assemble(item.en, "\n", (item.zh, "dim"))
        if item.off_percent is None or item.spread_percent is None:
            table.add_row(item.month, words, "mark 标记", "")
            continue
        times = abs(item.off_percent) / max(item.spread_percent, 1e-9)
        off = f"{item.off_percent:+.1f} %\n± {item.spread_percent:.1f} %"
        table.add_row(item.month, words, off, "■" * min(BAR_MAX, round(times)))
    return table


def _rivals(alert: Alert) -> Iterator[RenderableType]:
    if not alert.rivals:
        return
    yield Text("\nLess likely 其他可能（得分较低）", style="bold")
    for rival in alert.rivals:
        yield Text(f"{rival.score:8.1f}  {rival.en} {rival.zh}", style="dim")


def span(alert: Alert) -> str:
    """The months of an alert, first to last."""
    first, last = alert.months[0], alert.months[-1]
    return first if first == last else f"{first} – {last}"


def _tonnes(alert: Alert) -> str:
    return "" if alert.effect_t is None else f"{alert.effect_t:+,.0f} t"
