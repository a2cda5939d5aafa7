"""Brings a log of the first layout, one file a statement, into bundles and tiles.

    leaves/000000000.cose  →  tile/…; the files stay, as leaves.migrated/

The tiles are written beside, read back and held against the statements before they take their name;
the first reading holds them against every checkpoint. A kill at any step leaves one layout whole.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tanzheng.anchor.tile_files import TileFiles
from tanzheng.core.log_files import LogFiles
from tanzheng.core.tiles import TILE_WIDTH, LogDamaged
from tanzheng.files import durable

OLD = "leaves"
KEPT = "leaves.migrated"
BESIDE = "migration"


def is_old(folder: Path) -> bool:
    """Whether the log in `folder` has files of the first layout that were not brought over."""
    return (folder / OLD).is_dir()


def migrate(folder: Path) -> int:
    """Bring the statements over and return how many; `LogDamaged` where one does not fit.

    For the holder of the lock. Checkpoints stay where they are.
    """
    paths = _numbered(folder / OLD)
    if paths and not (folder / "tile").is_dir():
        beside = folder / BESIDE
        shutil.rmtree(beside, ignore_errors=True)
        tiles = TileFiles(beside)
        for start in range(0, len(paths), TILE_WIDTH):
            part = paths[start : start + TILE_WIDTH]
            tiles.append([path.read_bytes() for path in part], start)
        _check(beside, paths)
        (beside / "tile").rename(folder / "tile")
        durable.sync_folder(folder)
    shutil.rmtree(folder / BESIDE, ignore_errors=True)
    _check(folder, paths)
    durable.rename(folder / OLD, folder / KEPT)
    return len(paths)


def _check(folder: Path, paths: list[Path]) -> None:
    files = LogFiles(durable.reader(folder))
    for (index, raw), path in zip(files.entries(0, len(paths)), paths, strict=True):
        if raw != path.read_bytes():
            raise LogDamaged(f"{path}: expected the bytes of leaf {index} in {folder}, got others")


def _numbered(folder: Path) -> list[Path]:
    """The statements by number; `LogDamaged` if one is missing between them."""
    paths = sorted(folder.glob("[0-9]*.cose"))
    for expected, path in enumerate(paths):
        if int(path.stem) != expected:
            raise LogDamaged(f"{folder}: expected number {expected}, got {path.name}")
    return paths
