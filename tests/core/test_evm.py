"""RLP, headers and state proofs: against pyrlp, a real node's answers, and a trie built here."""

import json
from pathlib import Path
from typing import Any

import pytest
import rlp as peer  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from evidence import Trie, keccak256
from tanzheng.core import rlp
from tanzheng.core.errors import BadInput, EncodingError, TanzhengError
from tanzheng.core.evm import (
    HEADER_FIELDS,
    HEADS_SLOT,
    decode_header,
    encode_header,
    head_slot,
    slot_value,
    storage_root,
    trie_value,
)
from tanzheng.core.merkle import ProofInvalid

ANVIL = json.loads((Path(__file__).parent / "vectors/anvil-getproof.json").read_text())
BLOCK, PROOF = ANVIL["block"], ANVIL["proof"]
ADDRESS = bytes.fromhex(PROOF["address"][2:])
SEQS = (1, 2, 7, 40, 41)

items = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=5), max_leaves=9
)


def raw(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value[2:]) for value in values]


# ------------------------------------------------------------------ RLP


@given(items)
def test_rlp_agrees_with_pyrlp(item: Any) -> None:
    data = rlp.encode(item)
    assert data == peer.encode(item)
    assert rlp.decode(data) == item


@given(st.binary(max_size=80))
def test_any_bytes_decode_to_what_encodes_back_or_are_refused(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except EncodingError:
        return
    assert rlp.encode(item) == data


RLP_ZOO = {
    "nothing": "",
    "trailing byte": "8000",
    "long form of a short string": "b80100",
    "two bytes for one": "817f",
    "leading zero in a length": "b90038" + "00" * 56,
    "string beyond the end": "83aabb",
    "list beyond the end": "c3aa",
    "item beyond its list": "c283aabbcc",
    "length of lengths beyond the end": "bf",
    "length missing": "b8",
    "nested too deep": "c9c8c7c6c5c4c3c2c1c0",
}


@pytest.mark.parametrize("flaw", RLP_ZOO)
def test_rlp_zoo(flaw: str) -> None:
    with pytest.raises(EncodingError):
        rlp.decode(bytes.fromhex(RLP_ZOO[flaw]))


def test_scalars() -> None:
    assert rlp.encode_integer(0) == b""
    assert rlp.decode_integer(b"\x01\x00", "n") == 256
    for bad in (b"\x00", b"\x00\x01", bytes(9), [b"\x01"]):
        with pytest.raises(EncodingError):
            rlp.decode_integer(bad, "n")


# ------------------------------------------------------------------ headers


def test_a_real_header_hashes_to_its_block() -> None:
    header = decode_header(encode_header(BLOCK))
    assert f"0x{header.hash.hex()}" == BLOCK["hash"]
    assert header.number == int(BLOCK["number"], 16)
    assert header.time_s == int(BLOCK["timestamp"], 16)
    assert f"0x{header.state_root.hex()}" == BLOCK["stateRoot"]


@pytest.mark.parametrize("name", HEADER_FIELDS)
def test_every_field_of_the_header_is_in_its_hash(name: str) -> None:
    value = BLOCK[name]
    other = f"0x{int(value, 16) + 1:0{len(value) - 2}x}" if len(value) > 2 else "0x01"
    assert f"0x{keccak256(encode_header({**BLOCK, name: other})).hex()}" != BLOCK["hash"]


@pytest.mark.parametrize("value", [None, 5, "5", "0xzz", "0x123"])
def test_header_field_of_another_form(value: object) -> None:
    with pytest.raises(EncodingError):
        encode_header({**BLOCK, "stateRoot": value})


def test_header_of_an_older_fork_ends_earlier() -> None:
    london = {key: BLOCK[key] for key in HEADER_FIELDS[:16]}
    assert len(peer.decode(encode_header(london))) == 16
    with pytest.raises(EncodingError):
        encode_header({key: BLOCK[key] for key in HEADER_FIELDS[:14]})


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80", b"\xc0", bytes(5000), peer.encode([b"x"] * 16), peer.encode([bytes(32)] * 16)],
)
def test_header_zoo(data: bytes) -> None:
    with pytest.raises(EncodingError):
        decode_header(data)


# ------------------------------------------------------------------ proofs


