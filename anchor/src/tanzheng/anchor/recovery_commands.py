"""Commands of `tanzheng anchor` for days that should not come: docs/catastrophe.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tanzheng.anchor.showing import show

Folder = Annotated[Path, typer.Option("--dir", help="Folder of the log. 日志目录")]
Rpc = Annotated[
    str | None, typer.Option("--rpc", help="Another node than the files name. 链节点地址")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object for machines. 机器可读输出")]


app = typer.Typer()


@app.command("rotate")
def rotate(
    folder: Folder,
    owner_key: Annotated[Path, typer.Option(help="Key of the contract's owner. 合约所有者私钥")],
    sealer: Annotated[str, typer.Option(help="Address that may publish now. 新封存账户")],
    rpc: Rpc = None,
    as_json: Json = False,
) -> None:
    """Hand the sealing to another account, at once. 更换封存账户"""
    from tanzheng.anchor.recovery import Recovery

    mined = Recovery(folder, rpc).rotate(owner_key, sealer)
    show({"sealer": sealer, "block_number": mined.block_number}, as_json)


@app.command("reopen")
def reopen(folder: Folder, rpc: Rpc = None, as_json: Json = False) -> None:
    """Have checkpoints published again that the chain has lost. 重新发布链上丢失的检查点"""
    from tanzheng.anchor.recovery import Recovery

    seqs = Recovery(folder, rpc).reopen()
    show({"checkpoints_reopened": [str(seq) for seq in seqs]}, as_json)


@app.command("predecessor")
def predecessor(
    folder: Folder,
    receipt: Annotated[Path, typer.Option(help="With the last checkpoint. 末检查点的收据")],
    as_json: Json = False,
) -> None:
    """Tell how this log ends, for the log that goes on from it. 旧日志的终点"""
    from tanzheng.anchor.recovery import Recovery

    opened = Recovery(folder)
    end = opened.predecessor(receipt)
    point = end.last.checkpoint
    show(
        {
            "chain_id": point.chain_id,
            "contract": f"0x{point.contract.hex()}",
            "log_id": point.log_id.hex(),
            "checkpoint_seq": point.seq,
            "log_size": point.size,
            "checkpoint_sha256": end.last.digest.hex(),
            "receipt_sha256": end.receipt_sha256.hex(),
            "subjects_waiting": list(map(str, end.waiting)),
        },
        as_json,
    )
