"""Every durable disk operation of the log, in one place.

Contract: when a function returns, the bytes and the name survive a power cut; when it raises or the
machine stops, the name holds the old bytes or the new ones, never a part. Each write goes to a
temporary file in the same folder, is synced, takes its name in one step, and the folder is synced.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from tanzheng.anchor.errors import DifferentBytes

PUBLIC_MODE = 0o644
SECRET_MODE = 0o600


def create_exclusive(path: Path, data: bytes, mode: int = PUBLIC_MODE) -> None:
    """Create `path`; `FileExistsError` if it is there, whatever it holds."""
    # A hard link fails on an existing name; a rename would replace it.
    _place(path, data, mode, os.link)


def create_idempotent(path: Path, data: bytes) -> None:
    """Create `path`, or accept it with equal bytes; other bytes are `DifferentBytes`."""
    try:
        create_exclusive(path, data)
    except FileExistsError:
        if path.read_bytes() != data:
            raise DifferentBytes(f"expected {path} with the bytes given, got others") from None
        sync_folder(path.parent)  # an earlier run may have stopped before its own sync


def overwrite(path: Path, data: bytes) -> None:
    """Replace or create `path` in one step."""
    _place(path, data, PUBLIC_MODE, os.replace)


def make_folder(path: Path) -> None:
    """Create the folder `path` and its parents, durably."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in the folder `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _place(path: Path, data: bytes, mode: int, name: Callable[[str, Path], None]) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        name(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    sync_folder(path.parent)
