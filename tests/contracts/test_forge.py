"""The forge suite, and proof that it would notice a damaged contract."""

from __future__ import annotations

import json
import runpy
import subprocess
from typing import Any

import pytest

from contracts.tools import BUILD, CONTRACTS, forge

# Flaw in contracts/test/DamagedLog.sol → what the invariant must say of it.
PLANTED = {
    1: "accepted against a rule",  # AnyoneSeals
    2: "accepted out of order",  # SkipsSequence
    3: "accepted out of order",  # RepeatsSequence
    4: "accepted against a rule",  # AcceptsSameSize
    7: "head from nowhere",  # ReusesOneSlot
}


@pytest.mark.timeout(300)  # it compiles first, on all cores there are
def test_forge_suite() -> None:
    result = forge("test", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    suites: dict[str, Any] = json.loads(result.stdout)
    outcomes = {
        name: outcome["status"]
        for suite in suites.values()
        for name, outcome in suite["test_results"].items()
    }
    assert set(outcomes.values()) == {"Success"}
    assert len(outcomes) >= 85, outcomes  # a suite that shrank has lost something


@pytest.mark.parametrize("flaw", sorted(PLANTED))
def test_invariant_finds_a_planted_flaw(flaw: int) -> None:
    result = forge("test", "--match-contract", "CheckpointLogInvariant", FLAW=str(flaw))
    assert result.returncode == 1
    assert PLANTED[flaw] in result.stdout


def test_committed_artifacts_are_fresh() -> None:
    """Compiled again through py-solc-x, byte for byte."""
    module = runpy.run_path(str(BUILD))
    texts = module["compile_contracts"]()
    assert set(texts) == {path.stem for path in module["ARTIFACTS"].glob("*.json")}
    for name, text in texts.items():
        assert (module["ARTIFACTS"] / f"{name}.json").read_text() == text


@pytest.mark.parametrize("name", ["CheckpointLog", "VerifiedEmissions"])
def test_forge_tests_the_bytes_that_are_deployed(name: str) -> None:
    assert forge("build").returncode == 0
    built = json.loads((CONTRACTS / f"out/{name}.sol/{name}.json").read_text())
    shipped = json.loads((runpy.run_path(str(BUILD))["ARTIFACTS"] / f"{name}.json").read_text())
    assert built["bytecode"]["object"] == shipped["bytecode"]


def test_compiler_wrapper_refuses_other_calls() -> None:
    result = subprocess.run(
        [CONTRACTS / "solc", "--abi", "X.sol"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "expected --version or --standard-json" in result.stderr
