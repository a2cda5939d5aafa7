"""Reads an evidence package from its folder; what it means is `tanzheng.core.bag`'s business."""

from __future__ import annotations

from pathlib import Path

from tanzheng.anchor.errors import AnchorInput

PACKAGE_BYTES_MAX = 2 << 30


def read_package(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its path in the bag; `AnchorInput` for anything but files."""
    if not (folder / "bagit.txt").is_file():
        raise AnchorInput(f"expected an evidence package (BagIt) in {folder}, got none")
    files, total = {}, 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise AnchorInput(f"expected plain files and folders in a package, got {path}")
        if path.is_file():
            total += path.stat().st_size
            if total > PACKAGE_BYTES_MAX:
                raise AnchorInput(f"expected at most {PACKAGE_BYTES_MAX} bytes in {folder}")
            files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files
