"""Building the log's tree, and proving from it, against hashlib alone.

The floor calls `hashlib.sha256` as often as a tree of so many leaves must, on inputs of the same
length, and keeps nothing. What is above 1 is the tree: concatenating, keeping, levels.
"""

import hashlib
import time
from collections.abc import Callable

from measure import Measured
from tanzheng.core.merkle import Tree, leaf_hash, verify_inclusion

LEAVES = 200_000
LEAF_BYTES = 1_000  # a signed statement
PROOFS = 20_000
ROUNDS = 5


def run() -> list[Measured]:
    """Rows: build and proof, each held against hashlib in the same rounds."""
    leaf = bytes(LEAF_BYTES)
    leaves = [leaf] * LEAVES
    tree = Tree()
    tree.extend(leaves)
    built, floor = _best(lambda: _build(leaves), lambda: _hash_alone(leaf))
    depth = len(tree.inclusion(0))
    proved, pathed = _best(lambda: _prove(tree, leaf), lambda: _hash_paths(depth))
    return [
        Measured(
            f"log build, {LEAVES:,} leaves",
            LEAVES / built,
            "leaves/s",
            "hashlib alone",
            LEAVES / floor,
        ),
        Measured(
            f"inclusion made and verified, {depth} nodes",
            PROOFS / proved,
            "proofs/s",
            "hashlib alone",
            PROOFS / pathed,
        ),
    ]


def _best(work: Callable[[], None], floor: Callable[[], None]) -> tuple[float, float]:
    """Seconds of CPU of each, taken in turns; the best of the rounds is the least disturbed."""
    rounds = [(_seconds(work), _seconds(floor)) for _ in range(ROUNDS)]
    return min(of_work for of_work, _ in rounds), min(of_floor for _, of_floor in rounds)


def _seconds(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _build(leaves: list[bytes]) -> None:
    tree = Tree()
    tree.extend(leaves)
    tree.root()


def _hash_alone(leaf: bytes) -> None:
    """As many digests as the tree has leaves and inner nodes."""
    sha256, prefixed, node = hashlib.sha256, b"\x00" + leaf, bytes(65)
    for _ in range(LEAVES):
        sha256(prefixed).digest()
    for _ in range(LEAVES - 1):
        sha256(node).digest()


def _prove(tree: Tree, leaf: bytes) -> None:
    root, digest = tree.root(), leaf_hash(leaf)
    for index in range(PROOFS):
        verify_inclusion(digest, index, LEAVES, tree.inclusion(index), root)


def _hash_paths(depth: int) -> None:
    """As many digests as checking the paths takes."""
    sha256, node = hashlib.sha256, bytes(65)
    for _ in range(PROOFS * depth):
        sha256(node).digest()
