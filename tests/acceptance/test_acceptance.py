"""The acceptance list of a plant: each fault with real parts, judged by counting each value.

Each case runs twice: as the agent is, where nothing may be lost, doubled or made up; and with the
protection that the case is about switched off, where the judge must see it.
"""

from pathlib import Path

import pytest

from acceptance import cases_modbus, cases_outage, cases_time
from acceptance.case import CASES, Case, Scene
from edge.world import GATEWAY
from tanzheng.ingest.broker import Broker

LOADED = (cases_modbus, cases_outage, cases_time)


@pytest.fixture
def scene(tmp_path: Path, broker: Broker) -> Scene:
    return Scene(tmp_path, broker, broker.gateway_url(GATEWAY), broker.platform_url, None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_nothing_is_lost(case: Case, scene: Scene) -> None:
    verdict = case.run(scene)
    assert verdict.offered
    assert verdict.clean, verdict
