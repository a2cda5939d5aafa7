"""The ways to forge a log's history that the design names, each refused for its own reason.

Some passed in systems that stored a bare root or kept the last of two equal keys; each is tried
here on a receipt, a log or a checkpoint that is whole in every other respect.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest

from evidence import OPERATOR, TIME_S, Operator, anchored, keccak256, statement
from tanzheng.core import cbor, checkpoint, inclusion, receipt
from tanzheng.core.checkpoint import ConsistencyProof, check_extends
from tanzheng.core.equivocation import Equivocation
from tanzheng.core.errors import EncodingError, SignatureInvalid
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.log_audit import audit
from tanzheng.core.log_files import LogFiles
from tanzheng.core.merkle import ProofInvalid
from tanzheng.core.points import Verdict
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.statement import open_signed
from tanzheng.core.trust import Trust, TrustedBlock
from tanzheng.core.witness import (
    Witness,
    WitnessPolicy,
    cosign,
    encode_all,
    open_cosignature,
)

SUBJECTS = [Subject("E1", f"CT{n}", "2018-07", "month") for n in range(5)]
WITNESSES = [SigningKey.from_seed(f"witness {n}".encode().ljust(32, b".")) for n in range(3)]


def sealed() -> Operator:
    operator = Operator()
    operator.seal(*(statement(subject) for subject in SUBJECTS[:3]))
    operator.seal(*(statement(subject) for subject in SUBJECTS[3:]))
    return operator


def failed(data: bytes, trust: Trust) -> set[str]:
    points = check_receipt(receipt.decode(data), trust)
    return {point.key for point in points if point.verdict == Verdict.FAILED}


def resigned(operator: Operator, **changes: Any) -> bytes:
    """The receipt of the last statement under a checkpoint that the operator signed anew."""
    last = replace(operator.checkpoints[-1].checkpoint, **changes).sign(OPERATOR)
    head, place = operator.heads().current(SUBJECTS[-1])
    path = operator.tree.inclusion(4)
    proof = inclusion.sign(last.checkpoint.root_sha256, last.checkpoint.size, 4, path, OPERATOR)
    transparent = inclusion.attach(operator.leaves[-1].raw, proof)
    return receipt.encode(transparent, last.raw, head, place, operator.evm())


# ------------------------------------------------------------------ tree size changed


@pytest.mark.parametrize("size", [6, 7, 8])
def test_tree_size_changed(size: int) -> None:
    """Some sizes have the same path to the same root: the chain binds the size, not the path."""
    operator = sealed()
    data = resigned(operator, size=size)
    assert "anchor" in failed(data, operator.trust())


@pytest.mark.parametrize("size", [4, 6, 8])
def test_tree_size_changed_in_a_log(size: int) -> None:
    """A consistency path holds for several sizes: signature, audit and the pair itself tell."""
    operator = sealed()
    signed = operator.checkpoints[-1]
    tag = cbor2.loads(signed.raw)
    payload = cbor2.loads(tag.value[2])
    payload[5] = size
    parts = [tag.value[0], {}, cbor.dumps(payload), tag.value[3]]
    unsigned = checkpoint.open_signed(cbor.dumps(cbor2.CBORTag(18, parts)))
    assert unsigned.checkpoint == replace(signed.checkpoint, size=size)
    with pytest.raises(SignatureInvalid):
        operator.trust().check_log(unsigned)
    resigned = unsigned.checkpoint.sign(OPERATOR)
    Equivocation.of(signed, resigned).verify(operator.trust())
    files = {**files_of(operator), "checkpoints/000002.cose": resigned.raw}
    files["checkpoint"] = resigned.raw
    assert audit(LogFiles(files.get)).findings


# ------------------------------------------------------------------ bare root


def test_bare_root_on_the_chain() -> None:
    """The slot must hold the checkpoint's hash: a root there leaves size and log free."""
    operator = sealed()
    point = operator.checkpoints[-1].checkpoint
    data = operator.receipt()
    for bare in (point.root_sha256, point.root_sm3, point.heads_root):
        proof = anchored({2: bare}, 2, 150, TIME_S + 150)
        block = TrustedBlock(150, keccak256(proof.header), TIME_S + 150)
        parts = {"header": proof.header, "account": list(proof.account), "slot": list(proof.slot)}
        forged = with_core(data, evm=parts)
        assert failed(forged, operator.trust(blocks=(operator.blocks[0], block))) == {"anchor"}


