"""Rules and what they found as pages for the terminal, in English and Chinese."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tanzheng.analytics.rules.catalogue import SEVERITIES, Example, FleetRule
from tanzheng.analytics.rules.report import Failure, Report
from tanzheng.analytics.rules.ruleset import CLASSES
from tanzheng.analytics.rules.suppression import REASONS
from tanzheng.analytics.rules.tables import SECTORS
from tanzheng.analytics.rules.words import in_words
from tanzheng.analytics.table import CLASS_NAMES, SEVERITY_STYLES

FAILURES_SHOWN_MAX = 40


def catalogue_page(rules: Sequence[FleetRule]) -> RenderableType:
    """The rules one a line, then their count by class and sector."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", expand=True)
    table.add_column("Rule 规则", no_wrap=True)
    table.add_column("Class 类别", no_wrap=True)
    table.add_column("Severity 级别", no_wrap=True)
    table.add_column("What must hold · 内容", ratio=1)
    table.add_column("Sure 可信度", no_wrap=True, style="dim")
    for rule in rules:
        title = Text.assemble(rule.title[0], "\n", (rule.title[1], "dim"))
        severity = Text(rule.severity, style=SEVERITY_STYLES[rule.severity])
        table.add_row(rule.id, CLASSES[rule.kind], severity, title, rule.confidence)
    return Group(table, _by_class(rules))


def _by_class(rules: Sequence[FleetRule]) -> Table:
    sectors = [name for name in SECTORS if any(rule.sector == name for rule in rules)]
    table = Table(
        box=box.SIMPLE_HEAD, header_style="bold", title="Count 数量", title_justify="left"
    )
    table.add_column("Class 类别")
    for name in sectors:
        table.add_column(f"{name}\n{SECTORS[name]}", justify="right")
    table.add_column("all\n合计", justify="right", style="bold")
    counts = Counter((rule.kind, rule.sector) for rule in rules)
    for kind, zh in CLASSES.items():
        row = [counts[kind, name] for name in sectors]
        table.add_row(f"{CLASS_NAMES[kind]} {zh}", *map(str, row), str(sum(row)))
    return table


