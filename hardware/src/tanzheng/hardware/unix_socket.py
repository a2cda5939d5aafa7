"""Unix sockets in folders of any depth: the kernel's address has room for 107 bytes only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ADDRESS_BYTES_MAX: Final = 107


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address of the socket `path` to bind or connect to while the block lasts.

    Where the path is too long, the folder is named by a descriptor of ours (Linux); elsewhere the
    kernel's own error tells.
    """
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
