"""The log on disk: an append-only row of leaves and of the checkpoints signed over them.

    leaves/000000000.cose         signed statements, numbered from 0 without a hole
    checkpoints/000001.cose       signed checkpoints, numbered from 1 without a hole

Nothing here is ever overwritten or deleted. Before a checkpoint is signed, everything is read back
from disk and the tree is built twice, by two different algorithms, and held against every earlier
checkpoint: a log once died of one flipped bit in an entry that it served under a valid proof.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tanzheng.anchor import file_ops
from tanzheng.anchor.errors import LogBusy, LogDamaged
from tanzheng.core import checkpoint as checkpoints
from tanzheng.core import merkle
from tanzheng.core import statement as statements
from tanzheng.core.checkpoint import NO_CHECKPOINT, SignedCheckpoint
from tanzheng.core.errors import EncodingError
from tanzheng.core.hashing import HashFunction, sha256, sm3
from tanzheng.core.heads import Head, HeadsTree

if TYPE_CHECKING:
    from tanzheng.core.statement import SignedStatement


@dataclass(frozen=True, slots=True)
class Contents:
    """The log as read from disk in one go, with its trees."""

    leaves: tuple[SignedStatement, ...]
    checkpoints: tuple[SignedCheckpoint, ...]
    tree: merkle.Tree
    tree_sm3: merkle.Tree

    def heads(self, size: int) -> HeadsTree:
        """The heads tree over the first `size` leaves: the last statement of each subject."""
        latest = {}
        for leaf in self.leaves[:size]:
            stated = leaf.statement
            latest[stated.subject] = Head(stated.subject, stated.seq, leaf.digest)
        return HeadsTree(latest.values())

    @property
    def last(self) -> SignedCheckpoint | None:
        """The newest checkpoint, None before the first."""
        return self.checkpoints[-1] if self.checkpoints else None


class LogStore:
    """The log in one folder. One process writes at a time (`lock`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._leaves = folder / "leaves"
        self._checkpoints = folder / "checkpoints"
        for part in (self._leaves, self._checkpoints):
            file_ops.make_folder(part)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes off this log; `LogBusy` if one is at work."""
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, file_ops.PUBLIC_MODE)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LogBusy(f"expected to be alone in {self._folder}, got another seal") from None
            yield
        finally:
            os.close(descriptor)

    def append(self, leaf: SignedStatement) -> int:
        """Add a leaf durably and return its index."""
        index = len(_numbered(self._leaves, start=0))
        file_ops.create_exclusive(self._leaves / f"{index:09d}.cose", leaf.raw)
        return index

    def add_checkpoint(self, checkpoint: SignedCheckpoint) -> None:
        """Write a signed checkpoint durably; equal bytes are fine, others `DifferentBytes`."""
        name = f"{checkpoint.checkpoint.seq:06d}.cose"
        file_ops.create_idempotent(self._checkpoints / name, checkpoint.raw)

    def read(self) -> Contents:
        """Everything, read from disk and audited; `LogDamaged` names what does not fit."""
        leaves = tuple(self._opened_leaves())
        signed = tuple(self._opened_checkpoints())
        raw = [leaf.raw for leaf in leaves]
        contents = Contents(leaves, signed, _tree(raw, sha256), _tree(raw, sm3))
        again = [path.read_bytes() for path in _numbered(self._leaves, start=0)]
        for tree, hash_function in ((contents.tree, sha256), (contents.tree_sm3, sm3)):
            if tree.root() != root_by_definition(again, hash_function):
                raise LogDamaged(f"{self._leaves}: expected one root twice, got two")
        _check_chains(leaves)
        _check_checkpoints(contents)
        return contents

    def _opened_leaves(self) -> Iterator[SignedStatement]:
        for path in _numbered(self._leaves, start=0):
            try:
                yield statements.open_signed(path.read_bytes())
            except EncodingError as error:
                raise LogDamaged(f"{path}: {error}") from error

    def _opened_checkpoints(self) -> Iterator[SignedCheckpoint]:
        for seq, path in enumerate(_numbered(self._checkpoints, start=1), start=1):
            try:
                signed = checkpoints.open_signed(path.read_bytes())
            except EncodingError as error:
                raise LogDamaged(f"{path}: {error}") from error
            if signed.checkpoint.seq != seq:
                found = signed.checkpoint.seq
                raise LogDamaged(f"{path}: expected checkpoint {seq}, got {found}")
            yield signed


def root_by_definition(leaves: Sequence[bytes], hash_function: HashFunction) -> bytes:
    """MTH as RFC 9162 §2.1.1 defines it, by recursion: the second opinion on `merkle.Tree`."""
    if not leaves:
        return hash_function(b"")
    if len(leaves) == 1:
        return merkle.leaf_hash(leaves[0], hash_function)
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    left, right = leaves[:split], leaves[split:]
    return merkle.node_hash(
        root_by_definition(left, hash_function),
        root_by_definition(right, hash_function),
        hash_function,
    )


def _tree(leaves: Sequence[bytes], hash_function: HashFunction) -> merkle.Tree:
    tree = merkle.Tree(hash_function)
    tree.extend(leaves)
    return tree


def _numbered(folder: Path, start: int) -> list[Path]:
    """The files of `folder` by number; `LogDamaged` if one is missing between them."""
    paths = sorted(folder.glob("[0-9]*.cose"))
    for expected, path in enumerate(paths, start=start):
        if int(path.stem) != expected:
            raise LogDamaged(f"{folder}: expected number {expected}, got {path.name}")
    return paths


def _check_chains(leaves: Sequence[SignedStatement]) -> None:
    """Each subject's statements must be a chain of their own, in the order of the log."""
    last: dict[str, SignedStatement] = {}
    for index, leaf in enumerate(leaves):
        subject, stated = str(leaf.statement.subject), leaf.statement
        before = last.get(subject)
        expected = (before.statement.seq + 1, before.digest) if before else (1, None)
        if (stated.seq, stated.prev) != expected:
            raise LogDamaged(f"leaf {index}: expected statement {expected[0]} of {subject}")
        last[subject] = leaf


def _check_checkpoints(contents: Contents) -> None:
    """Each checkpoint must follow the one before, and have the roots of its leaves."""
    previous, size = NO_CHECKPOINT, 0
    for signed in contents.checkpoints:
        point = signed.checkpoint
        where = f"checkpoint {point.seq}"
        if point.previous != previous or point.size <= size:
            raise LogDamaged(f"{where}: expected it to follow the one before, got another")
        if point.size > contents.tree.size:
            raise LogDamaged(f"{where}: expected {point.size} leaves, got {contents.tree.size}")
        roots = (contents.tree.root(point.size), contents.tree_sm3.root(point.size))
        if roots != (point.root_sha256, point.root_sm3):
            raise LogDamaged(f"{where}: expected its roots over the leaves on disk, got others")
        previous, size = signed.digest, point.size
    # The heads follow from the leaves; to build them for every checkpoint would be quadratic.
    last = contents.last
    if last and contents.heads(last.checkpoint.size).root != last.checkpoint.heads_root:
        raise LogDamaged(f"checkpoint {last.checkpoint.seq}: expected its heads, got others")
