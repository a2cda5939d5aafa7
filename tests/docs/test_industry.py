"""The figures on the page of the industries are those that come out, digit by digit.

`docs.console` takes any number for any other, for most differ from run to run; these do not.
"""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from docs.console import Sample, Shown, steps
from parts import REPOSITORY
from tanzheng.cli.main import app

STEPS = steps((REPOSITORY / "docs" / "accounting-industry.md").read_text())


def squeezed(line: str) -> str:
    return re.sub(r"\s+", " ", line)


def test_each_figure_shown_is_the_one_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sample,) = (step for step in STEPS if isinstance(step, Sample))
    (tmp_path / sample.path).write_text(sample.text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    asked = [step for step in STEPS if isinstance(step, Shown) and not step.exit_code]
    accounts = [step for step in asked if step.command.startswith("tanzheng account")]
    assert len(accounts) == 2
    for step in accounts:
        ran = CliRunner().invoke(app, step.command.split()[1:])
        assert ran.exit_code == 0, ran.output
        real = iter([squeezed(line) for line in ran.stdout.splitlines()])
        assert [line for line in step.output if squeezed(line) not in real] == []
