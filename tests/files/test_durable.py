"""Durable files and locks: what they promise and what they refuse."""

from __future__ import annotations

import errno
import resource
from pathlib import Path

import pytest

from tanzheng.core.errors import TanzhengError
from tanzheng.files import durable
from tanzheng.files.durable import DifferentBytes
from tanzheng.files.lock import alone


def test_exclusive_never_replaces(tmp_path: Path) -> None:
    durable.create_exclusive(tmp_path / "a", b"one")
    with pytest.raises(FileExistsError):
        durable.create_exclusive(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_idempotent_takes_equal_bytes_only(tmp_path: Path) -> None:
    durable.create_idempotent(tmp_path / "a", b"one")
    durable.create_idempotent(tmp_path / "a", b"one")
    with pytest.raises(DifferentBytes):
        durable.create_idempotent(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"


def test_overwrite_replaces_whole(tmp_path: Path) -> None:
    durable.overwrite(tmp_path / "a", b"a long first text")
    durable.overwrite(tmp_path / "a", b"short")
    assert (tmp_path / "a").read_bytes() == b"short"


@pytest.mark.parametrize("write", [durable.overwrite, durable.create_idempotent])
def test_full_disk_leaves_the_old_bytes(tmp_path: Path, write: object) -> None:
    """A file-size limit stands for a full disk: the write fails halfway."""
    assert callable(write)
    path = tmp_path / "a"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(path, bytes(8192))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["a"]


class Refused(TanzhengError):
    """What a service says of its disk."""


class Busy(TanzhengError):
    """What a service says of its lock."""


def test_append_goes_on_where_the_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a"
    durable.append(path, b"one", 0)
    durable.append(path, b"two", 3)
    with pytest.raises(DifferentBytes, match="expected 3 bytes"):
        durable.append(path, b"three", 3)
    durable.truncate(path, 4)
    assert path.read_bytes() == b"onet"


def test_a_secret_is_nobody_else_s(tmp_path: Path) -> None:
    durable.overwrite(tmp_path / "a", b"secret", durable.SECRET_MODE)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_what_a_killed_write_left_goes_by_name(tmp_path: Path) -> None:
    left = [tmp_path / f".{name}.x1.unfinished" for name in ("head.json", "tokens.json")]
    for path in left:
        path.write_bytes(b"")
    assert durable.remove_unfinished(tmp_path, "head.json") == left[:1]
    assert durable.remove_unfinished(tmp_path) == left[1:]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_refuses_is_named_by_the_service(tmp_path: Path, number: int) -> None:
    with pytest.raises(Refused, match="room to write"), durable.disk(tmp_path, Refused):
        raise OSError(number, "no")


def test_another_fault_is_not_the_disk_s(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError), durable.disk(tmp_path, Refused):
        raise ConnectionError(errno.ECONNREFUSED, "no")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with alone(lock, Busy), pytest.raises(Busy, match="another process"), alone(lock, Busy, 0.1):
        pass
    with alone(lock, Busy, mode=durable.SECRET_MODE):
        assert lock.stat().st_mode & 0o777 == 0o644  # as it was made
