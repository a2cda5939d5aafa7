"""`tanzheng hours`: the hours of every point, kept up with what arrives."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tanzheng.analytics.hour_store import Refreshed
    from tanzheng.analytics.hours_service import Rounds

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
    every: Annotated[
        int | None,
        typer.Option(min=1, help="Again every so many seconds, until SIGTERM · 每隔若干秒重算"),
    ] = None,
    health: Annotated[
        str | None, typer.Option(help="With --every: HOST:PORT of /health · 健康检查地址")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that share the gateways · 并行进程数")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="For machines · 机器可读")] = False,
) -> None:
    """Compute the hours that are over and that late data, gaps or corrections marked; no other
    · 重算待更新小时."""
    from tanzheng.analytics.hour_store import processes
    from tanzheng.analytics.hours_service import PlantFiles, Rounds
    from tanzheng.core.errors import BadInput

    files = PlantFiles(plant)
    if every is None and health is not None:
        raise BadInput("--health: expected --every with it: a single run has no health")
    with processes(workers) as pool:
        if every is not None:
            _keep_up(Rounds(database_url, files, pool), every, health, as_json)
        else:
            _once(Rounds(database_url, files, pool), as_json)


def _once(rounds: "Rounds", as_json: bool) -> None:
    from rich.console import Console

    with Console(stderr=True).status("hours 小时") as status:

        def progress(done: int, total: int) -> None:
            status.update(f"hours 小时: {done} of {total} gateways 网关")

        done, faults = rounds.one(progress)
    _tell(done, as_json)
    for fault in faults:
        typer.echo(f"✗ {fault}", err=True)
    if faults:
        raise typer.Exit(3)


def _keep_up(rounds: "Rounds", every: int, health: str | None, as_json: bool) -> None:
    import logging
    import signal
    from contextlib import nullcontext

    from tanzheng.analytics.hours_health import Health
    from tanzheng.analytics.hours_service import HoursService

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    service = HoursService(rounds, every, lambda done: _tell(done, as_json))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    with Health(health, service.faults) if health is not None else nullcontext():
        service.run()


def _tell(done: "Refreshed", as_json: bool) -> None:
    import json
    from dataclasses import asdict

    if as_json:
        typer.echo(json.dumps(asdict(done)))
    else:
        typer.echo(
            f"{done.hours} hours of {done.marks} marks computed from {done.readings} readings, "
            f"{done.written} new or changed · 已重算"
        )
