"""The acceptance list of a plant: each fault with real parts, judged by counting each value.

As the agent is, nothing may be lost, doubled or made up. `make reliability` runs each case a second
time, with the protection that it is about switched off, and writes what the judge saw then into
docs/reliability.md; here a few quick ones show that the judge still sees.
"""

import contextlib
import gc
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
    gc.collect()
    gc.freeze()  # devices answer from this process: a whole collection outlasts their time-outs
    return Scene(tmp_path, broker, broker.gateway_url(GATEWAY), broker.platform_url, None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_nothing_is_lost(case: Case, scene: Scene) -> None:
    verdict = case.run(scene)
    assert verdict.offered
    assert verdict.clean, verdict


QUICK = {
    "answers of another unit",
    "NaN and 0xFFFF for 'no value'",
    "counter rolls over at 2^32",
    "two HJ 212 frames in one TCP segment",
    "uploads that a logger never sends",
    "forged acks",
    "wall clock an hour ahead",
}


def test_the_quick_ones_exist() -> None:
    assert {case.fault for case in CASES} >= QUICK


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.fault in QUICK], ids=lambda case: case.fault
)
def test_without_its_protection_something_is(case: Case, scene: Scene) -> None:
    with contextlib.suppress(NothingToJudge):
        verdict = case.run(replace(scene, without=case.protection))
        assert not verdict.clean, verdict


def test_each_protection_is_one_of_a_case() -> None:
    assert PROTECTIONS.keys() <= {case.protection for case in CASES}
