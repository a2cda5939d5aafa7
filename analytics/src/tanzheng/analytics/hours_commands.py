"""`tanzheng hours`: the hours of every point, kept up with what arrives."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Hours of every point, from readings · 小时数据", no_args_is_help=True)

Plants = Annotated[
    list[Path], typer.Option("--plant", help="Plant file (TOML); repeat for more · 电厂描述文件")
]
DatabaseUrl = Annotated[
    str,
    typer.Option(envvar="TANZHENG_DATABASE_URL", help="PostgreSQL that ingest writes to · 数据库"),
]


@app.callback()
def hours() -> None:
    """Hours of every point, from readings · 小时数据."""


@app.command()
def refresh(
    plant: Plants,
    database_url: DatabaseUrl,
    as_json: Annotated[bool, typer.Option("--json", help="For machines · 机器可读")] = False,
) -> None:
    """Compute the hours that late data, gaps or corrections marked; no other · 重算待更新小时."""
    import json
    from dataclasses import asdict

    from rich.console import Console

    from tanzheng.analytics.hour_store import refresh as run
    from tanzheng.core.plant import Plant

    plants = [Plant.parse(path.read_bytes(), str(path)) for path in plant]
    with Console(stderr=True).status("hours 小时") as status:
        done = run(database_url, plants, lambda mark: status.update(f"hours 小时 {mark.gw}"))
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    else:
        typer.echo(
            f"{done.hours} hours of {done.marks} marks computed from {done.readings} readings, "
            f"{done.written} new or changed · 已重算"
        )
