"""`tanzheng anchor`: deploy a log's contract, seal packages, prove consistency, show the state."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tanzheng.anchor import index_commands, recovery_commands
from tanzheng.anchor.showing import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from tanzheng.anchor.chain_file import ChainFile
    from tanzheng.anchor.publication import Publication
    from tanzheng.anchor.sealing import Sealed
    from tanzheng.anchor.service import Standing
    from tanzheng.core.statement import SignedStatement

app = typer.Typer(
    no_args_is_help=True,
    help="Statements, log, checkpoints, chain: a receipt for an evidence package. 存证与上链",
)

Folder = Annotated[Path, typer.Option("--dir", help="Folder of the log. 日志目录")]
Rpc = Annotated[str, typer.Option(help="Address of the node's JSON-RPC. 链节点地址")]
OtherRpc = Annotated[
    str | None, typer.Option("--rpc", help="Another node than the one of chain.json. 链节点地址")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object for machines. 机器可读输出")]


@app.command("deploy")
def deploy_command(
    rpc: Rpc,
    folder: Folder,
    sealer_key: Annotated[
        Path | None,
        typer.Option(help="Ethereum key that pays and seals: hex, mode 0600. 封存账户私钥"),
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="Address that may replace the sealer. 合约所有者")
    ] = None,
    finality: Annotated[
        str, typer.Option(help="Blocks above one that is final, or `finalized`. 终局策略")
    ] = "finalized",
    dev: Annotated[
        bool, typer.Option("--dev", help="On anvil: fresh keys, free money, final at once. 开发链")
    ] = False,
    as_json: Json = False,
) -> None:
    """Deploy the contract of a new log and write chain.json. 部署日志合约"""
    from tanzheng.anchor import service
    from tanzheng.anchor.chain_file import parse_finality
    from tanzheng.anchor.errors import AnchorInput

    if dev:
        chain = service.deploy_development_log(rpc, folder)
    elif sealer_key is None or owner is None:
        raise AnchorInput("expected --sealer-key and --owner, or --dev on a development chain")
    else:
        policy = parse_finality(finality)
        chain = service.deploy_log(rpc, folder, sealer_key, owner, policy)
    show(_chain_fields(chain), as_json)


@app.command("seal")
def seal_command(
    folder: Folder,
    package: Annotated[Path, typer.Option(help="Evidence package (BagIt folder). 证据包")],
    operator_key: Annotated[Path, typer.Option(help="Operator's Ed25519 key (PEM). 运营方私钥")],
    out: Annotated[Path, typer.Option(help="Where the receipt goes. 收据文件")],
    reason: Annotated[
        str | None, typer.Option(help="Reason code of a correction. 更正原因代码")
    ] = None,
    approver: Annotated[
        str | None, typer.Option(help="Who approved the correction. 更正批准人")
    ] = None,
    rpc: OtherRpc = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Only into the log; `run` anchors it. 不等待上链")
    ] = False,
    as_json: Json = False,
) -> None:
    """Seal a package: statement, log, checkpoint, chain, receipt. 封存证据包并出具收据

    Run it again after any failure: it goes on where it stopped. With --no-wait the chain need not
    answer, and `anchor receipt` writes --out later.
    """
    from tanzheng.anchor.errors import AnchorInput
    from tanzheng.anchor.sealing import Correction
    from tanzheng.anchor.service import AnchorFolder

    if (reason is None) != (approver is None):
        raise AnchorInput("expected --reason and --approver together")
    correction = Correction(reason, approver) if reason and approver else None

    opened = AnchorFolder(folder, rpc, _report)
    if no_wait:
        statement, index = opened.accept(package, operator_key, correction)
        show(_accepted_fields(statement, index), as_json)
        return
    sealed = opened.seal(package, operator_key, out, correction, _progress(as_json))
    show(_sealed_fields(sealed, out), as_json)


@app.command("register")
def register_command(
    folder: Folder,
    statement: Annotated[Path, typer.Option(help="What others signed. 他方签署的声明")],
    signer_key: Annotated[Path, typer.Option(help="Their public key (PEM). 签署方公钥")],
    operator_key: Annotated[Path, typer.Option(help="Operator's private key (PEM). 运营方私钥")],
    out: Annotated[Path, typer.Option(help="Where the receipt goes. 收据文件")],
    rpc: OtherRpc = None,
    as_json: Json = False,
) -> None:
    """Seal a statement that others signed: log, checkpoint, chain, receipt. 登记他方签署的声明

    Run it again after any failure: it goes on where it stopped.
    """
    from tanzheng.anchor.service import AnchorFolder

    sealed = AnchorFolder(folder, rpc, _report).register(
        statement, signer_key, operator_key, out, _progress(as_json)
    )
    show(_sealed_fields(sealed, out), as_json)


@app.command("consistency")
def consistency_command(
    folder: Folder,
    first: Annotated[int, typer.Option("--from", help="Leaves you know already. 已知日志大小")],
    out: Annotated[
        Path | None, typer.Option(help="Where the proof goes (CBOR). 一致性证明文件")
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove that the newest checkpoint extends an older log. 一致性证明"""
    from tanzheng.anchor.service import AnchorFolder
    from tanzheng.files import durable

    proof = AnchorFolder(folder, report=_report).consistency(first)
    if out is not None:
        durable.overwrite(out, proof.encode())
    path = [node.hex() for node in proof.path]
    show({"first": proof.first, "second": proof.second, "path": path}, as_json)


