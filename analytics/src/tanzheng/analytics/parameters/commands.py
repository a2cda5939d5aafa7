"""`tanzheng parameters`: from a plant's books and documents to the parameters of a month."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tanzheng.analytics.terminal import create_file, print_json, print_page
from tanzheng.core.errors import BadInput

if TYPE_CHECKING:
    from tanzheng.analytics.parameters.attachments import Attachment
    from tanzheng.analytics.parameters.flaws import Flaw
    from tanzheng.analytics.parameters.monthly import MonthParameters
    from tanzheng.analytics.parameters.sources import SourceData

app = typer.Typer(
    help="Monthly parameters: template, import, sources · 月度参数", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines")]
Known = Annotated[
    Path | None,
    typer.Option(help="Reports used before: SHA-256 and where, a line each · 已用报告"),
]
Sector = Annotated[str, typer.Option(help="power, cement, aluminium, steel · 行业")]


@app.callback()
def parameters() -> None:
    """Monthly parameters: template, import, sources · 月度参数."""


@app.command("template")
def write_template(
    out: Annotated[Path, typer.Argument(help="New XLSX book · 新建的工作簿")], sector: Sector
) -> None:
    """Write the book that a plant fills in: headings with units, checks on entry."""
    from tanzheng.analytics.parameters.template import template

    if out.suffix.lower() != ".xlsx":
        raise BadInput(f"expected a name ending in .xlsx, got {out}")
    create_file(out, template(sector))
    typer.echo(f"{out}: a book for {sector} · 填报模板已生成")


@app.command("import")
def import_book(
    file: Annotated[Path, typer.Argument(help="Book, .xlsx or .csv · 工作簿")],
    sector: Sector,
    kind: Annotated[
        str | None, typer.Option(help="What a CSV holds, e.g. daily · 表格类型")
    ] = None,
    delimiter: Annotated[
        str, typer.Option(help="Of a CSV: comma, semicolon, tab · 分隔符")
    ] = "comma",
    cached: Annotated[
        bool,
        typer.Option(
            "--cached-formulas", help="Take formulas by the value left in the file · 公式取缓存值"
        ),
    ] = False,
    quarantine: Annotated[
        Path | None,
        typer.Option(help="Put bad rows into this new CSV, import the rest · 隔离错误行"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a book cell by cell. Every flaw is shown with its cell; with one, nothing counts."""
    from tanzheng.analytics.parameters.books import read_book
    from tanzheng.analytics.parameters.monthfolder import read_file
    from tanzheng.analytics.parameters.quarantine import quarantined

    raw, separator = read_file(file), _delimiter(delimiter)
    book = read_book(raw, file.name, sector, kind=kind, delimiter=separator, cached=cached)
    refused = 0
    if quarantine is None:
        book.checked()
    else:
        raw, refused = quarantined(book)
        create_file(quarantine, raw)
    if as_json:
        from tanzheng.analytics.parameters.shown import book_json

        print_json(book_json(book, refused))
        return
    from tanzheng.analytics.parameters.table import render_book

    print_page(render_book(book, refused))


@app.command("attach")
def attach_files(
    folder: Annotated[Path, typer.Argument(help="Folder of the month · 当月目录")],
) -> None:
    """List new files with their digests (SHA-256, SM3). A file once listed must stay as it is."""
    from tanzheng.analytics.parameters.monthfolder import attach

    new, before = attach(folder)
    for item in new:
        typer.echo(f"{item.sha256[:16]}…  {item.file}")
    typer.echo(
        f"{len(new)} new, {len(before)} as listed · 新登记 {len(new)} 个，原有 {len(before)} 个"
    )


@app.command("month")
def show_month(
    folder: Annotated[Path, typer.Argument(help="Folder of the month · 当月目录")],
    month: Annotated[str, typer.Option(help="Month in plant time, YYYY-MM · 月份")],
    known_reports: Known = None,
    as_json: Json = False,
) -> None:
    """The parameters of a month, each by the source that the filed plan (DQCP) names."""
    result, listed, notes, data = _month_parameters(folder, month, known_reports)
    if as_json:
        from tanzheng.analytics.parameters.shown import month_json

        print_json(month_json(result, listed, notes))
        return
    from tanzheng.analytics.parameters.table import render_month

    print_page(render_month(result, listed, notes, data))


@app.command("account")
def account_input(
    folder: Annotated[Path, typer.Argument(help="Folder of the month · 当月目录")],
    month: Annotated[str, typer.Option(help="Month in plant time, YYYY-MM · 月份")],
    out: Annotated[Path, typer.Option(help="New input document (JSON) · 新建的核算输入文件")],
    standard: Annotated[
        str | None, typer.Option(help="Standard pack, e.g. a draft · 核算标准包")
    ] = None,
    known_reports: Known = None,
) -> None:
    """Write the month's parameters as the input of `tanzheng account` · 生成核算输入."""
    import json

    from tanzheng.analytics.parameters.accountable import input_document

    result, _, _, _ = _month_parameters(folder, month, known_reports)
    document = json.dumps(input_document(result, standard), ensure_ascii=False, indent=2)
    create_file(out, f"{document}\n".encode())
    typer.echo(f"{out}: tanzheng account {out} · 核算输入已生成")


@app.command("example")
def write_example(
    folder: Annotated[Path, typer.Argument(help="New folder · 新建目录")],
) -> None:
    """Write a month of a coal unit to try the commands on: plan, book, records, attachments."""
    from tanzheng.analytics.parameters.example import example_files
    from tanzheng.analytics.parameters.monthfolder import attach

    if folder.exists():
        raise BadInput(f"expected a new folder, got {folder}, which exists · 目录已存在")
    for name, data in example_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    attach(folder)
    typer.echo(f"{folder}: an example month, 2025-03 · 示例月份已生成")


def _month_parameters(
    folder: Path, month: str, known_reports: Path | None
) -> "tuple[MonthParameters, list[Attachment], tuple[Flaw, ...], SourceData]":
    from tanzheng.analytics.parameters.attachments import parse_known_reports
    from tanzheng.analytics.parameters.monthfolder import read_file, read_month
    from tanzheng.analytics.parameters.monthly import month_parameters
    from tanzheng.analytics.parameters.sources import source_data
    from tanzheng.core.calendar import Month

    known = (
        parse_known_reports(read_file(known_reports), known_reports.name) if known_reports else {}
    )
    data = source_data()
    given, listed, notes = read_month(folder, Month.parse(month), known, data)
    return month_parameters(given, data), listed, notes, data


def _delimiter(name: str) -> str:
    from tanzheng.analytics.parameters.csvtext import DELIMITERS

    if name not in DELIMITERS:
        raise BadInput(f"--delimiter: expected one of {', '.join(DELIMITERS)}, got {name!r}")
    return name
