"""The grid of acquisition instants: pure arithmetic over UTC milliseconds.

Slots lie `interval_ms` apart, counted from the start of the plant's month: `phase_ms` is that
start modulo the interval (0 wherever the plant's offset from UTC is a multiple of the interval).
"""

from dataclasses import dataclass

from tanzheng.core.errors import BadInput

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Grid:
    """Slots every `interval_ms`, which must divide the hour, so that each month starts on one."""

    interval_ms: int
    phase_ms: int = 0

    def __post_init__(self) -> None:
        if self.interval_ms <= 0 or HOUR_MS % self.interval_ms:
            raise BadInput(f"expected an interval that divides the hour, got {self.interval_ms} ms")
        if not 0 <= self.phase_ms < self.interval_ms:
            raise BadInput(f"expected a phase within the interval, got {self.phase_ms} ms")

    def at_or_before(self, t_ms: int) -> int:
        """The last slot not later than `t_ms`."""
        return t_ms - (t_ms - self.phase_ms) % self.interval_ms

    def due(self, last_ms: int, now_ms: int) -> int:
        """The slot to read next, given the last one done.

        Slots that went by meanwhile are not piled up: the newest begun slot is read, and what lies
        between it and `last_ms` is for `missed`. A clock that was set back waits for new instants.
        """
        return max(last_ms + self.interval_ms, self.at_or_before(now_ms))

    def missed(self, last_ms: int, slot_ms: int) -> tuple[int, int] | None:
        """The half-open range of slots between the last one done and `slot_ms`; None where none."""
        first = last_ms + self.interval_ms
        return (first, slot_ms) if first < slot_ms else None
