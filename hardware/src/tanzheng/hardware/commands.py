"""`tanzheng sim`: a plant to measure, replaying real hours."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tanzheng.hardware.epa import MonthOfHours

app = typer.Typer(
    no_args_is_help=True,
    help="Simulated plant: Modbus devices that replay real hours · 模拟电厂（回放真实小时数据）",
)

Replay = Annotated[
    Path | None,
    typer.Option(help="Hourly file of US EPA Part 75 (CSV); default: Langley Gulch, July 2018."),
]
Unit = Annotated[str | None, typer.Option(help="Unit as ORIS/ID, where the file has several.")]
Month = Annotated[str | None, typer.Option(help="Month YYYY-MM, where the file has several.")]


@app.command()
def run(
    folder: Annotated[Path, typer.Option("--dir", help="Folder for the plant's files · 工作目录")],
    replay: Replay = None,
    unit: Unit = None,
    month: Month = None,
    live: Annotated[
        bool, typer.Option("--live", help="At real speed, without a plant-time socket.")
    ] = False,
) -> None:
    """Serve the plant's devices until SIGTERM · 启动模拟电厂."""
    import asyncio

    from rich.console import Console

    from tanzheng.hardware.simulator import run as serve

    hours = _read(replay, unit, month)
    for notice in hours.notices:
        Console(stderr=True).print(f"notice · 提示: {notice}", style="yellow", highlight=False)
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(hours, folder, live))


@app.command()
def check(replay: Replay = None, unit: Unit = None, month: Month = None) -> None:
    """Read an hourly file and say what is in it; no device is started · 检查回放文件."""
    from rich.console import Console

    from tanzheng.hardware.epa import read_contents
    from tanzheng.hardware.report import contents_table, month_table

    console = Console()
    contents = read_contents(replay or shipped_replay())
    console.print(contents_table(contents))
    chosen = unit or (next(iter(contents.months)) if len(contents.months) == 1 else None)
    if chosen is not None and (month or len(contents.months.get(chosen, ("",))) == 1):
        console.print(month_table(_read(replay, chosen, month)))


@app.command()
def device(
    profile: Annotated[str, typer.Argument(help="Profile id, or its YAML file · 设备标识或文件")],
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one · 端口")] = 5020,
    host: Annotated[str, typer.Option(help="Address to listen on · 地址")] = "127.0.0.1",
    serial: Annotated[
        Path | None, typer.Option(help="Serial port instead, in RTU · 串口（RTU）")
    ] = None,
    unit_id: Annotated[int, typer.Option(min=1, max=247, help="Unit id · 站号")] = 1,
    rtu: Annotated[bool, typer.Option("--rtu", help="RTU frames over TCP · RTU over TCP")] = False,
) -> None:
    """Serve one Modbus device by its profile, with values that move · 模拟一台设备."""
    import asyncio

    from tanzheng.hardware.device_simulator import Place, serve_device
    from tanzheng.hardware.loader import check_profile_file, load_profile

    file = Path(profile)
    chosen = check_profile_file(file) if file.suffix == ".yaml" else load_profile(profile)

    def say(where: str, answered: int) -> None:
        typer.echo(f"{chosen.id} at {where}: {answered} reads answered · 已应答 {answered} 次")

    place = Place(host, port, serial, unit_id, "rtu" if rtu else "tcp")
    asyncio.run(serve_device(chosen, place, say))


def shipped_replay() -> Path:
    """The hourly file that ships: Langley Gulch CT1, July 2018."""
    return Path(__file__).parent / "data" / "langley_gulch_ct1_2018-07.csv"


def _read(replay: Path | None, unit: str | None, month: str | None) -> "MonthOfHours":
    from tanzheng.core.calendar import Month as CalendarMonth
    from tanzheng.hardware.epa import read_month

    chosen = None if month is None else CalendarMonth.parse(month)
    return read_month(replay or shipped_replay(), unit, chosen)
