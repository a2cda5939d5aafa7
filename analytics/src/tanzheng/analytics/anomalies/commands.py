"""`tanzheng anomalies`: alerts of a fleet, each with the input to blame; one explained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tanzheng.analytics.terminal import create_file, print_page
from tanzheng.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tanzheng.analytics.anomalies.suppression import KnownLead, Suppression

app = typer.Typer(help="Anomalies with a cause: detect, explain · 异常检测", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines")]


@app.command("example")
def write_example(
    folder: Annotated[Path, typer.Argument(help="New folder · 新建目录")],
) -> None:
    """Write a small made-up fleet to try on: three CSV tables, three figures wrong · 示例."""
    from tanzheng.analytics.anomalies.example import example_tables

    if folder.exists():
        raise BadInput(f"expected a new folder, got {folder}, which exists · 目录已存在")
    folder.mkdir(parents=True)
    for name, table in example_tables().items():
        path = folder / f"{name}.csv"
        table.write_csv(path)
        typer.echo(f"{path}: {table.height:,} rows · 行")


@app.command("detect")
def detect(
    files: Annotated[
        list[Path],
        typer.Argument(help="Tables, CSV or Parquet: unit_month; lab_report, point_month · 数据表"),
    ],
    seat: Annotated[
        str, typer.Option("--as", help="nation, 320000 (province), 320500 (city) · 监管层级")
    ] = "nation",
    suppressions: Annotated[
        Path | None, typer.Option(help="Suppressions (TOML), with --leads · 豁免文件")
    ] = None,
    leads: Annotated[
        Path | None, typer.Option(help="Journal of leads: what is known is marked · 线索台账")
    ] = None,
    today: Annotated[
        str | None, typer.Option(help="Day for the end of suppressions, YYYY-MM-DD · 日期")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="New JSON file for explain and leads · 告警文件")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for figures that do not fit the others, and name the input to blame · 检测.

    Statistics rest on all rows; alerts are shown of the seat's own enterprises only.
    """
    from tanzheng.analytics.anomalies import report as reports
    from tanzheng.analytics.anomalies.tables import read_tables
    from tanzheng.analytics.leads import register
    from tanzheng.analytics.seats import Seat

    if suppressions is not None and leads is None:
        raise BadInput("expected --leads beside --suppressions, got none")
    known = register.read(leads) if leads is not None else {}
    aside = _suppressions(suppressions, known, today)
    told = reports.report(read_tables(files), Seat.parse(seat), aside, list(known.values()))
    text = _json_text(reports.encode(told))
    if out is not None:
        create_file(out, text.encode())
    if as_json:
        typer.echo(text, nl=False)
        return
    from tanzheng.analytics.anomalies.pages import report_page

    print_page(report_page(told))


@app.command("explain")
def explain(
    alerts: Annotated[Path, typer.Argument(help="File that detect --out wrote · 告警文件")],
    alert: Annotated[str, typer.Argument(help="Id of the alert, or its start · 告警编号")],
    as_json: Json = False,
) -> None:
    """Read one alert out: evidence, other explanations, what to check on site · 告警说明."""
    from tanzheng.analytics.anomalies import record
    from tanzheng.analytics.anomalies.report import decode

    found = decode(_read(alerts), alerts.name).alert(alert)
    if as_json:
        typer.echo(_json_text(record.encode(found)), nl=False)
        return
    from tanzheng.analytics.anomalies.pages import alert_page

    print_page(alert_page(found))


def _suppressions(
    path: Path | None, leads: "Mapping[str, KnownLead]", today: str | None
) -> "Sequence[Suppression]":
    if path is None:
        return ()
    from tanzheng.analytics.anomalies.suppression import read_suppressions
    from tanzheng.analytics.today import day

    return read_suppressions(_read(path), str(path), leads, day(today))


def _json_text(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: expected a file, got {error.strerror}") from None
