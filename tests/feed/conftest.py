from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feed.world import World

if TYPE_CHECKING:
    from tanzheng.anchor.devchain import Anvil


@pytest.fixture
def world(anvil: Anvil, tmp_path: Path) -> Iterator[World]:
    """A chain of the test's own with both contracts, and nothing reported yet."""
    made = World(anvil, tmp_path)
    yield made
    for reader in made.readers:
        reader.close()
