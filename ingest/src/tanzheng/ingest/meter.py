"""What the running service counts of itself. Plain numbers: how they are shown is `metrics`' task.

One writer for each figure (the service's main thread; paho's thread for `broker_connected`), any
number of readers.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tanzheng.ingest.writer import Outcome

COMMIT_S_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STUCK_S_MAX = 60.0
"""The main loop comes by at least so often, also behind the largest group."""


@dataclass(slots=True)
class Meter:
    """Counts since start, and how the service stands now."""

    accepted: int = 0
    early: int = 0
    duplicates: int = 0
    readings: int = 0
    dropped: int = 0
    """Messages that found the queue full; their gateways send them again."""
    refused: Counter[str] = field(default_factory=Counter)
    commits: list[int] = field(default_factory=lambda: [0] * (len(COMMIT_S_BOUNDS) + 1))
    """Groups by how long they took: up to each bound of `COMMIT_S_BOUNDS`, and longer."""
    commit_s_sum: float = 0.0
    broker_connected: bool = False
    database_up: bool = False
    alive_s: float = field(default_factory=time.monotonic)
    queue_depth: Callable[[], int] = lambda: 0

    def wrote(self, outcome: Outcome, seconds: float) -> None:
        """A group is committed."""
        self.accepted += outcome.accepted
        self.early += outcome.early
        self.duplicates += outcome.duplicates
        self.readings += outcome.readings
        self.refused.update({reason.value: count for reason, count in outcome.refused.items()})
        self.commits[bisect_left(COMMIT_S_BOUNDS, seconds)] += 1
        self.commit_s_sum += seconds

    def alive(self) -> None:
        """The main loop came by."""
        self.alive_s = time.monotonic()

    def faults(self) -> list[str]:
        """Why the service takes nothing now; empty where it does."""
        found = []
        if not self.broker_connected:
            found.append("broker not connected")
        if not self.database_up:
            found.append("database away")
        if (still_s := time.monotonic() - self.alive_s) > STUCK_S_MAX:
            found.append(f"no sign of life for {still_s:.0f} s")
        return found
