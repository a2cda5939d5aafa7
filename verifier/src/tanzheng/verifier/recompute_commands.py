"""`tanzheng recompute`."""

from pathlib import Path
from typing import Annotated

import typer


def recompute(
    package: Annotated[Path, typer.Argument(help="Folder of the evidence package · 证据包目录")],
    out: Annotated[
        Path | None,
        typer.Option(help="Write the recomputed package here · 写出重算后的证据包"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines")] = False,
) -> None:
    """Make a package again from its plant file and signed batches alone, and compare every byte.

    No receipt, no database, no network. Exit code 0: all equal; 3: something differs; 2: a file
    cannot be read, or this machine has another standard. 离线重算
    """
    from tanzheng.verifier import recompute_report as report
    from tanzheng.verifier.files import read_package
    from tanzheng.verifier.recompute import recompute

    found = recompute(read_package(package))
    if out is not None and found.files is not None:
        from tanzheng.analytics import folder

        folder.write(out, found.files, None, lambda _: None)
    if as_json:
        import json

        typer.echo(json.dumps(report.as_json(found), ensure_ascii=False, indent=2))
    else:
        from rich.console import Console

        report.show(found, Console())
    if not found.equal:
        raise typer.Exit(3)
