"""Seals of a QBFT chain: the header as it is hashed, a quorum of its validators, who is on trust.

Signatures and RLP are made by peer libraries (eth-keys, rlp); the encoding of `extraData` is that
of Besu's own test (QbftExtraDataCodecTest).
"""

from dataclasses import replace
from typing import Any

import pytest
import rlp  # type: ignore[import-untyped]
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import TIME_S, Operator, Validators, block_header, statement
from tanzheng.core import evm, qbft, receipt
from tanzheng.core.errors import EncodingError, SignatureInvalid, TanzhengError
from tanzheng.core.points import Verdict
from tanzheng.core.qbft import MIX_HASH, NotSealed, Seals, check_seals, decode_extra, seals_of
from tanzheng.core.receipt_check import check_receipt
from tanzheng.core.secp256k1 import N, recover_address
from tanzheng.core.trust import Trust, TrustedValidator

KEYS = [PrivateKey(bytes([n]) * 32) for n in range(1, 8)]
BESU = bytes.fromhex(
    "f8f0a00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20ea94"
    "000000000000000000000000000000000000000194"
    "0000000000000000000000000000000000000002d794"
    "000000000000000000000000000000000000000181ff83fedcbaf886b841"
    "0000000000000000000000000000000000000000000000000000000000000001"
    "000000000000000000000000000000000000000000000000000000000000000a00b841"
    "000000000000000000000000000000000000000000000000000000000000000a"
    "000000000000000000000000000000000000000000000000000000000000000100"
)
ROOT = bytes([7]) * 32


def validators(count: int = 4, *sealing: int, round_: int = 0) -> Validators:
    return Validators(KEYS[:count], sealing or range(count), round_)


def header_of(who: Validators) -> bytes:
    return block_header(ROOT, 5, TIME_S, who.extra(0), MIX_HASH)


def sealed_by(who: Validators) -> Seals:
    return seals_of(header_of(who), who.sealed(ROOT, 5, TIME_S))


def test_extra_data_as_besu_writes_it() -> None:
    extra = decode_extra(BESU)
    assert extra.encode() == BESU
    assert extra.validators == (bytes(19) + b"\x01", bytes(19) + b"\x02")
    assert extra.vote == [bytes(19) + b"\x01", b"\xff"]
    assert (extra.round, len(extra.seals)) == (0xFEDCBA, 2)
    bare = rlp.decode(extra.hashed())
    assert bare == [*rlp.decode(BESU)[:3], b"", []]


def test_the_block_is_hashed_without_round_and_seals() -> None:
    """What a node gives has both in `extraData`; its `hash` covers neither."""
    who = validators(4, round_=3)
    told: dict[str, object] = dict.fromkeys(evm.HEADER_FIELDS, "0x" + "00" * 32)
    told |= {"stateRoot": f"0x{ROOT.hex()}", "number": "0x5", "timestamp": hex(TIME_S)}
    told |= {"miner": "0x" + "00" * 20, "logsBloom": "0x" + "00" * 256, "difficulty": "0x0"}
    told |= {"gasLimit": hex(30_000_000), "gasUsed": hex(55_212), "nonce": "0x" + "00" * 8}
    told |= {"baseFeePerGas": "0x7", "blobGasUsed": "0x0", "excessBlobGas": "0x0"}
    told |= {"mixHash": f"0x{MIX_HASH.hex()}"}
    told |= {"extraData": f"0x{who.sealed(ROOT, 5, TIME_S).hex()}"}
    assert evm.encode_header(told) == header_of(who)
    genesis = evm.encode_header({**told, "number": "0x0", "extraData": "0x1234"})
    assert rlp.decode(genesis)[12] == b"\x12\x34"


@pytest.mark.parametrize(
    ("count", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5)]
)
def test_a_quorum_is_two_thirds_rounded_up(count: int, needed: int) -> None:
    """As Besu counts them (BftCommitSealsValidationRuleTest)."""
    enough = validators(count, *range(needed))
    found = sealed_by(enough)
    assert len(found.signatures) == needed
    assert check_seals(header_of(enough), found) == tuple(enough.addresses)
    if needed > 1:
        with pytest.raises(NotSealed, match=f"expected {needed} of {count}"):
            sealed_by(validators(count, *range(needed - 1)))


def test_of_many_seals_the_first_quorum_in_the_validators_order_is_carried() -> None:
    expected = sealed_by(validators(4, 0, 1, 2, round_=9))
    assert sealed_by(validators(4, 3, 2, 1, 0, round_=9)) == expected
    assert expected.round == 9


def test_a_seal_with_the_larger_s_is_written_with_the_smaller() -> None:
    who = validators(4)
    extra = decode_extra(who.sealed(ROOT, 5, TIME_S))
    turned = [
        s[:32] + (N - int.from_bytes(s[32:64], "big")).to_bytes(32, "big") + bytes([1 - s[64]])
        for s in extra.seals
    ]
    assert seals_of(header_of(who), replace(extra, seals=tuple(turned)).encode()) == sealed_by(who)
    with pytest.raises(SignatureInvalid, match="lower of the two forms"):
        check_seals(header_of(who), Seals(0, tuple(turned[:3])))


def _wrong(seals: Seals) -> dict[str, Seals]:
    one, two, three = seals.signatures
    stranger = PrivateKey(bytes([99]) * 32).sign_msg_hash(bytes(32)).to_bytes()
    return {
        "one too few": replace(seals, signatures=(one, two)),
        "one too many": replace(seals, signatures=(one, two, three, three)),
        "out of order": replace(seals, signatures=(two, one, three)),
        "one twice": replace(seals, signatures=(one, one, two)),
        "of a stranger": replace(seals, signatures=(one, two, stranger)),
        "of another round": replace(seals, round=seals.round + 1),
        "none": replace(seals, signatures=()),
    }


