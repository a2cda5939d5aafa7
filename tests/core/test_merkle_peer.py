"""Another's implementation of RFC 9162, `@transmute/rfc9162`: its proofs here, ours there."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parts import REPOSITORY, missing
from tanzheng.core.merkle import Tree, leaf_hash, verify_consistency, verify_inclusion

SCRIPT = Path(__file__).with_name("merkle_judge.cjs")
MODULES = REPOSITORY / "contracts/node_modules"
LEAVES = [bytes([n]) * (n % 5) + b"leaf %d" % n for n in range(40)]
SIZES = [*range(1, 20), 31, 32, 33, 40]


def tree_of(size: int) -> Tree:
    tree = Tree()
    tree.extend(LEAVES[:size])
    return tree


def ours(flip: int | None) -> dict[str, Any]:
    """Our proofs, sound or with one bit of every last node changed."""

    def told(path: list[bytes]) -> list[str]:
        if flip is not None and path:
            path = [*path[:-1], bytes([path[-1][0] ^ 1 << flip]) + path[-1][1:]]
        return [node.hex() for node in path]

    inclusion, consistency = list[dict[str, Any]](), list[dict[str, Any]]()
    for size in SIZES:
        tree = tree_of(size)
        root = tree.root().hex()
        for index in range(size):
            path = told(tree.inclusion(index))
            leaf = LEAVES[index].hex()
            inclusion.append(
                {"root": root, "leaf": leaf, "size": size, "index": index, "path": path}
            )
        for older in range(1, size):
            path, first = told(tree.consistency(older)), tree.root(older).hex()
            consistency.append(
                {"first": first, "second": root, "from": older, "size": size, "path": path}
            )
    return {"inclusion": inclusion, "consistency": consistency}


def judged(proofs: dict[str, Any]) -> dict[str, Any]:
    if not (MODULES / "@transmute/rfc9162").exists():
        missing("@transmute/rfc9162 below contracts/node_modules")
    node = runpy.run_path(str(REPOSITORY / "contracts/build.py"))["node_folder"]()
    told = {"leaves": [leaf.hex() for leaf in LEAVES], "sizes": SIZES, "ours": proofs}
    done = subprocess.run(
        [Path(node) / "node", SCRIPT],
        input=json.dumps(told).encode(),
        env={**os.environ, "NODE_PATH": str(MODULES)},
        capture_output=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def peer() -> dict[str, Any]:
    return judged(ours(None))


@pytest.mark.parametrize("size", SIZES)
def test_its_proofs_hold_here_and_are_the_same(peer: dict[str, Any], size: int) -> None:
    tree, its = tree_of(size), peer["trees"][str(size)]
    root = bytes.fromhex(its["root"])
    assert root == tree.root()
    for index in range(size):
        path = [bytes.fromhex(node) for node in its["inclusion"][index]]
        verify_inclusion(leaf_hash(LEAVES[index]), index, size, path, root)
        assert path == list(tree.inclusion(index))
    for older in range(1, size):
        path = [bytes.fromhex(node) for node in its["consistency"][str(older)]]
        verify_consistency(older, size, path, tree.root(older), root)
        assert path == list(tree.consistency(older))


def test_our_proofs_hold_there(peer: dict[str, Any]) -> None:
    said = peer["said"]
    assert len(said["inclusion"]) == sum(SIZES)
    assert len(said["consistency"]) == sum(size - 1 for size in SIZES)
    assert all(said["inclusion"])
    assert all(said["consistency"])


def test_a_changed_proof_holds_nowhere() -> None:
    changed = ours(3)
    said = judged(changed)["said"]
    for kind in ("inclusion", "consistency"):
        pairs = zip(changed[kind], said[kind], strict=True)
        assert not any(holds for proof, holds in pairs if proof["path"])
