"""Cases about who may sign, and with what kind of key."""

import json
from collections.abc import Iterator
from dataclasses import replace

from evidence import OPERATOR, TIME_S, Operator
from tanzheng.core.keys import P256_ORDER
from tanzheng.core.statements.roles import Role
from tanzheng.core.trust import OperatorKey, Signer
from vectors import world
from vectors.case import Case, given

SUBJECTS: dict[str, object] = {
    "two plants and all of a city": ["E1", "US-ORIS-57028", "91370100*"],
    "no plant": [],
    "a plant twice": ["E1", "E1"],
    "a plant in text": "E1",
    "a plant of another form": ["E 1"],
    "every plant by a star": ["*"],
    "a star within": ["9137*1"],
    "two stars": ["9137**"],
    "a line feed behind the star": ["9137*\n"],
    "a number": [1],
    "null": None,
}


def receipts() -> Iterator[Case]:
    yield from _spans()
    yield from _p256()


def _spans() -> Iterator[Case]:
    operator, proved = world.small(), (TIME_S + 10) * 1000
    spans = {
        "key valid from that millisecond on": (proved, None),
        "key valid up to that millisecond": (0, proved),
        "key valid from a millisecond later": (proved + 1, None),
        "key valid up to a millisecond before": (0, proved - 1),
    }
    for name, span in spans.items():
        keys = (OperatorKey(OPERATOR.public, *span),)
        yield Case(name, given(operator, trust={"operator_keys": keys}))
    other = (OperatorKey(world.STRANGER.public, 0, None),)
    yield Case("key of nobody on trust", given(operator, trust={"operator_keys": other}))


def _p256() -> Iterator[Case]:
    """The operator's key is of P-256: ES256, and of its two valid signatures the one with low s."""
    operator = Operator(key=world.P256)
    operator.seal(world.stated())
    on_trust = {"operator_keys": (OperatorKey(world.P256.public, 0, None),)}
    good = given(operator, trust=on_trust)
    yield Case("operator with a P-256 key", good)
    whole = operator.receipt()
    for what, raw in (
        ("statement", operator.leaves[0].raw[-64:]),
        ("checkpoint", operator.checkpoints[0].raw[-64:]),
    ):
        s = int.from_bytes(raw[32:], "big")
        twin = raw[:32] + (P256_ORDER - s).to_bytes(32, "big")
        assert whole.count(raw) == 1
        yield Case(
            f"{what} with the other of two valid signatures",
            replace(good, receipt=whole.replace(raw, twin)),
        )
    yield Case("signed with P-256, Ed25519 on trust", given(operator))
    yield Case("signed with Ed25519, P-256 on trust", given(world.small(), trust=on_trust))


def trusts() -> Iterator[Case]:
    city = Signer("city-1", Role.CITY, OperatorKey(world.STRANGER.public, 0, None))
    good = given(world.small(), trust={"signers": (city,)})
    told = json.loads(good.trust)
    [signer] = told["signers"]

    def edited(name: str, **changes: object) -> Case:
        return Case(name, replace(good, trust=json.dumps({**told, **changes}).encode()))

    yield Case("a signer beside the operator", good)
    yield edited("signers, none", signers=[])
    yield edited("signer with the operator's role", signers=[{**signer, "role": "operator"}])
    yield edited("signer without a name", signers=[{k: signer[k] for k in signer if k != "name"}])
    yield edited("signer twice", signers=[signer, signer])
    for name, subjects in SUBJECTS.items():
        yield edited(f"signer for {name}", signers=[{**signer, "subjects": subjects}])
    own = {key: told["operator_keys"][0][key] for key in ("kid", "public_key")}
    yield edited("operator's key as a signer's", signers=[{**signer, **own}])
    key = told["operator_keys"][0]
    no_point = {**key, "public_key": "02" + "ff" * 32}
    yield edited("P-256 key that is no point", operator_keys=[no_point])
    yield edited("key of 34 bytes", operator_keys=[{**key, "public_key": "02" * 34}])
    uncompressed = {**key, "public_key": "04" + "11" * 32}
    yield edited("P-256 key with another prefix", operator_keys=[uncompressed])
