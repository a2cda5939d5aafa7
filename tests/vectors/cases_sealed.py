"""Receipts of a QBFT chain: the header as it is hashed, and its validators' seals beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import cbor2

from evidence import Operator, Validators
from tanzheng.core import receipt
from tanzheng.core.qbft import decode_extra
from tanzheng.core.secp256k1 import N
from tanzheng.core.trust import TrustedValidator
from vectors import world
from vectors.case import Case, given


def sealed() -> Iterator[Case]:
    made, seals = world.sealed(), list(world.sealed().evm().seals.signatures)  # type: ignore[union-attr]
    addresses = world.VALIDATORS.addresses
    alone = trusting(addresses)
    yield Case("observed, and the trust file names no validators", given(made))
    yield Case("not observed, sealed by the validators on trust", given(made, trust=alone))
    yield Case("observed and sealed", given(made, trust={"validators": alone["validators"]}))
    yield Case("neither observed nor validators on trust", given(made, trust={"blocks": ()}))
    yield Case("one validator fewer on trust", given(made, trust=trusting(addresses[:-1])))
    yield Case("one validator more on trust", given(made, trust=trusting([*addresses, bytes(20)])))
    yield Case("validators from the block on", given(made, trust=trusting(addresses, 101)))
    yield Case("validators up to the block", given(made, trust=trusting(addresses, 0, 101)))
    yield Case("validators from later on", given(made, trust=trusting(addresses, 102)))
    yield Case("validators up to before", given(made, trust=trusting(addresses, 0, 100)))
    yield Case("a chain without seals", given(world.small(), trust=alone))
    good, one, two = given(made, trust=alone), seals[0], seals[1]
    yield Case("one validator of one", given(only(1), trust=trusting(addresses[:1])))
    yield Case("five of seven", given(only(7), trust=trusting(only(7).validators.addresses)))  # type: ignore[union-attr]
    for name, changed in {
        "one seal too few": [0, seals[:-1]],
        "one seal too many": [0, [*seals, seals[-1]]],
        "seals out of order": [0, [two, one, *seals[2:]]],
        "one seal twice": [0, [one, one, *seals[2:]]],
        "seals of another round": [1, seals],
        "a seal with the larger s": [0, [_larger(one), *seals[1:]]],
        "a seal with a bit flipped": [0, [bytes([one[0] ^ 1]) + one[1:], *seals[1:]]],
        "a seal of 64 bytes": [0, [one[:-1], *seals[1:]]],
        "no round": [seals],
        "round as a text": ["0", seals],
    }.items():
        yield Case(name, replace(good, receipt=changed_evm(good.receipt, seals=changed)))
    yield Case("seals inside the header", replace(good, receipt=_inside(good.receipt, made)))
    bare = changed_evm(good.receipt, seals=None)
    yield Case("without its seals", replace(good, receipt=bare))
    yield Case("observed, without its seals", replace(given(made), receipt=bare))


def trusting(addresses: Sequence[bytes], first: int = 0, last: int | None = None) -> dict[str, Any]:
    """A trust file of validators alone: no block was observed."""
    return {
        "blocks": (),
        "validators": tuple(TrustedValidator(each, first, last) for each in addresses),
    }


def only(count: int) -> Operator:
    """A log on a chain of so many validators."""
    made = Operator(validators=Validators(world.SEALERS[:count], range(count)))
    made.seal(world.stated())
    return made


def changed_evm(data: bytes, **changes: Any) -> bytes:
    """The receipt with another part of its chain's proof; None leaves the part out."""
    envelope = cbor2.loads(data)
    core = cbor2.loads(envelope["core"])
    core["evm"] = {k: v for k, v in {**core["evm"], **changes}.items() if v is not None}
    envelope["core"] = cbor2.dumps(core, canonical=True)
    return cbor2.dumps(envelope, canonical=True)


def _larger(signature: bytes) -> bytes:
    s = int.from_bytes(signature[32:64], "big")
    return signature[:32] + (N - s).to_bytes(32, "big") + bytes([1 - signature[64]])


def _inside(data: bytes, made: Operator) -> bytes:
    """The header as the node gives it: its Keccak is not the block's hash."""
    proof = receipt.decode(data).evm
    assert proof.seals is not None
    extra = decode_extra(world.VALIDATORS.extra(0))
    full = replace(extra, seals=proof.seals.signatures).encode()
    at = proof.header.index(extra.encode())
    header = proof.header[:at] + full + proof.header[at + len(extra.encode()) :]
    return changed_evm(data, header=header)
