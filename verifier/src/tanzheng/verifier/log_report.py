"""How `tanzheng log` and `tanzheng witness` show what they found."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tanzheng.core.checkpoint import SignedCheckpoint
from tanzheng.core.log_audit import CHECKS, Audit
from tanzheng.core.points import instant

SHOWN_MAX = 20
LABELS = {
    "kind": "proof 证明",
    "chain_id": "chain id 链标识",
    "contract": "contract 合约",
    "log_id": "log id 日志标识",
    "checkpoint_seq": "checkpoint 检查点",
    "checkpoint_sha256": "checkpoint SHA-256 检查点摘要",
    "size": "statements 声明数",
    "root_sha256": "root SHA-256 根",
    "root_sm3": "root SM3 根",
    "heads_root": "heads root 当前版本树根",
    "previous": "checkpoint before 前一检查点",
    "time": "operator's time 运营方时间",
    "kid": "signed by key 签名密钥",
    "cosigned_by": "cosigned by keys 会签密钥",
    "trusted": "trust file 信任文件",
    "index": "leaf 叶序号",
    "subject": "subject 主体",
    "statement_seq": "statement 声明序号",
    "statement_sha256": "statement SHA-256 声明摘要",
    "statement": "signed statement 签名声明",
    "leaf_hash": "leaf hash 叶散列",
    "path": "path 路径",
    "first": "from size 起始大小",
    "second": "to size 目标大小",
    "first_root_sha256": "root at first size 起始根",
    "head": "current statement 当前版本",
    "leaf": "its leaf 所在叶",
    "heads_index": "place among heads 序位",
    "heads_count": "heads 主体数",
    "count": "heads 主体数",
    "left": "neighbour before 前邻",
    "right": "neighbour after 后邻",
    "equivocation": "equivocation 双重签署",
    "older": "one checkpoint 检查点一",
    "newer": "other checkpoint 检查点二",
    "proof": "proof 证明",
    "out": "written to 输出文件",
    "witness": "witness key 见证密钥",
    "last_seq": "last cosigned 最近会签",
    "last_size": "statements then 当时声明数",
    "evidence": "evidence kept 留存证据",
}


def checkpoint_fields(signed: SignedCheckpoint) -> dict[str, Any]:
    """A checkpoint for machines."""
    point = signed.checkpoint
    return {
        "chain_id": point.chain_id,
        "contract": f"0x{point.contract.hex()}",
        "log_id": point.log_id.hex(),
        "checkpoint_seq": point.seq,
        "size": point.size,
        "root_sha256": point.root_sha256.hex(),
        "root_sm3": point.root_sm3.hex(),
        "heads_root": point.heads_root.hex(),
        "previous": point.previous.hex(),
        "checkpoint_sha256": signed.digest.hex(),
        "time": instant(point.t_ms),
        "kid": signed.kid.hex(),
    }


def show_fields(fields: Mapping[str, Any], console: Console) -> None:
    """A table of labels and values; records within are tables within."""
    console.print(_table(fields))


def _table(fields: Mapping[str, Any]) -> Table:
    table = Table(show_header=False, border_style="dim")
    table.add_column()
    table.add_column(overflow="fold")  # a digest is for copying: never cut
    for key, value in fields.items():
        if isinstance(value, Mapping):
            table.add_row(LABELS[key], _table(value))
        else:
            shown = "\n".join(value) if isinstance(value, list) else value
            table.add_row(LABELS[key], "–" if shown is None else str(shown))
    return table


def audit_fields(audit: Audit) -> dict[str, Any]:
    """An audit for machines: `ok`, each check's verdict, every finding."""
    failed = Counter(finding.check for finding in audit.findings)
    return {
        "ok": not audit.findings,
        "checkpoint_seq": audit.seq,
        "size": audit.size,
        "statements": audit.statements,
        "checks": [
            {
                "name": check,
                "verdict": _verdict(check, audit, failed),
                "findings": failed[check],
                "en": en,
                "zh": zh,
            }
            for check, (en, zh) in CHECKS.items()
        ],
        "findings": [{"check": each.check, "what": each.what} for each in audit.findings],
    }


def show_audit(audit: Audit, console: Console) -> None:
    """The checks with their verdicts, and the first findings."""
    failed = Counter(finding.check for finding in audit.findings)
    marks = {"ok": ("✓", "bold green"), "failed": ("✗", "bold red"), "not asked": ("–", "dim")}
    table = Table(box=None, show_header=False, padding=(0, 1))
    for check, (en, zh) in CHECKS.items():
        mark, style = marks[_verdict(check, audit, failed)]
        table.add_row(Text(mark, style=style), f"{en} · {zh}", str(failed[check] or ""))
    console.print(table)
    for finding in audit.findings[:SHOWN_MAX]:
        console.print(Text(f"{finding.check}: {finding.what}", style="red"))
    if len(audit.findings) > SHOWN_MAX:
        console.print(f"… {len(audit.findings) - SHOWN_MAX} more findings 更多")
    said = f"{audit.statements:,} statements, {audit.seq} checkpoints"
    if audit.findings:
        console.print(Text(f"Not sound: {said}. 日志有误", style="bold red"))
    else:
        console.print(Text(f"Sound: {said}. 日志完好", style="bold green"))


def _verdict(check: str, audit: Audit, failed: Mapping[str, int]) -> str:
    if failed.get(check):
        return "failed"
    return "ok" if check in audit.asked else "not asked"
