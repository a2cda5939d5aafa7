"""The acceptance list of a plant: each fault with real parts, judged by counting each value.

Each case runs twice: as the agent is, where nothing may be lost, doubled or made up; and with the
protection that the case is about switched off, where the judge must see it.
"""

import contextlib
import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from acceptance.case import CASES, Case, NothingToJudge, Scene
from acceptance.switches import PROTECTIONS
from edge.world import GATEWAY
from tanzheng.ingest.broker import Broker

for module in Path(__file__).parent.glob("*_*.py"):
    if module.stem.startswith(("cases_", "protections_")):
        importlib.import_module(f"acceptance.{module.stem}")


@pytest.fixture
def scene(tmp_path: Path, broker: Broker) -> Scene:
    return Scene(tmp_path, broker, broker.gateway_url(GATEWAY), broker.platform_url, None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_nothing_is_lost(case: Case, scene: Scene) -> None:
    verdict = case.run(scene)
    assert verdict.offered
    assert verdict.clean, verdict


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_without_its_protection_something_is(case: Case, scene: Scene) -> None:
    with contextlib.suppress(NothingToJudge):
        verdict = case.run(replace(scene, without=case.protection))
        assert not verdict.clean, verdict


def test_each_protection_is_one_of_a_case() -> None:
    assert PROTECTIONS.keys() <= {case.protection for case in CASES}