def test_bare_root_instead_of_a_checkpoint() -> None:
    operator = sealed()
    root = operator.checkpoints[-1].checkpoint.root_sha256
    with pytest.raises(EncodingError):
        receipt.decode(with_core(operator.receipt(), checkpoint=root))


def with_core(data: bytes, **changes: Any) -> bytes:
    envelope = cbor2.loads(data)
    core = {**cbor2.loads(envelope["core"]), **changes}
    return cbor.dumps({**envelope, "core": cbor.dumps(core)})


# ------------------------------------------------------------------ duplicate keys


def twice(data: bytes, key: str) -> bytes:
    """A CBOR map of at most 22 entries with one of its entries once more at the end."""
    value = cbor2.loads(data)
    return bytes([data[0] + 1]) + data[1:] + cbor2.dumps(key) + cbor2.dumps(value[key])


def test_duplicate_keys() -> None:
    data = sealed().receipt()
    envelope = cbor2.loads(data)
    core = envelope["core"]
    assert cbor2.loads(twice(core, "checkpoint")) == cbor2.loads(core)  # what a lax reader sees
    forged = [twice(data, key) for key in envelope]
    forged += [cbor.dumps({**envelope, "core": twice(core, key)}) for key in cbor2.loads(core)]
    for each in forged:
        with pytest.raises(EncodingError):
            receipt.decode(each)


def test_duplicate_keys_in_a_statement() -> None:
    signed = sealed().leaves[0]
    tag = cbor2.loads(signed.raw)
    protected, _, payload, signature = tag.value
    for key in cbor2.loads(payload):
        parts = [protected, {}, twice(payload, key), signature]
        raw = cbor2.dumps(cbor2.CBORTag(18, parts), canonical=True)
        with pytest.raises(EncodingError):
            open_signed(raw)


# ------------------------------------------------------------------ log identity swapped


@pytest.mark.parametrize(
    "changes", [{"chain_id": 1}, {"contract": bytes(20)}, {"log_id": bytes(32)}]
)
def test_log_identity_swapped(changes: dict[str, Any]) -> None:
    """The operator's other log, chain or contract: everything signed, nothing of this one."""
    operator = sealed()
    assert failed(resigned(operator, **changes), operator.trust()) == {"anchor"}
    older, newer = (signed.checkpoint for signed in operator.checkpoints)
    with pytest.raises(ProofInvalid, match="two logs"):
        check_extends(older, replace(newer, **changes), operator.tree.consistency(3))
    files = files_of(operator)
    swapped = replace(operator.checkpoints[0].checkpoint, **changes).sign(OPERATOR)
    files["checkpoints/000001.cose"] = swapped.raw
    assert "checkpoints" in {each.check for each in audit(LogFiles(files.get)).findings}


# ------------------------------------------------------------------ an entry's body


def files_of(operator: Operator) -> dict[str, bytes]:
    """The log's plain files, for fewer statements than a tile has."""
    size = operator.tree.size
    files = {
        f"checkpoints/{seq:06d}.cose": signed.raw
        for seq, signed in enumerate(operator.checkpoints, start=1)
    }
    files["checkpoint"] = operator.checkpoints[-1].raw
    files["tile/entries/000"] = b"".join(leaf.raw for leaf in operator.leaves)
    for name, tree in (("sha256", operator.tree), ("sm3", operator.tree_sm3)):
        files[f"tile/{name}/0/000"] = b"".join(tree._node(0, index) for index in range(size))
    return files


