"""`tanzheng ingest plant …`: which device measures which point of which unit, from when to when."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tanzheng.ingest.options import DatabaseUrl, Json

app = typer.Typer(
    help="Plants, units, devices and points, in time · 电厂、机组、设备、测点", no_args_is_help=True
)
Day = Annotated[
    datetime,
    typer.Option("--from", formats=["%Y-%m-%d"], help="First day (plant time) · 生效日"),
]


@app.command()
def load(
    plant_file: Annotated[Path, typer.Argument(metavar="PLANT.toml", help="Plant file · 电厂文件")],
    database_url: DatabaseUrl,
    division: Annotated[
        str, typer.Option(help="Where it lies, GB/T 2260, six digits · 行政区划代码")
    ],
    first_day: Day,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the plant here; else its enterprise's · 电厂标识"),
    ] = None,
) -> None:
    """Enter what a plant file says, valid from a day on; the past stays · 载入电厂文件."""
    import psycopg

    from tanzheng.core.plant import Plant
    from tanzheng.ingest import plants
    from tanzheng.ingest.enrolment import read_file
    from tanzheng.ingest.ledger import instant
    from tanzheng.ingest.migrate import named_errors

    plant = Plant.parse(read_file(plant_file), str(plant_file))
    at = instant(plant.zone.midnight_ms(first_day.date()))
    with named_errors(), psycopg.connect(database_url) as connection:
        done = plants.load(connection, plant, name or plant.enterprise, division, at)
    typer.echo(
        f"plant {done.plant}: {done.opened} opened 新开, {done.closed} closed 关闭, "
        f"{done.unchanged} unchanged 不变"
    )


@app.command("list")
def list_points(
    database_url: DatabaseUrl,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%SZ"], help="As it was then (UTC); else now · 时刻"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only this plant · 仅此电厂")] = None,
    as_json: Json = False,
) -> None:
    """Each point with its device and unit as they were at an instant · 测点、设备与机组."""
    from datetime import UTC

    import psycopg

    from tanzheng.ingest import plants
    from tanzheng.ingest.migrate import named_errors

    moment = at.replace(tzinfo=UTC) if at else datetime.now(UTC)
    with named_errors(), psycopg.connect(database_url) as connection:
        found = plants.valid_at(connection, moment, name)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    columns = {
        "plant": "plant 电厂", "unit": "unit 机组", "gw": "gateway 网关", "point": "point 测点",
        "role": "role 用途", "serial": "serial 编号", "device_from": "since 自",
    }  # fmt: skip
    table = Table(title="Points 测点", title_style="bold")
    for key, title in columns.items():
        table.add_column(title, no_wrap=key == "point")
    for each in found:
        table.add_row(*(str(each[key]) for key in columns))
    Console().print(table, highlight=False)
