"""The source tree as the house-keeping tests see it: files, members, syntax trees."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from parts import REPOSITORY


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that is committed or would be, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = (Path(name) for name in listed.split("\0") if name)
    return tuple(sorted(path for path in set(paths) if (REPOSITORY / path).is_file()))


def tracked_texts() -> Iterator[tuple[Path, str]]:
    """Path and text of every tracked file that is text."""
    for path in tracked_files():
        try:
            yield path, (REPOSITORY / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def members() -> tuple[Path, ...]:
    """Folders of the members of the namespace, relative to the root."""
    found = (path.parent for path in tracked_files() if path.name == "pyproject.toml")
    return tuple(sorted(folder for folder in found if folder != Path()))


def package(member: Path) -> str:
    """The package a member's folder holds, e.g. "tanzheng.edge" for edge-agent."""
    name: str = settings(member)["tool"]["uv"]["build-backend"]["module-name"]
    return name


def settings(folder: Path) -> dict[str, Any]:
    """The pyproject.toml of a folder."""
    return tomllib.loads((REPOSITORY / folder / "pyproject.toml").read_text())


def sources(folder: Path) -> list[Path]:
    """Python files below a folder, relative to the root."""
    return [path for path in tracked_files() if path.suffix == ".py" and folder in path.parents]


@cache
def syntax(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse((REPOSITORY / path).read_text(), filename=str(path))


def imports(path: Path) -> set[str]:
    """Dotted names of every module a file imports, at any depth, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "tanzheng":
                found.update(f"tanzheng.{alias.name}" for alias in node.names)
    return found


def third_party(path: Path) -> set[str]:
    """Top-level names of what a file imports that is neither the standard library nor ours."""
    top = {name.partition(".")[0] for name in imports(path)}
    return top - sys.stdlib_module_names - {"tanzheng"}
