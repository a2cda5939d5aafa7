"""Python and Solidity must say the same: slots, hashes, selectors, on a real chain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3

from anchor.chain import LOG_ID, Deployed, deployed
from parts import missing
from tanzheng.anchor.calls import artifact
from tanzheng.anchor.devchain import Anvil, anvil_binary
from tanzheng.anchor.errors import AnchorInput
from tanzheng.core import evm
from tanzheng.core.hashing import keccak256, sha256

CHECKPOINTS = [f"checkpoint {seq}".encode() for seq in range(1, 21)]


@pytest.fixture(scope="module")
def published() -> Iterator[Deployed]:
    """Twenty heads on one chain, which the tests only read."""
    try:
        anvil_binary()
    except AnchorInput as error:
        missing(str(error))
    with Anvil() as anvil:
        chain = deployed(anvil)
        for seq, checkpoint in enumerate(CHECKPOINTS, start=1):
            chain.publish(seq, 3 * seq, sha256(checkpoint))
        yield chain


def test_constructed_as_asked(published: Deployed) -> None:
    assert published.contract.log_id() == LOG_ID
    assert published.contract.sealer() == published.sealer.address


def test_heads_read_through_the_contract_and_from_the_slot(published: Deployed) -> None:
    for seq, checkpoint in enumerate(CHECKPOINTS, start=1):
        slot = int.from_bytes(evm.head_slot(seq), "big")
        stored = published.node.web3.eth.get_storage_at(published.contract.address, slot)
        assert bytes(stored) == sha256(checkpoint) == published.contract.head_at(seq)


def test_latest(published: Deployed) -> None:
    latest = published.contract.latest()
    assert (latest.seq, latest.size) == (20, 60)
    assert latest.head == sha256(CHECKPOINTS[-1])


def test_no_head_where_none_was_published(published: Deployed) -> None:
    assert published.contract.head_at(0) is None
    assert published.contract.head_at(21) is None


def test_proof_leads_from_the_block_hash_to_the_head(published: Deployed) -> None:
    block = published.node.block("latest")
    header = evm.encode_header(block)
    assert "0x" + keccak256(header).hex() == block["hash"]
    state_root = evm.decode_header(header).state_root
    address = bytes.fromhex(published.contract.address[2:])
    for seq, checkpoint in enumerate(CHECKPOINTS, start=1):
        slot = evm.head_slot(seq)
        proof = published.node.rpc(
            "eth_getProof", published.contract.address, ["0x" + slot.hex()], block["number"]
        )
        root = evm.storage_root(state_root, address, _nodes(proof["accountProof"]))
        path = _nodes(proof["storageProof"][0]["proof"])
        assert evm.slot_value(root, slot, path) == sha256(checkpoint)


@settings(max_examples=200, deadline=None)
@given(seq=st.integers(0, 2**48 - 1))
def test_slot_as_abi_encode_says(seq: int) -> None:
    base = artifact("CheckpointLog")["storage"]["_heads"]
    assert evm.head_slot(seq) == bytes(Web3.keccak(encode(["uint256", "uint256"], [seq, base])))


@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=600))
def test_hashes_as_the_evm_computes_them(published: Deployed, data: bytes) -> None:
    """The chain's own code: precompile 2 is SHA-256, opcode 0x20 Keccak."""
    call = {"to": f"0x{2:040x}", "data": "0x" + data.hex()}
    assert published.node.rpc("eth_call", call, "latest") == "0x" + sha256(data).hex()
    assert published.node.rpc("web3_sha3", "0x" + data.hex()) == "0x" + keccak256(data).hex()


def _nodes(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text[2:]) for text in texts]
