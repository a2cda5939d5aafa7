"""What the running service counts of itself. Plain numbers: how they are shown is `metrics`' task.

Written by the lanes of the service under a lock, and by paho's thread (`broker_connected`); any
number of readers.
"""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tanzheng.ingest.writer import Outcome

COMMIT_S_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STUCK_S_MAX = 60.0
"""A lane comes by at least so often, also behind the largest group."""


@dataclass(slots=True)
class Meter:
    """Counts since start, and how the service stands now; `lanes` connections to the database."""

    lanes: int = 1
    queue_depth: Callable[[], int] = lambda: 0
    accepted: int = 0
    early: int = 0
    duplicates: int = 0
    readings: int = 0
    """Messages that found the queue full; their gateways send them again."""
    refused: Counter[str] = field(default_factory=Counter)
    commits: list[int] = field(default_factory=lambda: [0] * (len(COMMIT_S_BOUNDS) + 1))
    """Groups by how long they took: up to each bound of `COMMIT_S_BOUNDS`, and longer."""
    commit_s_sum: float = 0.0
    broker_connected: bool = False
    _up: dict[int, bool] = field(default_factory=dict)
    alive_s: dict[int, float] = field(default_factory=dict)
    """When each lane came by, on the monotonic clock."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._up = dict.fromkeys(range(self.lanes), False)
        self.alive_s = dict.fromkeys(range(self.lanes), time.monotonic())

    def wrote(self, outcome: Outcome, seconds: float) -> None:
        """A group is committed."""
        with self._lock:
            self.accepted += outcome.accepted
            self.early += outcome.early
            self.duplicates += outcome.duplicates
            self.readings += outcome.readings
            self.refused.update({reason.value: count for reason, count in outcome.refused.items()})
            self.commits[bisect_left(COMMIT_S_BOUNDS, seconds)] += 1
            self.commit_s_sum += seconds

    def alive(self, lane: int) -> None:
        """A lane came by."""
        self.alive_s[lane] = time.monotonic()

    def database(self, lane: int, *, up: bool) -> None:
        """Whether a lane's connection answers."""
        self._up[lane] = up

    @property
    def database_up(self) -> bool:
        """Whether every connection answers."""
        return all(self._up.values())

    def faults(self) -> list[str]:
        """Why the service takes nothing now; empty where it does."""
        found = []
        if not self.broker_connected:
            found.append("broker not connected")
        if not self.database_up:
            found.append("database away")
        if (still_s := time.monotonic() - min(self.alive_s.values())) > STUCK_S_MAX:
            found.append(f"no sign of life for {still_s:.0f} s")
        return found
