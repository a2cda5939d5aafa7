"""The vectors of the parts that a verifier is built of: digests, encodings, trees, EVM proofs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evidence import keccak256
from tanzheng.core import cbor, evm, rlp, strict_json
from tanzheng.core.errors import TanzhengError
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.merkle import Tree, verify_consistency, verify_inclusion

ANVIL = Path(__file__).parents[1] / "core/vectors/anvil-getproof.json"
LENGTHS = (0, 1, 3, 31, 32, 55, 56, 63, 64, 65, 119, 120, 127, 128, 135, 136, 137, 271, 272, 1000)
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33)


def told() -> dict[str, Any]:
    """All of them."""
    return {
        "vectors": "parts", "version": 1, "digests": _digests(), "cbor": _cbor(), "rlp": _rlp(),
        "json": _json(), "inclusion": _inclusion(), "consistency": _consistency(), "evm": _evm(),
    }  # fmt: skip


def _holds(check: Callable[..., object], *given: Any) -> bool:
    try:
        check(*given)
    except (TanzhengError, ValueError):
        return False
    return True


def _digests() -> list[dict[str, str]]:
    found = []
    for length in LENGTHS:
        data = bytes(i * 7 % 256 for i in range(length))
        digests = {"sha256": sha256(data), "sm3": sm3(data), "keccak256": keccak256(data)}
        found.append({"data": data.hex(), **{name: d.hex() for name, d in digests.items()}})
    return found


CBOR = {
    "zero": "00", "23": "17", "24": "1818", "minus one": "20", "2^53-1": "1b001fffffffffffff",
    "no bytes": "40", "a text": "63e7a2b3", "a map": "a201616101", "two keys": "a2616101626161f6",
    "tag 18": "d280", "nested": "818181f5", "24 in two bytes": "190018", "0 in a byte": "1800",
    "key twice": "a2616101616102", "order": "a2616201616101",
    "longer key first": "a262616101616101", "trailing": "0000", "empty": "",
    "cut string": "4201", "cut list": "8201",
    "indefinite list": "9f01ff", "indefinite bytes": "5f4101ff", "length in two bytes": "580100",
    "bad UTF-8": "61ff", "surrogate": "63eda080", "break alone": "ff", "reserved": "1c",
    "simple in two bytes": "f814", "bad nesting": "9a000f4240", "list beyond": "9bffffffffffffffff",
}  # fmt: skip


def _cbor() -> list[dict[str, Any]]:
    rows = ((name, bytes.fromhex(data)) for name, data in CBOR.items())
    return [
        {"name": name, "data": data.hex(), "holds": _holds(cbor.loads, data)} for name, data in rows
    ]


RLP = {
    "a byte": "7f", "nothing": "80", "a string": "83646f67", "a list": "c88363617483646f67",
    "56 bytes": "b838" + "01" * 56, "empty list": "c0", "empty": "", "trailing byte": "8000",
    "long form of a short string": "b80100", "two bytes for one": "817f",
    "leading zero in a length": "b90038" + "00" * 56, "string beyond the end": "83aabb",
    "list beyond the end": "c3aa", "item beyond its list": "c283aabbcc", "length missing": "b8",
    "length of lengths beyond the end": "bf", "nested too deep": "c9c8c7c6c5c4c3c2c1c0",
    "eight deep": "c8c7c6c5c4c3c2c1c0",
}  # fmt: skip


def _rlp() -> list[dict[str, Any]]:
    rows = ((name, bytes.fromhex(data)) for name, data in RLP.items())
    return [
        {"name": name, "data": data.hex(), "holds": _holds(rlp.decode, data)} for name, data in rows
    ]


JSON = [
    b"{}", b" [1, -2, true, null] ", b'{"a": "\\u00e9\\n"}', b"-0", b"01", b"1.0", b"1e3", b"NaN",
    b"Infinity", b'{"a":1,"a":2}', b"[1,]", b"{'a':1}", b'"\x01"', b'"\\x"', b"tru", b"", b"1 2",
    b'\xef\xbb\xbf{}', b'"\xff"', b"[" * 64 + b"]" * 64, b"[" * 65 + b"]" * 65, b"/**/1", b"+1",
    b'{"a" 1}', b'{"a":1', b"123456789012345678901234567890",
]  # fmt: skip


def _json() -> list[dict[str, Any]]:
    return [{"data": data.hex(), "holds": _holds(strict_json.loads, data)} for data in JSON]


def _leaves(count: int) -> Tree:
    tree = Tree()
    tree.extend(n.to_bytes(2, "big") for n in range(count))
    return tree


def _inclusion() -> list[dict[str, Any]]:
    """Each proof at its own place, and at the places beside it."""
    found = []
    for size in SIZES:
        tree = _leaves(size)
        for index in {0, size // 2, size - 1}:
            path, leaf = tree.inclusion(index), index.to_bytes(2, "big")
            digest = sha256(b"\x00" + leaf)
            for at, of in {(index, size), (index + 1, size), (index, size + 1), (index ^ 1, size)}:
                holds = _holds(verify_inclusion, digest, at, of, path, tree.root())
                found.append(
                    {"leaf": leaf.hex(), "index": at, "size": of, "root": tree.root().hex(),
                     "path": [node.hex() for node in path], "holds": holds}
                )  # fmt: skip
    return sorted(found, key=lambda row: (row["root"], row["leaf"], row["size"], row["index"]))


def _consistency() -> list[dict[str, Any]]:
    found = []
    for second in SIZES:
        for first in sorted({1, second // 2 or 1, max(second - 1, 1), second}):
            path = _leaves(second).consistency(first)
            roots = _leaves(first).root(), _leaves(second).root()
            for claimed in (first, first + 1):
                holds = _holds(verify_consistency, claimed, second, path, *roots)
                found.append(
                    {"first": claimed, "second": second, "first_root": roots[0].hex(),
                     "second_root": roots[1].hex(), "path": [node.hex() for node in path],
                     "holds": holds}
                )  # fmt: skip
    return found


def _evm() -> dict[str, Any]:
    """A real node's answers: header, account and slots, as `eth_getProof` gave them."""
    told = json.loads(ANVIL.read_text())
    proof, header = told["proof"], evm.encode_header(told["block"])
    assert evm.decode_header(header).hash.hex() == told["block"]["hash"][2:]
    slots = []
    for storage in proof["storageProof"]:
        nodes = [bytes.fromhex(node[2:]) for node in storage["proof"]]
        slots.append(_slot(proof, storage, nodes))
    return {
        "origin": told["origin"],
        "header": header.hex(),
        "hash": told["block"]["hash"][2:],
        "state_root": told["block"]["stateRoot"][2:],
        "address": proof["address"][2:],
        "account": [node[2:] for node in proof["accountProof"]],
        "storage_root": proof["storageHash"][2:],
        "slots": slots,
    }


def _slot(proof: Any, storage: Any, nodes: list[bytes]) -> dict[str, Any]:
    key = bytes.fromhex(storage["key"][2:].zfill(64))
    root = bytes.fromhex(proof["storageHash"][2:])
    try:
        value: str | None = evm.slot_value(root, key, nodes).hex()
    except TanzhengError:
        value = None
    return {"key": key.hex(), "proof": [node.hex() for node in nodes], "value": value}