@app.command("cosigned")
def cosigned_command(
    folder: Folder,
    cosignature: Annotated[Path, typer.Option(help="What the witness handed over. 会签文件")],
    witness_key: Annotated[Path, typer.Option(help="Its public key (PEM). 见证人公钥")],
    as_json: Json = False,
) -> None:
    """Keep a witness's cosignature of a checkpoint in the log. 收存见证人会签

    Receipts made from now on carry it: run `seal` again for one that was made before.
    """
    from tanzheng.anchor.service import AnchorFolder

    signed = AnchorFolder(folder, report=_report).add_cosignature(cosignature, witness_key)
    point = signed.checkpoint
    show({"checkpoint_seq": point.seq, "log_size": point.size}, as_json)


@app.command("status")
def status_command(
    folder: Folder,
    rpc: OtherRpc = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Audit the folder only. 仅检查本地日志")
    ] = False,
    as_json: Json = False,
) -> None:
    """Audit the log on disk and hold it against the chain. 日志状态与审计"""
    from tanzheng.anchor.service import AnchorFolder

    opened = AnchorFolder(folder, rpc, _report)
    fields = _standing_fields(opened.standing(not offline))
    nodes = {name: problem or "answers" for name, problem in opened.node_states().items()}
    show({**fields, "nodes": None if offline else nodes}, as_json)


@app.command("devchain")
def devchain_command(
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Keeps the node's log. 日志目录")
    ] = None,
) -> None:
    """Run a development chain until Ctrl-C or SIGTERM; prints its address. 开发链"""
    from tanzheng.anchor.devchain import Anvil

    def end(number: int, frame: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with Anvil(folder) as node:
        print(json.dumps({"url": node.url, "chain_id": node.chain_id}), flush=True)
        node.wait()
        sys.exit("expected anvil to run until it is told to stop, it ended by itself")


@app.command("receipt")
def receipt_command(
    folder: Folder,
    package: Annotated[Path, typer.Option(help="The package that was sealed. 已封存证据包")],
    operator_key: Annotated[Path, typer.Option(help="Operator's Ed25519 key (PEM). 运营方私钥")],
    out: Annotated[Path, typer.Option(help="Where the receipt goes. 收据文件")],
    rpc: OtherRpc = None,
    as_json: Json = False,
) -> None:
    """Make the receipt of a package that became final meanwhile. 出具已上链证据包的收据"""
    from tanzheng.anchor.service import AnchorFolder

    sealed = AnchorFolder(folder, rpc, _report).receipt(package, operator_key, out)
    show(_sealed_fields(sealed, out), as_json)


@app.command("run")
def run_command(
    folder: Folder,
    operator_key: Annotated[Path, typer.Option(help="Operator's Ed25519 key (PEM). 运营方私钥")],
    rpc: OtherRpc = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing waits. 清空后退出")
    ] = False,
    metrics: Annotated[
        Path | None, typer.Option(help="Text file for Prometheus, *.prom. 指标文件")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring what waits to the chain until SIGTERM or Ctrl-C, again after every failure. 持续上链"""
    from tanzheng.anchor.running import Running

    def end(number: int, frame: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    Running(folder, operator_key, rpc, metrics, as_json).run(once)


# ------------------------------------------------------------------ what is shown


def _progress(as_json: bool) -> Callable[[Publication], None]:
    def say(publication: Publication) -> None:
        if not as_json:
            typer.echo(f"checkpoint {publication.seq}: {publication.state}", err=True)

    return say


def _report(what: str) -> None:
    """What was put right after a kill, beside the answer: nothing is mended in silence."""
    typer.echo(f"log 日志: {what}", err=True)


def _chain_fields(chain: ChainFile) -> dict[str, Any]:
    return {
        "chain_id": chain.chain_id,
        "contract": f"0x{chain.contract.hex()}",
        "log_id": chain.log_id.hex(),
        "block_number": chain.block,
    }


def _sealed_fields(sealed: Sealed, out: Path) -> dict[str, Any]:
    statement, point = sealed.statement.statement, sealed.checkpoint.checkpoint
    number, block_hash = sealed.publication.mined
    return {
        "subject": str(statement.subject),
        "statement_seq": statement.seq,
        "statement_sha256": sealed.statement.digest.hex(),
        "leaf_index": sealed.index,
        "checkpoint_seq": point.seq,
        "log_size": point.size,
        "checkpoint_sha256": sealed.checkpoint.digest.hex(),
        "transaction": f"0x{sealed.publication.transaction}",
        "block_number": number,
        "block_hash": f"0x{block_hash.hex()}",
        "gas_used": sealed.publication.gas_used,
        "receipt": str(out),
        "receipt_bytes": len(sealed.receipt),
    }


def _accepted_fields(statement: SignedStatement, index: int) -> dict[str, Any]:
    return {
        "subject": str(statement.statement.subject),
        "statement_seq": statement.statement.seq,
        "statement_sha256": statement.digest.hex(),
        "leaf_index": index,
        "receipt": None,
    }


def _standing_fields(standing: Standing) -> dict[str, Any]:
    last, publication = standing.contents.last, standing.publication
    return {
        **_chain_fields(standing.chain),
        "leaves": standing.contents.size,
        "checkpoint_seq": last.checkpoint.seq if last else 0,
        "log_size": last.checkpoint.size if last else 0,
        "publication": publication.state if publication else None,
        "on_chain_seq": standing.latest.seq if standing.latest else None,
        "statements_waiting": standing.backlog.statements,
        "checkpoints_waiting": [f"{seq} {state}" for seq, state in standing.backlog.checkpoints],
    }


app.add_typer(recovery_commands.app)
app.add_typer(index_commands.app, name="index")
