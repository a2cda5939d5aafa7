"""`tanzheng recompute` and `tanzheng redact`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from tanzheng.core.errors import BadInput


def recompute(
    package: Annotated[
        Path,
        typer.Argument(help="Folder of a package, or file of a redacted one · 证据包或披露文件"),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write the recomputed package here · 写出重算后的证据包"),
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="Redacted package: its receipt · 披露文件的存证凭证")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(help="Redacted package: what you trust · 信任文件")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines")] = False,
) -> None:
    """Make a package again from its plant file, signed batches and books; compare every byte.

    No receipt, no database, no network. Of a redacted package each figure's path to the parameter
    root is checked. Exit code 0: all holds; 3: something differs; 2: a file cannot be read, or this
    machine has another standard. 离线重算
    """
    if package.is_file():
        if out is not None:
            raise BadInput("--out: expected a whole package, got a redacted one")
        _check_redacted(package, receipt, trust, as_json)
        return
    if receipt is not None or trust is not None:
        raise BadInput("a whole package is held against its receipt by `tanzheng verify`")
    _recompute(package, out, as_json)


def _recompute(package: Path, out: Path | None, as_json: bool) -> None:
    from tanzheng.verifier import recompute_report as report
    from tanzheng.verifier.files import read_package
    from tanzheng.verifier.recompute import recompute

    found = recompute(read_package(package))
    if out is not None and found.files is not None:
        from tanzheng.analytics import folder

        folder.write(out, found.files, None, lambda _: None)
    if as_json:
        _print_json(report.as_json(found))
    else:
        from rich.console import Console

        report.show(found, Console())
    if not found.equal:
        raise typer.Exit(3)


def _check_redacted(
    path: Path, receipt_path: Path | None, trust_path: Path | None, as_json: bool
) -> None:
    from tanzheng.core import receipt as receipts
    from tanzheng.core.disclosure import DISCLOSURE_BYTES_MAX, Disclosure
    from tanzheng.core.trust import TRUST_BYTES_MAX, Trust
    from tanzheng.verifier import report
    from tanzheng.verifier.files import read_file
    from tanzheng.verifier.redacted import check_disclosure

    if trust_path is not None and receipt_path is None:
        raise BadInput("--trust: expected --receipt as well")
    disclosure = Disclosure.decode(read_file(path, DISCLOSURE_BYTES_MAX, "redacted package"))
    receipt = trust = None
    if receipt_path is not None:
        raw = read_file(receipt_path, receipts.RECEIPT_BYTES_MAX, "receipt")
        receipt = receipts.decode(raw)
    if trust_path is not None:
        trust = Trust.decode(read_file(trust_path, TRUST_BYTES_MAX, "trust file"))
    points = check_disclosure(disclosure, receipt, trust)
    if as_json:
        _print_json(report.as_json(disclosure.subject, points))
    else:
        from rich.console import Console

        report.show(disclosure.subject, points, Console(), "redacted package 披露文件")
    if not report.holds(points):
        raise typer.Exit(3)


def redact(
    package: Annotated[Path, typer.Argument(help="Folder of the evidence package · 证据包目录")],
    keep: Annotated[
        list[str], typer.Option(help="Figure to disclose; repeat it for more · 披露的数据项")
    ],
    out: Annotated[Path, typer.Option(help="The file to write · 输出文件")],
) -> None:
    """Write a redacted package: some figures with salt and Merkle path, nothing of the others.

    `tanzheng recompute FILE` checks it, with `--receipt` against what was sealed. 选择性披露
    """
    from tanzheng.core.bag import check_bag
    from tanzheng.core.disclosure import Disclosure
    from tanzheng.core.manifest import MANIFEST_PATH
    from tanzheng.verifier.files import read_package, write_new

    files = read_package(package)
    check_bag(files)
    disclosure = Disclosure.of(files[MANIFEST_PATH], keep)
    disclosure.check()
    write_new(out, disclosure.encode(), "redacted package")
    kept = len(disclosure.figures)
    typer.echo(f"{out}: {kept} figures disclosed, all others hidden · 已披露 {kept} 项，其余隐藏")


def _print_json(value: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
