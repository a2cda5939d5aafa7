"""`tanzheng hj212 decode`: frames of any file, as JSON lines or for a person to read."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from tanzheng.core.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console

    from tanzheng.edge.drivers.hj212.codec import Frame
    from tanzheng.edge.drivers.hj212.splitter import Splitter

app = typer.Typer(
    no_args_is_help=True, help="HJ 212 frames: read and explain them · HJ 212 报文解析"
)
_CHUNK_BYTES = 1 << 16
_HEX_BYTES_MAX = 16 << 20
_HEX_LINES = re.compile(rb"(?:\s*#[^#\n][^\n]*\n)*\s*23 ?23 ?(?:3[0-9] ?){4}")
"""Comments, then `##` and four digits in hex: what a serial debugger shows."""
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+")


@app.callback()
def hj212() -> None:
    """Keep `decode` a sub-command, alone as it is."""


@app.command()
def decode(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="Frames · 报文文件，- 为标准输入")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a frame · JSON")] = False,
    sm4_key: Annotated[
        str | None, typer.Option(metavar="HEX", help="SM4 key, 32 hex digits · SM4 密钥")
    ] = None,
) -> None:
    """Decode the frames of FILE, sound or not, and name every deviation · 解析报文.

    Lines that begin with # are comments. A file of hex digits is read as the bytes they stand for.
    Ends with 2 where no frame was found.
    """
    from rich.console import Console

    from tanzheng.edge.drivers.hj212.splitter import Splitter

    key = None if sm4_key is None else _key(sm4_key)
    console = Console(highlight=False)
    splitter, count = Splitter(comments=True), 0
    for frame in _frames(file, splitter, key):
        count += 1
        if as_json:
            typer.echo(_json_line(frame))
        else:
            _show(console, count, frame)
    if splitter.skipped:
        notice = f"{splitter.skipped} bytes outside of frames were skipped · 帧外字节已跳过"
        Console(stderr=True).print(notice, style="yellow", highlight=False)
    if not count:
        raise BadInput(f"{file}: expected HJ 212 frames (##, length, data segment), got none")


def as_record(frame: "Frame") -> dict[str, Any]:
    """`frame` as the JSON object of `--json`. The password is not in it."""
    return {
        "valid_crc": frame.valid_crc,
        "crc_mode": frame.crc_mode,
        "length_ok": frame.length_ok,
        "qn": frame.qn,
        "st": frame.st,
        "cn": frame.cn,
        "mn": frame.mn,
        "flag": frame.flag,
        "values": frame.values(),
        "deviations": list(frame.deviations),
    }


def _json_line(frame: "Frame") -> str:
    import json

    return json.dumps(as_record(frame), allow_nan=False)


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 16:
        raise BadInput(f"--sm4-key: expected 32 hex digits, got {len(text)} characters")
    return key


def _frames(file: str, splitter: "Splitter", key: bytes | None) -> Iterator["Frame"]:
    from tanzheng.edge.drivers.hj212.codec import parse

    for chunk in _chunks(file):
        yield from (parse(piece, key) for piece in splitter.feed(chunk))
    yield from (parse(piece, key) for piece in splitter.flush())


def _chunks(file: str) -> Iterator[bytes]:
    if file == "-":
        yield from _read(sys.stdin.buffer)
        return
    try:
        with Path(file).open("rb") as stream:
            yield from _read(stream)
    except (OSError, ValueError) as error:
        raise BadInput(f"{file}: expected a readable file, got {error}") from error


def _read(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes, or what they stand for where the file is lines of hex digits."""
    chunk = stream.read(_CHUNK_BYTES)
    if _HEX_LINES.match(chunk) is None:
        while chunk:
            yield chunk
            chunk = stream.read(_CHUNK_BYTES)
        return
    for line in (chunk + stream.read(_HEX_BYTES_MAX)).splitlines():
        digits = b"".join(line.split())
        if not digits.startswith(b"#"):
            yield bytes.fromhex(digits.decode()) if _HEX.fullmatch(digits) else line
        yield b"\n"


def _show(console: "Console", count: int, frame: "Frame") -> None:
    from rich.text import Text

    sound = frame.crc_mode is not None and frame.length_ok
    line = Text(f"#{count} ", "bold green" if sound else "bold red")
    fields = {"ST": frame.st, "CN": frame.cn, "MN": frame.mn, "QN": frame.qn, "Flag": frame.flag}
    line.append("  ".join(f"{name} {_clean(value)}" for name, value in fields.items()))
    line.append(f"  CRC {frame.crc_mode or '✗'}", "green" if frame.valid_crc else "red")
    console.print(line)
    if frame.items:
        console.print(_table(frame))
    _show_deviations(console, frame)


def _table(frame: "Frame") -> Any:
    from rich.table import Table
    from rich.text import Text

    from tanzheng.edge.drivers.hj212.factors import factor, mark_text

    table = Table(show_edge=False, pad_edge=False)
    for heading in ("name 名称", "value 值", "unit 单位", "quantity 量", "mark 标记"):
        table.add_column(heading)
    values = dict(frame.items)
    for name, text in frame.items:
        code, _, suffix = name.rpartition("-")
        if suffix == "Flag":
            continue
        found = factor(code)
        mark = values.get(f"{code}-Flag", values.get("Flag", "")) if code else ""
        table.add_row(
            Text(_clean(name), "cyan"),
            Text(_clean(text), "bold"),
            found.unit if found and suffix != "Cou" else "",
            f"{found.zh} {found.en}" if found else "",
            Text(_clean(mark_text(mark)) if mark else "", "" if mark == "N" else "yellow"),
        )
    return table


def _show_deviations(console: "Console", frame: "Frame") -> None:
    from rich.text import Text

    from tanzheng.edge.drivers.hj212.deviations import NAMES

    for name in frame.deviations:
        console.print(Text(f"   {name}: {NAMES[name].zh} · {NAMES[name].en}", "yellow"))
    console.print()


def _clean(value: object) -> str:
    """What a device sent must not steer a terminal."""
    text = "–" if value is None else str(value)
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
