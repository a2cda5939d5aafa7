"""The check of a log's own folder (`fsck`): its files, their lengths, and the audit.

It takes the lock of the log, so that no seal is under way, and changes nothing.
"""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from tanzheng.core import cbor
from tanzheng.core.hashing import HASH_BYTES
from tanzheng.core.log_audit import CHECKS, Audit, Finding, audit
from tanzheng.core.log_files import NEWEST, LogFiles
from tanzheng.core.tiles import (
    ENTRIES,
    HASHES,
    TILE_BYTES,
    TILE_WIDTH,
    bundle_path,
    number_of,
    tile_counts,
    tile_path,
)
from tanzheng.core.trust import Trust
from tanzheng.verifier.files import locked

_KNOWN = re.compile(
    rf"{NEWEST}|lock|checkpoints/\d{{6,}}\.cose|cosignatures/\d{{6,}}\.cbor|"
    r"heads/\d{6,}\.cbor|cut/[0-9a-f]{64}\.bin|leaves\.migrated/\d{9}\.cose"
)
_ROW = re.compile(rf"({ENTRIES}|tile/(?:{'|'.join(HASHES)})/\d+)/(.+)")


def check_folder(folder: Path, files: LogFiles, trust: Trust | None) -> Audit:
    """Look at every file of the folder, then audit every statement, sealed or not yet."""
    lock = folder / "lock"  # an export has none: nobody seals there
    with locked(lock) if lock.exists() else nullcontext():
        sizes = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if not path.is_dir()
        }
        octets = sum(size for name, size in sizes.items() if name.startswith("tile/sha256/0/"))
        size = octets // HASH_BYTES
        found = [Finding("files", what) for what in _files(sizes, size, files)]
        audited = audit(files, size, trust)
    asked = tuple(check for check in CHECKS if check == "files" or check in audited.asked)
    return replace(audited, findings=(*found, *audited.findings), asked=asked)


def _files(sizes: dict[str, int], size: int, files: LogFiles) -> Iterator[str]:
    """What is missing, not of this log, or of another length than `size` statements have."""
    tiles, bundles = _tile_lengths(size), -(-size // TILE_WIDTH)
    for name in sorted(tiles.keys() - sizes.keys()):
        yield f"{name}: expected the file, got none"
    for name, octets in sizes.items():
        row = _ROW.fullmatch(name)
        number = number_of(row[2]) if row else None
        if name in tiles:
            if octets != tiles[name]:
                yield f"{name}: expected {tiles[name]} bytes, got {octets}"
        elif row and number is not None:
            if row[1] != ENTRIES or number >= bundles:
                yield f"{name}: expected nothing after {size} statements, got {octets} bytes"
        elif _KNOWN.fullmatch(name) is None:
            yield f"{name}: expected files of a log, got another"
    for number in range(bundles):
        yield from _spare(number, min(TILE_WIDTH, size - number * TILE_WIDTH), files)


def _tile_lengths(size: int) -> dict[str, int]:
    """Every tile of a log of `size` statements, with its bytes."""
    return {
        tile_path(name, level, number): min(TILE_BYTES, (count - number * TILE_WIDTH) * HASH_BYTES)
        for name in HASHES
        for level, count in enumerate(tile_counts(size))
        for number in range(-(-count // TILE_WIDTH))
    }


def _spare(number: int, count: int, files: LogFiles) -> Iterator[str]:
    """Bytes in a bundle behind the last statement that counts."""
    data = files.read(bundle_path(number)) or b""
    items = cbor.complete(data, count)
    spare = len(data) - sum(map(len, items))
    if spare and len(items) == count:  # too few: the audit says so
        yield (
            f"{bundle_path(number)}: expected {count} statements, got {spare} bytes more "
            "(an append that was not finished: the next seal cuts them and keeps them aside)"
        )
