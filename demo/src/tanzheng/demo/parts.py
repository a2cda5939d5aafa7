"""The processes of a rehearsal: started with a log each, stopped all, whatever happens."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tanzheng.core.errors import TanzhengError
from tanzheng.ingest import service

PROGRAM = str(Path(sys.executable).with_name("tanzheng"))
READY_S_MAX = 60.0
COMMAND_S_MAX = 300.0


class PartFailed(TanzhengError):
    """A part of the rehearsal ended, or does not get ready; the message ends with its log."""


@dataclass(slots=True)
class Part:
    """A running `tanzheng …` process that writes to `log`."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def failed(self, why: str) -> PartFailed:
        return PartFailed(f"{self.name}: {why}\n{service.log_tail(self.log)}")

    def check(self) -> None:
        """`PartFailed` where the process has ended by itself."""
        if (code := self.process.poll()) is not None:
            raise self.failed(f"expected a running process, got exit code {code}")

    def wait_for(self, ready: Callable[[], bool], what: str, s_max: float = READY_S_MAX) -> None:
        """Return when `ready()`; `PartFailed` where the process ends first or takes longer."""
        deadline = time.monotonic() + s_max
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise self.failed(f"expected {what} within {s_max:.0f} s")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as the kernel's out-of-memory killer would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        service.stop_program(self.process, signal.SIGTERM)


class Parts:
    """Starts parts and owns their end."""

    def __init__(self, logs: Path, stack: ExitStack) -> None:
        self._logs, self._stack = logs, stack

    def start(
        self, name: str, *arguments: str | Path, secrets: Mapping[str, str] | None = None
    ) -> Part:
        """Start `tanzheng ARGUMENTS`; it is stopped when the stack unwinds."""
        log = self._logs / f"{name}.log"
        program = [PROGRAM, *map(str, arguments)]
        with environment(secrets):
            process = service.start_program(program, None, self._logs, log, signal.SIGTERM)
        part = Part(name, process, log)
        self._stack.callback(part.stop)
        return part


@contextmanager
def environment(settings: Mapping[str, str] | None) -> Iterator[None]:
    """Our environment with `settings`, for a child to inherit: arguments are seen by all users."""
    before = dict(os.environ)
    os.environ.update(settings or {})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished command said. `data` is its JSON, empty where it printed none."""

    exit_code: int
    data: Mapping[str, Any]
    text: str


def run(*arguments: str | Path, secrets: Mapping[str, str] | None = None) -> Outcome:
    """Run `tanzheng ARGUMENTS` to its end and read the JSON it prints."""
    with environment(secrets):
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=COMMAND_S_MAX,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    try:
        data = json.loads(done.stdout)
    except ValueError:
        data = {}
    return Outcome(done.returncode, data if isinstance(data, dict) else {}, done.stderr.strip())


def must(outcome: Outcome, what: str) -> Mapping[str, Any]:
    """The JSON of a command that had to succeed."""
    if outcome.exit_code:
        raise PartFailed(f"{what}: expected exit code 0, got {outcome.exit_code}\n{outcome.text}")
    return outcome.data
