"""The edge installs alone: its wheel and what it requires, and nothing of the server."""

import subprocess
from pathlib import Path

import pytest

from wheels import closure, environment, run

MEMBERS = ("core", "hardware", "cli", "edge-agent")
SERVER = {"fastapi", "matplotlib", "numpy", "pandas", "polars", "psycopg", "uvicorn", "web3"}


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
    venv = environment(MEMBERS, "tanzheng-edge", tmp_path)
    python = str(venv / "bin" / "python")
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
