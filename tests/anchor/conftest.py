from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from anchor.chain import Deployed, deployed

if TYPE_CHECKING:
    from tanzheng.anchor.devchain import Anvil


@pytest.fixture
def chain(anvil: Anvil) -> Deployed:
    """A chain of the test's own with the contract on it: the faults here reach the whole node."""
    return deployed(anvil)
