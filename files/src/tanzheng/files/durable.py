"""Every durable disk operation, in one place.

Contract: when a function returns, the bytes and the name survive a power cut; when it raises or the
machine stops, the name holds the old bytes or the new ones, never a part. Each write goes to a
temporary file in the same folder, is synced, takes its name in one step, and the folder is synced.

`append` alone may leave a part of what it was given behind the old bytes: whoever uses it knows the
length that counts, and cuts the rest (`truncate`).
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tanzheng.core.errors import CheckFailed, TanzhengError

PUBLIC_MODE = 0o644
SECRET_MODE = 0o600
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
_UNFINISHED = ".unfinished"


class DifferentBytes(CheckFailed):
    """A file that must never change would have been written with other bytes."""


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


def overwrite(path: Path, data: bytes, mode: int = PUBLIC_MODE) -> None:
    """Replace or create `path` in one step."""
    _place(path, data, mode, os.replace)


def append(path: Path, data: bytes, at: int) -> None:
    """Add `data` behind the first `at` bytes, which are all there are; else `DifferentBytes`."""
    make_folder(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PUBLIC_MODE)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        if (size := os.fstat(descriptor).st_size) != at:
            raise DifferentBytes(f"expected {at} bytes in {path}, got {size}")
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        os.fsync(descriptor)
    if at == 0:
        sync_folder(path.parent)


def truncate(path: Path, size: int) -> None:
    """Cut `path` to its first `size` bytes."""
    with path.open("rb+") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Take the file `path` away."""
    path.unlink()
    sync_folder(path.parent)


def remove_unfinished(folder: Path, name: str = "*") -> list[Path]:
    """Remove what writes that were killed left below `folder` before it had its name, `name`.

    For who writes there alone: a write that goes on would lose its file.
    """
    left = sorted(path for path in folder.rglob(f".{name}.*{_UNFINISHED}") if path.is_file())
    for path in left:
        remove(path)
    return left


def rename(path: Path, to: Path) -> None:
    """Give a file or folder another name in the same folder."""
    path.rename(to)
    sync_folder(to.parent)


@contextmanager
def disk(folder: Path, refused: type[TanzhengError]) -> Iterator[None]:
    """Turn what a disk answers that is full, gone or read-only into `refused`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        where = error.filename or folder
        raise refused(f"expected room to write in {where}, got: {error.strerror}") from error


def reader(folder: Path) -> Callable[[str], bytes | None]:
    """What gives the content of a path below `folder`, None where there is no file."""

    def read(name: str) -> bytes | None:
        try:
            return (folder / name).read_bytes()
        except FileNotFoundError:
            return None

    return read


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
    descriptor, temporary = tempfile.mkstemp(_UNFINISHED, f".{path.name}.", path.parent)
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
