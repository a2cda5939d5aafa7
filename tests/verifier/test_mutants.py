"""Thousands of mutants of every kind of evidence, each refused. All of them: `make mutants`."""

from functools import cache
from pathlib import Path
from random import Random

import pytest

from fix_browser import Chromium
from mutants.targets import OK, all_targets
from vectors.make import told_of
from verifier.page import judge_all, opened

SAMPLE = 250
TARGETS = {target.name: target for target in all_targets()}


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Another one each run; the order of the tests hangs on the same number, which is printed."""
    return int(str(request.config.getoption("randomly_seed")))


@cache
def sample(name: str, seed: int) -> list[tuple[str, bytes, str]]:
    """Some mutants of a target: kind, bytes, and what Python says of them."""
    target = TARGETS[name]
    random = Random(f"{seed} {target.name}")
    found = list(target.mutants(random, (random.randrange(8),)))
    some = random.sample(found, min(SAMPLE, len(found)))
    return [(kind, data, target.judge(data)) for kind, data in some]


@pytest.mark.parametrize("name", TARGETS)
def test_a_mutant_is_refused(name: str, seed: int) -> None:
    target = TARGETS[name]
    assert target.judge(target.data) == OK
    taken = [(kind, data.hex()) for kind, data, word in sample(name, seed) if word == OK]
    assert not taken, f"seed {seed}"


@pytest.mark.parametrize("name", [name for name, each in TARGETS.items() if each.given])
def test_the_page_answers_a_mutant_alike(
    name: str, seed: int, chromium: Chromium, tmp_path: Path
) -> None:
    target, page = TARGETS[name], opened(chromium, tmp_path)
    assert target.given is not None
    found = sample(name, seed)
    told = told_of(target.given)
    words = judge_all(page, told, target.field, target.data, [data for _, data, _ in found])
    for (kind, data, ours), word in zip(found, words, strict=True):
        assert word != OK, f"seed {seed}, {kind}: {data.hex()}"
        assert ours == word, f"seed {seed}, {kind}: {data.hex()}"
