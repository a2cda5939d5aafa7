"""The log as plain files: bundles of 256 statements, tiles of 256 hashes.

    tile/entries/000          statements 0 … 255, a CBOR sequence of COSE_Sign1
    tile/sha256/0/000         their 256 leaf hashes; tile/sm3/… beside it
    tile/sha256/1/000         the roots of the first 256 complete tiles of the level below

A number has groups of three digits, all but the last with an x before them (1234 is x001/234), as
in C2SP tlog-tiles. Unlike there, a file that is not full yet has its final name and only grows:
what it held at a checkpoint is the beginning of what it holds now. A full one never changes.
"""

from collections import OrderedDict
from collections.abc import Callable

from tanzheng.core.errors import CheckFailed
from tanzheng.core.hashing import HASH_BYTES, HashFunction, sha256, sm3
from tanzheng.core.merkle import Nodes, parents

TILE_LEVELS = 8
TILE_WIDTH = 1 << TILE_LEVELS
TILE_BYTES = TILE_WIDTH * HASH_BYTES
ENTRIES = "tile/entries"
HASHES: dict[str, HashFunction] = {"sha256": sha256, "sm3": sm3}
_TILES_KEPT = 64

ReadFile = Callable[[str], bytes | None]
"""Gives the content of a file of the log by its path, None where there is none."""


class LogDamaged(CheckFailed):
    """The files of a log are not the log that was sealed."""

    def diagnostics(self) -> str:
        """What to do."""
        return (
            "Nothing was sealed. Restore the named file from a copy; the signed checkpoints and "
            "the chain say which bytes are right. `tanzheng log fsck` lists all that is wrong."
        )


def bundle_path(number: int) -> str:
    """Return where statements 256·number … stand."""
    return f"{ENTRIES}/{_digits(number)}"


def tile_path(hash_name: str, level: int, number: int) -> str:
    """Return where the hashes 256·number … of a tile level stand (level 0: of the leaves)."""
    return f"tile/{hash_name}/{level}/{_digits(number)}"


def _digits(number: int) -> str:
    text = str(number)
    text = text.zfill(-(-len(text) // 3) * 3)
    groups = [text[i : i + 3] for i in range(0, len(text), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def number_of(path: str) -> int | None:
    """Return the number that `path`, below the folder of its row, stands for; None for no number.

    `x001/234` is 1234.
    """
    digits = path.replace("/x", "").removeprefix("x").replace("/", "")
    number = int(digits) if digits.isascii() and digits.isdigit() else -1
    return number if number >= 0 and _digits(number) == path else None


def tile_counts(size: int) -> list[int]:
    """Return how many hashes each tile level holds in a log of `size` statements."""
    counts = [size]
    while counts[-1] >= TILE_WIDTH:
        counts.append(counts[-1] >> TILE_LEVELS)
    return counts


class TileTree(Nodes):
    """A log's tree as its tiles have it; memory is bounded whatever the log's size.

    A tile that is missing or too short is `LogDamaged`. Whether its hashes are right is for the
    root to say.
    """

    def __init__(self, read: ReadFile, hash_name: str, size: int) -> None:
        super().__init__(HASHES[hash_name])
        self._read, self._name, self._end = read, hash_name, size
        self._tiles: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()

    @property
    def size(self) -> int:
        return self._end

    def leaf(self, index: int) -> bytes:
        """Return the digest of leaf `index`."""
        return self.stored(0, index)

    def stored(self, level: int, index: int) -> bytes:
        """Return the hash of that number in a tile level, as the file has it."""
        return self._node(level * TILE_LEVELS, index)

    def tile_root(self, level: int, number: int) -> bytes:
        """Return the root of a full tile, computed from its hashes: `stored(level + 1, number)`."""
        return parents(self._rows(level, number)[-1], self._hash)[0]

    def grow(self, size: int) -> None:
        """Take in what was appended to the files: the tree has `size` leaves now."""
        self._end = size
        self._tiles.clear()

    def _node(self, level: int, index: int) -> bytes:
        tile_level, above = divmod(level, TILE_LEVELS)
        number, within = divmod(index << above, TILE_WIDTH)
        return self._rows(tile_level, number)[above][within >> above]

    def _rows(self, level: int, number: int) -> list[list[bytes]]:
        """A tile's hashes, and the complete subtrees above them inside the tile."""
        key = (level, number)
        if key not in self._tiles:
            rows = [self._hashes(level, number)]
            while len(rows) < TILE_LEVELS:
                rows.append(parents(rows[-1], self._hash))
            self._tiles[key] = rows
            if len(self._tiles) > _TILES_KEPT:
                self._tiles.popitem(last=False)
        self._tiles.move_to_end(key)
        return self._tiles[key]

    def _hashes(self, level: int, number: int) -> list[bytes]:
        path = tile_path(self._name, level, number)
        count = min(TILE_WIDTH, tile_counts(self._end)[level] - number * TILE_WIDTH)
        data = self._read(path) or b""
        if len(data) < count * HASH_BYTES:
            raise LogDamaged(f"{path}: expected {count} hashes, got {len(data)} bytes")
        return [data[at : at + HASH_BYTES] for at in range(0, count * HASH_BYTES, HASH_BYTES)]
