"""`july`: the shipped July 2018, rehearsed once for all tests that look at a finished month."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parts import missing, server_folder
from tanzheng.ingest.broker import find_mosquitto

TANZHENG = Path(sys.executable).with_name("tanzheng")
REHEARSAL_S_MAX = 540.0
"""A test that may be the first to want a rehearsal is marked with a longer time-out than this."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A finished `tanzheng demo`: its folder, what it said, its summary (empty without one)."""

    folder: Path
    exit_code: int
    output: str
    summary: dict[str, Any]


def rehearse(folder: Path, *arguments: str) -> Rehearsal:
    """Run the demo to its end in `folder`, which its servers' own users must be able to reach."""
    if find_mosquitto() is None:
        missing("mosquitto")
    done = subprocess.run(
        [TANZHENG, "demo", "--dir", str(folder), *arguments],
        capture_output=True, text=True, timeout=REHEARSAL_S_MAX, check=False,
    )  # fmt: skip
    written = folder / "summary.json"
    summary = json.loads(written.read_text()) if written.exists() else {}
    return Rehearsal(folder, done.returncode, done.stdout + done.stderr, summary)


@pytest.fixture(scope="session")
def july() -> Iterator[Rehearsal]:
    """July 2018 of Langley Gulch CT1. The folder is everybody's: change a copy of it."""
    with server_folder() as folder:
        yield rehearse(folder / "run")
