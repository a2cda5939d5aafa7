"""`tanzheng ingest enrol …`: re-enrolments, by which a gateway comes back or changes its key."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tanzheng.ingest.options import DatabaseUrl, GatewaysFile, Json, OnlyGateway

app = typer.Typer(
    help="Lift a suspension, change a key: by a signed document · 重新登记", no_args_is_help=True
)
Document = Annotated[Path, typer.Argument(metavar="DOCUMENT", help="Signed re-enrolment · 登记书")]


@app.command("make")
def make_document(
    database_url: DatabaseUrl,
    gateways: GatewaysFile,
    gw: Annotated[str, typer.Option("--gw", help="The gateway · 网关")],
    key: Annotated[Path, typer.Option(help="Private enrolment key (PEM) · 登记私钥")],
    reason: Annotated[str, typer.Option(help="Why · 原因")],
    by: Annotated[str, typer.Option(help="Who decided · 决定人")],
    out: Annotated[Path, typer.Option(help="Where the document goes · 输出文件")],
    public_key: Annotated[
        Path | None, typer.Option(help="The gateway's new public key (PEM); else the same · 新公钥")
    ] = None,
) -> None:
    """Sign a re-enrolment after the head that is stored now; changes nothing yet · 生成登记书."""
    from time import time_ns

    import psycopg

    from tanzheng.core.keys import SigningKey, VerifyKey
    from tanzheng.ingest import enrolments
    from tanzheng.ingest.enrolment import read_file, read_gateways, select
    from tanzheng.ingest.migrate import named_errors

    (gateway,) = select(read_gateways(gateways), gw).values()
    operator = SigningKey.from_pem(read_file(key), str(key))
    enrolments.check_operator(gateway, operator.public)
    new_key = VerifyKey.from_pem(read_file(public_key), str(public_key)) if public_key else None
    with named_errors(), psycopg.connect(database_url) as connection:
        now_ms = time_ns() // 1_000_000
        signed = enrolments.make(connection, gateway, operator, new_key, reason, by, now_ms)
    out.write_bytes(signed.raw)
    typer.echo(json.dumps(enrolments.as_json(signed), ensure_ascii=False))


@app.command()
def take(document: Document, database_url: DatabaseUrl, gateways: GatewaysFile) -> None:
    """Check a re-enrolment, keep it, and let its gateway go on · 接受登记书."""
    import psycopg

    from tanzheng.core.enrolment import open_enrolment
    from tanzheng.ingest import enrolments
    from tanzheng.ingest.enrolment import read_file, read_gateways, select
    from tanzheng.ingest.migrate import named_errors

    enrolled = read_gateways(gateways)
    operator = enrolments.operator_of(enrolled, gateways)
    signed = open_enrolment(read_file(document), operator)
    (gateway,) = select(enrolled, signed.enrolment.gw).values()
    with named_errors(), psycopg.connect(database_url, autocommit=True) as connection:
        new = enrolments.take(connection, gateway, signed)
    epoch = signed.enrolment.opens_epoch
    said = f"gateway {gateway.gw} goes on in epoch {epoch} · 从纪元 {epoch} 继续"
    typer.echo(said if new else f"taken before · 已接受过: {said}")


@app.command("list")
def list_documents(
    database_url: DatabaseUrl,
    gateways: GatewaysFile,
    gw: OnlyGateway = None,
    as_json: Json = False,
) -> None:
    """All re-enrolments, each checked · 登记记录."""
    from tanzheng.ingest import enrolments
    from tanzheng.ingest.enrolment import read_gateways, select
    from tanzheng.ingest.migrate import named_errors

    with named_errors():
        found = enrolments.listed(database_url, select(read_gateways(gateways), gw))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    from rich.console import Console

    from tanzheng.ingest.views import enrolments_view

    Console().print(enrolments_view(found), highlight=False)
