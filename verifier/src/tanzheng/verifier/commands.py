"""`tanzheng verify` and `tanzheng trust`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tanzheng.core.ids import Subject
    from tanzheng.core.points import Point

PAGE_HELP = "Write this verifier as one HTML page for a browser, and end · 写出网页版核验器"
TRUST_HELP = "What you trust, from somewhere other than the operator · 信任文件"


def _write_page(out: Path | None) -> None:
    if out is None:
        return
    from tanzheng.verifier.files import write_new
    from tanzheng.verifier.page import assemble

    data = assemble()
    write_new(out, data, "--page")
    typer.echo(f"{out}: {len(data):,} B")
    raise typer.Exit


Package = Annotated[
    Path | None,
    typer.Option(help="Of a month: folder of the evidence package · 月度存证的证据包目录"),
]
LastCheckpoint = Annotated[
    Path | None,
    typer.Option(help="Your last checkpoint of this log, or the receipt with it · 上次的检查点"),
]
Consistency = Annotated[
    Path | None, typer.Option(help="Proof between that checkpoint and the receipt's · 一致性证明")
]
Cosignatures = Annotated[
    list[Path] | None, typer.Option(help="Witnesses' cosignatures beside the receipt · 见证人会签")
]
KeyEvents = Annotated[
    list[Path] | None,
    typer.Option(help="Receipts of key events that you know of · 已知密钥事件的收据"),
]
Documents = Annotated[
    list[Path] | None, typer.Option(help="Files that the statement names by digest · 声明所载文件")
]
Page = Annotated[Path | None, typer.Option(help=PAGE_HELP, callback=_write_page, is_eager=True)]


def verify(
    receipt: Annotated[Path, typer.Argument(help="The receipt · 存证凭证")],
    trust: Annotated[Path, typer.Option(help=TRUST_HELP)],
    package: Package = None,
    last_checkpoint: LastCheckpoint = None,
    consistency: Consistency = None,
    cosignatures: Cosignatures = None,
    key_event: KeyEvents = None,
    document: Documents = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines")] = False,
    page: Page = None,
) -> None:
    """Check a receipt and its package point by point, and recompute every figure. No network.

    Exit code 0: everything holds; 3: something does not; 4: only an attestation beside the
    receipt does not; 2: a file cannot be read. 离线核验
    """
    from tanzheng.verifier.inputs import read_inputs
    from tanzheng.verifier.points import check

    given = read_inputs(
        *(receipt, package, trust, last_checkpoint, consistency),
        *(cosignatures or [], key_event or [], document or []),
    )
    statement = given.receipt.statement.statement
    _answer(statement.subject, check(given), f"seq {statement.seq}, {statement.issuer}", as_json)


def _answer(subject: Subject, points: Sequence[Point], origin: str, as_json: bool) -> None:
    from tanzheng.verifier import report

    if as_json:
        import json

        typer.echo(json.dumps(report.as_json(subject, points), ensure_ascii=False, indent=2))
    else:
        from rich.console import Console

        report.show(subject, points, Console(), origin)
    if code := report.exit_code(points):
        raise typer.Exit(code)


trust = typer.Typer(help="Observe the chain for a verifier's trust file · 信任文件")


@trust.callback()
def trust_group() -> None:
    """Observe the chain for a verifier's trust file · 信任文件."""


WitnessKeys = Annotated[
    list[Path] | None,
    typer.Option(help="Public key (PEM) of each witness, named as its file · 见证人公钥"),
]
Witnesses = Annotated[
    int | None, typer.Option(help="How many of them are needed; all by default · 最少见证人数")
]
Signers = Annotated[
    list[str] | None,
    typer.Option(
        help="ROLE=KEY of who signs statements, named as its file; ROLE:ENTERPRISE,PREFIX*=KEY "
        "where it speaks of these plants only · 其他签署方公钥，可限定企业"
    ),
]
Authorities = Annotated[
    list[Path] | None,
    typer.Option(help="Certificate of each time-stamping authority · 时间戳机构证书"),
]
Also = Annotated[
    list[str] | None,
    typer.Option(help="Another contract whose blocks are recorded, 0x… · 另需观察的合约"),
]
Validators = Annotated[
    list[str] | None,
    typer.Option(
        help="Account that seals blocks of a QBFT chain, 0x…: what two thirds sealed is trusted · "
        "QBFT 验证者地址"
    ),
]
GatewayKeys = Annotated[
    list[Path],
    typer.Option(help="Public key (PEM) of each gateway, in the plant file's order · 网关公钥"),
]
OperatorKeys = Annotated[
    list[Path], typer.Option(help="Public key (PEM) of the operator · 运营方公钥")
]


@trust.command("observe")
def observe(
    rpc: Annotated[str, typer.Option(help="JSON-RPC of a node you trust · 节点地址")],
    contract: Annotated[str, typer.Option(help="Address of the log's contract, 0x… · 合约地址")],
    log_id: Annotated[str, typer.Option(help="Id of the log, hexadecimal · 日志标识")],
    plant: Annotated[Path, typer.Option(help="Plant file to trust · 电厂描述文件")],
    gateway_key: GatewayKeys,
    operator_key: OperatorKeys,
    out: Annotated[Path, typer.Option(help="The trust file to write · 输出文件")],
    confirmations: Annotated[
        int, typer.Option(min=0, help="Blocks on top before one counts as final · 确认区块数")
    ] = 0,
    witness_key: WitnessKeys = None,
    witnesses: Witnesses = None,
    signer: Signers = None,
    timestamp_authority: Authorities = None,
    also: Also = None,
    validator: Validators = None,
    once: Annotated[bool, typer.Option("--once", help="Write the file and end")] = False,
) -> None:
    """Record every block in which the contract advanced, until stopped. 观察链上区块.

    Run it yourself, against a node that is not the operator's. Each block's hash is recomputed
    from its header; nothing is recorded twice or taken back.
    """
    from dataclasses import replace

    from tanzheng.verifier import observer

    policy = observer.read_witnesses(witness_key or [], witnesses)
    signers = observer.read_signers(signer or [])
    anchors = replace(
        observer.read_anchors(contract, log_id, plant, gateway_key, operator_key, policy, signers),
        further=observer.read_contracts(also or []),
        validators=observer.read_validators(validator or []),
        authorities=observer.read_authorities(timestamp_authority or []),
    )
    observer.run(rpc, anchors, out, confirmations, once, typer.echo)
