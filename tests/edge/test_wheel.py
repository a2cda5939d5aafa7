"""The edge installs alone: its wheel and what it requires, and nothing of the server."""

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from parts import REPOSITORY

MEMBERS = ("core", "hardware", "cli", "edge-agent")
SERVER = {"fastapi", "matplotlib", "numpy", "pandas", "polars", "psycopg", "uvicorn", "web3"}
NAME = re.compile(r"[A-Za-z0-9._-]+")


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


def test_the_edge_requires_no_server_library() -> None:
    names = closure("tanzheng-edge")
    assert not names & SERVER
    assert {"tanzheng-core", "tanzheng-hardware", "paho-mqtt", "cryptography"} <= names
    assert {name for name in names if name.startswith("tanzheng-")} == {
        "tanzheng-core", "tanzheng-hardware", "tanzheng-cli", "tanzheng-edge",
    }  # fmt: skip


@pytest.mark.timeout(180)
def test_its_wheels_work_with_nothing_else(tmp_path: Path) -> None:
    """Build the four wheels; a fresh environment holds them and their closure; run the command."""
    wheels = [built(REPOSITORY / member, tmp_path / "wheels") for member in MEMBERS]
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(venv))
    python = str(venv / "bin" / "python")
    run(uv(), "pip", "install", "--python", python, "--no-deps", "--offline", *map(str, wheels))
    site = next((venv / "lib").glob("python*/site-packages"))
    link_distributions(closure("tanzheng-edge"), site)
    code = (
        "import sys, tanzheng.edge.agent, tanzheng.edge.configuration.config; "
        "print(tanzheng.edge.__file__)"
    )
    assert str(venv) in run(python, "-c", code)
    assert "check" in run(str(venv / "bin" / "tanzheng"), "edge", "--help")
    run(python, "-c", "from importlib.resources import files\n"
        "edge = files('tanzheng.edge')\n"
        "from tanzheng.edge.drivers import PROTOCOLS\n"
        "names = ['configuration/edge.schema.json', 'configuration/devices.schema.json']\n"
        "names += ['systemd/tanzheng-edge.service']\n"
        "names += [f'drivers/{name}/link.schema.json' for name in PROTOCOLS.values()]\n"
        "assert [name for name in names if not (edge / name).is_file()] == []\n"
        "assert (files('tanzheng.hardware') / 'profiles').is_dir()")  # fmt: skip
    heavy = "yaml", "jsonschema", "typer", "rich", "tomllib", "prometheus_client", "numpy"
    run(python, "-c", "import sys, tanzheng.edge.agent\n"
        "from importlib import import_module\n"
        "from tanzheng.edge.drivers import PROTOCOLS\n"
        "for name in set(PROTOCOLS.values()):\n"
        "    import_module(f'tanzheng.edge.drivers.{name}.driver')\n"
        f"assert [name for name in {heavy} if name in sys.modules] == []")  # fmt: skip
    refused = subprocess.run([python, "-c", "import psycopg"], capture_output=True, check=False)
    assert refused.returncode != 0


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
