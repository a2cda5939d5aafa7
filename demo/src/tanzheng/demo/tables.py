"""The end of a rehearsal as a person reads it."""

import json
from collections import Counter
from decimal import Decimal

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tanzheng.core.fields import FIELDS
from tanzheng.core.manifest import FINDINGS_PATH
from tanzheng.demo.report import FIGURES, Attack, Summary, folder_bytes

HONESTY = (
    "For gas units the replayed CO2_MASS is itself computed from heat input (40 CFR Part 75, "
    "eq. G-4): CEMS against calculation proves the measuring chain here, it is not an "
    "independent check."
)


def show(summary: Summary, console: Console) -> None:
    """Print what came out: figures, counts, attacks, sizes and times."""
    evidence = summary.evidence
    console.print()
    console.rule(f"[bold]{evidence.plant.name} · {evidence.unit} · {evidence.month}", style="dim")
    console.print(Padding(_figures(summary), (0, 2)))
    console.rule("every reading counted 逐条清点", style="dim")
    console.print(Padding(_readings(summary), (0, 2)))
    console.rule("attacks 攻击", style="dim")
    console.print(Group(*map(_attack, summary.attacks)))
    console.rule("proof and parts 证明与部件", style="dim")
    console.print(Padding(_parts(summary), (0, 2)))
    console.print(Padding(f"[yellow]{HONESTY}[/yellow]", (1, 2)))


def _figures(summary: Summary) -> Table:
    values = summary.manifest.values()
    table = _table(3)
    for name in FIGURES:
        item = FIELDS[name]
        shown = f"[bold]{Decimal(values[name]):,}[/bold]" if name in values else "–"
        table.add_row(item.en, item.zh, shown, item.unit)
    calculated, cems = Decimal(values["co2_calculated_t"]), values.get("co2_cems_t")
    if calculated and cems is not None:
        difference = (Decimal(cems) / calculated - 1) * 100
        table.add_row("CEMS against calculation", "CEMS 与核算法之差", f"{difference:+.2f}", "%")
    table.add_row("rules that hold", "校验规则通过", *_rules(summary))
    return table


def _rules(summary: Summary) -> tuple[str, str]:
    findings = json.loads((summary.evidence.folder.package / FINDINGS_PATH).read_bytes())
    outcomes = Counter(rule["outcome"] for rule in findings["rules"])
    return f"{outcomes['passed']} of {outcomes.total()}", findings["deposit"]


def _readings(summary: Summary) -> Table:
    count = summary.count
    table = _table(3)
    rows = (
        ("taken by the agent", "已采集", count.taken),
        ("stored in the database", "已入库", count.stored),
        ("in gap records", "缺口记录", count.in_gaps),
        ("lost", "丢失", count.lost),
        ("duplicated", "重复", count.duplicated),
        ("neither taken nor explained", "未说明", count.unexplained),
        ("slots × points of the month", "应采总数", count.slots * count.points),
    )
    for en, zh, number in rows:
        bad = number and en in ("lost", "duplicated", "neither taken nor explained")
        table.add_row(en, zh, f"[red]{number:,}[/red]" if bad else f"[bold]{number:,}[/bold]", "")
    for note in summary.faults:
        table.add_row(f"[dim]{note}[/dim]")
    return table


def _attack(attack: Attack) -> Group:
    mark = "[green]✓ caught 已识破[/green]" if attack.caught else "[red]✗ MISSED 未识破[/red]"
    said = Text(attack.said, style="dim", overflow="fold")
    return Group(f"  {mark}  {attack.title}", Padding(said, (0, 2, 0, 20)))


def _parts(summary: Summary) -> Table:
    folder, stages = summary.evidence.folder, summary.seconds
    proof = " · ".join(f"{k.replace('_', ' ')} {size:,}" for k, size in summary.proof_bytes.items())
    verified = "[green]holds 成立[/green]" if summary.verify_exit_code == 0 else "[red]FAILS[/red]"
    package = f"{folder_bytes(folder.package) / 1e6:.1f} MB, {summary.batches} signed batches"
    times = " · ".join(f"{name} {seconds:.1f}" for name, seconds in stages.items())
    table = _table()
    table.add_row("off-line verification 离线核验", verified)
    table.add_row("receipt 收据", f"{folder.receipt.stat().st_size:,} B: {proof}")
    table.add_row("package 存证包", package)
    table.add_row("gas of the statement 燃料", f"{summary.sealed['gas_used']:,}")
    table.add_row("real parts 真实部件", f"{summary.broker}, {summary.database}")
    table.add_row("seconds 用时", f"{times} · [bold]total {sum(stages.values()):.1f}[/bold]")
    table.add_row("files 文件", str(folder.root))
    return table


def _table(number_column: int | None = None) -> Table:
    """A table without lines; the numbers of one column (counted from 1) stand right-aligned."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="none")
    for column in (2, 3, 4) if number_column else (2,):
        table.add_column(justify="right" if column == number_column else "left", overflow="fold")
    return table
