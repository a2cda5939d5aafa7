"""A file that only grows, a line at a time: locked, synced, all of an addition or none of it.

The end of a line is what makes it count: bytes behind the last one were confirmed to nobody.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.core.hashing import sha256

LOCK_WAIT_S_MAX = 30.0
LOCK_RETRY_S = 0.003


class JournalBusy(TanzhengError):
    """Somebody else holds the journal's lock: try again."""


class JournalUnwritable(TanzhengError):
    """The disk did not take the addition; the journal is as it was."""


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """The file under a shared lock; `BadInput` where there is none."""
    with _locked(path, os.O_RDONLY, fcntl.LOCK_SH) as handle:
        yield handle


@contextmanager
def writing(path: Path, *, begin: bool) -> Iterator[int]:
    """The file under the lock that one writer has; only with `begin` one not there is made."""
    flags = os.O_RDWR | (os.O_CREAT if begin else 0)
    with _locked(path, flags, fcntl.LOCK_EX) as handle:
        yield handle


def content(handle: int) -> bytes:
    """All of the file."""
    with os.fdopen(os.dup(handle), "rb") as stream:
        stream.seek(0)
        return stream.read()


def split(raw: bytes) -> tuple[list[bytes], bytes]:
    """The whole lines, and what stands behind the last line's end."""
    *whole, rest = raw.split(b"\n")
    return whole, rest


def append(handle: int, size: int, data: bytes, path: Path) -> None:
    """Put `data` durably behind the first `size` bytes, which are all there are."""
    try:
        written = 0
        while written < len(data):
            written += os.pwrite(handle, data[written:], size + written)
        os.fsync(handle)
    except OSError as error:
        os.ftruncate(handle, size)
        raise JournalUnwritable(
            f"{path}: expected room for {len(data)} bytes, got {error.strerror}; nothing was added"
        ) from None
    if not size:
        _sync_folder(path.parent)


def quarantine(path: Path) -> Path | None:
    """Move a torn last line into a file beside the journal; None where the last line is whole.

    The rest is durable there before the journal lets go of it.
    """
    with writing(path, begin=False) as handle:
        raw = content(handle)
        whole, rest = split(raw)
        if not rest:
            return None
        aside = path.with_name(f"{path.name}.torn-{len(whole) + 1}-{sha256(rest).hex()[:16]}")
        _keep(aside, rest)
        os.ftruncate(handle, len(raw) - len(rest))
        os.fsync(handle)
    return aside


@contextmanager
def _locked(path: Path, flags: int, kind: int) -> Iterator[int]:
    try:
        handle = os.open(path, flags | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BadInput(f"expected a journal at {path}, got {error.strerror}") from None
    try:
        _lock(handle, kind, path)
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, kind: int, path: Path) -> None:
    until = time.monotonic() + LOCK_WAIT_S_MAX
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise JournalBusy(
                    f"expected the lock of {path} within {LOCK_WAIT_S_MAX:.0f} s, got none: "
                    "another process holds it"
                ) from None
            time.sleep(LOCK_RETRY_S)
        else:
            return


def _keep(path: Path, data: bytes) -> None:
    """Write a file durably; the same bytes may lie there already (the name is their digest)."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(handle)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
