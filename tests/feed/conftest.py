from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from feed.story import Story, told
from feed.world import World
from tanzheng.feed.ledger import Ledger

if TYPE_CHECKING:
    from tanzheng.anchor.devchain import Anvil


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Seven items and what is trusted; nobody changes it."""
    yield from told(tmp_path_factory.mktemp("story"))


@pytest.fixture
def books(story: Story, tmp_path: Path) -> Iterator[Ledger]:
    """Empty books of the story's feed, in `ledger.sqlite`."""
    ledger = Ledger(tmp_path / "ledger.sqlite", story.checker)
    yield ledger
    ledger.close()


@pytest.fixture
def world(anvil: Anvil, tmp_path: Path) -> Iterator[World]:
    """A chain of the test's own with both contracts, and nothing reported yet."""
    made = World(anvil, tmp_path)
    yield made
    for reader in made.readers:
        reader.close()
