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
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that share the gateways · 并行进程数")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="For machines · 机器可读")] = False,
) -> None:
    """Compute the hours that late data, gaps or corrections marked; no other · 重算待更新小时."""
    import json
    import time
    from dataclasses import asdict

    from rich.console import Console

    from tanzheng.analytics import hour_store
    from tanzheng.core.plant import Plant

    plants = [Plant.parse(path.read_bytes(), str(path)) for path in plant]
    with Console(stderr=True).status("hours 小时") as status, hour_store.processes(workers) as pool:

        def progress(done: int, total: int) -> None:
            status.update(f"hours 小时: {done} of {total} gateways 网关")

        now_ms = time.time_ns() // 1_000_000
        done = hour_store.refresh(database_url, plants, now_ms, pool, progress)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    else:
        typer.echo(
            f"{done.hours} hours of {done.marks} marks computed from {done.readings} readings, "
            f"{done.written} new or changed · 已重算"
        )
    if done.faults:
        for fault in done.faults:
            typer.echo(f"✗ {fault}", err=True)
        raise typer.Exit(3)
