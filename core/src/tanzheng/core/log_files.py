"""Reads a log from its plain files, wherever they are: a folder, a web server, an archive.

    checkpoint                      the newest signed checkpoint
    checkpoints/000001.cose         every signed checkpoint, from 1 without a hole
    cosignatures/000001.cbor        what witnesses signed over it (`witness`)
    heads/000001.cbor               heads as of the newest checkpoint (`log_heads`)
    tile/…                          statements and hashes (`tiles`)

What is read is checked for its form and place. What it proves is for roots and signatures to say.
"""

from collections.abc import Iterator

from tanzheng.core import cbor, checkpoint, statement, witness
from tanzheng.core.checkpoint import SignedCheckpoint
from tanzheng.core.errors import BadInput
from tanzheng.core.log_heads import LogHeads, heads_path
from tanzheng.core.statement import SignedStatement
from tanzheng.core.tiles import TILE_WIDTH, LogDamaged, ReadFile, TileTree, bundle_path
from tanzheng.core.witness import Cosignature

NEWEST = "checkpoint"


def checkpoint_path(seq: int) -> str:
    """Return where checkpoint `seq` stands."""
    return f"checkpoints/{seq:06d}.cose"


def cosignatures_path(seq: int) -> str:
    """Return where the witnesses' cosignatures of checkpoint `seq` stand."""
    return f"cosignatures/{seq:06d}.cbor"


class LogFiles:
    """The files of one log; `read` gives the content of a path, None where there is none."""

    def __init__(self, read: ReadFile) -> None:
        self.read = read

    def newest(self) -> SignedCheckpoint | None:
        """Return the newest checkpoint, None where nothing was sealed yet."""
        raw = self.read(NEWEST)
        return None if raw is None else _opened(raw, NEWEST)

    def checkpoint(self, seq: int) -> SignedCheckpoint:
        """Return checkpoint `seq`; `LogDamaged` where it is missing or another."""
        path = checkpoint_path(seq)
        signed = _opened(self._needed(path), path)
        if signed.checkpoint.seq != seq:
            raise LogDamaged(f"{path}: expected checkpoint {seq}, got {signed.checkpoint.seq}")
        return signed

    def cosignatures(self, seq: int) -> tuple[Cosignature, ...]:
        """Return the cosignatures of checkpoint `seq`, none where there is no file."""
        path = cosignatures_path(seq)
        data = self.read(path)
        try:
            return () if data is None else witness.decode_all(data)
        except BadInput as error:
            raise LogDamaged(f"{path}: {error}") from error

    def tree(self, hash_name: str, size: int) -> TileTree:
        """Return the tree over the first `size` statements as the tiles have it."""
        return TileTree(self.read, hash_name, size)

    def bundle(self, number: int, count: int) -> list[bytes]:
        """Return the first `count` signed statements of a bundle; `LogDamaged` where it has less.

        They are cut apart, not read: a statement's own form is for `statement.open_signed`.
        """
        path = bundle_path(number)
        items = cbor.complete(self._needed(path), count)
        if len(items) < count:
            raise LogDamaged(f"{path}: expected {count} statements, got {len(items)}")
        return items

    def entries(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Yield index and bytes of the signed statements [start, end), a bundle in memory."""
        while start < end:
            number, within = divmod(start, TILE_WIDTH)
            count = min(TILE_WIDTH, end - number * TILE_WIDTH)
            for raw in self.bundle(number, count)[within:]:
                yield start, raw
                start += 1

    def statement(self, index: int) -> SignedStatement:
        """Return the statement of leaf `index`."""
        [(_, raw)] = self.entries(index, index + 1)
        return opened(index, raw)

    def heads(self, signed: SignedCheckpoint) -> LogHeads:
        """Return the heads as of a checkpoint; `LogDamaged` where they are not the signed ones.

        From the file where there is a right one, else from all statements.
        """
        point = signed.checkpoint
        kept = self.kept_heads(signed)
        if kept is not None:
            return kept
        heads = LogHeads()
        for index, raw in self.entries(0, point.size):
            heads.add(opened(index, raw))
        if heads.tree.root != point.heads_root:
            raise LogDamaged(f"checkpoint {point.seq}: expected its heads, got others")
        return heads

    def kept_heads(self, signed: SignedCheckpoint) -> LogHeads | None:
        """Return the heads in the file of that checkpoint; None without a right one."""
        data = self.read(heads_path(signed.checkpoint.seq))
        if data is None:
            return None
        try:
            heads = LogHeads.decode(data, signed.checkpoint.size)
        except BadInput:
            return None
        return heads if heads.tree.root == signed.checkpoint.heads_root else None

    def _needed(self, path: str) -> bytes:
        data = self.read(path)
        if data is None:
            raise LogDamaged(f"{path}: expected the file, got none")
        return data


def opened(index: int, raw: bytes) -> SignedStatement:
    """Read the statement of leaf `index`; `LogDamaged` where it is none."""
    try:
        return statement.open_signed(raw)
    except BadInput as error:
        raise LogDamaged(f"leaf {index}: {error}") from error


def _opened(raw: bytes, path: str) -> SignedCheckpoint:
    try:
        return checkpoint.open_signed(raw)
    except BadInput as error:
        raise LogDamaged(f"{path}: {error}") from error
