"""Statement, checkpoint and heads tree: round trips, signatures, and forms that are refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import GATEWAY, OPERATOR, Operator, statement
from tanzheng.core import checkpoint, cose, inclusion
from tanzheng.core import statement as statements
from tanzheng.core.checkpoint import Checkpoint, check_extends
from tanzheng.core.errors import BadInput, EncodingError, SignatureInvalid
from tanzheng.core.hashing import sha256
from tanzheng.core.heads import Absence, Head, HeadsTree, verify_absent, verify_current
from tanzheng.core.ids import Subject
from tanzheng.core.manifest import GatewayChain
from tanzheng.core.merkle import ProofInvalid, leaf_hash
from tanzheng.core.statement import BlockReference, Statement, Supersedes

CHAIN = GatewayChain("gw1", 1, 1, 1, 9, b"\x09" * 32)
CORRECTION = Supersedes(bytes(32), "typo", "Li Na 李娜")
FULL = statement(seq=2, prev=bytes(32), supersedes=CORRECTION, gateways=(CHAIN,))


# ------------------------------------------------------------------ statement


@pytest.mark.parametrize("stated", [statement(), FULL])
def test_signed_statement(stated: Statement) -> None:
    signed = stated.sign(OPERATOR)
    assert statements.open_signed(signed.raw) == signed
    assert signed.statement == stated
    assert signed.digest == sha256(signed.raw)
    assert signed.leaf_hash == leaf_hash(signed.raw)
    signed.verify(OPERATOR.public)
    with pytest.raises(SignatureInvalid):
        signed.verify(GATEWAY.public)


def test_header_carries_issuer_and_subject_as_cwt_claims() -> None:
    tag = cbor2.loads(FULL.sign(OPERATOR).raw)
    header = cbor2.loads(tag.value[0])
    assert header[15] == {1: "operator", 2: "E1/CT1/2018-07/month"}
    assert header[1] == -8


PAYLOAD: dict[str, Any] = cbor2.loads(FULL.encode())
STATEMENT_ZOO: dict[str, dict[str, Any]] = {
    "another type": {"type": "statement"},
    "another version": {"version": 2},
    "seq zero": {"seq": 0},
    "seq true": {"seq": True},
    "no prev at seq 2": {"prev": None},
    "prev at seq 1": {"seq": 1},
    "short digest": {"manifest_sm3": bytes(31)},
    "digest as text": {"manifest_sha256": "00" * 32},
    "subject of three parts": {"subject": "a/b/c"},
    "correction without approver": {"supersedes": {"digest": bytes(32), "reason": "typo"}},
    "gateway of five parts": {"gateways": [["gw1", 1, 1, 1, 9]]},
    "gateway at seq 0": {"gateways": [["gw1", 1, 0, 1, 9, bytes(32)]]},
    "gateways a map": {"gateways": {}},
    "block without hash": {"not_before": {"number": 1}},
    "line break": {"software": "a\nb"},
    "unknown key": {"note": ""},
}


@pytest.mark.parametrize("flaw", STATEMENT_ZOO)
def test_statement_zoo(flaw: str) -> None:
    payload = cbor2.dumps({**PAYLOAD, **STATEMENT_ZOO[flaw]}, canonical=True)
    with pytest.raises(BadInput):
        statements.decode(payload, "operator")


def signed_with(claims: Any, content_type: str = statements.CONTENT_TYPE) -> bytes:
    return cose.sign1(FULL.encode(), OPERATOR, content_type, {15: claims} if claims else None)


@pytest.mark.parametrize(
    "claims",
    [
        None,
        "operator",
        {1: "operator"},
        {1: "operator", 2: "E1/CT1/2018-08/month"},
        {1: "", 2: str(FULL.subject)},
        {1: "operator", 2: str(FULL.subject), 3: "audience"},
    ],
)
def test_header_of_another_form(claims: Any) -> None:
    with pytest.raises(BadInput):
        statements.open_signed(signed_with(claims))


def test_a_statement_is_no_other_message() -> None:
    claims = {1: "operator", 2: str(FULL.subject)}
    with pytest.raises(EncodingError):
        statements.open_signed(signed_with(claims, "application/vnd.tanzheng.batch+cbor"))
    with pytest.raises(EncodingError):
        checkpoint.open_signed(FULL.sign(OPERATOR).raw)
    with pytest.raises(EncodingError):
        statements.open_signed(bytes(2 << 20))


def test_own_fields_are_checked_before_signing() -> None:
    for bad in (replace(FULL, seq=0), replace(FULL, not_before=BlockReference(-1, bytes(32)))):
        with pytest.raises(EncodingError):
            bad.sign(OPERATOR)


@given(st.binary(max_size=200))
def test_garbage_is_a_named_error(data: bytes) -> None:
    for read in (statements.open_signed, checkpoint.open_signed, inclusion.detach):
        with pytest.raises(BadInput):
            read(data)
    with pytest.raises(BadInput):
        inclusion.decode(data, bytes(32))


# ------------------------------------------------------------------ transparent statement


def test_detaching_gives_the_leaf_back() -> None:
    signed = FULL.sign(OPERATOR)
    receipt = inclusion.sign(bytes(32), 1, 0, [], OPERATOR)
    transparent = inclusion.attach(signed.raw, receipt)
    assert inclusion.detach(transparent) == (signed.raw, receipt)
    assert dict(cbor2.loads(transparent).value[1]) in ({394: [receipt]}, {394: (receipt,)})
    header = cbor2.loads(cbor2.loads(receipt).value[0])
    assert header[395] == 1


def receipt_with(unprotected: Any, protected: Any = None) -> bytes:
    header = {395: 1} if protected is None else protected
    return cose.sign1(
        bytes(32), OPERATOR, inclusion.CONTENT_TYPE, header, unprotected, detached=True
    )


PROOF_BYTES = cbor2.dumps([1, 0, []])
INCLUSION_ZOO: dict[str, Callable[[], bytes]] = {
    "no proof": lambda: receipt_with({}),
    "consistency instead": lambda: receipt_with({396: {-2: [PROOF_BYTES]}}),
    "two proofs": lambda: receipt_with({396: {-1: [PROOF_BYTES, PROOF_BYTES]}}),
    "no proof in the list": lambda: receipt_with({396: {-1: []}}),
    "further header": lambda: receipt_with({396: {-1: [PROOF_BYTES]}, 4: b""}),
    "another tree": lambda: receipt_with({396: {-1: [PROOF_BYTES]}}, {395: 2}),
    "no tree": lambda: receipt_with({396: {-1: [PROOF_BYTES]}}, {}),
    "proof of two parts": lambda: receipt_with({396: {-1: [cbor2.dumps([1, 0])]}}),
    "size zero": lambda: receipt_with({396: {-1: [cbor2.dumps([0, 0, []])]}}),
    "short node": lambda: receipt_with({396: {-1: [cbor2.dumps([2, 0, [b"x"]])]}}),
    "payload inside": lambda: cose.sign1(
        bytes(32), OPERATOR, inclusion.CONTENT_TYPE, {395: 1}, {396: {-1: [PROOF_BYTES]}}
    ),
    "giant": lambda: bytes(10_000),
}


@pytest.mark.parametrize("flaw", INCLUSION_ZOO)
def test_inclusion_zoo(flaw: str) -> None:
    with pytest.raises(EncodingError):
        inclusion.decode(INCLUSION_ZOO[flaw](), bytes(32))


# ------------------------------------------------------------------ checkpoint


def point(**changes: Any) -> Checkpoint:
    operator = Operator()
    return replace(operator.seal(statement()).checkpoint, **changes)


def test_signed_checkpoint() -> None:
    signed = point().sign(OPERATOR)
    assert checkpoint.open_signed(signed.raw) == signed
    signed.verify(OPERATOR.public)
    payload = cbor2.loads(cbor2.loads(signed.raw).value[2])
    assert payload[0] == "tanzheng/checkpoint/v1"
    assert len(payload) == 11


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 0},
        {"size": 0},
        {"chain_id": 0},
        {"contract": bytes(19)},
        {"heads_root": b""},
        {"seq": 2},
        {"previous": b"\x01" * 32},
        {"t_ms": -1},
        {"t_ms": 1 << 60},
    ],
)
def test_checkpoint_zoo(changes: dict[str, Any]) -> None:
    with pytest.raises(EncodingError):
        point(**changes).sign(OPERATOR)


def test_two_checkpoints_of_one_seq_are_equivocation() -> None:
    mine = point()
    with pytest.raises(ProofInvalid, match="equivocation"):
        check_extends(mine, replace(mine, root_sha256=bytes(32)), ())
    with pytest.raises(ProofInvalid, match="two logs"):
        check_extends(mine, replace(mine, log_id=b"\x07" * 32), ())
    with pytest.raises(ProofInvalid, match="a seq from"):
        check_extends(replace(mine, seq=2, previous=b"\x01" * 32), mine, ())
    check_extends(mine, mine, ())


# ------------------------------------------------------------------ heads

subjects = st.lists(st.from_regex(r"[A-Z]{1,3}", fullmatch=True), unique=True, max_size=12).map(
    lambda names: [Subject("E", name, "2018-07", "month") for name in names]
)


def heads_of(named: list[Subject]) -> HeadsTree:
    return HeadsTree(Head(subject, i + 1, sha256(bytes([i]))) for i, subject in enumerate(named))


@given(subjects, st.from_regex(r"[A-Z]{1,3}", fullmatch=True))
def test_every_subject_is_current_or_absent(named: list[Subject], other: str) -> None:
    tree = heads_of(named)
    for subject in named:
        verify_current(*tree.current(subject), tree.root)
    wanted = Subject("E", other, "2018-07", "month")
    if wanted in named:
        with pytest.raises(KeyError):
            tree.absence(wanted)
    else:
        with pytest.raises(KeyError):
            tree.current(wanted)
        verify_absent(wanted, tree.absence(wanted), tree.root)


def test_root_binds_the_count() -> None:
    tree = heads_of([Subject("E", name, "p", "month") for name in "ABC"])
    head, place = tree.current(Subject("E", "C", "p", "month"))
    with pytest.raises(ProofInvalid):
        verify_current(head, replace(place, count=4), tree.root)
    with pytest.raises(ProofInvalid):
        verify_current(replace(head, seq=9), place, tree.root)


def test_a_present_subject_cannot_be_proved_absent() -> None:
    a, b, c, d = (Subject("E", name, "p", "month") for name in "ABCD")
    tree = heads_of([a, b, c])
    at = {subject: tree.current(subject) for subject in (a, b, c)}
    lies = [
        Absence(3, at[a], at[c]),
        Absence(3, None, at[c]),
        Absence(3, at[a], None),
        Absence(3, at[b], at[c]),
        Absence(3, None, None),
        Absence(0, None, None),
        Absence(1, at[a], None),
    ]
    for lie in lies:
        with pytest.raises(ProofInvalid):
            verify_absent(b, lie, tree.root)
    verify_absent(d, Absence(3, at[c], None), tree.root)
    with pytest.raises(EncodingError, match="once"):
        heads_of([a, a])
