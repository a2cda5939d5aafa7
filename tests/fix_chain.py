"""`anvil`: a development chain of the test's own, on a free port."""

from collections.abc import Iterator

import pytest

from parts import missing
from tanzheng.anchor.devchain import Anvil, anvil_binary
from tanzheng.anchor.errors import AnchorInput


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    """A running node at block 0: `.url`, `.chain_id`; a test may `.pause()` and `.resume()` it.

    One for each test: it starts in 0.05 s, which is less than reverting a shared one safely.
    """
    try:
        anvil_binary()
    except AnchorInput as error:
        missing(str(error))
    with Anvil() as node:
        yield node
