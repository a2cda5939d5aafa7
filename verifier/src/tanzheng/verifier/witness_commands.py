"""`tanzheng witness`: cosign a log's checkpoints, after checking that it only grew."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Cosign a log's checkpoints after checking consistency. 见证人会签",
)

Folder = Annotated[Path, typer.Option("--dir", help="The witness's own folder · 见证人目录")]
TrustFile = Annotated[
    Path, typer.Option("--trust", help="The log and its operator's keys · 信任文件")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object for machines · 机器可读输出")]


@app.command()
def start(folder: Folder, trust: TrustFile, as_json: Json = False) -> None:
    """Begin to watch the log of a trust file · 开始见证.

    Refused where this witness watches it already: its memory is what makes it worth something.
    """
    from tanzheng.verifier import witness
    from tanzheng.verifier.inputs import read_trust

    trusted = read_trust(trust)
    own = witness.start(folder, trusted)
    _show({"log_id": trusted.log_id.hex(), "out": str(own / witness.STATE)}, as_json)


@app.command()
def cosign(
    log: Annotated[str, typer.Argument(help="Folder of the log, or its web address · 日志")],
    folder: Folder,
    trust: TrustFile,
    key: Annotated[Path, typer.Option(help="The witness's Ed25519 key (PEM) · 见证人私钥")],
    out: Annotated[Path, typer.Option(help="Where the cosignature goes · 会签文件")],
    as_json: Json = False,
) -> None:
    """Cosign the newest checkpoint where it extends the last one cosigned · 会签.

    Checks the operator's signature, every checkpoint in between and a consistency proof of both
    trees; the first time the whole log. Exit code 3: refused, the evidence is kept.
    """
    import time

    from tanzheng.core.keys import SigningKey
    from tanzheng.verifier import witness
    from tanzheng.verifier.files import KEY_BYTES_MAX, read_file, replace
    from tanzheng.verifier.inputs import read_trust
    from tanzheng.verifier.log_source import open_log

    own = SigningKey.from_pem(read_file(key, KEY_BYTES_MAX, "key"), str(key))
    now_ms = time.time_ns() // 1_000_000
    trusted = read_trust(trust)
    signed, cosignature = witness.attend(folder, open_log(log), trusted, own, now_ms)
    replace(out, cosignature, "--out")
    fields = {
        "witness": own.public.kid.hex(),
        "checkpoint_seq": signed.checkpoint.seq,
        "size": signed.checkpoint.size,
        "checkpoint_sha256": signed.digest.hex(),
        "out": str(out),
    }
    _show(fields, as_json)


@app.command()
def status(folder: Folder, as_json: Json = False) -> None:
    """Show what this witness remembers of each log · 见证状态."""
    from tanzheng.verifier import witness
    from tanzheng.verifier.errors import Unreadable

    if not folder.is_dir():
        raise Unreadable(f"--dir: expected the folder of a witness, got {folder}")
    logs = []
    for path in sorted(folder.glob(f"*/{witness.STATE}")):
        last = witness.read_state(path.parent).last
        evidence = sorted(each.name for each in (path.parent / "evidence").glob("*"))
        logs.append(
            {
                "log_id": path.parent.name,
                "last_seq": last.checkpoint.seq if last else None,
                "last_size": last.checkpoint.size if last else None,
                "checkpoint_sha256": last.digest.hex() if last else None,
                "evidence": evidence or None,
            }
        )
    if as_json:
        _show({"logs": logs}, as_json)
    for fields in [] if as_json else logs:
        _show(fields, as_json)


def _show(fields: dict[str, Any], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(fields, ensure_ascii=False))
        return
    from rich.console import Console

    from tanzheng.verifier.log_report import show_fields

    show_fields(fields, Console())
