"""What is remembered of each point: when it was last heard, which sample times were taken. Pure."""

from array import array
from dataclasses import dataclass, field
from typing import Final

from tanzheng.edge.drivers.mqtt.edge_node import STALE

TIMES_MAX: Final = 256
"""Sample times remembered for each point: 2 KB, whatever the rate."""


@dataclass(slots=True)
class PointMemory:
    """One point. `absent` is why its sender has no value at present, None where it has one."""

    newest_ms: int | None = None
    absent: str | None = None
    _heard_ms: int | None = None
    _times: "array[int]" = field(default_factory=lambda: array("q"))
    _next: int = 0

    def take(self, t_ms: int, now_ms: int) -> bool:
        """Note a value of `t_ms`; False where one of that instant was taken before.

        A time ahead of ours does not keep a point fresh for longer than from now on.
        """
        if self.newest_ms is not None and t_ms <= self.newest_ms and t_ms in self._times:
            return False
        if len(self._times) < TIMES_MAX:
            self._times.append(t_ms)
        else:
            self._times[self._next] = t_ms
            self._next = (self._next + 1) % TIMES_MAX
        if self.newest_ms is None or t_ms >= self.newest_ms:
            self.newest_ms, self.absent = t_ms, None
        heard_ms = min(t_ms, now_ms)
        self._heard_ms = heard_ms if self._heard_ms is None else max(self._heard_ms, heard_ms)
        return True

    def nothing(self, t_ms: int, reason: str) -> None:
        """The sender says that there was no value at `t_ms`; older news change nothing."""
        if self.newest_ms is None or t_ms >= self.newest_ms:
            self.absent = reason

    def silent(self) -> None:
        """The sender has died: what it said counts no longer."""
        self.absent = STALE

    def miss(self, slot_ms: int, window_ms: int) -> str | None:
        """Why there is no value for the slot; None where one lies in the window before it."""
        if self.absent is not None:
            return self.absent
        if self._heard_ms is None or self._heard_ms <= slot_ms - window_ms:
            return STALE
        return None
