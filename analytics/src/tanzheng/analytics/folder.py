"""Packages on disk: written under another name, read back, then renamed. Never overwritten."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tanzheng.analytics.errors import PackageExists
from tanzheng.core.errors import BadInput
from tanzheng.core.manifest import FILES_MAX

PACKAGE_BYTES_MAX = 1 << 30


def secret_path(folder: Path) -> Path:
    """Where the secret of the package at `folder` lies: beside it, never inside."""
    return folder.with_name(f"{folder.name}.secret")


def write(
    folder: Path,
    files: Mapping[str, bytes],
    secret: bytes | None,
    check: Callable[[Mapping[str, bytes]], None],
) -> None:
    """Write `files` to `folder` and `secret`, if any, beside it (mode 0600); all of it or nothing.

    `check` sees the files as read back from the disk before the package gets its name; what it
    raises leaves nothing behind. `PackageExists` where the name is taken.
    """
    if folder.exists():
        raise PackageExists(f"expected a free place for the package, got {folder}, which exists")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _partial(folder) as partial:
        for path, data in files.items():
            _write(partial / path, data, 0o644)
        check(read(partial))
        if secret is not None:
            _write_secret(secret_path(folder), secret)
        partial.rename(folder)
    _sync_folder(folder.parent)


def read(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its relative path; `BadInput` where it is no plain bag."""
    if not folder.is_dir():
        raise BadInput(f"expected a package folder, got {folder}")
    found: dict[str, bytes] = {}
    size = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BadInput(f"package {folder}: expected plain files, got {path.name}")
        if path.is_file():
            size += path.stat().st_size
            if size > PACKAGE_BYTES_MAX or len(found) >= FILES_MAX:
                raise BadInput(
                    f"package {folder}: expected at most {FILES_MAX} files and "
                    f"{PACKAGE_BYTES_MAX} bytes"
                )
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # gone already where it was renamed


def _write_secret(path: Path, secret: bytes) -> None:
    """A secret without a package is the rest of a broken run: it may be replaced."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    _write(partial, secret.hex().encode() + b"\n", 0o600)
    partial.replace(path)


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
