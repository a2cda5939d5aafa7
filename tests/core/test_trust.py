"""The trust file: round trip, look-ups, and everything it refuses."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statements.samples import NEW
from evidence import GATEWAY, OPERATOR, Operator, statement
from tanzheng.core.errors import BadInput, EncodingError
from tanzheng.core.jurisdiction import Jurisdiction
from tanzheng.core.keys import SigningKey
from tanzheng.core.trust import OperatorKey, Trust, Untrusted


def trust() -> Trust:
    operator = Operator()
    operator.seal(statement())
    operator.evm()
    return operator.trust()


GOOD = trust()
CONTENT: dict[str, Any] = json.loads(GOOD.encode())


def test_round_trip_and_any_layout() -> None:
    assert Trust.decode(GOOD.encode()) == GOOD
    assert Trust.decode(json.dumps(CONTENT).encode()) == GOOD
    assert CONTENT["contract"].startswith("0x")
    assert CONTENT["operator_keys"][0]["not_after_ms"] is None


def test_look_ups() -> None:
    assert GOOD.operator(OPERATOR.public.kid, 0) == OPERATOR.public
    assert GOOD.gateway("gw1") == GATEWAY.public
    assert GOOD.block(b"\x01" * 32).number == 1
    GOOD.plant("E1", bytes(32))
    for call in (
        lambda: GOOD.operator(bytes(16), 0),
        lambda: GOOD.gateway("gw2"),
        lambda: GOOD.block(bytes(32)),
        lambda: GOOD.plant("E2", bytes(32)),
        lambda: GOOD.plant("E1", b"\x01" * 32),
    ):
        with pytest.raises(Untrusted):
            call()


@pytest.mark.parametrize(("t_ms", "valid"), [(9, False), (10, True), (20, True), (21, False)])
def test_a_key_is_valid_within_its_span_ends_included(t_ms: int, valid: bool) -> None:
    assert OperatorKey(OPERATOR.public, 10, 20).valid_at(t_ms) is valid


WITNESS = SigningKey.from_seed(b"witness".ljust(32, b".")).public.raw.hex()


def witnesses(threshold: object = 1, *keys: object) -> dict[str, Any]:
    """The trust file with witnesses, one by default."""
    named = keys or ({"name": "w1", "public_key": WITNESS},)
    return {**CONTENT, "witnesses": {"threshold": threshold, "keys": list(named)}}


def test_witnesses_may_be_named() -> None:
    named = Trust.decode(json.dumps(witnesses()).encode())
    assert named.witnesses is not None
    assert (named.witnesses.threshold, named.witnesses.witnesses[0].name) == (1, "w1")
    assert Trust.decode(named.encode()) == named
    assert "witnesses" not in CONTENT


SIGNER = {
    "name": "city-bureau",
    "role": "city",
    "kid": NEW.public.kid.hex(),
    "public_key": NEW.public.raw.hex(),
    "not_before_ms": 0,
    "not_after_ms": None,
}


def signers(*more: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The trust file with one signer beside the operator, and more."""
    return {**CONTENT, "signers": [{**SIGNER, **changes}, *more]}


def test_signers_may_be_named() -> None:
    named = Trust.decode(json.dumps(signers()).encode())
    [signer] = named.signers
    assert (signer.name, signer.role, signer.key.public) == ("city-bureau", "city", NEW.public)
    assert Trust.decode(named.encode()) == named
    assert "signers" not in CONTENT


def test_a_signer_may_be_bound_to_plants() -> None:
    named = Trust.decode(json.dumps(signers(subjects=["E1", "9137*"])).encode())
    [signer] = named.signers
    assert signer.jurisdiction == Jurisdiction(("E1", "9137*"))
    assert Trust.decode(named.encode()) == named
    assert Trust.decode(json.dumps(signers()).encode()).signers[0].jurisdiction is None


@pytest.mark.parametrize(
    ("enterprise", "covered"),
    [
        ("E1", True),
        ("E10", False),
        ("e1", False),
        ("91370100X", True),
        ("9137", True),
        ("91", False),
    ],
)
def test_the_plants_of_a_jurisdiction(enterprise: str, covered: bool) -> None:
    assert Jurisdiction(("E1", "9137*")).covers(enterprise) is covered


ZOO: dict[str, Callable[[], dict[str, Any]]] = {
    "missing key": lambda: {k: v for k, v in CONTENT.items() if k != "blocks"},
    "unknown key": lambda: {**CONTENT, "note": ""},
    "unknown version": lambda: {**CONTENT, "version": 2},
    "chain id zero": lambda: {**CONTENT, "chain_id": 0},
    "chain id as a float": lambda: {**CONTENT, "chain_id": 1.0},
    "contract without 0x": lambda: {**CONTENT, "contract": CONTENT["contract"][2:]},
    "contract too short": lambda: {**CONTENT, "contract": "0x12"},
    "log id in capitals": lambda: {**CONTENT, "log_id": "AB" * 32},
    "blocks no list": lambda: {**CONTENT, "blocks": {}},
    "block twice": lambda: {**CONTENT, "blocks": CONTENT["blocks"] * 2},
    "gateway twice": lambda: {**CONTENT, "gateways": CONTENT["gateways"] * 2},
    "operator twice": lambda: {**CONTENT, "operator_keys": CONTENT["operator_keys"] * 2},
    "no witness needed": lambda: witnesses(0),
    "more witnesses than keys": lambda: witnesses(2),
    "no witnesses": lambda: {**CONTENT, "witnesses": None},
    "witness twice": lambda: witnesses(1, *[{"name": n, "public_key": WITNESS} for n in "ab"]),
    "two witnesses of one name": lambda: witnesses(
        1, {"name": "w", "public_key": WITNESS}, {"name": "w", "public_key": "00" * 32}
    ),
    "operator as its own witness": lambda: witnesses(
        1, {"name": "w", "public_key": OPERATOR.public.raw.hex()}
    ),
    "no signers": lambda: {**CONTENT, "signers": []},
    "signer in the operator's role": lambda: signers(role="operator"),
    "signer in a role of nobody": lambda: signers(role="mayor"),
    "signer without name and role": lambda: signers() | {"signers": [CONTENT["operator_keys"][0]]},
    "signer with another's key id": lambda: signers(kid="00" * 16),
    "signer with a point off the curve": lambda: signers(public_key="02" + "ff" * 32),
    "signer of no plant": lambda: signers(subjects=[]),
    "signer of a plant twice": lambda: signers(subjects=["E1", "E1"]),
    "signer of a plant in text": lambda: signers(subjects="E1"),
    "signer of every plant by a star": lambda: signers(subjects=["*"]),
    "signer's key twice": lambda: signers({**SIGNER, "role": "province"}),
    "operator as its own reviewer": lambda: signers(
        CONTENT["operator_keys"][0] | {"name": "x", "role": "city"}
    ),
    "another key's id": lambda: {
        **CONTENT,
        "operator_keys": [{**CONTENT["operator_keys"][0], "kid": "00" * 16}],
    },
}


@pytest.mark.parametrize("flaw", ZOO)
def test_zoo(flaw: str) -> None:
    with pytest.raises(BadInput, match="trust"):
        Trust.decode(json.dumps(ZOO[flaw]()).encode())


def test_duplicate_key() -> None:
    text = GOOD.encode().decode().replace('"version": 1,', '"version": 1, "version": 1,')
    with pytest.raises(EncodingError, match="duplicate"):
        Trust.decode(text.encode())


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_garbage_is_a_named_error(data: bytes) -> None:
    with pytest.raises(BadInput):
        Trust.decode(data)
