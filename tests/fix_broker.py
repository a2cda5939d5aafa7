"""`broker`: a mosquitto of the test's own, on a free port."""

from collections.abc import Iterator

import pytest

from parts import missing, server_folder
from tanzheng.ingest.broker import Broker, find_mosquitto


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A running broker: `.host`, `.port`, `.platform_url`, `.gateway_url(gateway id)`.

    A test may `.stop()`, `.kill()`, `.start()` (same port, sessions and passwords kept),
    `.pause()` and `.resume()` it as it likes.
    """
    if find_mosquitto() is None:
        missing("mosquitto")
    with server_folder() as folder, Broker(folder) as running:
        yield running
