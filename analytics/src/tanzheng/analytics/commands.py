"""`tanzheng month`: closing a month."""

from pathlib import Path
from typing import Annotated

import typer

from tanzheng.core.errors import BadInput

Books = Annotated[
    Path | None, typer.Option(help="Coal unit: the month's folder · 燃煤机组当月填报目录")
]
KnownReports = Annotated[
    Path | None, typer.Option(help="Reports used before: SHA-256 a line · 已使用的检测报告")
]
StandardName = Annotated[
    str | None,
    typer.Option("--standard", help="Coal unit: pack, e.g. a draft · 燃煤机组核算标准包"),
]

app = typer.Typer(
    help="Close a month: figures, rules, evidence package · 月度结账", no_args_is_help=True
)


@app.callback()
def month() -> None:
    """Close a month: figures, rules, evidence package · 月度结账."""


@app.command("close")
def close_month(
    plant: Annotated[Path, typer.Option(help="Plant file (TOML) · 电厂描述文件")],
    unit: Annotated[str, typer.Option(help="Unit of the plant file · 机组")],
    month: Annotated[str, typer.Option(help="Month in plant time, YYYY-MM · 月份")],
    database_url: Annotated[
        str,
        typer.Option(
            envvar="TANZHENG_DATABASE_URL", help="PostgreSQL that ingest writes to · 数据库"
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the new evidence package · 证据包目录")],
    books: Books = None,
    known_reports: KnownReports = None,
    standard: StandardName = None,
    today: Annotated[
        str | None, typer.Option(help="Day of closing in plant time, YYYY-MM-DD · 结账日期")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines")] = False,
) -> None:
    """Compute a month from the stored readings and write its evidence package.

    Nothing is written unless every figure follows from the signed batches as well, and of a coal
    unit from its books.
    """
    from tanzheng.analytics import workflow
    from tanzheng.analytics.today import day

    closed = workflow.close_month(
        _read_plant(plant), unit, month, database_url, out, None if today is None else day(today),
        _read_books(books, known_reports), standard,
    )  # fmt: skip
    if as_json:
        import json

        typer.echo(json.dumps(closed.to_json(), ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    from tanzheng.analytics.table import render

    Console().print(render(closed))


def _read_plant(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"expected a plant file, got {path}: {error.strerror}") from None


def _read_books(folder: Path | None, known_reports: Path | None) -> dict[str, bytes] | None:
    if folder is None:
        if known_reports is not None:
            raise BadInput("--known-reports: expected --books as well")
        return None
    from tanzheng.analytics.parameters.monthfolder import read_books

    return read_books(folder, known_reports)
