"""How a recomputation is shown: reported beside recomputed, in two languages, or as JSON."""

from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tanzheng.analytics.package import software
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import field
from tanzheng.verifier.recompute import DIGEST, FIGURE, FILE, Recomputation, Row

DIGEST_CHARS = 16
TITLES = {
    FIGURE: ("Figure", "数据项"),
    FILE: ("File", "文件"),
    DIGEST: ("Digest", "摘要"),
}
COPIED = {
    "salts": ("salts of the figures", "数据项盐值"),
    "software": ("software that closed the month", "核算软件版本"),
    "closed_on": ("day of closing", "结账日期"),
}
"""Taken over from the package: nothing it holds would give them."""
OUTSIDE = {
    "statement": ("statement", "存证声明"),
    "signature": ("signatures", "签名"),
    "receipt": ("receipt and its time", "存证凭证与时间"),
}
"""Not in a package at all: `tanzheng verify` is for these."""


def as_json(found: Recomputation) -> dict[str, Any]:
    """The machine form: `ok`, what the package says of itself, `problems`, a row a comparison."""
    described = found.described
    return {
        "ok": found.equal,
        "subject": str(described.subject),
        "standard": f"{described.standard.name} {described.standard.version}",
        "rules": f"{described.rules.name} {described.rules.version}",
        "software": described.software,
        "software_here": software(),
        "problems": list(found.problems),
        "rows": [_row_json(row) for row in found.rows],
        "copied": list(COPIED),
        "not_checked": list(OUTSIDE),
    }


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "name": row.name,
        "reported": row.reported,
        "recomputed": row.recomputed,
        "equal": row.equal,
        "copied": row.copied,
        "difference": row.difference,
    }


def show(found: Recomputation, console: Console) -> None:
    """Print the comparison, what was not made again, and the answer below it."""
    described = found.described
    parts: list[RenderableType] = [
        Text.assemble(("✗ ", "bold red"), (problem, "red")) for problem in found.problems
    ]
    parts += [_table(found, kind) for kind in TITLES if _rows(found, kind)]
    parts += [Text(f"✗ {_difference(row)}", style="red") for row in found.rows if not row.equal]
    parts += [_left_out(), *_other_software(found), Text(), _answer(found)]
    console.print(
        Panel(
            Group(*parts),
            title=f"[bold]{escape(str(described.subject))}[/bold]",
            subtitle=f"{described.standard.name} {described.standard.version}, "
            f"{described.rules.name} {described.rules.version}",
            border_style="green" if found.equal else "red",
            padding=(1, 2),
        )
    )


def _rows(found: Recomputation, kind: str) -> list[Row]:
    return [row for row in found.rows if row.kind == kind]


def _table(found: Recomputation, kind: str) -> Table:
    en, zh = TITLES[kind]
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("", width=1)
    table.add_column(f"{en} {zh}", overflow="fold")
    for heading in ("Reported 报告值", "Recomputed 重算值"):
        table.add_column(heading, overflow="fold")
        table.columns[-1].justify = "right" if kind == FIGURE else "left"
    for row in _rows(found, kind):
        mark = Text("✓", style="green") if row.equal else Text("✗", style="bold red")
        again = "input 输入" if row.copied and row.equal else _shown(row, row.recomputed)
        style = "" if row.equal else "red"
        table.add_row(mark, _name(row), _shown(row, row.reported), again, style=style)
    return table


def _name(row: Row) -> str:
    if row.kind != FIGURE:
        return row.name
    try:
        entry = field(row.name)
    except BadInput:
        return row.name
    return f"{entry.en} {entry.zh}"


def _shown(row: Row, value: str | None) -> str:
    if value is None:
        return "–"
    if row.kind == FIGURE:
        return value
    words = value.split()
    words[-1] = f"{words[-1][:DIGEST_CHARS]}…"
    return " ".join(words)


def _difference(row: Row) -> str:
    if row.difference:
        return f"{row.name}: {row.difference}"
    expected, got = (_shown(row, value) for value in (row.recomputed, row.reported))
    return f"{row.name}: expected {expected}, got {got}"


def _left_out() -> Text:
    copied = ", ".join(en for en, _ in COPIED.values()), "、".join(zh for _, zh in COPIED.values())
    asked = ", ".join(en for en, _ in OUTSIDE.values()), "、".join(zh for _, zh in OUTSIDE.values())
    return Text(
        f"Copied, not made again 照录未重算: {copied[0]} · {copied[1]}\n"
        f"Not asked here, see `tanzheng verify` 此处未核: {asked[0]} · {asked[1]}",
        style="dim",
    )


def _other_software(found: Recomputation) -> list[Text]:
    """A later version may write other bytes for the same figures: said before it is wondered at."""
    made_by, here = found.described.software, software()
    said = f"Made by 制作版本: {made_by}; recomputed with 重算版本: {here}"
    return [] if made_by == here else [Text(said, style="yellow")]


def _answer(found: Recomputation) -> Text:
    if found.equal:
        return Text(
            "Recomputed: every figure, file and digest is equal. 重算一致", style="bold green"
        )
    return Text(
        "Not equal: the package is not what follows from its inputs. 重算不一致",
        style="bold red",
    )
