"""`tanzheng ingest status`, `audit`, `rebuild`, `recover`, `maintain`: asked of a platform."""

import json
from typing import Annotated

import typer

from tanzheng.ingest.options import DatabaseUrl, GatewaysFile, Json, OnlyGateway, OnlyMonth

FAILED = 3


def audit(
    database_url: DatabaseUrl,
    gateways: GatewaysFile,
    gw: OnlyGateway = None,
    month: OnlyMonth = None,
    as_json: Json = False,
) -> None:
    """Rebuild all rows from the signed batches and compare; exit 3 on a difference · 核对."""
    from tanzheng.core.calendar import Month
    from tanzheng.ingest import progress
    from tanzheng.ingest.audit import audit as compare
    from tanzheng.ingest.enrolment import read_gateways, select
    from tanzheng.ingest.migrate import named_errors

    chosen = select(read_gateways(gateways), gw)
    only = Month.parse(month) if month else None
    with named_errors():
        total = progress.batches_of(database_url, chosen)
        with progress.shown("audit 核对", total) as advance:
            report = compare(database_url, chosen, only, advance)
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    elif report.difference is None:
        typer.echo(
            f"{report.readings} readings and {report.gaps} gap records equal the "
            f"{report.batches} signed batches · 一致"
        )
        if report.early:
            typer.echo(f"{report.early} of them wait for batches before them · 待前序批次")
    else:
        typer.secho(f"{report.difference} · 不一致", fg="red", err=True)
    if report.difference is not None:
        raise typer.Exit(FAILED)


def rebuild(
    database_url: DatabaseUrl,
    gateways: GatewaysFile,
    gw: OnlyGateway = None,
    month: OnlyMonth = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing, only report · 只检查")
    ] = False,
    archived: Annotated[
        bool, typer.Option("--archived", help="Also days dropped by `archive` · 含已归档日")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make readings, gaps and events anew from the signed batches; exit 3 where rows differed and
    `--check` left them, or where a signed batch itself is wrong · 由签名批次重建数据行."""
    from tanzheng.core.calendar import Month
    from tanzheng.core.errors import BadInput
    from tanzheng.ingest import progress
    from tanzheng.ingest.enrolment import read_gateways, select
    from tanzheng.ingest.migrate import named_errors
    from tanzheng.ingest.rebuild import rebuild as run
    from tanzheng.ingest.views import rebuild_view

    if archived and (gw or month or check):
        raise BadInput("rebuild: expected --archived alone, got it with --gw, --month or --check")
    chosen = select(read_gateways(gateways), gw)
    only = Month.parse(month) if month else None
    with named_errors():
        total = progress.batches_of(database_url, chosen) * (1 if check else 2)
        with progress.shown("rebuild 重建", total) as advance:
            report = run(database_url, chosen, only, check, advance, archived)
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        from rich.console import Console

        Console().print(rebuild_view(report), highlight=False)
    if not report.holds:
        raise typer.Exit(FAILED)


def recover(
    database_url: DatabaseUrl,
    gateways: GatewaysFile,
    source_url: Annotated[
        str,
        typer.Option(
            "--from",
            envvar="TANZHENG_DATABASE_FROM",
            help="libpq URL of the database that still has them · 来源数据库",
        ),
    ],
    gw: OnlyGateway = None,
    as_json: Json = False,
) -> None:
    """Take batches that a restore lost from another database, each checked as if its gateway sent
    it; exit 3 where one is refused · 从另一数据库找回批次."""
    from tanzheng.ingest.enrolment import read_gateways, select
    from tanzheng.ingest.migrate import named_errors
    from tanzheng.ingest.recover import recover as run

    chosen = select(read_gateways(gateways), gw)
    with named_errors():
        found = run(database_url, source_url, chosen)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    else:
        told = f"{found.accepted} of {found.found} batches, {found.readings} readings"
        typer.echo(f"{told} recovered · 已找回")
        for reason, number in sorted(found.refused.items()):
            typer.secho(f"{number} refused: {reason} · 拒收", fg="red", err=True)
    if found.refused:
        raise typer.Exit(FAILED)


def status(
    database_url: DatabaseUrl,
    gw: OnlyGateway = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 unless all gateways are well · 异常则退出码 1")
    ] = False,
    late_after_s: Annotated[
        int,
        typer.Option(min=1, help="Older readings, and holes, are a fault · 时限（秒）"),
    ] = 3600,
    as_json: Json = False,
) -> None:
    """Each gateway: state, head, holes, newest reading, what is stored, quarantine · 接收状态."""
    from time import time_ns

    from tanzheng.ingest.migrate import named_errors
    from tanzheng.ingest.status import read_status

    with named_errors():
        found = read_status(database_url, gw, time_ns() // 1_000_000, late_after_s)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False))
    else:
        from rich.console import Console

        from tanzheng.ingest.views import status_view

        Console().print(status_view(found), highlight=False)
    if check and found.faults:
        raise typer.Exit(1)


def maintain(database_url: DatabaseUrl, as_json: Json = False) -> None:
    """Index days that are closed; `ingest run` does the same by itself · 为已结束日建索引."""
    import logging
    from dataclasses import asdict
    from datetime import UTC, datetime

    from tanzheng.ingest.maintenance import maintain as run
    from tanzheng.ingest.migrate import named_errors

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    with named_errors():
        done = run(database_url, datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    elif done.busy:
        typer.echo("another maintenance is at work · 已有维护在运行")
    else:
        typer.echo(f"days indexed 已建索引日: {len(done.indexed)}")
