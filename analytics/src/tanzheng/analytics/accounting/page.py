"""Accounted months as pages for the terminal, in English and Chinese."""

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from tanzheng.analytics.accounting.arithmetic import put_in
from tanzheng.analytics.accounting.engine import Accounted, AccountedMonth, Remark
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.tree import Node, Source
from tanzheng.core.fields import FIELDS

MONTHS_SHOWN_MAX = 24
NAMED_BY_SOURCE = ("co2_combustion_t", "co2_material_t")
STYLES = {"draft": "magenta", "unverified": "yellow", "default": "bold yellow"}
STATUS = {
    "in_force": ("in force", "现行", "green"),
    "superseded": ("superseded", "已被替代", "dim"),
    "draft": ("draft", "征求意见稿", "magenta"),
    "unverified": ("unverified", "未核对", "yellow"),
}


def render(result: Accounted) -> RenderableType:
    """The months with their figures, the sums, the packs, and what needs a second look."""
    shown = [_month(month) for month in result.months[:MONTHS_SHOWN_MAX]]
    more = len(result.months) - len(shown)
    rest = [Text(f"… and {more} months more: see --json · 另有 {more} 个月")] if more else []
    parts = [*shown, *rest, _totals(result), _packs(result), *_remarks(result)]
    return _panel(result, Group(*parts))


def explained(result: Accounted) -> RenderableType:
    """Each figure as a tree: formula, the numbers put in, the source of every constant."""
    trees = [tree for month in result.months for tree in _trees(month)]
    return _panel(result, Group(*trees, _packs(result), *_remarks(result)))


def _panel(result: Accounted, inside: RenderableType) -> Panel:
    return Panel(
        inside,
        title=f"[bold]{result.enterprise}[/]",
        box=box.ROUNDED,
        expand=False,
        padding=(1, 2),
    )


def _month(month: AccountedMonth) -> RenderableType:
    head = Text.assemble(
        (f"{month.model.unit} · {month.model.month}", "bold"),
        (f"   {month.sector.en} {month.sector.zh} · {month.pack.name}", "dim"),
    )
    table = _table("Figure", "指标", "Value 数值", "Unit 单位")
    first, *others = month.figures
    for part in first.inputs:
        table.add_row(*_part(part, month.pack), f"{part.value:,f}", part.unit)
        for node in part.inputs:
            if node.name in FIELDS:
                en, zh = _part(node, month.pack)
                table.add_row(f"  {en}", f"  {zh}", f"{node.value:,f}", node.unit, style="dim")
    for node in (first, *others):
        en, zh = _label(node.name, month.pack)
        table.add_row(en, zh, f"{node.value:,f}", node.unit, style=_emphasis(node, first))
    return Group(head, table)


def _part(part: Node, pack: Pack) -> tuple[str, str]:
    """A part of the emission: by the fuel or material that it is of, else by its own name."""
    if not part.of or part.name not in NAMED_BY_SOURCE:
        return _label(part.name, pack)
    en, zh = _label(part.of, pack)
    return f"CO2 of {en}", f"{zh}排放量"


def _emphasis(node: Node, first: Node) -> str:
    if node is first:
        return "bold green"
    return "cyan" if "intensity" in node.name else ""


def _totals(result: Accounted) -> Table:
    table = _table("Total", "合计", "Value 数值", "Unit 单位")
    for total in result.totals:
        for unit in total.inputs if len(total.inputs) > 1 else ():
            table.add_row(f"  {unit.of}", "", f"{unit.value:,f}", unit.unit, style="dim")
        table.add_row(
            total.of, FIELDS[total.name].zh, f"{total.value:,f}", total.unit, style="bold green"
        )
    return table


def _packs(result: Accounted) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for heading in ("Standard pack", "标准包", "SHA-256"):
        table.add_column(heading, overflow="fold")
    for pack in result.packs():
        en, zh, style = STATUS[pack.status]
        state = Text(f"{en} {zh}", style)
        table.add_row(f"{pack.name} ({pack.version})", state, pack.sha256.hex()[:16] + "…")
    return table


def _remarks(result: Accounted) -> list[Text]:
    return [_remark(remark) for remark in result.warnings]


def _remark(remark: Remark) -> Text:
    return Text(f"• {remark.en}\n  {remark.zh}", style=STYLES[remark.code])


def _trees(month: AccountedMonth) -> list[Tree]:
    """A tree for each computed figure; what was explained above is not explained again."""
    seen: set[Node] = set()
    trees = []
    for node in month.figures:
        if node.inputs:
            head = Text(f"{month.model.unit} · {month.model.month}  ", "dim")
            trees.append(Tree(head + _line(node, month.pack), guide_style="dim"))
            _grow(trees[-1], node, month.pack, seen)
    return trees


def _grow(tree: Tree, node: Node, pack: Pack, seen: set[Node]) -> None:
    if node in seen:
        tree.add(Text("see above · 见上", "dim italic"))
        return
    if node.formula:
        seen.add(node)
        tree.add(Text(f"= {node.formula}", "italic cyan"))
        if numbers := put_in(node):
            tree.add(Text(f"= {numbers}", "cyan"))
    if node.source:
        tree.add(_source(node.source))
    for child in node.inputs:
        _grow(tree.add(_line(child, pack)), child, pack, seen)


def _line(node: Node, pack: Pack) -> Text:
    en, zh = _label(node.name, pack)
    text = Text.assemble(f"{en} {zh}  ", (f"{node.value:,f}", "bold"), f" {node.unit}")
    if node.of and node.of != node.name:
        text.append(f"  {node.of}", "dim")
    return text


def _source(source: Source) -> Text:
    text = Text(f"{source.document} · {source.section} · ", "dim")
    style = "bold yellow" if source.unverified else "green"
    doubt = " draft 征求意见稿" if source.draft else " unverified 未核对"
    text.append(source.confidence + (doubt if source.unverified else ""), style)
    if source.note:
        text.append(f" · {source.note}", "dim italic")
    return text


def _label(name: str, pack: Pack) -> tuple[str, str]:
    """English and Chinese of a figure, a fuel or a constant; the name itself where none is set."""
    if entry := FIELDS.get(name):
        return entry.en, entry.zh
    label = pack.labels.get(name) or pack.labels.get(f"fuel.{name}")
    return (label.en, label.zh) if label else (name, "")


def _table(*headings: str) -> Table:
    """Two columns of words, which a narrow terminal may break, then figures, which it may not."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for index, heading in enumerate(headings):
        table.add_column(
            heading, no_wrap=index >= 2, overflow="fold", justify="right" if index == 2 else "left"
        )
    return table
