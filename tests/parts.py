"""What the fixtures of real parts share: where a part is missing, and folders for servers."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def missing(part: str) -> NoReturn:
    """End the test that needs `part`: a failure where CI=true, else a skip with the reason.

    In CI every part must be real; a suite that quietly skips its database proves nothing.
    """
    message = f"missing: {part}; `make setup` (as root on Debian) installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder that a server with a user id of its own can pass through; gone afterwards.

    Not `tmp_path`: its parents are closed to everyone else, and its path can be too long for a
    unix socket.
    """
    folder = Path(tempfile.mkdtemp(prefix="tz-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
