"""Wheels of members in an environment of their own: what a stranger would install."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from parts import REPOSITORY

NAME = re.compile(r"[A-Za-z0-9._-]+")


def environment(members: Sequence[str], root: str, folder: Path) -> Path:
    """A fresh environment in `folder` with the wheels of `members`, built here, and what else
    distribution `root` requires, linked as an installer would copy it. Nothing is downloaded."""
    wheels = [built(REPOSITORY / member, folder / "wheels") for member in members]
    venv = folder / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(venv))
    python = str(venv / "bin" / "python")
    run(uv(), "pip", "install", "--python", python, "--no-deps", "--offline", *map(str, wheels))
    link_distributions(closure(root), next((venv / "lib").glob("python*/site-packages")))
    return venv


def closure(root: str) -> set[str]:
    """Names of everything that `root` requires here, itself included; extras are not asked for."""
    found: set[str] = set()
    left = [root]
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in found:
            continue
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # for another platform
        found.add(name)
        for line in requires:
            match = NAME.match(line)
            assert match is not None
            if "extra ==" not in line:
                left.append(match.group())
    return found


def link_distributions(names: set[str], site: Path) -> None:
    """Put the installed files of `names` into `site` by link, as an installer would by copy."""
    for name in names:
        if name.startswith("tanzheng-"):
            continue
        files = distribution(name).files or []
        tops = {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}
        for top in tops:
            source = Path(str(distribution(name).locate_file(top)))
            if not (site / top).exists():
                (site / top).symlink_to(source)


def built(member: Path, folder: Path) -> Path:
    """The wheel of a member, built here from its sources by its own backend."""
    out = folder / member.name
    run(uv(), "build", "--wheel", "--offline", "--no-build-isolation", "--python", sys.executable,
        "--out-dir", str(out), str(member))  # fmt: skip
    return next(out.glob("*.whl"))


def uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


def run(*command: str) -> str:
    """Output of `command`; its whole output in the error where it fails."""
    bin_folder = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
