"""`tanzheng statement`: make, show and describe statements of every kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tanzheng.core.statements.kinds import SignedStatement

app = typer.Typer(
    no_args_is_help=True,
    help="Statements of every kind: reviews, verification, confirmed tonnes, keys … · 各类声明",
)

Kind = Annotated[str, typer.Argument(help="review, verification, key-event … · 声明类型")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object for machines · 机器可读输出")]


@app.command("make")
def make_command(
    kind: Kind,
    description: Annotated[Path, typer.Argument(help="What is stated (TOML, JSON) · 声明内容")],
    key: Annotated[Path, typer.Option(help="Your private key (PEM) · 签名私钥")],
    trust: Annotated[
        Path, typer.Option(help="Your trust file: its newest block dates it · 信任文件")
    ],
    out: Annotated[Path, typer.Option(help="The signed statement, a new file · 输出文件")],
    reference: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=FILE: a statement or receipt referred to · 所引声明或收据"),
    ] = None,
    document: Annotated[
        list[str] | None, typer.Option(help="FIELD=FILE: a document named by digest · 所载文件")
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(help="The subject's statement before, or its receipt · 同一主体的上一声明"),
    ] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Of a key event: the private key that comes · 新私钥")
    ] = None,
    old_key: Annotated[
        Path | None, typer.Option(help="Of a key event: the public key that goes · 旧公钥")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a statement of a kind and sign it. Nothing is sent anywhere · 制作并签署声明."""
    from tanzheng.verifier import statement_files
    from tanzheng.verifier.files import write_new

    beside = statement_files.Beside(reference or [], document or [], previous, new_key, old_key)
    signed = statement_files.make(kind, description, key, trust, beside)
    write_new(out, signed.raw, "--out")
    _show(signed, as_json)


@app.command("show")
def show_command(
    file: Annotated[Path, typer.Argument(help="Signed statement, or its receipt · 声明或收据")],
    as_json: Json = False,
) -> None:
    """Show what a statement says. Its signature is for `tanzheng verify` · 查看声明内容."""
    from tanzheng.verifier import statement_files

    _show(statement_files.read_statement(file), as_json)


@app.command("schema")
def schema_command(kind: Kind) -> None:
    """Print the CDDL schema (RFC 8610) of a kind · 输出 CDDL 模式."""
    from tanzheng.verifier import statement_files

    typer.echo(statement_files.schema(kind), nl=False)


def _show(signed: SignedStatement, as_json: bool) -> None:
    from tanzheng.core.statements.description import to_description
    from tanzheng.core.statements.kinds import LABELS

    stated = signed.statement
    fields: dict[str, Any] = {
        "type": stated.TYPE,
        "sha256": signed.digest.hex(),
        "algorithm": signed.algorithm.name,
        "kid": signed.kid.hex(),
        **to_description(stated),
    }
    if as_json:
        typer.echo(json.dumps(fields, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=" · ".join(LABELS[stated.TYPE]), show_header=False, border_style="dim")
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(FIELD_LABELS.get(name, name), _line(value))
    Console().print(table)


FIELD_LABELS = {
    "type": "type 类型",
    "sha256": "SHA-256 摘要",
    "algorithm": "algorithm 签名算法",
    "kid": "key id 密钥标识",
    "issuer": "issuer 签发方",
    "subject": "subject 主体",
    "seq": "seq 序号",
    "prev": "prev 上一声明",
    "supersedes": "supersedes 更正",
    "not_before": "not_before 不早于",
    "of": "of 所涉声明",
    "level": "level 层级",
    "outcome": "outcome 结论",
    "reasons": "reasons 原因",
    "opinion": "opinion 核查意见",
    "findings": "findings 发现",
    "quantities": "quantities 数据",
    "units": "units 机组",
    "emissions_t": "emissions_t 排放量（吨）",
    "basis": "basis 依据",
    "role": "role 角色",
    "act": "act 事件",
}
"""Names that a reader meets often; the others stand for themselves."""


def _line(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
