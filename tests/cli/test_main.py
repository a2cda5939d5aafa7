"""The `tanzheng` command, run as a process beside a package made for the test."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

RUN_MAIN = "from tanzheng.cli.main import main; main()"
# Prints what was imported of ours, whatever way the command ended.
RUN_MAIN_AND_LIST = """
import atexit, sys
atexit.register(lambda: print(*sorted(m for m in sys.modules if m.startswith("tanzheng."))))
from tanzheng.cli.main import main
main()
"""

COMMANDS = """
import os, signal
import typer
from tanzheng.core.errors import BadInput, CheckFailed

app = typer.Typer(help="A group of one.")

class LeftOut(BadInput):
    def diagnostics(self) -> str:
        return "Put the valve back in."

@app.command()
def only(name: str = "nobody") -> None:
    "The only command."
    typer.echo(f"hello {name}")

def plain(flaw: str) -> None:
    "A plain function."
    if flaw == "input":
        raise LeftOut("expected a valve [1], got a hole, at line 3 of plant.toml")
    if flaw == "check":
        raise CheckFailed("the seal does not hold")
    if flaw == "ours":
        raise ZeroDivisionError("our own fault")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command with a package on the path that contributes `group` and `plain`."""
    (tmp_path / "contributed.py").write_text(COMMANDS)
    info = tmp_path / "contributed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: contributed\nVersion: 1.0\nSummary: Made for a test\n"
    )
    (info / "entry_points.txt").write_text(
        "[tanzheng.commands]\ngroup = contributed:app\nplain = contributed:plain\n"
        "broken = no.such.module:app\n"
    )

    def run(*arguments: str, program: str = RUN_MAIN) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "100", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    return run


def test_help_lists_every_command_and_imports_none(run: Run) -> None:
    done = run("--help", program=RUN_MAIN_AND_LIST)
    assert done.returncode == 0, done.stderr
    for name in ("sim", "edge", "ingest", "month", "anchor", "trust", "verify", "demo", "broken"):
        assert f"│ {name} " in done.stdout
    imported = done.stdout.splitlines()[-1].split()
    assert imported == [
        "tanzheng.cli",
        "tanzheng.cli.main",
        "tanzheng.core",
        "tanzheng.core.errors",
    ]


def test_a_package_unknown_to_us_shows_its_summary(run: Run) -> None:
    assert "Made for a test" in run("--help").stdout


def test_version(run: Run) -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("tanzheng 0.")


def test_a_mistyped_command_is_a_usage_error_with_a_suggestion(run: Run) -> None:
    done = run("verfy")
    assert done.returncode == 2
    assert "Did you mean 'verify'?" in done.stderr


def test_an_app_of_one_command_stays_a_group(run: Run) -> None:
    assert run("group", "only", "--name", "you").stdout == "hello you\n"


def test_help_of_one_command_is_its_own(run: Run) -> None:
    assert "A plain function." in run("plain", "--help").stdout


@pytest.mark.parametrize(
    ("flaw", "exit_code", "message"),
    [
        ("input", 2, "expected a valve [1], got a hole, at line 3 of plant.toml"),
        ("check", 3, "the seal does not hold"),
    ],
)
def test_an_error_is_one_message_and_its_exit_code(
    run: Run, flaw: str, exit_code: int, message: str
) -> None:
    done = run("plain", flaw)
    assert done.returncode == exit_code
    assert done.stderr.splitlines()[0] == f"错误 error: {message}"
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_diagnostics_follow_the_message(run: Run) -> None:
    assert run("plain", "input").stderr.splitlines()[1:] == ["Put the valve back in."]


def test_a_fault_of_ours_keeps_its_traceback(run: Run) -> None:
    done = run("plain", "ours")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: our own fault" in done.stderr


def test_ctrl_c_ends_quietly(run: Run) -> None:
    done = run("plain", "ctrl-c")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
