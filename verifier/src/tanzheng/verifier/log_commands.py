"""`tanzheng log`: look at a log's plain files, prove from them, audit, check and export them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tanzheng.core.log_audit import Audit
    from tanzheng.core.trust import Trust

app = typer.Typer(
    no_args_is_help=True,
    help="The evidence log's plain files: head, proofs, audit, export. 存证日志",
)

Log = Annotated[str, typer.Argument(help="Folder of the log, or its web address · 日志目录或网址")]
TrustFile = Annotated[
    Path | None,
    typer.Option("--trust", help="Check signatures and witnesses by it · 信任文件"),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object for machines · 机器可读输出")]


@app.command()
def head(log: Log, trust: TrustFile = None, as_json: Json = False) -> None:
    """Show the newest checkpoint, and who cosigned it · 最新检查点.

    With --trust its signature and its witnesses are checked: exit code 3 where they do not hold.
    """
    from tanzheng.core.witness import check_witnessed
    from tanzheng.verifier.log_proofs import newest
    from tanzheng.verifier.log_report import checkpoint_fields
    from tanzheng.verifier.log_source import open_log

    files = open_log(log)
    signed = newest(files)
    cosigned = files.cosignatures(signed.checkpoint.seq)
    fields = {
        **checkpoint_fields(signed),
        "cosigned_by": [each.kid.hex() for each in cosigned] or None,
        "trusted": None,
    }
    if (trusted := _trust(trust)) is not None:
        trusted.check_log(signed)
        policy = trusted.witnesses
        said = check_witnessed(signed, cosigned, policy) if policy else "no witnesses named"
        fields["trusted"] = f"operator's signature holds; {said}"
    _show(fields, as_json)


@app.command()
def prove(
    log: Log,
    index: Annotated[int | None, typer.Option(help="Inclusion of this leaf · 叶序号")] = None,
    size: Annotated[int | None, typer.Option(help="… in the log of this size · 日志大小")] = None,
    first: Annotated[
        int | None, typer.Option("--from", help="Consistency from this size · 起始大小")
    ] = None,
    second: Annotated[int | None, typer.Option("--to", help="… to this size · 目标大小")] = None,
    subject: Annotated[
        str | None,
        typer.Option(help="Presence or absence of ENTERPRISE/UNIT/PERIOD/KIND · 主体"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Consistency proof for `verify --consistency` · 一致性证明文件"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Prove inclusion, consistency, or the presence or absence of a subject · 证明.

    The proof is made from the files alone, and checked before it is shown. By default it leads to
    the newest checkpoint.
    """
    from tanzheng.core.errors import BadInput
    from tanzheng.verifier import log_proofs
    from tanzheng.verifier.files import write_new
    from tanzheng.verifier.log_source import open_log

    if sum(each is not None for each in (index, first, subject)) != 1:
        raise BadInput("expected one of --index, --from and --subject")
    if out is not None and first is None:
        raise BadInput("--out: expected --from with it: the other proofs are for --json")
    files = open_log(log)
    if index is not None:
        _show(log_proofs.inclusion(files, index, size), as_json)
    elif subject is not None:
        _show(log_proofs.subject(files, subject), as_json)
    elif first is not None:
        proof = log_proofs.consistency(files, first, second)
        if out is not None:
            write_new(out, proof.encode(), "--out")
        _show(log_proofs.consistency_fields(files, proof), as_json)


@app.command("audit")
def audit_command(log: Log, trust: TrustFile = None, as_json: Json = False) -> None:
    """Hash every statement again, build both roots twice, check every checkpoint · 全量审计.

    Exit code 3 on any finding; nothing is changed.
    """
    from tanzheng.core.log_audit import audit
    from tanzheng.verifier.log_source import open_log

    _conclude(audit(open_log(log), trust=_trust(trust)), as_json)


@app.command()
def fsck(log: Log, trust: TrustFile = None, as_json: Json = False) -> None:
    """Check the log's own folder, file by file, and audit it, the unsealed too · 检查目录.

    Exit code 3 on any finding; nothing is repaired.
    """
    from tanzheng.verifier.log_folder import check_folder
    from tanzheng.verifier.log_source import log_folder, open_log

    folder = log_folder(log)
    _conclude(check_folder(folder, open_log(str(folder)), _trust(trust)), as_json)


@app.command()
def export(
    log: Log,
    out: Annotated[Path, typer.Option(help="New folder · 新目录")],
    trust: TrustFile = None,
    as_json: Json = False,
) -> None:
    """Write the log as of its newest checkpoint as plain files, and audit the copy · 静态导出."""
    from tanzheng.verifier import log_export
    from tanzheng.verifier.log_source import open_log

    _conclude(log_export.export(open_log(log), out, _trust(trust)), as_json)


# ------------------------------------------------------------------ equivocation

CheckpointFile = Annotated[
    Path, typer.Argument(help="Signed checkpoint, or a receipt with one · 检查点或凭证")
]


@app.command("prove-equivocation")
def prove_equivocation(
    a: CheckpointFile,
    b: CheckpointFile,
    out: Annotated[Path | None, typer.Option(help="Where the proof goes · 证明文件")] = None,
    as_json: Json = False,
) -> None:
    """Prove from two signed checkpoints that the operator signed two histories · 双重签署证明.

    Exit code 3 where the two do not contradict each other.
    """
    from tanzheng.core.equivocation import Equivocation
    from tanzheng.verifier.files import write_new
    from tanzheng.verifier.inputs import read_checkpoint

    proof = Equivocation.of(read_checkpoint(a), read_checkpoint(b))
    if out is not None:
        write_new(out, proof.encode(), "--out")
    _show({**_equivocation(proof), "out": str(out) if out else None}, as_json)


@app.command("check-equivocation")
def check_equivocation(
    proof: Annotated[Path, typer.Argument(help="The proof · 证明文件")],
    trust: Annotated[Path, typer.Option(help="The log and its operator's keys · 信任文件")],
    as_json: Json = False,
) -> None:
    """Check such a proof: both checkpoints signed by the log's operator · 核验双重签署.

    Exit code 0: the operator signed two histories; 3: the proof does not show it.
    """
    from tanzheng.core.equivocation import EQUIVOCATION_BYTES_MAX, Equivocation
    from tanzheng.verifier.files import read_file
    from tanzheng.verifier.inputs import read_trust

    found = Equivocation.decode(read_file(proof, EQUIVOCATION_BYTES_MAX, "equivocation proof"))
    found.verify(read_trust(trust))
    _show(
        {**_equivocation(found), "trusted": "both signed by the operator 均为运营方签名"}, as_json
    )


def _equivocation(proof: Any) -> dict[str, Any]:
    from tanzheng.verifier.log_report import checkpoint_fields

    return {
        "equivocation": proof.what,
        "older": checkpoint_fields(proof.a),
        "newer": checkpoint_fields(proof.b),
        "proof": proof.encode().hex(),
    }


# ------------------------------------------------------------------ what is read and shown


def _trust(path: Path | None) -> Trust | None:
    from tanzheng.verifier.inputs import read_trust

    return None if path is None else read_trust(path)


def _show(fields: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(fields, ensure_ascii=False))
        return
    from rich.console import Console

    from tanzheng.verifier.log_report import show_fields

    show_fields(fields, Console())


def _conclude(audit: Audit, as_json: bool) -> None:
    from tanzheng.verifier import log_report

    if as_json:
        import json

        typer.echo(json.dumps(log_report.audit_fields(audit), ensure_ascii=False, indent=2))
    else:
        from rich.console import Console

        log_report.show_audit(audit, Console())
    if audit.findings:
        raise typer.Exit(3)
