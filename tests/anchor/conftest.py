from __future__ import annotations

from collections.abc import Iterator

import pytest

from anchor.chain import Deployed, deployed
from tanzheng.anchor.devchain import Anvil


@pytest.fixture
def chain() -> Iterator[Deployed]:
    """A chain of its own for every test: the faults here reach the whole node."""
    with Anvil() as anvil:
        yield deployed(anvil)
