"""The receipt: what a good one says, and a zoo of bad ones, each refused for its own reason."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import OPERATOR, TIME_S, Operator, anchored, keccak256, statement
from tanzheng.core import inclusion, receipt
from tanzheng.core.checkpoint import ConsistencyProof
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.points import LABELS, Verdict
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.statement import Supersedes
from tanzheng.core.trust import OperatorKey, Trust, TrustedBlock

OTHER_KEY = SigningKey.from_seed(b"someone else".ljust(32, b"."))
SUBJECTS = [Subject("E1", unit, "2018-07", "month") for unit in ("CT1", "CT2", "CT3")]


def sealed() -> Operator:
    operator = Operator()
    operator.seal(statement(SUBJECTS[0]), statement(SUBJECTS[1]))
    operator.seal(statement(SUBJECTS[2]))
    return operator


def verdicts(data: bytes, trust: Trust, *last: Any) -> dict[str, str]:
    points = check_receipt(receipt.decode(data), trust, *last)
    return {point.key: point.verdict.value for point in points}


def failed(data: bytes, trust: Trust, *last: Any) -> set[str]:
    found = verdicts(data, trust, *last)
    return {key for key, verdict in found.items() if verdict == Verdict.FAILED}


def test_a_good_receipt_holds_in_every_point() -> None:
    operator = sealed()
    for index in range(3):
        data = operator.receipt(index)
        found = verdicts(data, operator.trust())
        assert found.pop("consistent") == "not asked"
        assert set(found.values()) == {"ok"}
        assert set(found) == {"included", "signer", "current", "not_before", "not_after", "anchor"}


def test_every_point_has_a_label_in_both_languages() -> None:
    assert all(en and zh for en, zh in LABELS.values())
    operator = sealed()
    data = operator.receipt()
    assert check_receipt(receipt.decode(data), operator.trust())[0].zh == "已收录于日志"


def test_a_corrected_statement_is_superseded_and_says_by_what() -> None:
    operator = sealed()
    first = operator.leaves[0]
    correction = statement(
        SUBJECTS[0],
        seq=2,
        prev=first.digest,
        supersedes=Supersedes(first.digest, "meter-replaced", "Li Na"),
    )
    operator.seal(correction)
    old, new = operator.receipt(0), operator.receipt()
    points = {p.key: p for p in check_receipt(receipt.decode(old), operator.trust())}
    assert points["current"].verdict == Verdict.FAILED
    assert operator.leaves[-1].digest.hex() in points["current"].detail
    assert points["included"].verdict == Verdict.OK
    assert not failed(new, operator.trust())


# ------------------------------------------------------------------ consistency


def test_consistent_with_my_older_and_with_my_newer_checkpoint() -> None:
    operator = sealed()
    first = operator.checkpoints[0]
    data = operator.receipt()
    proof = ConsistencyProof(2, 3, tuple(operator.tree.consistency(2, 3)))
    assert verdicts(data, operator.trust(), first, proof)["consistent"] == "ok"
    operator.seal(statement(SUBJECTS[0], seq=2, prev=operator.leaves[0].digest))
    later = ConsistencyProof(3, 4, tuple(operator.tree.consistency(3, 4)))
    assert verdicts(data, operator.trust(), operator.checkpoints[-1], later)["consistent"] == "ok"


def test_a_log_that_forgot_my_checkpoint_is_named() -> None:
    honest, forger = sealed(), Operator()
    forger.seal(statement(SUBJECTS[0], software="forged"), statement(SUBJECTS[1]))
    forger.seal(statement(SUBJECTS[2]))
    data = forger.receipt()
    proof = ConsistencyProof(2, 3, tuple(forger.tree.consistency(2, 3)))
    assert failed(data, forger.trust(), honest.checkpoints[0], proof) == {"consistent"}
    assert failed(data, forger.trust(), honest.checkpoints[1]) == {"consistent"}
    assert failed(data, forger.trust(), honest.checkpoints[0]) == {"consistent"}


def test_consistency_proof_file() -> None:
    proof = ConsistencyProof(2, 3, (bytes(32),))
    assert ConsistencyProof.decode(proof.encode()) == proof
    for bad in (b"", b"\x80", cbor2.dumps([1, 2]), cbor2.dumps([1, 2, [b"x"]]), b"\x83\x01"):
        with pytest.raises(BadInput):
            ConsistencyProof.decode(bad)


# ------------------------------------------------------------------ the zoo: form

ENVELOPE = cbor2.loads(sealed().receipt())


def envelope(**changes: Any) -> bytes:
    return cbor2.dumps({**ENVELOPE, **changes}, canonical=True)


def core(**changes: Any) -> bytes:
    return envelope(core=cbor2.dumps({**cbor2.loads(ENVELOPE["core"]), **changes}, canonical=True))


def spelled_longer(data: bytes) -> bytes:
    """The same envelope with its version as a two-byte integer."""
    before, version, after = data.rpartition(b"gversion\x01")
    return before + version[:-1] + b"\x18\x01" + after


FORM: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "truncated": lambda: sealed().receipt()[:-1],
    "trailing byte": lambda: sealed().receipt() + b"\x00",
    "unknown version": lambda: envelope(version=2),
    "version true": lambda: envelope(version=True),
    "version 1.0": lambda: envelope(version=1.0),
    "core of an unknown version": lambda: core(version=2),
    "unknown envelope key": lambda: envelope(note=b"harmless"),
    "unknown core key": lambda: core(slot=3),
    "missing core key": lambda: envelope(core=cbor2.dumps({"version": 1})),
    "unknown attestation": lambda: envelope(attestations={"promise": b""}),
    "attestation of text": lambda: envelope(attestations={"rfc3161": "x"}),
    "non-minimal integer": lambda: spelled_longer(sealed().receipt()),
    "duplicate key": lambda: b"\xa4" + sealed().receipt()[1:] + b"gversion\x01",
    "indefinite map": lambda: b"\xbf" + sealed().receipt()[1:] + b"\xff",
    "bare statement": lambda: core(transparent=sealed().leaves[-1].raw),
    "core is a list": lambda: envelope(core=b"\x80"),
    "heads too short": lambda: core(heads=[1, bytes(32), 0, 1]),
    "giant header": lambda: core(evm={"header": bytes(5000), "account": [], "slot": []}),
    "giant": lambda: bytes(3 << 20),
}


@pytest.mark.parametrize("flaw", FORM)
def test_form_zoo(flaw: str) -> None:
    with pytest.raises(BadInput):
        receipt.decode(FORM[flaw]())


@given(st.binary(max_size=300))
def test_any_garbage_is_a_named_error(data: bytes) -> None:
    with pytest.raises(BadInput):
        receipt.decode(data)


def test_a_flipped_bit_in_any_byte_is_refused() -> None:
    operator = Operator()
    operator.seal(statement())
    data, trust = operator.receipt(), operator.trust()
    survivors = []
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        try:
            if not failed(flipped, trust):
                survivors.append(at)
        except TanzhengError:
            pass
    assert not survivors


# ------------------------------------------------------------------ the zoo: meaning


def without(evm_changes: dict[str, Any]) -> Callable[[Operator], bytes]:
    def build(operator: Operator) -> bytes:
        content = cbor2.loads(cbor2.loads(operator.receipt())["core"])
        return core(evm={**content["evm"], **evm_changes})

    return build


def test_attestations_have_their_own_verdict() -> None:
    operator = sealed()
    data = operator.receipt(attestations={"rfc3161": b"token"})
    points = check_receipt(receipt.decode(data), operator.trust())
    assert points[-1].key == "rfc3161"
    assert points[-1].verdict == Verdict.NOT_ASKED


def test_forged_signer() -> None:
    forger = Operator(key=OTHER_KEY)
    forger.seal(statement())
    assert failed(forger.receipt(), forger.trust()) == {"signer"}


def test_signer_who_borrows_a_trusted_key_id() -> None:
    operator = sealed()
    honest = operator.receipt()
    content = cbor2.loads(cbor2.loads(honest)["core"])
    tag = cbor2.loads(content["transparent"])
    forged = bytes(64)
    tag = cbor2.CBORTag(18, [tag.value[0], dict(tag.value[1]), tag.value[2], forged])
    data = core(transparent=cbor2.dumps(tag, canonical=True))
    assert {"signer", "included"} <= failed(data, operator.trust())


@pytest.mark.parametrize("span", [(0, (TIME_S - 1) * 1000), ((TIME_S + 3600) * 1000, None)])
def test_key_not_valid_at_that_time(span: tuple[int, int | None]) -> None:
    operator = sealed()
    data = operator.receipt()
    trust = operator.trust(operator_keys=(OperatorKey(OPERATOR.public, *span),))
    assert failed(data, trust) == {"signer"}


@pytest.mark.parametrize(
    "changes", [{"chain_id": 1}, {"contract": bytes(20)}, {"log_id": bytes(32)}]
)
def test_another_chain_contract_or_log(changes: dict[str, Any]) -> None:
    operator = sealed()
    data = operator.receipt()
    assert failed(data, operator.trust(**changes)) == {"anchor"}
    lying = Operator()
    lying.seal(statement(), **changes)
    assert failed(lying.receipt(), lying.trust()) == {"anchor"}


def test_unknown_block_fails_whatever_rests_on_it() -> None:
    operator = sealed()
    data = operator.receipt()
    early = operator.trust(blocks=tuple(operator.blocks[:1]))
    assert failed(data, early) == {"anchor", "signer", "not_after", "not_before"}


def test_trusted_block_with_another_time_or_number() -> None:
    operator = sealed()
    data = operator.receipt()
    first, block = operator.blocks
    for lie in (replace(block, time_s=TIME_S), replace(block, number=7)):
        wrong = (first, lie)
        assert "anchor" in failed(data, operator.trust(blocks=wrong))


def test_checkpoint_the_chain_never_saw() -> None:
    operator = sealed()
    data = operator.receipt()
    heads = {1: operator.checkpoints[0].digest, 2: b"\x55" * 32}
    proof = anchored(heads, 2, 150, TIME_S + 150)
    block = TrustedBlock(150, keccak256(proof.header), TIME_S + 150)
    parts = {"header": proof.header, "account": list(proof.account), "slot": list(proof.slot)}
    content = cbor2.loads(cbor2.loads(data)["core"])
    forged = core(**{**content, "evm": parts})
    assert failed(forged, operator.trust(blocks=(operator.blocks[0], block))) == {"anchor"}


def test_slot_of_another_sequence_is_refused() -> None:
    operator = sealed()
    data = operator.receipt()
    heads = {n: signed.digest for n, signed in enumerate(operator.checkpoints, start=1)}
    proof = anchored(heads, 1, 102, TIME_S + 20)
    content = cbor2.loads(cbor2.loads(data)["core"])
    forged = core(**{**content, "evm": {**content["evm"], "slot": list(proof.slot)}})
    assert failed(forged, operator.trust()) == {"anchor"}


@pytest.mark.parametrize("part", ["account", "slot"])
@pytest.mark.parametrize("damage", ["extra node", "missing node", "no node"])
def test_damaged_state_proofs(part: str, damage: str) -> None:
    operator = sealed()
    content = cbor2.loads(cbor2.loads(operator.receipt())["core"])
    nodes = content["evm"][part]
    changed = {"extra node": [*nodes, nodes[-1]], "missing node": nodes[:-1], "no node": []}
    data = core(**{**content, "evm": {**content["evm"], part: changed[damage]}})
    assert failed(data, operator.trust()) == {"anchor"}


def test_proof_replayed_at_a_wrong_tree_size() -> None:
    """A path that is right for its own size must not pass under a checkpoint of another size."""
    operator = sealed()
    signed, last = operator.leaves[0], operator.checkpoints[-1].checkpoint
    head, place = operator.heads().current(signed.statement.subject)
    for size in range(1, 9):
        if size == last.size:
            continue
        proof = inclusion.sign(last.root_sha256, size, 0, operator.tree.inclusion(0), OPERATOR)
        transparent = inclusion.attach(signed.raw, proof)
        raw = operator.checkpoints[-1].raw
        data = receipt.encode(transparent, raw, head, place, operator.evm())
        assert failed(data, operator.trust()) == {"included"}


def test_lying_checkpoint_size() -> None:
    operator = Operator()
    operator.seal(statement(SUBJECTS[0]), statement(SUBJECTS[1]))
    operator.seal(statement(SUBJECTS[2]), size=2)
    data = operator.receipt(0)
    assert failed(data, operator.trust()) == {"included"}


def test_heads_of_another_checkpoint() -> None:
    operator = sealed()
    signed = operator.leaves[0]
    head, place = operator.heads().current(SUBJECTS[0])
    data = operator.receipt(0)
    content = cbor2.loads(cbor2.loads(data)["core"])
    heads = [head.seq, head.digest, place.index, place.count + 1, list(place.path)]
    assert failed(core(**{**content, "heads": heads}), operator.trust()) == {"current"}
    assert signed.digest == head.digest


def test_operator_s_clock_ahead_of_the_chain() -> None:
    operator = Operator()
    operator.seal(statement(), t_ms=(TIME_S + 3600) * 1000)
    assert failed(operator.receipt(), operator.trust()) == {"not_after"}


def test_not_before_block_with_a_wrong_number() -> None:
    operator = Operator()
    plain = statement()
    operator.seal(replace(plain, not_before=replace(plain.not_before, number=2)))
    assert failed(operator.receipt(), operator.trust()) == {"not_before"}
    unseen = Operator()
    unseen.seal(replace(plain, not_before=replace(plain.not_before, hash=b"\x02" * 32)))
    assert verdicts(unseen.receipt(), unseen.trust())["not_before"] == "not asked"
