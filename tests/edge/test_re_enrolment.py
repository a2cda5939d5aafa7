"""A stopped agent takes a signed re-enrolment: its next batch opens the epoch that this names."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.spools import sealing, slot
from edge.stub_plant import PLANT
from edge.world import GATEWAY, GATEWAY_KEY, STRANGER_KEY, write_config
from tanzheng.core.batch import GENESIS, ChainHead
from tanzheng.core.enrolment import Enrolment, sign_enrolment
from tanzheng.core.errors import BadInput, SignatureInvalid
from tanzheng.core.keys import SigningKey
from tanzheng.edge.configuration.config import load_config
from tanzheng.edge.plan import Plan
from tanzheng.edge.re_enrolment import Reopened, go_on
from tanzheng.edge.spool.fsck import check_spool
from tanzheng.edge.spool.store import Spool, SpoolError

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
    assert taken(plan) == Reopened(2, 1)
    assert taken(plan) == Reopened(2, 0)  # once more changes nothing
    spool = Spool(Path(plan.spool_path), GATEWAY, plan.points)
    spool.commit([slot(4)])
    sealing(spool).seal_due(full=False, everything=True)
    spool.close()
    contents = check_spool(Path(plan.spool_path), GATEWAY_KEY.public)
    [signed] = contents.batches
    batch = signed.batch
    assert (batch.epoch, batch.seq, batch.prev) == (2, 1, HEAD.digest)
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


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_wrong_document_changes_nothing(plan: Plan, flaw: str) -> None:
    act, error, said = FLAWS[flaw]
    with pytest.raises(error, match=said):
        act(plan)
    contents = check_spool(Path(plan.spool_path), GATEWAY_KEY.public)
    assert (len(contents.batches), contents.orphans) == (1, 0)


def test_a_spool_in_use_is_left_alone(plan: Plan) -> None:
    spool = Spool(Path(plan.spool_path), GATEWAY, plan.points)
    with pytest.raises(SpoolError):
        taken(plan)
    spool.close()
