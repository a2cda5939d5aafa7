"""The log on disk (its files: `tanzheng.core.log_files`), written by one process at a time.

Nothing that counts is ever overwritten or deleted. Whoever opens the log re-hashes every statement,
builds both trees twice (from the statements' bytes, and from the tiles) and holds them against
every checkpoint; what is appended is read back before it is signed: a log once died of one flipped
bit in an entry that it served under a valid proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tanzheng.anchor import log_migration
from tanzheng.anchor.errors import AnchorInput, LogBusy
from tanzheng.anchor.tile_files import TileFiles
from tanzheng.core.checkpoint import NO_CHECKPOINT, SignedCheckpoint
from tanzheng.core.hashing import sha256, sm3
from tanzheng.core.log_files import (
    NEWEST,
    LogFiles,
    checkpoint_path,
    cosignatures_path,
    opened,
)
from tanzheng.core.log_heads import LogHeads, heads_path
from tanzheng.core.merkle import Frontier, leaf_hash
from tanzheng.core.tiles import LogDamaged, TileTree
from tanzheng.core.witness import encode_all, open_cosignature
from tanzheng.files import durable
from tanzheng.files.lock import alone

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tanzheng.core.keys import VerifyKey
    from tanzheng.core.statement import SignedStatement


@dataclass(slots=True)
class Contents:
    """The log as read from disk and audited. `take_in` goes on where it ended."""

    files: LogFiles
    checkpoints: list[SignedCheckpoint]
    heads: LogHeads
    tree: TileTree
    tree_sm3: TileTree
    _bodies: Frontier = field(default_factory=Frontier)
    _bodies_sm3: Frontier = field(default_factory=lambda: Frontier(sm3))

    @property
    def size(self) -> int:
        """Number of statements."""
        return self._bodies.size

    @property
    def last(self) -> SignedCheckpoint | None:
        """The newest checkpoint, None before the first."""
        return self.checkpoints[-1] if self.checkpoints else None

    def heads_at(self, signed: SignedCheckpoint) -> LogHeads:
        """The heads as of that checkpoint; `LogDamaged` where they are not the signed ones."""
        if signed.checkpoint.size == self.heads.size:
            return self.heads
        heads = self.files.kept_heads(signed)
        if heads is None:  # only those of the newest checkpoint are kept
            heads = LogHeads()
            for index, raw in self.files.entries(0, signed.checkpoint.size):
                heads.add(opened(index, raw))
        if heads.tree.root != signed.checkpoint.heads_root:
            raise LogDamaged(f"checkpoint {signed.checkpoint.seq}: expected its heads, got others")
        return heads

    def roots(self) -> tuple[bytes, bytes]:
        """SHA-256 and SM3 root, each built twice; `LogDamaged` where the two differ."""
        roots = self._bodies.root(), self._bodies_sm3.root()
        if roots != (self.tree.root(), self.tree_sm3.root()):
            raise LogDamaged(f"{self.size} statements: expected one root twice, got two")
        return roots

    def take_in(self, size: int, appended: Sequence[SignedStatement] = ()) -> None:
        """Read statements up to `size` back from disk; `LogDamaged` names what does not fit.

        `appended`: those that were just written, so that their bytes need not be taken apart again.
        """
        for _ in self.taking_in(size, appended):
            pass

    def taking_in(
        self, size: int, appended: Sequence[SignedStatement] = ()
    ) -> Iterator[tuple[int, bytes]]:
        """`take_in` that gives index and bytes of each statement; whoever begins it must end it.

        Only then are the roots checked.
        """
        start = self.size
        self.tree.grow(size)
        self.tree_sm3.grow(size)
        pairs = ((self.tree, self._bodies, sha256), (self.tree_sm3, self._bodies_sm3, sm3))
        points = {signed.checkpoint.size: signed for signed in self.checkpoints}
        for index, raw in self.files.entries(self.size, size):
            for tree, bodies, hash_function in pairs:
                digest = leaf_hash(raw, hash_function)
                if digest != tree.leaf(index):
                    raise LogDamaged(f"leaf {index}: expected the bytes of its hash, got others")
                bodies.append(digest)
            if index >= self.heads.size:  # of the others the heads file tells what is needed
                self.heads.add(appended[index - start] if appended else opened(index, raw))
            if index + 1 in points:
                self._check_roots(points[index + 1])
            yield index, raw
        self.roots()

    def _check_roots(self, signed: SignedCheckpoint) -> None:
        point = signed.checkpoint
        if (self._bodies.root(), self._bodies_sm3.root()) != (point.root_sha256, point.root_sm3):
            raise LogDamaged(f"checkpoint {point.seq}: expected its roots on disk, got others")
        if signed is not self.last or self.heads.size != point.size:
            return  # the heads of every checkpoint take time: `tanzheng log audit` gives it
        if self.heads.tree.root != point.heads_root:
            raise LogDamaged(f"checkpoint {point.seq}: expected its heads, got others")


class LogStore:
    """The log in one folder. Whoever writes holds the `lock`.

    `report` hears what an unfinished append of an earlier process made necessary.
    """

    def __init__(self, folder: Path, report: Callable[[str], None] = lambda _: None) -> None:
        self._folder = folder
        self._report = report
        self._tiles = TileFiles(folder)
        durable.make_folder(folder / "checkpoints")
        if log_migration.is_old(folder):
            with self.lock():
                report(f"{folder}: {log_migration.migrate(folder)} statements brought into tiles")

    def lock(self, wait_s: float = 0) -> AbstractContextManager[None]:
        """Keep other processes off this log; `LogBusy` if one is still at work after `wait_s`."""
        return alone(self._folder / "lock", LogBusy, wait_s)

    def open(self) -> Contents:
        """Put right what a kill may have left, then `read`. For the holder of the lock."""
        signed = self.checkpoints()
        self._tiles.recover(signed[-1].checkpoint.size if signed else 0, self._report)
        for path in durable.remove_unfinished(self._folder):
            self._report(f"{path}: removed, its writing was not finished")
        read = durable.reader(self._folder)
        if signed and read(NEWEST) != signed[-1].raw:  # killed between the two
            durable.overwrite(self._folder / NEWEST, signed[-1].raw)
        return self.read()

    def read(self) -> Contents:
        """Everything, read from disk and audited; `LogDamaged` names what does not fit."""
        contents, size = self.begin()
        contents.take_in(size)
        return contents

    def begin(self) -> tuple[Contents, int]:
        """Contents that take in nothing yet but the checkpoints, and how many statements to."""
        signed, size = self.checkpoints(), self._tiles.readable()
        if signed and signed[-1].checkpoint.size > size:
            expected = signed[-1].checkpoint.size
            raise LogDamaged(f"{self._folder}: expected {expected} statements, got {size}")
        files = LogFiles(durable.reader(self._folder))
        contents = Contents(
            files,
            signed,
            self._heads(files, signed),
            files.tree("sha256", size),
            files.tree("sm3", size),
        )
        return contents, size

    def append(self, contents: Contents, leaves: Sequence[SignedStatement]) -> None:
        """Add statements durably, and take in what the disk then gives back.

        `AnchorInput` where one does not follow its subject's last: nothing was written then.
        """
        if (wrong := contents.heads.objection(leaves)) is not None:
            raise AnchorInput(wrong)
        raw, first = [leaf.raw for leaf in leaves], contents.size
        self._tiles.append(raw, first)
        size = first + len(raw)
        if [found for _, found in contents.files.entries(first, size)] != raw:
            raise LogDamaged(f"leaf {first} …: expected the bytes that were written, got others")
        contents.take_in(size, leaves)

    def add_checkpoint(self, contents: Contents, signed: SignedCheckpoint) -> None:
        """Write the signed checkpoint over `contents` durably, and the heads as of it.

        Equal bytes are fine, others under the same number are `DifferentBytes`.
        """
        seq = signed.checkpoint.seq
        durable.create_idempotent(self._folder / checkpoint_path(seq), signed.raw)
        durable.overwrite(self._folder / NEWEST, signed.raw)
        contents.checkpoints.append(signed)
        durable.make_folder((self._folder / heads_path(seq)).parent)
        durable.overwrite(self._folder / heads_path(seq), contents.heads.encode())
        for other in sorted((self._folder / "heads").glob("[0-9]*.cbor")):
            if other.name < Path(heads_path(seq)).name:
                durable.remove(other)

    def add_cosignature(self, raw: bytes, witness: VerifyKey) -> SignedCheckpoint:
        """Keep what `witness` signed over one of the checkpoints, which is returned.

        `LogDamaged` where there is no such checkpoint, `SignatureInvalid` where it is of another
        key or another log. A second one of the same witness takes the place of the first.
        """
        cosignature, files = open_cosignature(raw), LogFiles(durable.reader(self._folder))
        signed = files.checkpoint(cosignature.seq)
        cosignature.verify(signed, witness)
        others = [each for each in files.cosignatures(cosignature.seq) if each.kid != witness.kid]
        path = self._folder / cosignatures_path(cosignature.seq)
        durable.make_folder(path.parent)
        durable.overwrite(path, encode_all([*others, cosignature]))
        return signed

    def size(self) -> int:
        """How many statements count; nothing is audited."""
        return self._tiles.size()

    def checkpoints(self) -> list[SignedCheckpoint]:
        """All checkpoints, each the next of the one before, and the newest the last of them."""
        files, found = LogFiles(durable.reader(self._folder)), list[SignedCheckpoint]()
        previous, size = NO_CHECKPOINT, 0
        for seq in range(1, len(self._numbered_checkpoints()) + 1):
            signed = files.checkpoint(seq)
            point = signed.checkpoint
            if point.previous != previous or point.size <= size:
                raise LogDamaged(f"checkpoint {seq}: expected it to follow the one before")
            found.append(signed)
            previous, size = signed.digest, point.size
        newest = files.newest()
        if newest is not None and newest.digest not in {signed.digest for signed in found}:
            raise LogDamaged(
                f"{NEWEST}: expected one of {len(found)} checkpoints, got another of "
                f"seq {newest.checkpoint.seq}"
            )
        return found

    def _numbered_checkpoints(self) -> list[Path]:
        folder = self._folder / "checkpoints"
        paths = sorted(folder.glob("[0-9]*.cose"))
        for expected, path in enumerate(paths, start=1):
            if path.name != Path(checkpoint_path(expected)).name:
                raise LogDamaged(f"{folder}: expected number {expected}, got {path.name}")
        return paths

    def _heads(self, files: LogFiles, signed: list[SignedCheckpoint]) -> LogHeads:
        """The heads as of the newest checkpoint that has a right file of them, else none yet."""
        for checkpoint in signed[:-3:-1]:  # a kill leaves the file of the one before
            kept = files.kept_heads(checkpoint)
            if kept is not None:
                return kept
        return LogHeads()
