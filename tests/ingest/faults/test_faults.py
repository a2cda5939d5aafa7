"""Every fault of the platform's entrance on each database: nothing lost, doubled or wrong."""

from pathlib import Path

import pytest

from ingest.faults.cases import FAULTS, Fault
from ingest.faults.counting import count
from ingest.faults.place import KINDS, place

RUNS = [
    (fault, kind) for fault in FAULTS for kind in KINDS if fault.of_database or kind == KINDS[0]
]


@pytest.mark.parametrize(
    ("fault", "kind"), RUNS, ids=[f"{fault.name}, {kind}" for fault, kind in RUNS]
)
def test_a_fault_costs_no_row(fault: Fault, kind: str, tmp_path: Path) -> None:
    with place(tmp_path, kind, seed=1, small=fault.small) as there:
        fault.happen(there)
        boxes = [sender.box for sender in there.senders]
        counted = count(there.service.url, boxes, there.refusals)
    assert counted.clean, counted
    assert counted.offered
    assert counted.refused == there.refusals.total()
