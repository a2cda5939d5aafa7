"""Whether the spool may take more, and what to do where it may not.

Full is: its own limit of bytes, the age of the oldest that is not acknowledged, or a reserve of
free disk for the rest of the machine. `keep_oldest`: what is held stays, new slots become a gap.
`keep_newest`: the oldest readings that are not sealed yet become a gap. A sealed batch is never
dropped: the next one names its hash, and the platform would refuse whatever came after a hole. So
that there is something to drop, only half of the limit is ever sealed ahead of the platform.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tanzheng.edge.spool.dropping import Remains, drop
from tanzheng.edge.spool.records import summary
from tanzheng.edge.spool.store import Spool, row
from tanzheng.edge.timekeeping.scheduler import Grid

KEEP_NEWEST = "keep_newest"
CHECK_S = 1.0
DROP_ENTRIES_MAX = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """What the spool may take; `age_s_max` 0 = no limit.

    `grids`: the slots of points that do not keep the gateway's, by name.
    """

    bytes_max: int
    disk_free_bytes_min: int
    age_s_max: int = 0
    policy: str = "keep_oldest"
    grids: Mapping[str, Grid] = field(default_factory=dict)

    @property
    def sealed_bytes_max(self) -> int | None:
        """How much may be sealed and not acknowledged; None = no limit of its own."""
        return self.bytes_max // 2 if self.policy == KEEP_NEWEST else None


class Room:
    """The spool's room, looked at about once a second. `full` may be read from any thread."""

    def __init__(self, spool: Spool, folder: Path, limits: Limits) -> None:
        self.limits = limits
        self.oldest_ms: int | None = None
        """The oldest instant that is not acknowledged, as of the last look."""
        self._spool, self._folder = spool, folder
        self._disk_full = self._too_old = False
        self._look_s = float("-inf")

    def look(self, now_ms: int) -> bool:
        """Whether the spool is full, after a look at disk and age where the last is old."""
        now_s = time.monotonic()
        if now_s >= self._look_s + CHECK_S:
            self._look_s = now_s
            disk = os.statvfs(self._folder)
            free = disk.f_bavail * disk.f_frsize + self._spool.free_bytes_inside()
            self._disk_full = free < self.limits.disk_free_bytes_min
            self.oldest_ms = self._spool.oldest_ms()
        age_s = (now_ms - self.oldest_ms) / 1000 if self.oldest_ms is not None else 0.0
        self._too_old = 0 < self.limits.age_s_max < age_s
        return self.full

    @property
    def full(self) -> bool:
        """True where no more readings may be taken, as of the last look."""
        return self._disk_full or self._too_old or self._spool.bytes_used >= self.limits.bytes_max

    @property
    def drops(self) -> bool:
        """Whether the oldest goes to make room."""
        return self.limits.policy == KEEP_NEWEST

    def make_room(self, grid: Grid) -> Remains | None:
        """Drop some of the oldest unsealed readings; None where there are none to drop.

        In one transaction gap records take their place. For the thread of the spool.
        """
        with self._spool.guard:
            unsealed = self._spool.oldest(DROP_ENTRIES_MAX)
            if unsealed is None:
                return None
            entries, size = [], 0
            wanted = max(self.limits.bytes_max // 20, self._spool.bytes_used // 20)
            for entry_id, body in unsealed.entries:
                entries.append((entry_id, body))
                size += len(body)
                if size >= wanted and len(entries) > 1:
                    break
            if not any(summary(body).readings for _, body in entries):
                return None
            grids = [self.limits.grids.get(name, grid) for name in unsealed.points]
            remains = drop([body for _, body in entries], grids, grid.interval_ms)
            rows = [row(entry) for entry in remains.entries]
            if len(rows) > len(entries):
                return None
            self._spool.replace_oldest([(at, len(body)) for at, body in entries], rows)
        self._look_s = float("-inf")
        return remains