def rule_page(rule: FleetRule) -> RenderableType:
    """One rule: in words, as text, its parameters, where it comes from, examples, what to do."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(rule):
        table.add_row(name, value)
    return Panel(
        table,
        title=f"[bold]{rule.id}[/] · {rule.title[0]} · {rule.title[1]}",
        box=box.ROUNDED,
        padding=(1, 2),
    )


def _facts(rule: FleetRule) -> Iterator[tuple[str, RenderableType]]:
    style = SEVERITY_STYLES[rule.severity]
    en, zh = SEVERITIES[rule.severity]
    yield (
        "Class 类别",
        f"{CLASS_NAMES[rule.kind]} {CLASSES[rule.kind]}, {rule.sector} {SECTORS[rule.sector]}",
    )
    yield "Severity 级别", Text(f"{rule.severity}: {en} · {zh}", style=style)
    yield "Table 数据表", rule.table
    if rule.when is not None:
        yield "Applies where 适用", in_words(rule.when.tree, "en", rule.parameters)
        yield "", in_words(rule.when.tree, "zh", rule.parameters)
    yield "Must hold 应满足", in_words(rule.condition.tree, "en", rule.parameters)
    yield "", in_words(rule.condition.tree, "zh", rule.parameters)
    yield "Condition 表达式", Text(rule.condition.text, style="cyan")
    if rule.when is not None:
        yield "When 适用条件", Text(rule.when.text, style="cyan")
    for name, value in rule.parameters.items():
        origin = f"  (pack constant {rule.references[name]})" if name in rule.references else ""
        yield "Parameter 参数", f"{name} = {value}{origin}"
    yield (
        "Source 来源",
        f"{rule.source}; confidence {rule.confidence}. Not an official rule 非官方规则",
    )
    yield "Message 提示", Text(f"{rule.message[0]}\n{rule.message[1]}")
    yield "What to do 处理", f"{rule.advice[0]}\n{rule.advice[1]}"
    yield "Passes 通过", Text("\n".join(_shown(rule, item) for item in rule.passing), style="green")
    yield "Fails 不通过", Text("\n".join(_shown(rule, item) for item in rule.failing), style="red")


def _shown(rule: FleetRule, example: Example) -> str:
    names = rule.condition.names | (rule.when.names if rule.when else frozenset())
    own = [f"{name} {example.row[name]}" for name in sorted(names & example.row.keys())]
    more = [f"{len(example.before)} months before"] if example.before else []
    more += [f"{len(example.others)} other row"] if example.others else []
    return ", ".join(own + more)


def report_page(report: Report) -> RenderableType:
    """The failures row by row, the suppressions that were used, the counts."""
    parts: list[RenderableType] = []
    if report.failures:
        parts.append(_failures(report.failures[:FAILURES_SHOWN_MAX]))
    if len(report.failures) > FAILURES_SHOWN_MAX:
        left = len(report.failures) - FAILURES_SHOWN_MAX
        parts.append(Text(f"… and {left:,} more: --json shows all · 其余见 --json\n", style="dim"))
    parts += [_suppressions(report)] if report.suppressions.active else []
    parts += [
        Text(
            f"suppression {item.number} of {item.rule} ended on {item.expires}: not used"
            " · 豁免已过期",
            style="yellow",
        )
        for item in report.suppressions.expired
    ]
    return Group(*parts, _foot(report))


def _failures(failures: Sequence[Failure]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", expand=True)
    table.add_column("Rule 规则", no_wrap=True)
    table.add_column("Where 位置")
    table.add_column("What does not hold · 不成立", ratio=1)
    for item in failures:
        style = "dim" if item.suppression else SEVERITY_STYLES[item.rule.severity]
        mark = (
            f"suppressed 已豁免 #{item.suppression.number}"
            if item.suppression
            else item.rule.severity
        )
        where = " ".join(item.keys.values())
        text = Text.assemble(item.en, "\n", (item.zh, "dim"))
        table.add_row(
            Text(f"{item.rule.id}\n{mark}", style=style), f"{where}\nrow 行 {item.row + 1}", text
        )
    return table


def _suppressions(report: Report) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, header_style="bold", title="Suppressions 豁免", title_justify="left"
    )
    for heading in (
        "#",
        "Rule 规则",
        "Scope 范围",
        "Reason 原因",
        "Owner 负责人",
        "Until 有效期",
        "Failures",
    ):
        table.add_column(heading)
    for item, count in report.uses():
        where = item.scope
        scope = f"{where.enterprise} {where.unit or '*'} {where.first}–{where.last}"
        reason = f"{REASONS[item.reason][0]}: {item.note}"
        table.add_row(
            str(item.number), item.rule, scope, reason, item.owner, str(item.expires), str(count)
        )
    return table


def _foot(report: Report) -> Text:
    verdicts = sum(tally.passed + tally.failed for tally in report.tallies.values())
    text = Text(
        f"{report.rows:,} rows 行, {len(report.tallies)} rules 规则, {verdicts:,} verdicts 判定\n"
    )
    for name, count in report.counts().items():
        style = SEVERITY_STYLES.get(name, "dim") if count else "dim"
        text.append(f"{name} {count:,}   ", style=style)
    blocked = report.blocking
    text.append(
        f"\n{blocked:,} failures block deposit · 阻止存证"
        if blocked
        else "\nnothing blocks deposit · 可以存证",
        style="bold red" if blocked else "bold green",
    )
    return text


def pair_page(counts: Mapping[str, tuple[int, int]], pairs: int) -> RenderableType:
    """How many examples held in both back ends, and the share of mutants they catch."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("Mutation 变异")
    for heading in ("Mutants 变异数", "Caught 发现", "Share 比例"):
        table.add_column(heading, justify="right")
    for kind, (caught, made) in counts.items():
        table.add_row(kind, f"{made:,}", f"{caught:,}", f"{100 * caught / made:.1f} %")
    return Group(
        Text(f"{pairs:,} examples hold in both back ends · 两种实现均符合", style="green"), table
    )
