"""A tree of a million leaves, and all of its inclusion proofs, against hashlib alone."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

from limits import Row
from tanzheng.core.merkle import Tree, leaf_hash, verify_inclusion

LEAVES = 1_000_000
HASHES = 2_000_000
NODE = bytes(65)
P = ParamSpec("P")


def leaves() -> list[bytes]:
    """The leaves that the peer builds too."""
    return [index.to_bytes(32, "big") for index in range(LEAVES)]


@dataclass(frozen=True, slots=True)
class Ours:
    """CPU seconds of bare hashing, of building, of all proofs; the root."""

    floor_s: float
    build_s: float
    proofs_s: float
    root: bytes

    def rows(self) -> list[Row]:
        """The two ratios."""
        against = f"2e6 bare hashlib calls, {self.floor_s:.2f} s"
        return [
            Row("build of 1e6 leaves", self.build_s / self.floor_s, "×", against, 1.5),
            Row("all 1e6 inclusion proofs", self.proofs_s / self.floor_s, "×", against, 3.0),
        ]


def measure(rounds: int) -> Ours:
    """Floor, build and proofs in turns; the best of each is the least disturbed."""
    given = leaves()
    floors, builds, proofs = list[float](), list[float](), list[float]()
    tree = Tree()
    for _ in range(rounds):
        floors.append(_seconds(_bare))
        tree = Tree()
        builds.append(_seconds(_build, tree, given))
        proofs.append(_seconds(_prove, tree))
    _spot_check(tree, given)
    return Ours(min(floors), min(builds), min(proofs), tree.root())


def _bare() -> None:
    sha256, node = hashlib.sha256, NODE
    for _ in range(HASHES):
        sha256(node).digest()


def _build(tree: Tree, given: list[bytes]) -> None:
    tree.extend(given)
    tree.root()


def _prove(tree: Tree) -> None:
    for _ in tree.inclusions():
        pass


def _spot_check(tree: Tree, given: list[bytes]) -> None:
    """The proofs that were timed lead to the root, one in a thousand tried."""
    for index, path in enumerate(tree.inclusions()):
        if index % 1000 == 0:
            verify_inclusion(leaf_hash(given[index]), index, LEAVES, path, tree.root())


def _seconds(work: Callable[P, None], *arguments: P.args, **named: P.kwargs) -> float:
    start = time.process_time()
    work(*arguments, **named)
    return time.process_time() - start
