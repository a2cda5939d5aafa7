"""`tanzheng receipt`: what anybody who has a receipt may put beside its core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tanzheng.verifier.attaching import Attested

app = typer.Typer(
    no_args_is_help=True,
    help="Time stamps beside a receipt: ask for one, put one in · 收据的时间戳",
)

RECEIPT_HELP = "The receipt · 存证凭证"
Json = Annotated[bool, typer.Option("--json", help="One JSON object for machines · 机器可读输出")]


@app.command("stamp-request")
def stamp_request_command(
    receipt: Annotated[Path, typer.Argument(help=RECEIPT_HELP)],
    out: Annotated[Path, typer.Option(help="The request (DER), a new file · 输出请求文件")],
    as_json: Json = False,
) -> None:
    """Write an RFC 3161 request for a stamp of a receipt's core · 生成时间戳请求."""
    import secrets

    from tanzheng.core.hashing import sha256
    from tanzheng.verifier import stamping
    from tanzheng.verifier.files import write_new
    from tanzheng.verifier.inputs import read_receipt

    core = read_receipt(receipt).core
    data = stamping.request(core, secrets.randbits(8 * stamping.NONCE_BYTES))
    write_new(out, data, "--out")
    told = {"out": str(out), "core_sha256": sha256(core).hex()}
    line = f"{out}: SHA-256 {told['core_sha256']}"
    typer.echo(json.dumps(told) if as_json else line)


@app.command("attest")
def attest_command(
    receipt: Annotated[Path, typer.Argument(help=RECEIPT_HELP)],
    out: Annotated[Path, typer.Option(help="The receipt with it, a new file · 输出收据")],
    rfc3161: Annotated[
        Path | None, typer.Option(help="Reply or token of an authority · 时间戳应答或令牌")
    ] = None,
    tsa: Annotated[
        str | None, typer.Option(help="Ask the authority at this address · 时间戳机构地址")
    ] = None,
    opentimestamps: Annotated[
        Path | None, typer.Option(help="Proof of the core (.ots) · OpenTimestamps 证明")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(help="Hold it against your authorities · 信任文件")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="In the place of what is there · 替换已有证明")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a time stamp beside a receipt's core, which stays as it is · 附加时间戳.

    What is not of this core is refused, and with --trust what no authority of yours signed.
    """
    from tanzheng.core.receipt import ATTESTATION_BYTES_MAX, RECEIPT_BYTES_MAX
    from tanzheng.verifier import attaching
    from tanzheng.verifier.errors import Unreadable
    from tanzheng.verifier.files import read_file, write_new
    from tanzheng.verifier.inputs import read_trust

    if (rfc3161 is None) == (tsa is None) and not (opentimestamps and rfc3161 is None):
        raise Unreadable("expected --rfc3161 or --tsa, or --opentimestamps")
    data = read_file(receipt, RECEIPT_BYTES_MAX, "receipt")
    known = read_trust(trust) if trust else None
    stamp = read_file(rfc3161, ATTESTATION_BYTES_MAX, "--rfc3161") if rfc3161 else None
    proof = None
    if opentimestamps:
        proof = read_file(opentimestamps, ATTESTATION_BYTES_MAX, "--opentimestamps")
    if tsa:
        stamp = _ask(tsa, data)
    done = attaching.attest(data, stamp, proof, known, replace)
    write_new(out, done.data, "--out")
    _show(done, out, as_json)


def _ask(tsa: str, data: bytes) -> bytes:
    import secrets

    from tanzheng.core import receipt
    from tanzheng.verifier import stamping

    return stamping.ask(tsa, receipt.decode(data).core, secrets.randbits(8 * stamping.NONCE_BYTES))


def _show(done: Attested, out: Path, as_json: bool) -> None:
    subject = str(done.receipt.statement.statement.subject)
    if as_json:
        told = {"out": str(out), "subject": subject, "attestations": done.said}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    from tanzheng.core.points import LABELS

    table = Table(show_header=False, border_style="dim")
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("subject 主体", subject)
    for kind, text in done.said.items():
        table.add_row(" ".join(LABELS[kind]), text)
    table.add_row("receipt 收据", str(out))
    Console().print(table)
