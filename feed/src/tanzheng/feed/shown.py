"""What the commands show: a table for people, one JSON object for machines."""

from __future__ import annotations

import json
import signal
from typing import Any

import typer

LABELS = {
    "seq": "items 条目",
    "digest": "digest of the last 末条摘要",
    "block_number": "as of block 截至区块",
    "waiting": "statement missing or other 缺声明或不符",
    "problems": "problems 异常",
    "subscribers": "subscribers 订阅方",
    "confirmed": "confirmed, t 可入账（吨）",
    "disputed": "in dispute, t 异议中（吨）",
    "item": "items taken in 已接收",
    "entry": "entries 分录",
    "held": "held back 待补序",
    "refused": "refused lines 拒收",
    "stored": "proved by storage 链上存储已证",
    "figures": "confirmed figures 已确认数",
    "tonnes": "sum of the contract, t 链上合计（吨）",
    "differences": "differences 差异",
}


def show(fields: dict[str, Any], as_json: bool) -> None:
    """Print `fields`, whose keys have labels."""
    if as_json:
        typer.echo(json.dumps(fields, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, border_style="dim")
    table.add_column()
    table.add_column(overflow="fold")
    for key, value in fields.items():
        table.add_row(LABELS[key], _text(value))
    Console().print(table)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_inline(each)}" for key, each in value.items()) or "–"
    if isinstance(value, list):
        return "\n".join(map(_inline, value)) or "–"
    return "–" if value is None else str(value)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items() if each is not None)
    return str(value)


def say(text: str) -> None:
    """Tell of progress, beside the answer."""
    typer.echo(text, err=True)


def end_on_signal() -> None:
    """End with exit code 0 on SIGTERM and Ctrl-C."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
