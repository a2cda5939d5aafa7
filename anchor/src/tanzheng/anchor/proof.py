"""Takes the proof that a block's state holds a checkpoint's head, and checks it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tanzheng.anchor.errors import ChainRefused
from tanzheng.core.errors import TanzhengError
from tanzheng.core.evm import decode_header, encode_header, head_slot, slot_value, storage_root
from tanzheng.core.qbft import Seals, is_qbft, seals_of
from tanzheng.core.receipt import EvmProof

if TYPE_CHECKING:
    from tanzheng.anchor.node import Node


def take_proof(
    node: Node, contract: bytes, seq: int, head: bytes, block: tuple[int, bytes]
) -> EvmProof:
    """Header and `eth_getProof` of head `seq` at `block` (number, hash).

    `ChainRefused` where what the node gives does not lead from that hash to `head`: a node that
    has pruned the state, or one whose header has fields that are not known here.
    """
    number, block_hash = block
    raw = node.block(number)
    answer = node.rpc(
        "eth_getProof", f"0x{contract.hex()}", [f"0x{head_slot(seq).hex()}"], hex(number)
    )
    try:
        encoded = encode_header(raw)
        proof = EvmProof(
            encoded,
            _nodes(answer["accountProof"]),
            _nodes(answer["storageProof"][0]["proof"]),
            _seals(encoded, raw),
        )
        header = decode_header(proof.header)
        root = storage_root(header.state_root, contract, proof.account)
        stored = slot_value(root, head_slot(seq), proof.slot)
    except (KeyError, IndexError, TypeError, ValueError, TanzhengError) as error:
        raise ChainRefused(f"proof of checkpoint {seq} at block {number}: {error}") from error
    if (header.hash, stored) != (block_hash, head):
        raise ChainRefused(
            f"proof of checkpoint {seq}: expected block 0x{block_hash.hex()} with {head.hex()}, "
            f"got 0x{header.hash.hex()} with {stored.hex()}"
        )
    return proof


def _seals(header: bytes, block: dict[str, Any]) -> Seals | None:
    if not is_qbft(bytes.fromhex(block["mixHash"][2:]), int(block["number"], 16)):
        return None
    return seals_of(header, bytes.fromhex(block["extraData"][2:]))


def _nodes(texts: Any) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text[2:]) for text in texts)
