"""How the answers of `tanzheng anchor` are shown: to a person, or as JSON to a machine."""

from __future__ import annotations

import json
from typing import Any

import typer

LABELS = {
    "chain_id": "chain id 链标识",
    "contract": "contract 合约",
    "log_id": "log id 日志标识",
    "block_number": "mined in block 区块",
    "block_hash": "block hash 区块哈希",
    "subject": "subject 主体",
    "statement_seq": "statement 声明序号",
    "statement_sha256": "statement SHA-256 声明摘要",
    "leaf_index": "leaf 叶序号",
    "checkpoint_seq": "checkpoint 检查点",
    "checkpoint_sha256": "checkpoint SHA-256 检查点摘要",
    "log_size": "log size 日志大小",
    "transaction": "transaction 交易",
    "gas_used": "gas used 燃料",
    "receipt": "receipt 收据",
    "receipt_bytes": "receipt bytes 收据字节",
    "leaves": "leaves on disk 本地叶数",
    "publication": "publication 发布状态",
    "on_chain_seq": "checkpoint on chain 链上检查点",
    "statements_waiting": "statements not final 待上链声明",
    "checkpoints_waiting": "checkpoints not final 待终局检查点",
    "sealer": "sealer 封存账户",
    "checkpoints_reopened": "to be published again 将重新发布",
    "receipt_sha256": "receipt SHA-256 收据摘要",
    "subjects_waiting": "to be sealed anew 待重新封存",
    "nodes": "nodes 链节点",
    "first": "from size 起始大小",
    "second": "to size 目标大小",
    "path": "path 路径",
}


def show(fields: dict[str, Any], as_json: bool) -> None:
    """Print an answer's fields: a table with bilingual labels, or one JSON object."""
    if as_json:
        typer.echo(json.dumps(fields, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, border_style="dim")
    table.add_column()
    table.add_column(overflow="fold")  # a digest is for copying: never cut
    for key, value in fields.items():
        shown = "\n".join(value) if isinstance(value, list) else str(value)
        if isinstance(value, dict):
            shown = "\n".join(f"{name}: {text}" for name, text in value.items())
        table.add_row(LABELS[key], shown if value is not None else "–")
    Console().print(table)
