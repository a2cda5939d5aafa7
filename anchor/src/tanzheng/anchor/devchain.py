"""A development chain: the anvil of npm's `@foundry-rs/anvil`, for tests and the demo.

    with Anvil() as node:
        node.url, node.chain_id

The node listens on a free port of the loopback interface, knows no funded account (the well-known
development keys are switched off) and is gone when the block is left, frozen or not.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tanzheng.anchor.errors import AnchorInput, ChainUnavailable

ANVIL_VARIABLE = "TANZHENG_ANVIL"
START_S_MAX = 20.0
STOP_S_MAX = 2.0
LISTENING = "Listening on "


class Anvil:
    """One anvil process; `directory` keeps its log, None keeps nothing; `options` are anvil's own.

    `accounts`: how many funded accounts it has, whose keys everybody knows.

    It may be started again after `stop`, on another port.
    """

    chain_id = 31337

    def __init__(
        self, directory: Path | None = None, options: Sequence[str] = (), accounts: int = 0
    ) -> None:
        self._directory = directory
        self._options = options
        self._accounts = accounts
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the node and wait until it listens; `ChainUnavailable` if it does not."""
        if self._directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="tanzheng-anvil-")
        folder = Path(self._temporary.name) if self._temporary else self._directory
        assert folder is not None
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "anvil.log"
        command = [str(anvil_binary()), "--port", "0", "--accounts", str(self._accounts)]
        command += ["--cache-path", str(folder / "anvil-cache"), *self._options]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.url = f"http://{self._wait_for_address(log)}"
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the node and everything it started. Safe to call twice, and on a frozen node."""
        if self._process is not None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()
            self._process = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def wait(self) -> None:
        """Return when the node ends by itself."""
        assert self._process is not None
        self._process.wait()

    def pause(self) -> None:
        """Freeze the node: connections are still taken, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _wait_for_address(self, log: Path) -> str:
        assert self._process is not None
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            for line in log.read_text(errors="replace").splitlines(keepends=True):
                if line.startswith(LISTENING) and line.endswith("\n"):
                    return line.removeprefix(LISTENING).strip()
            time.sleep(0.02)
        tail = log.read_text(errors="replace")[-500:]
        raise ChainUnavailable(f"expected anvil to listen in {START_S_MAX:.0f} s, got: {tail!r}")


def anvil_binary() -> Path:
    """Path of the native anvil; `AnchorInput` says how to get it.

    Looked for in $TANZHENG_ANVIL, beside the sources (`npm ci` in contracts/), then on the PATH.
    npm's own `anvil` is a node script around the same binary; without it no node is needed here,
    and a signal reaches the chain itself.
    """
    named = os.environ.get(ANVIL_VARIABLE)
    if named:
        return Path(named)
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform, sys.platform)
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    part = f"contracts/node_modules/@foundry-rs/anvil-{system}-{machine}/bin/anvil"
    for folder in Path(__file__).resolve().parents:
        if (folder / part).is_file():
            return folder / part
    found = shutil.which("anvil")
    if found is None:
        raise AnchorInput(
            f"expected the development chain anvil at {part}, in ${ANVIL_VARIABLE} or on the PATH, "
            "got none: run `npm ci` in contracts/"
        )
    return Path(found)
