"""`tanzheng ingest correction …`: what a person says a point had instead, and why."""

import json
from typing import Annotated

import typer

from tanzheng.ingest.options import DatabaseUrl, Json, OnlyGateway

app = typer.Typer(
    help="Values that a person says instead of readings · 数据更正", no_args_is_help=True
)

From = Annotated[
    str, typer.Option("--from", help="First instant, with its offset: 2026-11-21T08:00+08:00 · 起")
]
To = Annotated[str, typer.Option("--to", help="First instant that is not corrected · 止")]
Value = Annotated[str | None, typer.Option(help="Decimal number in the field's unit · 更正值")]
NoValue = Annotated[bool, typer.Option("--none", help="There is no value to be had · 无可用值")]
QualityName = Annotated[
    str | None, typer.Option(help="Quality code; with --value: manual · 质量码")
]


@app.command()
def add(
    database_url: DatabaseUrl,
    gw: Annotated[str, typer.Option("--gw", help="The gateway · 网关")],
    point: Annotated[str, typer.Option(help="DEVICE/FIELD · 测点")],
    begin: From,
    end: To,
    reason: Annotated[str, typer.Option(help="Why · 原因")],
    by: Annotated[str, typer.Option(help="Who says so · 更正人")],
    value: Value = None,
    none: NoValue = False,
    quality: QualityName = None,
    as_json: Json = False,
) -> None:
    """Correct a point in [--from, --to); readings stay, hours follow · 登记更正，原始数据不变."""
    from time import time_ns

    import psycopg

    from tanzheng.core.errors import BadInput
    from tanzheng.ingest import corrections
    from tanzheng.ingest.migrate import named_errors

    if (value is None) != none:
        raise BadInput("correction: expected either --value NUMBER or --none")
    if none and quality is None:
        raise BadInput("correction: expected --quality with --none: what was wrong, e.g. fault")
    made = corrections.Correction(
        gw,
        point,
        corrections.instant_ms(begin, "--from"),
        corrections.instant_ms(end, "--to"),
        None if value is None else corrections.value_of(value),
        corrections.quality_of(quality or "manual"),
        reason,
        by,
    )
    with named_errors(), psycopg.connect(database_url) as connection:
        number = corrections.add(connection, made, time_ns() // 1_000_000)
    first, last = map(corrections.instant_text, made.hours_ms)
    if as_json:
        told = {"correction_id": number, **made.record(), "dirty": {"from": first, "to": last}}
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo(f"correction 更正 {number}; hours to compute anew 待重算小时: {first} – {last}")


@app.command("list")
def list_corrections(
    database_url: DatabaseUrl,
    gw: OnlyGateway = None,
    point: Annotated[str | None, typer.Option(help="Only this point · 仅此测点")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The latest N · 最近 N 条")] = 50,
    as_json: Json = False,
) -> None:
    """The corrections, the newest first · 更正记录."""
    import psycopg

    from tanzheng.ingest import corrections
    from tanzheng.ingest.migrate import named_errors

    with named_errors(), psycopg.connect(database_url) as connection:
        found = corrections.latest(connection, limit, gw, point)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Corrections 数据更正", title_style="bold", show_lines=True)
    for title, whole in (
        ("no. 序号", True), ("gateway 网关, point 测点", True), ("from 自, to 至", True),
        ("value 更正值", True), ("reason 原因, who 更正人", False),
    ):  # fmt: skip
        table.add_column(title, no_wrap=whole)
    for each in found:
        value = "–" if each["value"] is None else f"{each['value']} {each['unit']}"
        table.add_row(
            str(each["correction_id"]),
            f"{each['gw']}\n{each['point']}",
            f"{each['from']}\n{each['to']}",
            f"{value}\n{each['quality']}",
            f"{each['reason']}\n– {each['author']}",
        )
    Console().print(table, highlight=False)
