"""What a verifier must know of an EVM chain: block headers and storage proofs, nothing else.

A header is trusted by its hash, or by its validators' seals (`qbft`); the contract's account is
proved under its state root, a checkpoint's slot under the account's storage root (`eth_getProof`,
EIP-1186; Merkle Patricia trie, yellow paper appendix D). A proof of *absence* is refused here: a
receipt only claims presence.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tanzheng.core import qbft, rlp
from tanzheng.core.errors import EncodingError
from tanzheng.core.hashing import keccak256
from tanzheng.core.merkle import ProofInvalid

HEADS_SLOT = 3
"""Storage position of the mapping seq → head in contracts/src/CheckpointLog.sol."""

HEADER_BYTES_MAX = 4096
PROOF_NODES_MAX = 64
NODE_BYTES_MAX = 1024  # a branch of 16 hashes takes 532

_FIELD_NAMES = """
parentHash sha3Uncles miner stateRoot transactionsRoot receiptsRoot logsBloom difficulty
number gasLimit gasUsed timestamp extraData mixHash nonce baseFeePerGas withdrawalsRoot
blobGasUsed excessBlobGas parentBeaconBlockRoot requestsHash
"""
HEADER_FIELDS = _FIELD_NAMES.split()
"""JSON-RPC names of a header's fields in the order of its RLP, up to the Prague fork."""

