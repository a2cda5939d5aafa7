"""What the commands put before a person or a machine, and the new files that they write."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tanzheng.core.errors import BadInput

if TYPE_CHECKING:
    from rich.console import RenderableType


def print_page(page: "RenderableType") -> None:
    """For a person."""
    from rich.console import Console

    Console().print(page)


def print_json(value: Any) -> None:
    """For a machine."""
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def create_file(path: Path, data: bytes) -> None:
    """Write a new file; what is there is never overwritten."""
    try:
        with path.open("xb") as out:
            out.write(data)
    except FileExistsError:
        raise BadInput(f"expected a new file, got {path}, which exists · 文件已存在") from None
    except OSError as error:
        raise BadInput(f"expected a place for a new file, got {path}: {error.strerror}") from None
