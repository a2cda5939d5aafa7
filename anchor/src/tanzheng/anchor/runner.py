"""`tanzheng anchor run`: brings what waits to the chain, for as long as it is left to run.

Whatever the chain, a node or the disk does, the log takes statements in: this process only locks it
while it signs a checkpoint. What may pass by itself is tried again, each time after twice the wait;
what a person must look at (two logs on one contract, a damaged log) ends it. It may be killed at
any instant.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tanzheng.anchor.errors import (
    ChainRefused,
    ChainUnavailable,
    DiskRefused,
    FeeAboveLimit,
    LogBusy,
    NotFinal,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tanzheng.anchor.backlog import Backlog
    from tanzheng.core.errors import TanzhengError

PASSING = (ChainUnavailable, ChainRefused, NotFinal, FeeAboveLimit, LogBusy, DiskRefused)
RETRY_S_MIN = 1.0
RETRY_S_MAX = 300.0
IDLE_S = 10.0


@dataclass(slots=True)
class Retries:
    """What failed since the last success, and how long to wait."""

    total: int = 0
    in_a_row: int = 0

    @property
    def delay_s(self) -> float:
        """1 s after the first failure, then twice as long each time, up to 300 s; 0 without one."""
        if not self.in_a_row:
            return 0.0
        return min(RETRY_S_MIN * 2.0 ** (self.in_a_row - 1), RETRY_S_MAX)


class Work(Protocol):
    """What `run` needs of a log: its queue, and how to bring it to the chain."""

    def backlog(self) -> Backlog:
        """What waits now."""
        ...

    def drain(self) -> None:
        """Bring it to `final`."""
        ...


def run(
    work: Work,
    say: Callable[[TanzhengError, float], object],
    shown: Callable[[Backlog, Retries], object],
    once: bool,
) -> None:
    """Drain for ever, or with `once` until nothing waits.

    `say` hears of each failure and of the wait after it, `shown` what waits, at first and after
    every try.
    """
    retries, backlog = Retries(), work.backlog()
    shown(backlog, retries)
    while not (once and backlog.empty):
        try:
            work.drain()
            retries.in_a_row = 0
        except PASSING as error:
            retries.total += 1
            retries.in_a_row += 1
            say(error, retries.delay_s)
        backlog = work.backlog()
        shown(backlog, retries)
        if retries.in_a_row:
            time.sleep(retries.delay_s)
        elif backlog.empty and not once:
            time.sleep(IDLE_S)
