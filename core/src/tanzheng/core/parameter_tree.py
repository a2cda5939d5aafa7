"""The salted tree of a month's reported figures (RFC 9162 shape, SHA-256).

A leaf is CBOR[salt16, name, value]. A reported figure has six digits or so: without its salt it
falls to a search in seconds. The tree is filled up to a multiple of 64 leaves with salted leaves
without name or value, so that neither the root nor a path tells how many figures there are.
To disclose one figure, give value, salt and path.
"""

import hashlib
import hmac
from collections.abc import Sequence

from tanzheng.core import cbor
from tanzheng.core.errors import EncodingError
from tanzheng.core.manifest import PARAMETERS_MAX, SALT_BYTES, Manifest
from tanzheng.core.merkle import Tree, root_from_inclusion
from tanzheng.core.merkle import leaf_hash as _leaf_hash

LEAVES_STEP = 64
SECRET_BYTES = 32


def padded_count(count: int) -> int:
    """Return the number of leaves of a tree of `count` figures: the next multiple of 64."""
    if not 1 <= count <= PARAMETERS_MAX:
        raise EncodingError(f"parameters: expected 1 to {PARAMETERS_MAX}, got {count}")
    return -(-count // LEAVES_STEP) * LEAVES_STEP


def salts(secret: bytes, count: int) -> list[bytes]:
    """Return `padded_count(count)` salts: HMAC-SHA256(secret, "salt/v1" ‖ u32 index)[:16].

    The first `count` are for the figures, the others for the padding. `secret`: 32 random bytes,
    one secret a package, kept outside it.
    """
    if len(secret) != SECRET_BYTES:
        raise EncodingError(f"package secret: expected {SECRET_BYTES} bytes, got {len(secret)}")
    return [
        hmac.digest(secret, b"salt/v1" + index.to_bytes(4, "big"), hashlib.sha256)[:SALT_BYTES]
        for index in range(padded_count(count))
    ]


def leaf(salt: bytes, name: str, value: str) -> bytes:
    """Return the leaf of a figure; padding has the name and value ""."""
    return cbor.dumps([salt, name, value])


def tree(manifest: Manifest) -> Tree:
    """Return the tree of a manifest's figures and padding; `EncodingError` where it is not full."""
    leaves = [leaf(p.salt, p.name, p.value) for p in manifest.parameters]
    leaves += [leaf(salt, "", "") for salt in manifest.padding]
    expected = padded_count(len(manifest.parameters))
    if len(leaves) != expected:
        raise EncodingError(
            f"parameters: expected {expected} leaves with padding, got {len(leaves)}"
        )
    result = Tree()
    result.extend(leaves)
    return result


def disclosed_root(
    salt: bytes, name: str, value: str, index: int, count: int, path: Sequence[bytes]
) -> bytes:
    """Return the root to which one disclosed figure leads in a tree of `count` leaves.

    `ProofInvalid` where the path does not fit; whoever calls compares the root with a statement's.
    """
    return root_from_inclusion(_leaf_hash(leaf(salt, name, value)), index, count, path)
