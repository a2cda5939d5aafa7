"""The commands as processes of their own: started, killed, asked."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feed.world import World

READY_S_MAX = 60.0
TANZHENG = str(Path(sys.executable).parent / "tanzheng")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    command = [TANZHENG, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def start(*arguments: object, log: Path) -> subprocess.Popen[bytes]:
    """A command that stays."""
    with log.open("ab") as output:
        command = [TANZHENG, *map(str, arguments)]
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL, and wait for the end."""
    process.kill()
    process.wait()


def stop(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM; the exit code."""
    process.terminate()
    return process.wait(20)


def until(ready: Callable[[], Any], what: str) -> Any:
    """What `ready` gives once it is something."""
    deadline = time.monotonic() + READY_S_MAX
    while not (found := ready()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def collect(world: World, *more: object) -> tuple[object, ...]:
    """The arguments of the collector."""
    return (
        "feed", "collect", "--dir", world.folder / "feed", "--rpc", world.anvil.url,
        "--contract", world.emissions.address, "--since", world.block, "--finality", "0",
        "--shelf", world.folder / "shelf", "--key", world.key, *more,
    )  # fmt: skip


def follow(world: World, url: str, ledger: Path, *more: object) -> tuple[object, ...]:
    """The arguments of the consumer."""
    return (
        "feed", "follow", "--url", url, "--token", world.folder / "token",
        "--trust", world.write_trust(), "--authority", world.write_authority(),
        "--ledger", ledger, *more,
    )  # fmt: skip


def make_token(world: World) -> str:
    """A token of a reader, also in the file `token`."""
    path = world.folder / "token"
    done = run("feed", "token", "registry", "--dir", world.folder / "feed", "--out", path)
    assert done.returncode == 0, done.stderr
    return path.read_text()


@contextmanager
def served(world: World, port: int = 0) -> Iterator[str]:
    """A server over the world's feed: its address."""
    log = world.folder / "serve.log"
    log.write_bytes(b"")
    process = start("feed", "serve", "--dir", world.folder / "feed", "--port", port, log=log)
    try:
        line = until(lambda: log.read_text().partition("\n")[0], "server")
        yield json.loads(line)["url"]
    finally:
        assert stop(process) == 0, log.read_text()
