"""A stopped agent takes a signed re-enrolment: its next batch opens the epoch that this names."""

import json
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.spools import sealing, slot
from edge.stub_plant import INTERVAL_MS, PLANT, POINTS
from edge.world import (
    GATEWAY,
    GATEWAY_KEY,
    STRANGER_KEY,
    gap_slots,
    readings,
    write_config,
)
from tanzheng.core.batch import GENESIS, Batch, ChainHead, ClockState, Column, Event, Gap
from tanzheng.core.enrolment import Enrolment, sign_enrolment
from tanzheng.core.errors import BadInput, SignatureInvalid
from tanzheng.core.keys import SigningKey
from tanzheng.edge.configuration.config import load_config
from tanzheng.edge.plan import PLAN_NAME, Plan, save_plan
from tanzheng.edge.re_enrolment import Reopened, go_on, plan_of
from tanzheng.edge.spool.fsck import check_spool
from tanzheng.edge.spool.orphaned import told
from tanzheng.edge.spool.records import ArrivalEntry, GapEntry
from tanzheng.edge.spool.store import Spool, SpoolError
from tanzheng.edge.timekeeping.scheduler import Grid

OPERATOR = SigningKey.from_seed(bytes([9]) * 32)
HEAD = ChainHead(1, 50, bytes([9]) * 32)
LINK = {
    "protocol": "modbus_tcp",
    "profile": "generic_cems_modbus",
    "host": "127.0.0.1",
    "port": 502,
    "unit_id": 1,
}
GOOD = Enrolment(GATEWAY, GENESIS, STRANGER_KEY.public, GATEWAY_KEY.public, HEAD, "why", "who", 5)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A plan whose spool has one batch and is closed."""
    (tmp_path / "plant.toml").write_text(PLANT)
    (tmp_path / "devices.json").write_text(json.dumps({"cems": LINK}))
    found = load_config(write_config(tmp_path, "mqtt://a:b@127.0.0.1:1"))
    spool = Spool(Path(found.spool_path), GATEWAY, found.points)
    spool.commit([slot(number) for number in range(1, 4)])
    sealing(spool).seal_due(full=False, everything=True)
    spool.close()
    return found


def taken(plan: Plan, enrolment: Enrolment = GOOD, key: SigningKey = OPERATOR) -> Reopened:
    return go_on(plan, sign_enrolment(enrolment, key).raw, OPERATOR.public, 7)


def test_the_next_batch_opens_the_epoch(plan: Plan) -> None:
    assert taken(plan) == Reopened(2, 1, 3 * len(POINTS))
    assert taken(plan) == Reopened(2, 0)  # once more changes nothing
    spool = Spool(Path(plan.spool_path), GATEWAY, plan.points)
    spool.commit([slot(4)])
    sealing(spool).seal_due(full=False, everything=True)
    spool.close()
    contents = check_spool(Path(plan.spool_path), GATEWAY_KEY.public)
    [signed] = contents.batches
    batch = signed.batch
    assert (batch.epoch, batch.seq, batch.prev) == (2, 1, HEAD.digest)
    assert {t_ms for _, t_ms, _ in readings([batch])} == {4 * INTERVAL_MS}
    owed = {(point, n * INTERVAL_MS) for point in POINTS for n in (1, 2, 3)}
    assert sorted(gap_slots([batch])) == sorted((*each, "not_acknowledged") for each in owed)
    [event] = batch.events
    assert (event.kind, event.t_ms, event.detail["reason"]) == ("epoch_opened", 7, "re_enrolled")
    assert event.detail["document"] == sign_enrolment(GOOD, OPERATOR).digest.hex()
    assert (event.detail["platform_seq"], event.detail["own_seq"]) == (50, 1)
    assert contents.orphans == 1
    with pytest.raises(BadInput, match="opens an epoch after 2, got one of epoch 2"):
        taken(plan)


Flaw = Callable[[Plan], object]
FLAWS: dict[str, tuple[Flaw, type[Exception], str]] = {
    "gateway": (lambda p: taken(p, replace(GOOD, gw="other")), BadInput, "got one of other"),
    "key": (
        lambda p: taken(p, replace(GOOD, new_key=STRANGER_KEY.public)), BadInput, "with our key"
    ),
    "signer": (lambda p: taken(p, key=STRANGER_KEY), SignatureInvalid, "expected a signature"),
    "form": (lambda p: go_on(p, b"no document", OPERATOR.public, 7), BadInput, "enrolment"),
    "no spool": (lambda p: taken(replace(p, spool_path=p.spool_path + "-")), BadInput, "spool"),
}  # fmt: skip


def test_each_reading_is_a_gap_at_its_own_grid_and_events_stay() -> None:
    """Two cadences, a point that is no more in the plan, a gap that keeps its reason."""
    names = ("a/x", "gone/y", "b/z")
    fast = Column(array("q", [60_005, 120_005, 240_005]), array("d", [1.0] * 3), bytes(3))
    slow = Column(array("q", [600_007]), array("d", [1.0]), bytes(1))
    gap = Gap((0, 1), 180_000, 240_000, 60_000, "overrun")
    swap, frame = Event(5, "meter_swap", {"final": "1"}), Event(6, "frame", {})
    batch = Batch(
        GATEWAY, 1, 1, GENESIS, 1, ClockState("test", synced=True), names, (fast, fast, slow),
        (gap,), (swap, frame),
    )  # fmt: skip
    grids = {"b/z": Grid(600_000)}
    remains = told([batch], ("b/z", "a/x"), grids, Grid(60_000))
    every = ("not_acknowledged", 60_000, (1,))
    found = {
        (entry.reason, entry.cadences[0].interval_ms, entry.cadences[0].points, slot_ms)
        for entry in remains.entries
        if isinstance(entry, GapEntry)
        for slot_ms in entry.cadences[0].slots(entry.from_ms, entry.to_ms)
    }
    assert found == {
        (*every, 60_000), (*every, 120_000), (*every, 240_000),
        ("overrun", 60_000, (1,), 180_000),
        ("not_acknowledged", 600_000, (0,), 600_000),
    }  # fmt: skip
    assert remains.entries[-1] == ArrivalEntry((), (swap,))
    assert (remains.readings, remains.events) == (7, 0)


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_wrong_document_changes_nothing(plan: Plan, flaw: str) -> None:
    act, error, said = FLAWS[flaw]
    with pytest.raises(error, match=said):
        act(plan)
    contents = check_spool(Path(plan.spool_path), GATEWAY_KEY.public)
    assert (len(contents.batches), contents.orphans) == (1, 0)


def test_the_plan_is_that_of_the_last_run(plan: Plan, tmp_path: Path) -> None:
    """Neither device files nor the folder's old place are needed."""
    spool = Path(plan.spool_path)
    with pytest.raises(BadInput, match="expected a readable plan"):
        plan_of(spool, Path(plan.key_path))
    save_plan(replace(plan, spool_path="elsewhere", key_path="old.pem"), spool / PLAN_NAME)
    (tmp_path / "devices.json").unlink()
    assert plan_of(spool, Path(plan.key_path)) == plan


def test_a_spool_in_use_is_left_alone(plan: Plan) -> None:
    spool = Spool(Path(plan.spool_path), GATEWAY, plan.points)
    with pytest.raises(SpoolError):
        taken(plan)
    spool.close()
