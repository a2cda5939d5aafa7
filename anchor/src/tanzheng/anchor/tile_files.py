"""Writes a log's bundles and tiles: append-only files, in an order that survives a kill anywhere.

A statement counts from the moment its hash is durable in tile/sha256/0. Before that its bytes and
its SM3 hash are; after that the tiles above follow. So what a kill can leave is: bytes and SM3
hashes that do not count yet, which `recover` takes away, and tiles above that lag, which it
completes. Bytes taken away are kept in cut/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tanzheng.core import cbor
from tanzheng.core.hashing import HASH_BYTES, sha256
from tanzheng.core.merkle import leaf_hashes
from tanzheng.core.tiles import (
    ENTRIES,
    HASHES,
    TILE_BYTES,
    TILE_LEVELS,
    TILE_WIDTH,
    LogDamaged,
    TileTree,
    bundle_path,
    number_of,
    tile_counts,
    tile_path,
)
from tanzheng.files import durable

COMMITTED = "sha256"  # the tree whose leaf hashes say how long the log is
CUT = "cut"


class TileFiles:
    """The growing files below `folder`. One process writes; call `recover` before `append`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = durable.reader(folder)
        self._bundle_bytes = 0  # of the last bundle, if it is not full

    def size(self) -> int:
        """How many statements count."""
        return self._octets(COMMITTED, 0) // HASH_BYTES

    def readable(self) -> int:
        """How many statements can be read with proofs: an append under way may lag above."""
        size = self.size()
        for name in HASHES:
            for level in range(1, len(tile_counts(size))):
                have = self._octets(name, level) // HASH_BYTES
                size = min(size, ((have + 1) << (TILE_LEVELS * level)) - 1)
        return size

    def append(self, statements: Sequence[bytes], first: int) -> None:
        """Add signed statements behind the first `first`; durable when it returns."""
        for start, part in _by_tile(first, statements):
            data = b"".join(part)
            at = self._bundle_bytes if start % TILE_WIDTH else 0
            durable.append(self._folder / bundle_path(start // TILE_WIDTH), data, at)
            self._bundle_bytes = at + len(data)
        for name in sorted(HASHES, key=COMMITTED.__eq__):  # the one that counts comes last
            self._append_hashes(name, 0, first, leaf_hashes(statements, HASHES[name]))
        size = first + len(statements)
        for name in HASHES:
            self._complete(name, size, tile_counts(first))

    def recover(self, least: int, report: Callable[[str], None]) -> int:
        """Put right what a kill may have left, say so by `report`, and return the size.

        `least` is the size of the newest checkpoint: a log shorter than that is `LogDamaged`, and
        so is whatever no kill can explain. Nothing is cut then.
        """
        octets = self._octets(COMMITTED, 0)
        size = octets // HASH_BYTES
        if size < least:
            raise LogDamaged(
                f"tile/{COMMITTED}/0: expected {least} hashes as in the checkpoint, got {size}"
            )
        spare = self._octets("sm3", 0) - size * HASH_BYTES
        if spare < 0:
            raise LogDamaged(f"tile/sm3/0: expected {size} hashes, got {-spare} bytes less")
        self._cut_entries(size, report)
        self._cut_row("sm3", 0, size, report)
        self._cut_row(COMMITTED, 0, size, report)
        for name in HASHES:
            self._complete(name, size, self._counts(name, size, report))
        return size

    # ---------------------------------------------------------------- hashes

    def _append_hashes(self, name: str, level: int, first: int, hashes: Sequence[bytes]) -> None:
        for start, part in _by_tile(first, hashes):
            number, within = divmod(start, TILE_WIDTH)
            path = self._folder / tile_path(name, level, number)
            durable.append(path, b"".join(part), within * HASH_BYTES)

    def _complete(self, name: str, size: int, counts: Sequence[int]) -> None:
        """Add the hashes that the levels above the leaves lack, given what they have."""
        wanted = tile_counts(size)
        for level in range(1, len(wanted)):
            first = counts[level] if level < len(counts) else 0
            below = TileTree(self._read, name, size)
            roots = [below.tile_root(level - 1, number) for number in range(first, wanted[level])]
            self._append_hashes(name, level, first, roots)

    def _counts(self, name: str, size: int, report: Callable[[str], None]) -> list[int]:
        """How many hashes each level has, after cutting torn ones."""
        counts = [size]
        for level, most in enumerate(tile_counts(size)[1:], start=1):
            found = self._octets(name, level) // HASH_BYTES
            if found > most:
                raise LogDamaged(f"tile/{name}/{level}: expected {most} hashes, got {found}")
            self._cut_row(name, level, found, report)
            if found < most:
                report(f"tile/{name}/{level}: {most - found} hashes completed from those below")
            counts.append(found)
        return counts

    def _cut_row(self, name: str, level: int, count: int, report: Callable[[str], None]) -> None:
        octets = self._octets(name, level)
        for number in range(count // TILE_WIDTH, -(-octets // TILE_BYTES)):
            keep = max(0, count - number * TILE_WIDTH) * HASH_BYTES
            self._cut(tile_path(name, level, number), keep, report)

    def _octets(self, name: str, level: int) -> int:
        """Bytes in a row of tiles; `LogDamaged` where one is missing or not full before the end."""
        row = f"tile/{name}/{level}"
        return self._row(row, lambda octets: octets == TILE_BYTES)[1]

    # ---------------------------------------------------------------- statements

    def _cut_entries(self, size: int, report: Callable[[str], None]) -> None:
        full, within = divmod(size, TILE_WIDTH)
        bundles, _ = self._row(ENTRIES, bool)
        if bundles < full + bool(within):
            raise LogDamaged(f"{ENTRIES}: expected {full + bool(within)} bundles, got {bundles}")
        self._bundle_bytes = 0
        if within:
            path = bundle_path(full)
            items = cbor.complete(self._read(path) or b"", within)
            if len(items) < within:
                raise LogDamaged(f"{path}: expected {within} statements, got {len(items)}")
            self._bundle_bytes = sum(map(len, items))
            self._cut(path, self._bundle_bytes, report)
        for number in range(full + bool(within), bundles):
            self._cut(bundle_path(number), 0, report)

    # ---------------------------------------------------------------- files

    def _row(self, row: str, full: Callable[[int], bool]) -> tuple[int, int]:
        """Number of files in a row of numbered files, and their bytes together."""
        folder = self._folder / row
        sizes = {
            number_of(path.relative_to(folder).as_posix()): path.stat().st_size
            for path in folder.rglob("*")
            if path.is_file()
        }
        for number in range(len(sizes)):
            if number not in sizes:
                raise LogDamaged(f"{row}: expected number {number}, got no such file")
            if number < len(sizes) - 1 and not full(sizes[number]):
                raise LogDamaged(f"{row}: expected number {number} full, got {sizes[number]} bytes")
        return len(sizes), sum(sizes.values())

    def _cut(self, name: str, keep: int, report: Callable[[str], None]) -> None:
        """Cut a file to `keep` bytes; a statement's bytes are kept aside."""
        path = self._folder / name
        rest = path.read_bytes()[keep:]
        if rest and name.startswith(ENTRIES):
            aside = self._folder / CUT / f"{sha256(rest).hex()}.bin"
            durable.make_folder(aside.parent)
            durable.create_idempotent(aside, rest)
            report(f"{name}: cut {len(rest)} bytes of an append that was not finished, in {aside}")
        elif rest:
            report(f"{name}: cut {len(rest)} bytes of an append that was not finished")
        if rest and keep:
            durable.truncate(path, keep)
        elif not keep:
            durable.remove(path)


def _by_tile(first: int, items: Sequence[bytes]) -> list[tuple[int, Sequence[bytes]]]:
    """Cut consecutive items, of which the first has index `first`, at the borders of tiles."""
    parts, at = [], 0
    while at < len(items):
        room = TILE_WIDTH - (first + at) % TILE_WIDTH
        parts.append((first + at, items[at : at + room]))
        at += room
    return parts
