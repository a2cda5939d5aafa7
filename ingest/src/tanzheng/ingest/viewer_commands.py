"""`tanzheng ingest viewer …`: who may look into the database, and at what."""

import json
from typing import Annotated

import typer

from tanzheng.ingest.options import DatabaseUrl, Json

app = typer.Typer(help="Logins that see their own scope only · 查看账户", no_args_is_help=True)
Login = Annotated[str, typer.Argument(help="Name of the login · 账户名")]


@app.command()
def add(
    login: Login,
    database_url: DatabaseUrl,
    scope: Annotated[
        str,
        typer.Option(help="national, enterprise:ID, city:370100, province:370000 · 可见范围"),
    ],
) -> None:
    """Make a login and print its password, this once · 新建账户，口令只显示一次."""
    import psycopg

    from tanzheng.ingest import viewers
    from tanzheng.ingest.migrate import named_errors

    seen = viewers.Scope.parse(scope)
    with named_errors(), psycopg.connect(database_url) as connection:
        password = viewers.add(connection, login, seen)
    typer.echo(json.dumps({"login": login, "password": password}))


@app.command()
def remove(login: Login, database_url: DatabaseUrl) -> None:
    """End its sessions and take the login away · 删除账户."""
    import psycopg

    from tanzheng.ingest import viewers
    from tanzheng.ingest.migrate import named_errors

    with named_errors(), psycopg.connect(database_url, autocommit=True) as connection:
        viewers.remove(connection, login)
    typer.echo(f"{login}: removed · 已删除")


@app.command("list")
def list_viewers(database_url: DatabaseUrl, as_json: Json = False) -> None:
    """All viewers and what they see · 账户及可见范围."""
    import psycopg

    from tanzheng.ingest import viewers
    from tanzheng.ingest.migrate import named_errors

    with named_errors(), psycopg.connect(database_url) as connection:
        found = viewers.listed(connection)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("login 账户", "scope 范围", "code 代码", "added 添加", title="Viewers 查看账户")
    for each in found:
        table.add_row(*(str(value) for value in each.values()))
    Console().print(table, highlight=False)
