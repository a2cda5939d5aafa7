"""Two signed checkpoints against each other: what proves equivocation, and what does not."""

from dataclasses import replace
from typing import Any

import cbor2
import pytest

from evidence import OPERATOR, Operator, statement
from tanzheng.core.checkpoint import SignedCheckpoint
from tanzheng.core.equivocation import Equivocation, NoEquivocation
from tanzheng.core.errors import BadInput, SignatureInvalid, TanzhengError
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.trust import Untrusted


def operator(*units: str) -> Operator:
    """An operator with a checkpoint after the statement of each unit."""
    made = Operator()
    for unit in units:
        made.seal(statement(Subject("E1", unit, "2018-07", "month")))
    return made


HONEST, LIAR = operator("CT1", "CT2", "CT3"), operator("CT1", "CT9", "CT3")
TRUST = HONEST.trust()


def changed(signed: SignedCheckpoint, **changes: Any) -> SignedCheckpoint:
    return replace(signed.checkpoint, **changes).sign(OPERATOR)


def test_two_checkpoints_of_one_seq() -> None:
    for pair in ((HONEST, LIAR), (LIAR, HONEST)):
        proof = Equivocation.of(*(each.checkpoints[1] for each in pair))
        assert proof.what == "two checkpoints of seq 2"
        proof.verify(TRUST)
        assert Equivocation.decode(proof.encode()) == proof
    one = Equivocation.of(HONEST.checkpoints[1], LIAR.checkpoints[1]).encode()
    assert one == Equivocation.of(LIAR.checkpoints[1], HONEST.checkpoints[1]).encode()


def test_a_checkpoint_that_follows_another_predecessor() -> None:
    proof = Equivocation.of(LIAR.checkpoints[2], HONEST.checkpoints[1])
    assert proof.what == "checkpoint 3 follows another checkpoint 2"
    proof.verify(TRUST)


def test_a_checkpoint_that_is_not_larger_than_the_one_before() -> None:
    smaller = changed(HONEST.checkpoints[1], size=1)
    assert "not larger" in Equivocation.of(HONEST.checkpoints[0], smaller).what


def test_the_same_but_another_size_time_or_root() -> None:
    signed = HONEST.checkpoints[1]
    for changes in ({"size": 3}, {"t_ms": 1}, {"root_sm3": bytes(32)}, {"heads_root": bytes(32)}):
        Equivocation.of(signed, changed(signed, **changes)).verify(TRUST)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 1), (1, 2), (0, 2)])
def test_an_honest_log_has_none(a: int, b: int) -> None:
    with pytest.raises(NoEquivocation):
        Equivocation.of(HONEST.checkpoints[a], HONEST.checkpoints[b])


@pytest.mark.parametrize(
    "changes", [{"chain_id": 1}, {"contract": bytes(20)}, {"log_id": bytes(32)}]
)
def test_two_logs_contradict_nobody(changes: dict[str, Any]) -> None:
    other = changed(HONEST.checkpoints[1], **changes)
    with pytest.raises(NoEquivocation, match="two logs"):
        Equivocation.of(HONEST.checkpoints[1], other)
    both = Equivocation.of(other, replace(other.checkpoint, t_ms=1).sign(OPERATOR))
    with pytest.raises(Untrusted):
        both.verify(TRUST)


def test_nobody_is_accused_by_another_s_signature() -> None:
    forger = SigningKey.from_seed(b"forger".ljust(32, b"."))
    signed = HONEST.checkpoints[1]
    forged = replace(signed.checkpoint, t_ms=1).sign(forger)
    with pytest.raises(Untrusted):
        Equivocation.of(signed, forged).verify(TRUST)


def test_every_flipped_bit_of_a_proof_is_refused() -> None:
    data = Equivocation.of(HONEST.checkpoints[1], LIAR.checkpoints[1]).encode()
    survivors = []
    for at in range(len(data)):
        for bit in range(8):
            flipped = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            try:
                Equivocation.decode(flipped).verify(TRUST)
                survivors.append((at, bit))
            except TanzhengError:
                pass
    assert not survivors


def test_form() -> None:
    a, b = sorted(each.checkpoints[1].raw for each in (HONEST, LIAR))
    tag = "tanzheng/equivocation/v1"
    Equivocation.decode(cbor2.dumps([tag, a, b]))
    for bad in (b"", cbor2.dumps([tag, b, a]), cbor2.dumps([tag, a]), cbor2.dumps(["x", a, b])):
        with pytest.raises(BadInput):
            Equivocation.decode(bad)
    tagged = cbor2.loads(a)
    parts = [tagged.value[0], {}, tagged.value[2], bytes(64)]
    raw = cbor2.dumps(cbor2.CBORTag(18, parts), canonical=True)
    forged = Equivocation.decode(cbor2.dumps([tag, *sorted([raw, b])]))
    with pytest.raises(SignatureInvalid):
        forged.verify(TRUST)
