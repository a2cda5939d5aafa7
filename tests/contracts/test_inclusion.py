"""Inclusion on the chain against `tanzheng.core.merkle`: the same proofs, the same answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchor.chain import Deployed, deployed
from contracts.emissions import LEAVES, checkpoint_of, own_anvil
from tanzheng.anchor.errors import ContractReverted
from tanzheng.core import checkpoint as checkpoints
from tanzheng.core.checkpoint import Checkpoint, SignedCheckpoint
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256
from tanzheng.core.merkle import ProofInvalid, Tree, leaf_hash, verify_inclusion

NAMED = ("CheckpointLog", "CheckpointBytes", "InclusionProof")


@dataclass(frozen=True)
class Anchored:
    """Checkpoint `seq` covers the first `seq` leaves."""

    chain: Deployed
    tree: Tree
    checkpoints: tuple[SignedCheckpoint, ...]

    def accepts(self, seq: int, raw: bytes, leaf: bytes, index: int, path: Sequence[bytes]) -> bool:
        try:
            self.chain.contract.verify_inclusion(seq, raw, leaf, index, path)
        except ContractReverted as error:
            # Anything else is a panic or a revert without a name.
            return not error.name.startswith(NAMED)
        return True


@pytest.fixture(scope="module")
def anchored() -> Iterator[Anchored]:
    with own_anvil() as anvil:
        chain, tree, made = deployed(anvil), Tree(), list[SignedCheckpoint]()
        for seq, leaf in enumerate(LEAVES, 1):
            tree.append(leaf)
            made.append(checkpoint_of(chain, tree, seq))
            chain.publish(seq, seq, made[-1].digest)
        yield Anchored(chain, tree, tuple(made))


def test_every_leaf_of_every_checkpoint(anchored: Anchored) -> None:
    for seq, point in enumerate(anchored.checkpoints, 1):
        for index in range(seq):
            path = anchored.tree.inclusion(index, seq)
            assert anchored.accepts(seq, point.raw, LEAVES[index], index, path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_both_sides_give_the_same_answer(anchored: Anchored, data: st.DataObject) -> None:
    """Index, leaf and path drawn apart: mostly wrong, and never for one side only."""
    seq = data.draw(st.integers(1, len(LEAVES)))
    claimed = data.draw(st.integers(0, seq - 1))
    path = anchored.tree.inclusion(claimed, data.draw(st.sampled_from([seq, claimed + 1])))
    index = data.draw(st.sampled_from([claimed, claimed, claimed ^ 1, 0, seq - 1, seq]))
    leaf = LEAVES[data.draw(st.sampled_from([claimed, claimed, 0]))]
    point = anchored.checkpoints[seq - 1]
    try:
        verify_inclusion(leaf_hash(leaf), index, seq, path, point.checkpoint.root_sha256)
        expected = True
    except ProofInvalid:
        expected = False
    assert anchored.accepts(seq, point.raw, leaf, index, path) == expected


def test_another_checkpoint_of_the_log_is_no_stand_in(anchored: Anchored) -> None:
    path = anchored.tree.inclusion(2, 9)
    assert not anchored.accepts(9, anchored.checkpoints[7].raw, LEAVES[2], 2, path)
    assert not anchored.accepts(8, anchored.checkpoints[8].raw, LEAVES[2], 2, path)


@settings(max_examples=80, deadline=None)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_changed_checkpoints_say_the_same_to_both(
    anchored: Anchored, place: int, value: int
) -> None:
    """One byte of a checkpoint changed, and published by the sealer all the same.

    What Python still reads, the chain accepts exactly where chain, contract, log, sequence, size
    and root are the right ones.
    """
    chain, seq = anchored.chain, len(LEAVES) + 1
    point = checkpoint_of(chain, anchored.tree, seq)
    changed = bytearray(point.raw)
    changed[place % len(changed)] = value
    with undone(chain):
        chain.publish(seq, seq, sha256(bytes(changed)))
        path = anchored.tree.inclusion(3)
        accepted = anchored.accepts(seq, bytes(changed), LEAVES[3], 3, path)
    try:
        read = checkpoints.open_signed(bytes(changed)).checkpoint
    except BadInput:
        return
    assert accepted == (bound(read) == bound(point.checkpoint))


def bound(point: Checkpoint) -> tuple[object, ...]:
    """The parts that an inclusion rests on."""
    return (
        point.chain_id,
        point.contract,
        point.log_id,
        point.seq,
        point.size,
        point.root_sha256,
    )


@contextmanager
def undone(chain: Deployed) -> Iterator[None]:
    """What happens inside has not happened on the chain afterwards."""
    number = chain.rpc("evm_snapshot")
    yield
    assert chain.rpc("evm_revert", number)
