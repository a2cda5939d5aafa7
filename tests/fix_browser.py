"""The verifier's page in a real Chromium, opened from disk like a stranger opens it."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from parts import missing

CHROMIUM = "chromium"
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
CALL_S_MAX = 600
T = TypeVar("T")


class Chromium:
    """A browser that lives in a thread of its own: its driver wants an event loop for itself."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self.requests: list[str] = []
        self._in_thread(self._start)

    def open(self, html: Path) -> None:
        """Show a page from disk; `requests` lists what it asks for from then on."""
        self.requests.clear()
        self._in_thread(lambda: self.page.goto(html.as_uri()))

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """What a function of the page's returns, or resolves to, for a JSON argument."""
        return self._in_thread(lambda: self.page.evaluate(script, argument))

    def do(self, steps: Callable[[Any], T]) -> T:
        """Do something with the page as a person would."""
        return self._in_thread(lambda: steps(self.page))

    def close(self) -> None:
        """End the browser."""
        self._in_thread(self._end)
        self._thread.shutdown()

    def _in_thread(self, work: Callable[[], T]) -> T:
        return self._thread.submit(work).result(CALL_S_MAX)

    def _start(self) -> None:
        from playwright.sync_api import sync_playwright

        self._driver = sync_playwright().start()
        self._browser = self._driver.chromium.launch(
            executable_path=shutil.which(CHROMIUM), args=list(ARGUMENTS)
        )
        self.page = self._browser.new_page()
        self.page.set_default_timeout(CALL_S_MAX * 1000)
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _end(self) -> None:
        self._browser.close()
        self._driver.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One browser for all tests of the page."""
    if shutil.which(CHROMIUM) is None:
        missing(CHROMIUM)
    browser = Chromium()
    try:
        yield browser
    finally:
        browser.close()