@pytest.mark.parametrize("name", _wrong(sealed_by(validators(4))))
def test_wrong_seals(name: str) -> None:
    who = validators(4)
    with pytest.raises(NotSealed):
        check_seals(header_of(who), _wrong(sealed_by(who))[name])


def test_seals_of_another_header() -> None:
    who = validators(4)
    for header in (
        block_header(ROOT, 6, TIME_S, who.extra(0), MIX_HASH),
        block_header(ROOT, 5, TIME_S, who.extra(0)),
        block_header(ROOT, 5, TIME_S, validators(3).extra(0), MIX_HASH),
    ):
        with pytest.raises(NotSealed):
            check_seals(header, sealed_by(who))


@pytest.mark.parametrize(
    "items",
    [
        b"vanity",
        [b"", [], [], b"", []],
        [b"", [bytes(20), bytes(20)], [], b"", []],
        [b"", [bytes(19)], [], b"", []],
        [b"", [bytes(20)], b"", b"\x01", []],  # a vote as IBFT 2.0 leaves it out
        [b"", [bytes(20)], [], b"\x00", []],
        [b"", [bytes(20)], [], b"", [bytes(64)]],
        [b"", [bytes(20)], [], b""],
        [b"", [bytes([n]) * 20 for n in range(200)], [], b"", []],
    ],
)
def test_extra_data_out_of_form(items: Any) -> None:
    with pytest.raises(EncodingError, match="extraData"):
        decode_extra(bytes(rlp.encode(items)))


@settings(max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.integers(1, N - 1), st.binary(max_size=64))
def test_recovery_agrees_with_eth_keys(digest: bytes, secret: int, noise: bytes) -> None:
    key = PrivateKey(secret.to_bytes(32, "big"))
    signature = key.sign_msg_hash(digest).to_bytes()
    assert recover_address(digest, signature) == key.public_key.to_canonical_address()
    with pytest.raises(SignatureInvalid):
        recover_address(digest, noise)


def test_signatures_that_are_none() -> None:
    r = (5).to_bytes(32, "big")  # 5³ + 7 has no root in this field
    ones = (1).to_bytes(32, "big")
    for bad in (
        bytes(65),
        r + ones + b"\0",
        N.to_bytes(32, "big") + ones + b"\0",
        ones * 2 + b"\2",
    ):
        with pytest.raises(SignatureInvalid):
            recover_address(bytes(32), bad)


# ------------------------------------------------------------------ in a receipt


def operator(who: Validators | None = None) -> Operator:
    made = Operator(validators=who or validators(4))
    made.seal(statement())
    return made


def on_trust(addresses: list[bytes], first: int = 0, last: int | None = None) -> Any:
    return tuple(TrustedValidator(each, first, last) for each in addresses)


def verdicts(data: bytes, trust: Trust) -> dict[str, Verdict]:
    checked = check_receipt(receipt.decode(data), Trust.decode(trust.encode()))
    return {point.key: point.verdict for point in checked}


def test_a_receipt_carries_the_seals() -> None:
    made = operator()
    data = made.receipt()
    seals = receipt.decode(data).evm.seals
    assert seals is not None
    assert len(seals.signatures) == 3
    found = verdicts(data, made.trust())
    assert found["sealed"] == found["anchor"] == found["signer"] == Verdict.OK


def test_validators_on_trust_stand_for_the_observer() -> None:
    made = operator()
    data, addresses = made.receipt(), validators(4).addresses
    unseen = {"blocks": ()}
    good = verdicts(data, made.trust(validators=on_trust(addresses), **unseen))
    assert good["sealed"] == good["anchor"] == good["not_after"] == good["signer"] == Verdict.OK
    points = ("sealed", "anchor", "not_after", "signer")
    for wrong in (
        on_trust(addresses[:3]),
        on_trust([*addresses, bytes(20)]),
        on_trust(addresses, 102),
        on_trust(addresses, 0, 100),
    ):
        bad = verdicts(data, made.trust(validators=wrong, **unseen))
        assert {bad[key] for key in points} == {Verdict.FAILED}
    nobody = verdicts(data, made.trust(**unseen))
    assert nobody["anchor"] == Verdict.FAILED


def test_an_observed_block_whose_validators_are_not_those_on_trust() -> None:
    """The observer saw the block; that other validators sealed it is said by its own point."""
    made = operator()
    data = made.receipt()
    found = verdicts(data, made.trust(validators=on_trust(validators(4).addresses[1:])))
    assert found["sealed"] == Verdict.FAILED
    assert found["anchor"] == Verdict.OK


def test_a_receipt_without_seals_is_not_trusted_for_its_validators() -> None:
    made = Operator()
    made.seal(statement())
    trust = made.trust(validators=on_trust(validators(4).addresses), blocks=())
    assert verdicts(made.receipt(), trust)["anchor"] == Verdict.FAILED


def test_trust_files_with_validators_out_of_form() -> None:
    trust = operator().trust()
    address = bytes(20)
    for wrong in (
        (TrustedValidator(address, 5, 4),),
        (TrustedValidator(address, 0, None), TrustedValidator(address, 0, 9)),
        (TrustedValidator(address[1:], 0, None),),
    ):
        with pytest.raises(TanzhengError, match=r"trust\.validators"):
            replace(trust, validators=wrong).encode()


def test_places_of_a_header_are_the_fields_they_name() -> None:
    places = [evm.HEADER_FIELDS.index(name) for name in ("number", "extraData", "mixHash")]
    assert places == [qbft.NUMBER, qbft.EXTRA_DATA, qbft.MIX]
