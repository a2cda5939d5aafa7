"""Every durable disk operation of the feed.

When a function returns, bytes and name survive a power cut; when it is killed, the name holds the
old bytes or the new ones. `append` alone may leave a part of what it was given at the end of the
file: whoever reads it cuts what is not a whole line.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tanzheng.feed.errors import DiskFault, FeedBusy, FeedInput

SECRET_MODE, PUBLIC_MODE = 0o600, 0o644


def overwrite(path: Path, data: bytes, mode: int = PUBLIC_MODE) -> None:
    """Replace or create `path` in one step; `DiskFault`."""
    partial = path.with_name(f".{path.name}.partial")
    with _faults(path):
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
        sync_folder(path.parent)


def append(path: Path, data: bytes) -> None:
    """Add `data` at the end of `path`, which may not be there yet; `DiskFault`."""
    is_new = not path.exists()
    with _faults(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PUBLIC_MODE)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
            os.fsync(descriptor)
        if is_new:
            sync_folder(path.parent)


def truncate(path: Path, size: int) -> None:
    """Cut `path` to its first `size` bytes."""
    with path.open("rb+") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def make_folder(path: Path) -> None:
    """Create the folder `path` and its parents."""
    if not path.is_dir():
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


def read(path: Path, bytes_max: int, what: str) -> bytes:
    """The bytes of a file of the user's; `FeedInput` where it is none or too large."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise FeedInput(f"{what}: expected a file in {path}, got {error.strerror}") from None
    if len(data) > bytes_max:
        raise FeedInput(f"{what}: expected at most {bytes_max} bytes in {path}, got more")
    return data


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskFault(f"expected to write {path}, got {error.strerror}") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only process with the lock file `path`; `FeedBusy` where one has it."""
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, SECRET_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise FeedBusy(f"expected to be alone at {path}, got another process") from None
    finally:
        os.close(descriptor)
