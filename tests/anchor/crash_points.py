"""The persisted steps of sealing and publishing, and a child process that is killed at one of them.

The steps are seen by an audit hook (PEP 578) in the child: what the product does is not changed,
and it knows nothing of it. `before`: the step is about to be made. `half`: the kernel lets an
append write half of its bytes. `after`: the step was made, and the process does the next thing
that the interpreter tells of.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

SEND = "transaction handed to the node"
PROOF = "proof of the final head"
_PLACES = {
    r"log/tile/entries/": "statement's bytes appended",
    r"log/tile/sm3/0/": "SM3 hash appended",
    r"log/tile/sha256/0/": "SHA-256 hash appended: it counts",
    r"log/checkpoints/\d+\.cose$": "signed checkpoint",
    r"log/checkpoint$": "newest checkpoint",
    r"log/heads/": "heads",
    r"publications/\d+\.proof$": PROOF,
    r"receipt.*\.cbor$": "receipt",
}
_APPENDED = tuple(name for name in _PLACES.values() if "appended" in name)
HEADS_GONE = "heads of the one before removed"
_RECORD = re.compile(r"publications/\d+\.json$")
STEPS = (
    *_APPENDED,
    "signed checkpoint",
    "newest checkpoint",
    "heads",
    HEADS_GONE,
    "record: prepared",
    SEND,
    "record: sent",
    "record: mined",
    "record: final",
    PROOF,
    "receipt",
)
"""In the order in which a seal makes them."""


class Moment(StrEnum):
    BEFORE = "before"
    HALF = "half"
    AFTER = "after"


def points() -> list[tuple[str, Moment]]:
    """Every instant at which a child is killed on purpose."""
    return [
        (step, moment)
        for step in STEPS
        for moment in Moment
        if moment is not Moment.HALF or step in _APPENDED
    ]


def killed_at(step: str, moment: Moment, work: Callable[[], object]) -> bool:
    """Run `work` in a process that dies at that instant; False where it never came there."""
    return _killed(os.fork(), lambda: sys.addaudithook(_hook(step, moment)), work)


def done_at(step: str, act: Callable[[], object], work: Callable[[], object]) -> None:
    """Run `work` in a process that does `act` when it is about to make `step`."""
    _killed(os.fork(), lambda: sys.addaudithook(_hook(step, Moment.BEFORE, act)), work)


def killed_after(delay_s: float, work: Callable[[], object]) -> bool:
    """Run `work` in a process that is killed `delay_s` later; False where it was done before."""
    if (child := os.fork()) != 0:
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)  # a zombie until it is waited for: the number is still its
    return _killed(child, lambda: None, work)


def _killed(child: int, prepare: Callable[[], None], work: Callable[[], object]) -> bool:
    if child == 0:
        try:
            prepare()
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hook(
    step: str, moment: Moment, act: Callable[[], object] = _die
) -> Callable[[str, tuple[Any, ...]], None]:
    reached, asking = False, False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal reached, asking
        if asking:
            return
        asking = True  # what is done here has events of its own
        if reached:
            _die()
        here = _step(event, arguments) == step
        if here and moment is Moment.BEFORE:
            act()
        if here and moment is Moment.HALF:
            _stop_in_the_next_write(Path(arguments[0]))
        reached = here and moment is Moment.AFTER
        asking = False

    return hook


def _step(event: str, arguments: tuple[Any, ...]) -> str | None:
    if event == "http.client.send":
        return SEND if b"eth_sendRawTransaction" in bytes(arguments[1]) else None
    if event == "open" and isinstance(arguments[0], os.PathLike | str):
        path, flags = os.fspath(arguments[0]), arguments[2]
        return _place(str(path)) if flags & os.O_APPEND else None
    if event in ("os.link", "os.rename"):
        source, path = (str(os.fspath(name)) for name in arguments[:2])
        if _RECORD.search(path):
            return f"record: {json.loads(Path(source).read_bytes())['state']}"
        return _place(path)
    if event == "os.remove" and _place(os.fspath(arguments[0])) == "heads":
        return None if os.fspath(arguments[0]).endswith(".unfinished") else HEADS_GONE
    return None


def _place(path: str) -> str | None:
    found = [name for pattern, name in _PLACES.items() if re.search(pattern, path)]
    return found[0] if found else None


def _stop_in_the_next_write(path: Path) -> None:
    """SIGXFSZ ends the process after 16 bytes more: a write cut in two."""
    size = path.stat().st_size if path.exists() else 0
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 16, resource.RLIM_INFINITY))
