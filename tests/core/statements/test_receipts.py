"""Receipts of statements of every kind, by both algorithms, and of keys that are gone since."""

from dataclasses import replace
from typing import Any

import pytest

from core.statements.samples import (
    KEYS,
    MIGRATION,
    NAMES,
    NEW,
    REVIEW,
    SAMPLES,
    es256,
    key_event,
    signers,
)
from evidence import OPERATOR, TIME_S, Operator, statement
from tanzheng.core import receipt
from tanzheng.core.errors import TanzhengError
from tanzheng.core.jurisdiction import Jurisdiction
from tanzheng.core.keys import SigningKey
from tanzheng.core.merkle import ProofInvalid
from tanzheng.core.receipt_check import AnchorInvalid, check_receipt, logged
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.key_event import KeyAct, possess
from tanzheng.core.statements.keyring import Keyring
from tanzheng.core.statements.roles import Role
from tanzheng.core.trust import OperatorKey, Trust

SEALERS = pytest.mark.parametrize("key", [OPERATOR, es256(5)], ids=["EdDSA", "ES256"])


def known(operator: Operator) -> Trust:
    """The trust file of somebody who knows all keys, and the blocks so far."""
    keys = (OperatorKey(operator.key.public, 0, None),)
    return operator.trust(signers=signers(), operator_keys=keys)


def sealed(stated: Envelope, operator: Operator | None = None) -> tuple[bytes, Trust]:
    """A receipt of a statement at the beginning of its subject."""
    operator = operator or Operator()
    own = operator.key if stated.signer is Role.OPERATOR else KEYS[stated.signer]
    operator.seal(replace(stated, seq=1, prev=None, supersedes=None).sign(own))
    raw = operator.receipt()
    return raw, known(operator)


def verdicts(raw: bytes, trust: Trust, **more: Any) -> dict[str, str]:
    points = check_receipt(receipt.decode(raw), trust, **more)
    return {point.key: str(point.verdict) for point in points}


def test_a_review_of_another_city_s_plant_fails_by_name() -> None:
    raw, trust = sealed(REVIEW)
    for over, verdict in ((("E1",), "ok"), (("E2*",), "failed")):
        bound = [replace(each, jurisdiction=Jurisdiction(over)) for each in trust.signers]
        points = check_receipt(receipt.decode(raw), replace(trust, signers=tuple(bound)))
        [signer] = [point for point in points if point.key == "signer"]
        assert signer.verdict == verdict
    assert "expected a plant of city-bureau's (E2*), got E1" in signer.detail


@SEALERS
@pytest.mark.parametrize("name", SAMPLES)
def test_a_receipt_of_each_kind_holds(name: str, key: SigningKey) -> None:
    raw, trust = sealed(SAMPLES[name], Operator(key=key))
    found = verdicts(raw, trust)
    assert found.pop("consistent") == "not asked"
    assert set(found.values()) == {"ok"}


def test_a_trust_file_that_knows_no_reviewer() -> None:
    raw, trust = sealed(REVIEW)
    found = verdicts(raw, replace(trust, signers=()))
    assert [key for key, verdict in found.items() if verdict == "failed"] == ["signer"]


def test_a_review_signed_by_the_operator() -> None:
    operator = Operator()
    operator.seal(REVIEW.sign(OPERATOR))
    assert verdicts(operator.receipt(), known(operator))["signer"] == "failed"


def test_a_flipped_bit_in_any_byte_is_refused() -> None:
    """With an ES256 operator and an ES256 signer: nothing of it can be written otherwise."""
    raw, trust = sealed(SAMPLES["verification"], Operator(key=es256(5)))
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        try:
            found = verdicts(changed, trust)
        except TanzhengError:
            continue
        assert "failed" in found.values(), at


# ------------------------------------------------------------------ keys that go


def history() -> tuple[Operator, list[bytes]]:
    """Two reviews in blocks of their own, then the city's key goes: receipts of all three."""
    operator, receipts = Operator(), list[bytes]()
    city, name = KEYS[Role.CITY], NAMES[Role.CITY]
    again = replace(REVIEW, seq=2, prev=REVIEW.sign(city).digest)
    revoked = key_event(
        name,
        Role.CITY,
        act=KeyAct.REVOKE,
        kid=city.public.kid,
        compromised_since_ms=(TIME_S + 15) * 1000,
        reason="stolen",
    )
    for stated in (REVIEW, again, revoked):
        operator.seal(stated.sign(city))
        receipts.append(operator.receipt())
    return operator, receipts


def test_a_revocation_answers_which_receipts_still_stand() -> None:
    operator, receipts = history()
    trust = known(operator)
    revocation = logged(receipt.decode(receipts[2]), trust)
    assert (revocation.index, revocation.t_ms) == (2, (TIME_S + 30) * 1000)
    keyring = Keyring(trust, [revocation])
    assert keyring.ignored == []
    assert [verdicts(raw, trust)["signer"] for raw in receipts] == ["ok", "ok", "ok"]
    answers = [verdicts(raw, trust, keyring=keyring)["signer"] for raw in receipts]
    assert answers == ["ok", "failed", "ok"]


def test_an_event_counts_only_where_the_chain_proves_it() -> None:
    operator, receipts = history()
    trust = known(operator)
    found = receipt.decode(receipts[2])
    other = receipt.decode(receipts[1])
    with pytest.raises(ProofInvalid):
        logged(replace(found, inclusion=other.inclusion), trust)
    with pytest.raises(ProofInvalid, match="proof of absence"):
        logged(replace(found, evm=other.evm), trust)
    with pytest.raises(AnchorInvalid):
        logged(found, replace(trust, log_id=bytes(32)))
    with pytest.raises(TanzhengError):
        logged(found, replace(trust, blocks=()))


def test_an_operator_that_rotates_its_key() -> None:
    """The checkpoint over the event is signed by the old key, the next one by the new."""
    operator = Operator()
    event = key_event(
        "operator",
        Role.OPERATOR,
        act=KeyAct.ROTATE,
        key=NEW.public,
        possession=possess("operator", Role.OPERATOR, NEW),
        kid=OPERATOR.public.kid,
    )
    operator.seal(event.sign(OPERATOR))
    rotation = operator.receipt()
    operator.key = NEW
    operator.seal(statement())
    after = operator.receipt()
    trust = operator.trust()
    keyring = Keyring(trust, [logged(receipt.decode(rotation), trust)])
    assert verdicts(after, trust)["signer"] == "failed"
    for raw in (rotation, after):
        assert verdicts(raw, trust, keyring=keyring)["signer"] == "ok"


def test_a_migration_is_leaf_0_of_the_new_log() -> None:
    old = Operator()
    old.seal(statement())
    last = old.checkpoints[-1]
    before = old.receipt()
    stated = replace(
        MIGRATION,
        checkpoint_seq=last.checkpoint.seq,
        size=last.checkpoint.size,
        checkpoint_sha256=last.digest,
    )
    raw, trust = sealed(stated)
    found = receipt.decode(raw)
    assert found.inclusion.index == 0
    assert found.statement.of(type(MIGRATION)).checkpoint_sha256 == (
        receipt.decode(before).checkpoint.digest
    )
    assert "failed" not in verdicts(raw, trust).values()
