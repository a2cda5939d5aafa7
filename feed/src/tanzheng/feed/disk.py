"""The feed's files: `tanzheng.files`, with the feed's names for what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tanzheng.feed.errors import DiskFault, FeedBusy, FeedInput
from tanzheng.files import durable
from tanzheng.files.durable import PUBLIC_MODE, SECRET_MODE
from tanzheng.files.lock import alone


def overwrite(path: Path, data: bytes, mode: int = PUBLIC_MODE) -> None:
    """Replace or create `path` in one step; `DiskFault`."""
    with _faults(path):
        durable.overwrite(path, data, mode)


def append(path: Path, data: bytes, at: int) -> None:
    """Add `data` behind the first `at` bytes, which are all there are; `DiskFault`."""
    with _faults(path):
        durable.append(path, data, at)


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
def locked(path: Path) -> Iterator[None]:
    """Be the only process with the lock file `path`; `FeedBusy` where one has it."""
    durable.make_folder(path.parent)
    with alone(path, FeedBusy, mode=SECRET_MODE):
        yield


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskFault(f"expected to write {path}, got {error.strerror}") from error
