"""The log's tree against the RFC's recursive definition and an independent implementation."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.hashing import HashFunction, sha256, sm3
from tanzheng.core.merkle import (
    ProofInvalid,
    Tree,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parent / "vectors/transparency-dev-merkle.json").read_text())
LEAVES = [i.to_bytes(2, "big") for i in range(70)]


def defined_root(leaves: Sequence[bytes], hash_function: HashFunction) -> bytes:
    """MTH as RFC 9162 §2.1.1 writes it."""
    if not leaves:
        return hash_function(b"")
    if len(leaves) == 1:
        return leaf_hash(leaves[0], hash_function)
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    left, right = defined_root(leaves[:k], hash_function), defined_root(leaves[k:], hash_function)
    return node_hash(left, right, hash_function)


def tree_of(count: int, hash_function: HashFunction = sha256) -> Tree:
    tree = Tree(hash_function)
    tree.extend(LEAVES[:count])
    return tree


@pytest.mark.parametrize("hash_function", [sha256, sm3])
@given(st.integers(0, 70), st.data())
def test_every_size_has_the_defined_root(hash_function: HashFunction, n: int, data: Any) -> None:
    tree = Tree(hash_function)
    at = 0
    while at < n:
        step = data.draw(st.integers(1, n - at))
        tree.extend(LEAVES[at : at + step])
        at += step
    size = data.draw(st.integers(0, n))
    assert tree.root(size) == defined_root(LEAVES[:size], hash_function)


@given(st.integers(1, 70), st.data())
def test_inclusion_holds_at_its_own_index_and_size_only(n: int, data: Any) -> None:
    tree = tree_of(70)
    index = data.draw(st.integers(0, n - 1))
    proof, digest, root = tree.inclusion(index, n), leaf_hash(LEAVES[index]), tree.root(n)
    verify_inclusion(digest, index, n, proof, root)
    other_index, other_size = data.draw(st.integers(0, 80)), data.draw(st.integers(0, 80))
    if (other_index, other_size) != (index, n):
        try:
            # A path may fit several sizes: the size is bound by the checkpoint, not by the path.
            # What must never hold is another index at the same size, or this size's other root.
            verify_inclusion(digest, other_index, other_size, proof, root)
            assert other_index == index
        except ProofInvalid:
            pass
    for wrong in (proof[:-1], [*proof, bytes(32)], [bytes(32), *proof]):
        if wrong != proof:
            with pytest.raises(ProofInvalid):
                verify_inclusion(digest, index, n, wrong, root)


@given(st.integers(1, 70), st.data())
def test_consistency_holds_between_its_own_sizes_only(n: int, data: Any) -> None:
    tree = tree_of(70)
    m = data.draw(st.integers(1, n))
    proof = tree.consistency(m, n)
    verify_consistency(m, n, proof, tree.root(m), tree.root(n))
    with pytest.raises(ProofInvalid):
        verify_consistency(m, n, [*proof, bytes(32)], tree.root(m), tree.root(n))
    if m < n:
        with pytest.raises(ProofInvalid):
            verify_consistency(m, n, proof, tree.root(n), tree.root(m))


def test_a_rewritten_past_has_no_consistency_proof() -> None:
    honest, forged = tree_of(70), Tree()
    forged.extend([*LEAVES[:3], b"forged", *LEAVES[4:]])
    for m in range(4, 70):
        with pytest.raises(ProofInvalid):
            verify_consistency(m, 70, forged.consistency(m), honest.root(m), forged.root())


def test_the_answers_for_old_sizes_never_change() -> None:
    tree, roots = Tree(), [sha256(b"")]
    for leaf in LEAVES:
        tree.append(leaf)
        roots.append(tree.root())
    assert roots == [tree.root(size) for size in range(71)]


def test_sizes_out_of_range_are_refused() -> None:
    tree = tree_of(5)
    for call in (lambda: tree.root(6), lambda: tree.inclusion(5), lambda: tree.consistency(0)):
        with pytest.raises(ValueError, match="expected"):
            call()


def raw(values: Sequence[str] | None) -> list[bytes]:
    return [base64.b64decode(value) for value in values or []]


@pytest.mark.parametrize("name", VECTORS["inclusion"])
def test_inclusion_vector(name: str) -> None:
    case = VECTORS["inclusion"][name]
    digest, root = raw([case["leafHash"], case["root"]])
    arguments = (digest, case["leafIdx"], case["treeSize"], raw(case["proof"]))
    if case["wantErr"]:
        with pytest.raises(ProofInvalid):
            verify_inclusion(*arguments, root)
    else:
        assert root_from_inclusion(*arguments) == root


@pytest.mark.parametrize("name", VECTORS["consistency"])
def test_consistency_vector(name: str) -> None:
    case = VECTORS["consistency"][name]
    roots = raw([case["root1"], case["root2"]])
    arguments = (case["size1"], case["size2"], raw(case["proof"]), roots[0], roots[1])
    if case["wantErr"]:
        with pytest.raises(ProofInvalid):
            verify_consistency(*arguments)
    else:
        verify_consistency(*arguments)
