"""`tanzheng dlt645 decode`: captured frames in plain words."""

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from tanzheng.core.errors import BadInput

if TYPE_CHECKING:
    from rich.table import Table

    from tanzheng.edge.drivers.dlt645.report import LineReport

app = typer.Typer(
    name="dlt645", no_args_is_help=True, help="Frames of DL/T 645 meters · 电表报文（DL/T 645）"
)
TABLE_ROWS = 1000


@app.callback()
def dlt645() -> None:
    """Frames of DL/T 645 meters · 电表报文（DL/T 645）."""


@app.command()
def decode(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="Hex frames, one a line · 每行一帧十六进制报文")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line a frame · 每帧一行 JSON")
    ] = False,
) -> None:
    """Show what is in captured frames · 解析报文.

    Spaces and `#` comments are ignored. A line that holds no frame is shown with its error; the
    exit code is 0 whatever the frames are.
    """
    from pathlib import Path

    try:
        opened = nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb")  # noqa: SIM115  closed below
    except (OSError, ValueError) as error:
        raise BadInput(f"expected a file that can be read, got {error}, at {file}") from None
    with opened as stream:
        (_print_json if as_json else _print_table)(_reports(stream))


def _reports(stream: BinaryIO) -> Iterator[tuple[int, "LineReport"]]:
    """(line number, report), one line at a time however long the file is."""
    from tanzheng.edge.drivers.dlt645.report import LINE_CHARS_MAX, read_line, too_long

    number = 0
    while line := stream.readline(LINE_CHARS_MAX + 1):
        number += 1
        short = len(line) <= LINE_CHARS_MAX
        report = read_line(line.decode("utf-8", "replace")) if short else too_long()
        while not line.endswith(b"\n") and (line := stream.readline(LINE_CHARS_MAX)):
            pass
        if report is not None:
            yield number, report


def _print_json(reports: Iterator[tuple[int, "LineReport"]]) -> None:
    for number, report in reports:
        for record in report.records:
            typer.echo(json.dumps(record.to_json(), ensure_ascii=False))
        _note_noise(number, report)


def _print_table(reports: Iterator[tuple[int, "LineReport"]]) -> None:
    from rich.console import Console

    console = Console()
    while some := list(islice(reports, TABLE_ROWS)):
        console.print(_table(some))
        for number, report in some:
            _note_noise(number, report)


def _table(reports: list[tuple[int, "LineReport"]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("line 行", "address 地址", "C 控制码", "DI 标识", "value 值", "meaning 含义"):
        table.add_column(heading, overflow="fold")
    for number, report in reports:
        for record in report.records:
            value = " ".join(filter(None, (record.value, record.unit)))
            says = Text(record.what)
            if record.error:
                says.append(f"{' · ' if record.what else ''}{record.error}", style="red")
            cells = (record.address, record.control, record.di, value)
            table.add_row(str(number), *(Text(cell or "–") for cell in cells), says)
    return table


def _note_noise(number: int, report: "LineReport") -> None:
    if report.noise:
        typer.echo(
            f"line {number}: {report.noise} bytes outside of any frame · "
            f"第 {number} 行：帧外字节 {report.noise}",
            err=True,
        )
