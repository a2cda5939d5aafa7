"""Reading what a verifier is handed: bounded, plain files only, nothing followed. One writer."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tanzheng.core.manifest import FILES_MAX
from tanzheng.files import durable
from tanzheng.verifier.errors import InUse, Unreadable

PACKAGE_BYTES_MAX = 1 << 30
KEY_BYTES_MAX = 4096


def read_file(path: Path, bytes_max: int, what: str) -> bytes:
    """The bytes of a plain file; `Unreadable` where it is none or larger than `bytes_max`."""
    try:
        if not path.is_file():
            raise Unreadable(f"{what}: expected a file, got {path}")
        with path.open("rb") as stream:
            data = stream.read(bytes_max + 1)
    except OSError as error:
        raise Unreadable(f"{what}: expected {path} to be readable: {error.strerror}") from error
    if len(data) > bytes_max:
        raise Unreadable(f"{what}: expected at most {bytes_max} bytes, got more in {path}")
    return data


def write_new(path: Path, data: bytes, what: str) -> None:
    """Write a file that is not there yet; `Unreadable` where it is, or cannot be written."""
    try:
        with path.open("xb") as stream:
            stream.write(data)
    except OSError as error:
        raise Unreadable(f"{what}: expected a free place, got {path}: {error.strerror}") from error


def replace(path: Path, data: bytes, what: str) -> None:
    """Put `data` in the place of `path` in one step, durably: a reader sees the old or the new."""
    try:
        durable.overwrite(path, data)
    except OSError as error:
        raise Unreadable(f"{what}: expected to write {path}: {error.strerror}") from error


@contextmanager
def locked(lock: Path) -> Iterator[None]:
    """Keep other processes out of a folder by its lock file; `InUse` where one is at work."""
    descriptor = os.open(lock, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise InUse(f"expected to be alone in {lock.parent}, got another process") from None
    finally:
        os.close(descriptor)


def read_package(folder: Path) -> dict[str, bytes]:
    """Every file of a package by its relative path.

    `Unreadable` for links and devices, for too many files or bytes, before they are read.
    """
    if not folder.is_dir():
        raise Unreadable(f"package: expected a folder, got {folder}")
    found: dict[str, bytes] = {}
    left = PACKAGE_BYTES_MAX
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        folders.sort()
        for name in [*folders, *sorted(names)]:
            path = Path(parent, name)
            if path.is_symlink():
                raise Unreadable(f"package: expected no links, got {path}")
        for name in sorted(names):
            path = Path(parent, name)
            data = read_file(path, left, "package")
            found[path.relative_to(folder).as_posix()] = data
            left -= len(data)
            if len(found) > FILES_MAX:
                raise Unreadable(f"package: expected at most {FILES_MAX} files in {folder}")
    return found


def _refuse(error: OSError) -> None:
    raise Unreadable(f"package: expected readable folders: {error.strerror}") from error
