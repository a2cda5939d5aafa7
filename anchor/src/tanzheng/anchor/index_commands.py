"""`tanzheng anchor index`: find statements through PostgreSQL, believe only the log's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tanzheng.anchor.log_index import Found

app = typer.Typer(no_args_is_help=True, help="Find statements in a large log. 声明索引")

Folder = Annotated[Path, typer.Option("--dir", help="Folder of the log. 日志目录")]
DatabaseUrl = Annotated[
    str, typer.Option(envvar="TANZHENG_DATABASE_URL", help="libpq URL of the database. 数据库")
]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines. 机器可读输出")]
Wanted = Annotated[str | None, typer.Option(help="Only of this. 仅限")]


@app.command("refresh")
def refresh_command(
    folder: Folder,
    database_url: DatabaseUrl,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="From nothing, whatever is there. 重建")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the index to what the log's files hold, after auditing both. 更新索引"""
    from tanzheng.anchor.chain_file import ChainFile
    from tanzheng.anchor.log_index import LogIndex
    from tanzheng.anchor.log_store import LogStore

    index = LogIndex(database_url, ChainFile.read(folder))
    done = index.refresh(LogStore(folder / "log"), rebuild)
    if as_json:
        shown = {"added": done.added, "statements": done.statements}
        typer.echo(json.dumps({**shown, "checkpoints": done.checkpoints}))
    else:
        typer.echo(
            f"{done.added} added 新增; {done.statements} statements 声明, "
            f"{done.checkpoints} checkpoints 检查点"
        )


@app.command("find")
def find_command(
    folder: Folder,
    database_url: DatabaseUrl,
    enterprise: Wanted = None,
    unit: Wanted = None,
    period: Wanted = None,
    kind: Wanted = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what was superseded. 含被取代的声明")
    ] = False,
    as_json: Json = False,
) -> None:
    """What the log states about whom, each checked against its bytes. 查找声明"""
    from tanzheng.anchor.chain_file import ChainFile
    from tanzheng.anchor.log_index import LogIndex
    from tanzheng.anchor.log_store import LogStore

    asked = {"enterprise": enterprise, "unit": unit, "period": period, "kind": kind}
    wanted = {name: value for name, value in asked.items() if value is not None}
    contents = LogStore(folder / "log").read()
    index = LogIndex(database_url, ChainFile.read(folder))
    found = list(index.find(contents.files, contents.size, wanted, everything))
    if as_json:
        typer.echo(json.dumps([_fields(item) for item in found], ensure_ascii=False))
    else:
        _show(found)


def _fields(item: Found) -> dict[str, Any]:
    stated = item.signed.statement
    return {
        "leaf": item.leaf,
        "type": stated.TYPE,
        "subject": str(stated.subject),
        "seq": stated.seq,
        "issuer": stated.issuer,
        "digest": item.signed.digest.hex(),
        "checkpoint": item.checkpoint,
        "current": item.is_current,
    }


def _show(found: list[Found]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{len(found)} statements · 声明", border_style="dim")
    for name in ("leaf 叶", "subject 主体", "seq 序", "issuer 签署方", "checkpoint 检查点"):
        table.add_column(name, overflow="fold")
    table.add_column("SHA-256")
    for item in found:
        fields = _fields(item)
        style = "" if item.is_current else "dim strike"
        values = [fields[name] for name in ("leaf", "subject", "seq", "issuer", "checkpoint")]
        shown = ["–" if value is None else str(value) for value in values]
        table.add_row(*shown, f"{fields['digest'][:16]}…", style=style)
    Console().print(table)
