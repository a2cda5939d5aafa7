"""The journal on disk: read under a shared lock, written under an exclusive one, synced.

The end of a line is what makes an entry: bytes behind the last one were confirmed to nobody.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tanzheng.analytics.evidence.entries import Act, Entry
from tanzheng.analytics.evidence.errors import JournalBusy, JournalUnwritable
from tanzheng.analytics.evidence.journal import Journal, read_journal, split
from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import sha256

LOCK_WAIT_S_MAX = 30.0
LOCK_RETRY_S = 0.003


def read(path: Path) -> Journal:
    """The journal at `path`; `BadInput` where there is none, `JournalBroken` for a damaged one."""
    with _locked(path, os.O_RDONLY, fcntl.LOCK_SH) as handle:
        raw = _content(handle)
    return read_journal(raw, str(path))


def write(
    path: Path, acts: Callable[[Journal], Iterable[Act]], *, begin: bool = False
) -> tuple[Journal, list[Entry]]:
    """Add what `acts` makes of the journal as it is now, which nobody else changes meanwhile.

    All entries or none: an illegal move, a full disk leave the file as it was. When this returns
    they are on the disk. Only with `begin` a journal that is not there yet begins here.
    """
    flags = os.O_RDWR | (os.O_CREAT if begin else 0)
    with _locked(path, flags, fcntl.LOCK_EX) as handle:
        raw = _content(handle)
        journal = read_journal(raw, str(path))
        entries = [journal.add(act) for act in acts(journal)]
        _append(handle, len(raw), b"".join(entry.encode() for entry in entries), path)
        if not raw:
            _sync_folder(path.parent)
    return journal, entries


def quarantine(path: Path) -> Path | None:
    """Move a torn last line into a file beside the journal; None where the last line is whole.

    The rest is durable there before the journal lets go of it.
    """
    with _locked(path, os.O_RDWR, fcntl.LOCK_EX) as handle:
        raw = _content(handle)
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


def _content(handle: int) -> bytes:
    with os.fdopen(os.dup(handle), "rb") as stream:
        stream.seek(0)
        return stream.read()


def _append(handle: int, size: int, data: bytes, path: Path) -> None:
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
