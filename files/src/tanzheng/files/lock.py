"""One process at a time: a lock file, which the system lets go of when its holder ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tanzheng.files.durable import PUBLIC_MODE

if TYPE_CHECKING:
    from tanzheng.core.errors import TanzhengError

_POLL_S = 0.05


@contextmanager
def alone(
    path: Path, busy: type[TanzhengError], wait_s: float = 0, mode: int = PUBLIC_MODE
) -> Iterator[None]:
    """Hold the lock file `path`; `busy` if another process still does after `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, mode)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise busy(
                        f"expected to be alone in {path.parent}, got another process at work"
                    ) from None
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)
