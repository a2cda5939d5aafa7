"""A disk that is small enough to fill: a tmpfs, which only root can mount."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from parts import missing


def can_mount() -> bool:
    """Whether this process may try."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


@contextlib.contextmanager
def little_disk(folder: Path, mib: int) -> Iterator[Path]:
    """`folder`, made where needed, on a file system of `mib` MiB of its own."""
    if not can_mount():
        missing("root, who alone can mount a small disk")
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        missing("the right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(ballast: Path) -> None:
    """Write `ballast` until the disk takes no byte more."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
