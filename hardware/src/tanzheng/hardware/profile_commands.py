"""`tanzheng profile`: the device profiles, those that ship and a plant's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from tanzheng.hardware.profile import PointSpec, Profile

app = typer.Typer(no_args_is_help=True, help="Device profiles: a meter is one file · 设备描述文件")

Folders = Annotated[
    list[Path] | None,
    typer.Option("--folder", help="Folder with profiles of the plant's own · 自有设备文件夹"),
]


@app.command("list")
def list_profiles(folder: Folders = None) -> None:
    """All profiles, with how far their source can be trusted · 列出设备."""
    from rich.console import Console

    from tanzheng.hardware.loader import load_profile, profile_ids

    table = _table("Device profiles · 设备描述文件")
    table.add_column("profile 标识", no_wrap=True)
    table.add_column("device 设备")
    for title in ("protocol\n协议", "fields\n量/测点", "trust\n依据"):
        table.add_column(title, no_wrap=True)
    for name in profile_ids(folder or ()):
        profile = load_profile(name, folder or ())
        fields = sum(point.field is not None for point in profile.points)
        counts = f"{fields}/{len(profile.points)}"
        device = f"{profile.vendor} {profile.kind}"
        table.add_row(name, device, profile.protocol, counts, profile.trust)
    Console().print(table)


@app.command()
def show(
    profile_id: Annotated[str, typer.Argument(metavar="ID", help="Profile · 设备标识")],
    folder: Folders = None,
) -> None:
    """Every point of a profile, its source and its traps · 显示测点."""
    from rich.console import Console

    from tanzheng.hardware.loader import load_profile, profile_document, profile_path

    console = Console()
    profile = load_profile(profile_id, folder or ())
    document = profile_document(profile_path(profile_id, folder or ()))
    console.print(_points_table(profile))
    for source in document["source"]:
        console.print("source · 来源: " + ", ".join(map(str, source.values())), highlight=False)
    if "notes" in document:
        console.print(document["notes"], style="yellow", highlight=False)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="YAML file of a profile · 设备文件")],
) -> None:
    """Check a profile's file against schema and dictionary; no connection is made · 检查文件."""
    from tanzheng.hardware.loader import check_profile_file

    profile = check_profile_file(file)
    fields = sum(point.field is not None for point in profile.points)
    typer.echo(
        f"{file}: {profile.id}, {len(profile.points)} points · 测点, {fields} with a field · 有量名"
    )


def _table(title: str) -> "Table":
    from rich import box
    from rich.table import Table

    return Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _points_table(profile: "Profile") -> "Table":
    table = _table(f"{profile.id}: {profile.vendor} {', '.join(profile.models)} ({profile.trust})")
    table.add_column("point 测点\n→ field 量", no_wrap=True)
    for title in ("address\n地址", "type, order\n类型, 字序"):
        table.add_column(title, no_wrap=True)
    for title in ("scale, unit\n系数, 单位", "quality from\n质量来源"):
        table.add_column(title, overflow="fold")
    for point in profile.points:
        name = f"{point.id}\n→ [cyan]{point.field}[/cyan]" if point.field else point.id
        value = f"{_scale(point)} {point.unit}".removeprefix("1 ")
        table.add_row(name, *address_cells(point), value, _quality(point))
    return table


def address_cells(point: "PointSpec") -> tuple[str, str]:
    """Address, and type with order, of a point as people read them, whatever its protocol."""
    from tanzheng.hardware.addresses import Dlt645At, Hj212At, RegisterAt

    at = point.at
    if isinstance(at, RegisterAt):
        place = f"{at.fc}:{at.addr}" + ("" if at.bit is None else f".{at.bit}")
        return place, f"{at.type} {at.letters}" if at.words > 1 else at.type
    if isinstance(at, Hj212At):
        return f"{at.code}-{at.suffix}", "text"
    if isinstance(at, Dlt645At):
        return at.di + ("" if at.part is None else f"[{at.part}]"), "BCD"
    return at.path if at.topic is None else f"{at.topic} {at.path}", "number"


def _scale(point: "PointSpec") -> str:
    parts = [] if point.scale == 1 else [f"{float(point.scale):g}"]
    if point.scale_register is not None:
        parts.append(f"register {point.scale_register.at.addr}")
    text = " × ".join([*parts, *(name.upper() for name in point.times)]) or "1"
    return f"{text} {float(point.offset):+g}" if point.offset else text


def _raw(raw: float) -> str:
    return f"0x{raw:X}" if isinstance(raw, int) and raw > 0x7FFE else f"{raw:g}"


def _quality(point: "PointSpec") -> str:
    parts = [validity.point for validity in point.validity]
    parts += [f"≠ {_raw(raw)}" for raw in sorted(point.sentinels)]
    if point.expected is not None:
        parts.append(f"{float(point.expected[0]):g}…{float(point.expected[1]):g}")
    return ", ".join(parts) or "–"
