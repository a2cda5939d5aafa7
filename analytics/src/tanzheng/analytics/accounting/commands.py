"""`tanzheng account`: emissions of unit-months by the standard, each figure explained."""

from pathlib import Path
from typing import Annotated

import typer

from tanzheng.core.errors import BadInput


def account(
    file: Annotated[Path, typer.Argument(help="Input document (JSON) · 输入文件")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Each figure with formula and source · 逐项说明")
    ] = False,
) -> None:
    """Compute emissions, heat, load and intensities of unit-months · 排放核算.

    The standard pack is the one in force in the month; a draft is used only where the input
    names it. Input and output have published JSON schemas.
    """
    from tanzheng.analytics.accounting import engine

    if as_json and explain:
        raise BadInput("expected --json or --explain, got both: the JSON has the whole tree")
    result = engine.account_document(_read(file), str(file))
    if as_json:
        import json

        typer.echo(json.dumps(result.to_json(), ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    from tanzheng.analytics.accounting import page

    Console().print(page.explained(result) if explain else page.render(result))


def _read(path: Path) -> bytes:
    """The file, one byte more than is allowed at most: the engine says what is too much."""
    from tanzheng.analytics.accounting.document import BYTES_MAX

    try:
        with path.open("rb") as file:
            return file.read(BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(f"expected an input document, got {path}: {error.strerror}") from None
