"""`tanzheng ingest audit-log …`: what was done to the platform's database, and by whom."""

import json
from typing import Annotated

import typer

from tanzheng.ingest.options import DatabaseUrl, Json

app = typer.Typer(help="Who did what to the database · 审计日志", no_args_is_help=True)


@app.command()
def verify(
    database_url: DatabaseUrl,
    head: Annotated[
        str | None, typer.Option(help="A digest noted before: must still be there · 已记录的摘要")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the chain from the first entry on; exit 3 where it is broken · 校验审计日志."""
    import psycopg

    from tanzheng.core.closed import hexadecimal
    from tanzheng.ingest import audit_log
    from tanzheng.ingest.migrate import named_errors

    known = hexadecimal(head, 32, "--head") if head else None
    with named_errors(), psycopg.connect(database_url) as connection:
        found = audit_log.verify(connection, known)
    if as_json:
        typer.echo(json.dumps({"entries": found.number, "head": found.digest.hex()}))
    else:
        typer.echo(f"{found.number} entries are one chain 链完整, head 链头 {found.digest.hex()}")


@app.command("list")
def list_entries(
    database_url: DatabaseUrl,
    limit: Annotated[int, typer.Option(min=1, help="The latest N entries · 最近 N 条")] = 50,
    as_json: Json = False,
) -> None:
    """The entries, the newest first · 审计记录."""
    import psycopg

    from tanzheng.ingest import audit_log
    from tanzheng.ingest.migrate import named_errors

    with named_errors(), psycopg.connect(database_url) as connection:
        found = audit_log.latest(connection, limit)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    columns = {
        "number": "no. 序号", "at": "at 时间", "actor": "who 操作者", "action": "action 操作",
        "detail": "detail 详情",
    }  # fmt: skip
    table = Table(title="Audit log 审计日志", title_style="bold")
    for key, title in columns.items():
        table.add_column(title, no_wrap=key == "action")
    for each in found:
        table.add_row(*(str(each[key]) for key in columns))
    Console().print(table, highlight=False)