def test_the_slot_of_a_head_is_solidity_s() -> None:
    word = (5).to_bytes(32, "big") + HEADS_SLOT.to_bytes(32, "big")
    assert head_slot(5) == keccak256(word)
    assert [f"0x{head_slot(seq).hex()}" for seq in SEQS] == [
        p["key"] for p in PROOF["storageProof"]
    ]


def test_a_real_node_s_proofs() -> None:
    root = storage_root(raw([BLOCK["stateRoot"]])[0], ADDRESS, raw(PROOF["accountProof"]))
    assert f"0x{root.hex()}" == PROOF["storageHash"]
    for seq, entry in zip(SEQS[:-1], PROOF["storageProof"], strict=False):
        value = slot_value(root, head_slot(seq), raw(entry["proof"]))
        assert int.from_bytes(value, "big") == int(entry["value"], 16)
        assert len(value) == 32
    with pytest.raises(ProofInvalid, match="absence"):
        slot_value(root, head_slot(41), raw(PROOF["storageProof"][-1]["proof"]))


def test_another_account_or_slot_is_refused() -> None:
    state = raw([BLOCK["stateRoot"]])[0]
    with pytest.raises(ProofInvalid):
        storage_root(state, bytes(20), raw(PROOF["accountProof"]))
    root = raw([PROOF["storageHash"]])[0]
    with pytest.raises(ProofInvalid):
        slot_value(root, head_slot(2), raw(PROOF["storageProof"][0]["proof"]))


pairs = st.dictionaries(
    st.binary(min_size=1, max_size=4), st.binary(min_size=1, max_size=40), min_size=1, max_size=30
)


@given(pairs, st.data())
def test_every_key_is_proved_and_no_other(content: dict[bytes, bytes], data: st.DataObject) -> None:
    trie = Trie(content)
    key = data.draw(st.sampled_from(sorted(content)))
    proof = trie.proof(key)
    assert trie_value(trie.root, key, proof, "t") == content[key]
    for wrong in (proof[:-1], [*proof, proof[-1]], [*proof, b""], proof[::-1][:1] * 2):
        with pytest.raises(TanzhengError):
            trie_value(trie.root, key, wrong, "t")
    absent = data.draw(st.binary(min_size=5, max_size=6))
    with pytest.raises(ProofInvalid):
        trie_value(trie.root, absent, trie.proof(absent), "t")


@given(pairs, st.data())
def test_a_flipped_bit_in_a_proof_is_refused(
    content: dict[bytes, bytes], data: st.DataObject
) -> None:
    trie = Trie(content)
    key = data.draw(st.sampled_from(sorted(content)))
    proof = trie.proof(key)
    at = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 8 * len(proof[at]) - 1))
    node = bytearray(proof[at])
    node[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProofInvalid):
        trie_value(trie.root, key, [*proof[:at], bytes(node), *proof[at + 1 :]], "t")


NODE_ZOO: dict[str, Any] = {
    "three items": [b"", b"", b""],
    "a string": b"x" * 40,
    "no path": [b"", b"value"],
    "unknown flag": [b"\x40", b"value"],
    "digit in the padding": [b"\x01", b"value"],
    "path of lists": [[b"\x20"], b"value"],
    "value of lists": [b"\x20" + keccak256(b"key"), [b"value"]],
    "extension into nothing": [b"\x00" + keccak256(b"key")[:1], b""],
    "branch into nothing": [b""] * 17,
}


@pytest.mark.parametrize("flaw", NODE_ZOO)
def test_node_zoo(flaw: str) -> None:
    """Nodes no honest trie holds, each under a root that really hashes them."""
    node = peer.encode(NODE_ZOO[flaw])
    with pytest.raises(ProofInvalid):
        trie_value(keccak256(node), b"key", [node], "t")


def test_bounds_of_a_proof() -> None:
    for proof in ([bytes(2000)], [b"\xc0"] * 100):
        with pytest.raises(ProofInvalid, match="at most"):
            trie_value(bytes(32), b"key", proof, "t")


@pytest.mark.parametrize("account", [b"", [b"", b"", b""], [b"", b"", b"short", b""]])
def test_account_of_another_form(account: Any) -> None:
    trie = Trie({ADDRESS: peer.encode(account)})
    with pytest.raises(BadInput):
        storage_root(trie.root, ADDRESS, trie.proof(ADDRESS))
