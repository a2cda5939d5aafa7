"""Planted flaws are found: a handful here, all of them by `make contracts-mutation`."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest

from contracts.tools import CONTRACTS, forge

SLOW_S_MAX = 600  # each flaw compiles all tests anew


@pytest.fixture(scope="module")
def mutate() -> ModuleType:
    """contracts/mutate.py, which lies beside the contracts and in no package."""
    forge("--version")  # skips or fails where forge is missing
    sys.path.insert(0, str(CONTRACTS))
    try:
        return importlib.import_module("mutate")
    finally:
        sys.path.remove(str(CONTRACTS))


def test_every_flaw_has_one_place_and_one_name(mutate: ModuleType) -> None:
    flaws = mutate.mutations()
    assert len({flaw.name for flaw in flaws}) == len(flaws) >= 69
    for flaw in flaws:
        source = (CONTRACTS / "src" / flaw.file).read_text()
        assert flaw.applied(source) != source


def test_every_proof_has_a_flaw_that_refutes_it(mutate: ModuleType) -> None:
    named = {flaw.proof for flaw in mutate.mutations()} - {""}
    written = {path.name.split(".")[0] for path in (CONTRACTS / "proofs").glob("*.t.sol")}
    assert {name.removesuffix("Proofs") for name in named} == written


@pytest.mark.timeout(SLOW_S_MAX)
def test_a_handful_of_flaws_is_found(mutate: ModuleType) -> None:
    """And the judge itself is honest: a change that changes nothing is reported as alive."""
    chosen = [flaw for flaw in mutate.mutations() if flaw.quick]
    assert len(chosen) >= 3
    harmless = mutate.Mutation("harmless", "StandingAdmin.sol", "admin) {}", "admin) { }")
    assert mutate.survivors([*chosen, harmless]) == ["harmless"]


def test_a_flaw_without_a_place_is_refused(mutate: ModuleType) -> None:
    with pytest.raises(mutate.MutationUnfit, match="once"):
        mutate.Mutation("nowhere", "StandingAdmin.sol", "no such text", "").applied("text")
