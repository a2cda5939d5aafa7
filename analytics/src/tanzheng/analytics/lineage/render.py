"""Lineage for people: a tree for the terminal, a flow chart for a page."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from tanzheng.analytics.lineage.graph import Graph, Kind, Node
from tanzheng.analytics.lineage.hour import HourTrace, PointReadings
from tanzheng.analytics.series import PointGap
from tanzheng.core.fields import field

KINDS: Mapping[Kind, tuple[str, str, str]] = {
    Kind.ANNUAL: ("year", "年度", "bold green"),
    Kind.MONTH: ("month", "月份", "bold"),
    Kind.RULE: ("rule", "规则", "magenta"),
    Kind.FINDING: ("finding", "发现", "magenta"),
    Kind.PARAMETER: ("parameter", "参数", "bold cyan"),
    Kind.HOURS: ("hours", "小时", "green"),
    Kind.READING: ("reading", "读数", "yellow"),
    Kind.STEP: ("ledger", "台账", "yellow"),
    Kind.RECORD: ("record", "记录", "yellow"),
    Kind.CONSTANT: ("constant", "常数", "blue"),
    Kind.POINT: ("point", "测点", "yellow"),
    Kind.BATCHES: ("batches", "批次", "cyan"),
    Kind.DEVICE: ("device", "设备", "magenta"),
    Kind.CERTIFICATE: ("certificate", "证书", "magenta"),
    Kind.DOCUMENT: ("document", "文件", "dim"),
}
"""English, Chinese and colour of each kind."""
SHOWN = {
    Kind.ANNUAL: "units {units}, months {months}, missing {months_missing}",
    Kind.RULE: "{outcome}, {severity}",
    Kind.READING: "{at}",
    Kind.STEP: "{at}",
    Kind.CONSTANT: "{document}, {section}, confidence {confidence}",
    Kind.POINT: "{point}, gateway {gateway}",
    Kind.BATCHES: "{gateway} epoch {epoch} seq {first_seq}–{last_seq}, head {head:.16}…",
    Kind.DEVICE: "{device}, profile {profile}",
    Kind.CERTIFICATE: "{issuer}, {valid_from} – {valid_to}, covers the month: {covers_month}",
    Kind.DOCUMENT: "{title}, sha-256 {sha256:.16}…",
}
"""Facts that stand behind a node in the tree; all of them are in the JSON."""
LABELLED = (Kind.READING, Kind.POINT, Kind.BATCHES, Kind.DEVICE, Kind.HOURS, Kind.DOCUMENT)
"""Kinds whose nodes a chart could not tell apart by their names."""
COLOURS = {Kind.PARAMETER: "#d8f0f4", Kind.HOURS: "#dff3e0", Kind.DOCUMENT: "#eeeeee"}


def tree(graph: Graph, root: str) -> Tree:
    """What `root` rests on; a node that several lead to is opened the first time only."""
    opened = {root}
    top = Tree(line(graph.nodes[root]), guide_style="dim")
    _grow(graph, root, top, opened)
    return top


def _grow(graph: Graph, of: str, branch: Tree, opened: set[str]) -> None:
    for node in graph.below(of):
        if node.id in opened and graph.below(node.id):
            branch.add(Text.assemble(_named(node), ("  ↑ above 见上", "dim")))
        else:
            opened.add(node.id)
            _grow(graph, node.id, branch.add(line(node)), opened)


def line(node: Node) -> Text:
    """One node: kind, both names, value, the facts that tell it from others."""
    parts = [_named(node)]
    if node.value is not None:
        parts.append(Text(f"  {amount(node)}", style="bold"))
    if facts := _facts(node):
        parts.append(Text(f"  {facts}", style="dim"))
    return Text.assemble(*parts)


def _named(node: Node) -> Text:
    _, kind_zh, style = KINDS[node.kind]
    return Text.assemble((f"{kind_zh} ", "dim"), (node.en, style), f" {node.zh}")


def _facts(node: Node) -> str:
    if node.kind is Kind.HOURS:
        taken = node.facts.get("taken_from")
        span = node.id.rpartition(":")[2].replace("/", " – ")
        return f"{span}, taken from 取自 {taken}" if taken else span
    known = defaultdict(lambda: "–", {key: str(value) for key, value in node.facts.items()})
    return SHOWN.get(node.kind, "").format_map(known)


def amount(node: Node) -> str:
    """A node's value with its unit, thousands apart."""
    return f"{Decimal(node.value or 0):,f} {node.unit or ''}".rstrip()


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flow chart, from a figure on the left to its documents."""
    place = {name: f"n{number}" for number, name in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for name, node in graph.nodes.items():
        shown = [KINDS[node.kind][0], node.en, node.zh, amount(node) if node.value else ""]
        shown.append(_facts(node) if node.kind in LABELLED else "")
        label = "<br/>".join(_escaped(part) for part in shown if part)
        lines.append(f'  {place[name]}["{label}"]:::{node.kind}')
    lines += [f"  {place[derived]} --> {place[source]}" for derived, source in graph.edges()]
    lines += [
        f"  classDef {kind} fill:{COLOURS.get(kind, '#ffffff')},stroke:#666666"
        for kind in Kind
        if any(node.kind is kind for node in graph.nodes.values())
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    for character, code in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(character, code)
    return text


# ------------------------------------------------------------------ one hour


def hour(trace: HourTrace) -> RenderableType:
    """An hour's record, the readings it came from by point, and the batches that hold them."""
    return Group(
        Text.assemble(("小时 ", "dim"), (f"hour {trace.name}", "bold"), f" UTC{trace.zone}"),
        _record(trace),
        _points(trace),
        *(Text(_gap(trace, gap), style="yellow") for gap in trace.gaps),
        _batches(trace),
    )


def _record(trace: HourTrace) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_row("method 方法", str(trace.record.get("method")), style="green")
    for key, value in trace.record.items():
        if key not in ("start_ms", "method", "substitution") and value is not None:
            table.add_row(key, str(value))
    for key in ("taken_from", "looked_at_first", "looked_at_last"):
        if key in trace.stretch.facts:
            table.add_row(key, str(trace.stretch.facts[key]), style="yellow")
    table.add_row("stretch 所属时段", trace.stretch.id, style="dim")
    return table


def _points(trace: HourTrace) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("Point 测点", overflow="fold")
    for heading in ("n", "first 首", "last 末", "min 最小", "max 最大"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in trace.points:
        entry = field(each.point.partition("/")[2])
        name = f"{each.point}\n{entry.zh} {entry.unit}"
        table.add_row(name, str(len(each.series)), *_figures(each))
    return table


def _figures(each: PointReadings) -> list[str]:
    values = each.series.value.tolist()
    pick: list[Callable[[list[float]], float]] = [lambda v: v[0], lambda v: v[-1], min, max]
    return [f"{choose(values):.10g}" for choose in pick] if values else ["–"] * len(pick)


def _batches(trace: HourTrace) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for heading in ("Batch 批次", "Epoch 纪元", "Seq 序号", "SHA-256"):
        table.add_column(heading, justify="right" if heading.startswith(("E", "Seq")) else "left")
    for gw, held in trace.batches.items():
        for each in held:
            table.add_row(gw, str(each.batch.epoch), str(each.batch.seq), each.digest.hex()[:32])
    return table


def _gap(trace: HourTrace, gap: PointGap) -> str:
    first, last = (
        trace.zone.datetime(t_ms).isoformat(timespec="seconds")
        for t_ms in (gap.from_ms, gap.last_ms)
    )
    return f"gap 缺失 {gap.point}: {gap.reason}, {first} – {last}"