_FIELDS_MIN = 15  # before the London fork
_SCALARS = frozenset(
    {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed"}
    | {"excessBlobGas"}
)


@dataclass(frozen=True, slots=True)
class Header:
    """A block header: `hash` is the Keccak of its RLP, `time_s` the chain's clock in seconds.

    `sealable`: it is of a QBFT chain, whose validators seal each block.
    """

    hash: bytes
    number: int
    state_root: bytes
    time_s: int
    sealable: bool = False


def head_slot(seq: int) -> bytes:
    """Return the storage key of checkpoint `seq`: keccak256(u256 seq ‖ u256 HEADS_SLOT)."""
    return keccak256(seq.to_bytes(32, "big") + HEADS_SLOT.to_bytes(32, "big"))


def decode_header(data: bytes) -> Header:
    """Read a header's RLP; `EncodingError` where it is none."""
    if len(data) > HEADER_BYTES_MAX:
        raise EncodingError(f"header: expected at most {HEADER_BYTES_MAX} bytes, got {len(data)}")
    items = rlp.decode(data, "header")
    if isinstance(items, bytes) or len(items) < _FIELDS_MIN:
        raise EncodingError(f"header: expected a list of at least {_FIELDS_MIN} fields")
    state_root = items[HEADER_FIELDS.index("stateRoot")]
    if not isinstance(state_root, bytes) or len(state_root) != 32:
        raise EncodingError("header: expected a state root of 32 bytes")
    number = rlp.decode_integer(items[HEADER_FIELDS.index("number")], "header number")
    return Header(
        hash=keccak256(data),
        number=number,
        state_root=state_root,
        time_s=rlp.decode_integer(items[HEADER_FIELDS.index("timestamp")], "header timestamp"),
        sealable=qbft.is_qbft(items[HEADER_FIELDS.index("mixHash")], number),
    )


def encode_header(block: Mapping[str, object]) -> bytes:
    """Return the RLP of the header in a JSON-RPC block (`eth_getBlockByNumber`).

    Fields of forks the chain has not reached are absent, always from the end. Whoever calls
    compares the Keccak of the result with the hash it knows: that also catches fields of a fork
    not known here. `extraData` of a QBFT block is written as the hash covers it, without seals.
    """
    present = [name for name in HEADER_FIELDS if block.get(name) is not None]
    if present != HEADER_FIELDS[: len(present)] or len(present) < _FIELDS_MIN:
        raise EncodingError("block: expected the header fields of an Ethereum block")
    fields = {name: _header_field(name, block[name]) for name in present}
    if qbft.is_qbft(fields["mixHash"], int.from_bytes(fields["number"], "big")):
        fields["extraData"] = qbft.decode_extra(fields["extraData"]).hashed()
    return rlp.encode(list(fields.values()))


def _header_field(name: str, value: object) -> bytes:
    if not isinstance(value, str) or re.fullmatch("0x[0-9a-fA-F]*", value) is None:
        raise EncodingError(f"block.{name}: expected 0x and hexadecimal digits")
    if name in _SCALARS:
        return rlp.encode_integer(int(value[2:] or "0", 16))
    if len(value) % 2:
        raise EncodingError(f"block.{name}: expected whole bytes, got {len(value) - 2} digits")
    return bytes.fromhex(value[2:])


# ------------------------------------------------------------------ proofs


def storage_root(state_root: bytes, address: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the storage root of the account `address`; `ProofInvalid` where it is not proved."""
    value = trie_value(state_root, address, proof, "account proof")
    account = rlp.decode(value, "account")
    if isinstance(account, bytes) or len(account) != 4:
        raise EncodingError("account: expected [nonce, balance, storage root, code hash]")
    root = account[2]
    if not isinstance(root, bytes) or len(root) != 32:
        raise EncodingError("account: expected a storage root of 32 bytes")
    return root


def slot_value(root: bytes, slot: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the 32 bytes in storage at `slot`; `ProofInvalid` where none are proved."""
    value = rlp.decode(trie_value(root, slot, proof, "slot proof"), "slot")
    return rlp.decode_integer(value, "slot", bytes_max=32).to_bytes(32, "big")


def trie_value(root: bytes, key: bytes, proof: Sequence[bytes], what: str) -> bytes:
    """Return the value under Keccak(`key`) of the trie `root`.

    `proof`: the nodes from the root down, no more and no fewer than the way needs. `ProofInvalid`
    where a node does not hash to what its parent says, or the key is absent.
    """
    if len(proof) > PROOF_NODES_MAX or any(len(node) > NODE_BYTES_MAX for node in proof):
        raise ProofInvalid(f"{what}: expected at most {PROOF_NODES_MAX} nodes")
    digits, nodes = keccak256(key).hex(), iter(proof)
    target: rlp.Item = root
    while True:
        node = _resolve(target, nodes, what)
        if len(node) == 17 and digits:
            target, digits = node[int(digits[0], 16)], digits[1:]
            continue
        part, is_leaf = _hex_prefix(node, what)
        if not digits.startswith(part):
            raise ProofInvalid(f"{what}: expected the key in the trie, got a proof of absence")
        target, digits = node[1], digits[len(part) :]
        if is_leaf:
            break
    if digits or not isinstance(target, bytes) or next(nodes, None) is not None:
        raise ProofInvalid(f"{what}: expected the proof to end at the key's value")
    return target


def _resolve(target: rlp.Item, nodes: Iterator[bytes], what: str) -> Sequence[rlp.Item]:
    """Return the node a parent refers to: by its hash, or inside the parent where it is short."""
    if not isinstance(target, bytes):
        return target
    if not target:
        raise ProofInvalid(f"{what}: expected the key in the trie, got a proof of absence")
    data = next(nodes, None)
    if data is None or keccak256(data) != target:
        raise ProofInvalid(f"{what}: expected a node with hash {target.hex()[:16]}…")
    node = rlp.decode(data, what)
    if isinstance(node, bytes):
        raise ProofInvalid(f"{what}: expected a trie node, got a byte string")
    return node


def _hex_prefix(node: Sequence[rlp.Item], what: str) -> tuple[str, bool]:
    """Return the hex digits of a short node's path and whether it is a leaf."""
    path = node[0] if len(node) == 2 else None
    if not isinstance(path, bytes) or not path or path[0] >= 0x40:
        raise ProofInvalid(f"{what}: expected a branch, an extension or a leaf")
    digits = path.hex()
    if path[0] & 0x10:
        return digits[1:], path[0] >= 0x20
    if digits[1] != "0":
        raise ProofInvalid(f"{what}: expected a zero digit before an even path")
    return digits[2:], path[0] >= 0x20