def test_entry_body_flipped_with_a_valid_consistency_proof() -> None:
    """As in the log that died of it: tiles, roots and proofs right, one served entry wrong."""
    operator = sealed()
    files = files_of(operator)
    assert audit(LogFiles(files.get), trust=operator.trust()).findings == ()
    body = bytearray(files["tile/entries/000"])
    body[len(operator.leaves[0].raw) - 1] ^= 1  # in the signature: its form stays right
    log = LogFiles({**files, "tile/entries/000": bytes(body)}.get)
    older, newer = (signed.checkpoint for signed in operator.checkpoints)
    check_extends(older, newer, log.tree("sha256", 5).consistency(3))
    found = audit(log)
    assert {each.check for each in found.findings} == {"statements", "roots", "heads"}
    assert any("leaf 0" in each.what for each in found.findings)


def test_every_flipped_bit_of_a_log_is_found() -> None:
    """Structure or not: no file of a log can change by a bit without a finding."""
    operator = Operator()
    operator.seal(statement(SUBJECTS[0]), statement(SUBJECTS[1]))
    files = files_of(operator)
    survivors = []
    for name, data in files.items():
        for at in range(len(data)):
            flipped = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
            if not audit(LogFiles({**files, name: flipped}.get), trust=operator.trust()).findings:
                survivors.append((name, at))
    assert not survivors


# ------------------------------------------------------------------ fewer witnesses


def witnessed(operator: Operator, *numbers: int, at: int = -1) -> bytes:
    signed = operator.checkpoints[at]
    cosignatures = [
        open_cosignature(cosign(signed, TIME_S * 1000, WITNESSES[number])) for number in numbers
    ]
    return operator.receipt(attestations={"cosignatures": encode_all(cosignatures)})


def two_of_three(operator: Operator) -> Trust:
    keys = tuple(Witness(f"w{n}", key.public) for n, key in enumerate(WITNESSES))
    return operator.trust(witnesses=WitnessPolicy(2, keys))


@pytest.mark.parametrize("numbers", [(0, 1), (0, 2), (0, 1, 2)])
def test_enough_witnesses(numbers: tuple[int, ...]) -> None:
    operator = sealed()
    data = witnessed(operator, *numbers)
    points = check_receipt(receipt.decode(data), two_of_three(operator))
    assert points[-1].key == "witnessed"
    assert {point.verdict for point in points} == {Verdict.OK, Verdict.NOT_ASKED}


FEWER: dict[str, Callable[[Operator], bytes]] = {
    "none": lambda operator: operator.receipt(),
    "an empty list": witnessed,
    "one of two": lambda operator: witnessed(operator, 1),
    "of an earlier checkpoint": lambda operator: witnessed(operator, 0, 1, at=0),
    "not a list": lambda operator: operator.receipt(attestations={"cosignatures": b"\x01"}),
}


@pytest.mark.parametrize("case", FEWER)
def test_fewer_witnesses(case: str) -> None:
    operator = sealed()
    data = FEWER[case](operator)
    assert failed(data, two_of_three(operator)) == {"witnessed"}


def test_fewer_witnesses_in_the_envelope_and_the_rest_beside_it() -> None:
    operator = sealed()
    data = receipt.decode(witnessed(operator, 1))
    trust = two_of_three(operator)
    beside = open_cosignature(cosign(operator.checkpoints[-1], 0, WITNESSES[0]))
    points = check_receipt(data, trust, cosignatures=[beside])
    assert points[-1].verdict == Verdict.OK


def test_a_trust_file_without_witnesses_asks_for_none() -> None:
    operator = sealed()
    for data in (operator.receipt(), witnessed(operator, 1)):
        keys = [point.key for point in check_receipt(receipt.decode(data), operator.trust())]
        assert keys[-1] == "anchor"
        assert "attestation" not in keys


# ------------------------------------------------------------------ equivocation is not consistency


def test_two_checkpoints_of_one_seq_are_no_extension() -> None:
    operator = sealed()
    point = operator.checkpoints[-1].checkpoint
    proof = ConsistencyProof(5, 5, ())
    with pytest.raises(ProofInvalid, match="equivocation"):
        check_extends(point, replace(point, t_ms=point.t_ms + 1), proof.path)
