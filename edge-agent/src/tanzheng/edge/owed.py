"""The slots that a device owes which sends by itself: each is a reading or, told once, a gap. Pure.

Nobody asks such a device, so a value that stays away is seen only later: a slot is given up when
its window has passed without a value, at once where the point is known to have none. A value that
comes after that is kept all the same, and counts: a gap record never hides a reading.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from tanzheng.edge.abc import Miss
from tanzheng.edge.timekeeping.scheduler import Grid

NOT_RECEIVED = "not_received"
SLOTS_KEPT_MAX = 4096
"""Slots remembered for each point: what a wrong clock stamps far ahead costs no memory."""


class OwedSlots:
    """The points of one device with its grid. `window_ms`: how long after its beginning a slot may
    be filled."""

    def __init__(self, points: Iterable[int], grid: Grid, window_ms: int) -> None:
        self.grid, self.window_ms = grid, window_ms
        self._told: dict[int, dict[int, str]] = {point: {} for point in points}
        self._open_ms: dict[int, int] = {}
        """The first slot of each point that is neither filled nor given up."""

    @property
    def points(self) -> tuple[int, ...]:
        """The points, in the order in which they were given."""
        return tuple(self._told)

    def due(self, slot_ms: int) -> tuple[int, ...]:
        """All points where the slot is one of the device's, else none."""
        return self.points if self.grid.at_or_before(slot_ms) == slot_ms else ()

    def filled(self, point: int, t_ms: int) -> None:
        """A value of `t_ms` is durable."""
        self._note(point, t_ms, "")

    def empty(self, point: int, t_ms: int, reason: str) -> None:
        """The device said that it has no value of `t_ms`."""
        if self._told[point].get(self.grid.at_or_before(t_ms)) is None:
            self._note(point, t_ms, reason)

    def misses(self, slot_ms: int, absence: Callable[[int], str | None]) -> list[Miss]:
        """What is given up at the slot: of points for which `absence` has a reason all up to it, of
        others what lies before the window. Nothing between two slots of the device."""
        if not self.due(slot_ms):
            return []
        end_ms = slot_ms + self.grid.interval_ms

        def verdict(point: int) -> tuple[int, str]:
            reason = absence(point)
            return (end_ms - self.window_ms, NOT_RECEIVED) if reason is None else (end_ms, reason)

        return self._give_up(slot_ms, verdict)

    def settle(self, slot_ms: int) -> list[Miss]:
        """Everything up to the slot (the gateway's) without a value: nobody will listen for it."""
        end_ms = self.grid.at_or_before(slot_ms) + self.grid.interval_ms
        return self._give_up(slot_ms, lambda _point: (end_ms, NOT_RECEIVED))

    def _give_up(self, slot_ms: int, verdict: Callable[[int], tuple[int, str]]) -> list[Miss]:
        """The slots of each point up to the end in `verdict`, for the reason there."""
        groups: dict[tuple[range, str], list[int]] = {}
        for point, told in self._told.items():
            begin_ms = self._open_ms.setdefault(point, self.grid.at_or_before(slot_ms))
            until_ms, reason = verdict(point)
            end_ms = self._open_ms[point] = max(begin_ms, until_ms)
            for run in self._runs(told, begin_ms, end_ms, reason):
                groups.setdefault(run, []).append(point)
            for slot in [slot for slot in told if slot < end_ms]:
                del told[slot]
        return [Miss(tuple(points), reason, run) for (run, reason), points in groups.items()]

    def _runs(
        self, told: Mapping[int, str], begin_ms: int, end_ms: int, reason: str
    ) -> Iterator[tuple[range, str]]:
        """The slots without a value in as few stretches as have one reason each."""
        step_ms, start_ms = self.grid.interval_ms, begin_ms
        for slot in sorted(slot for slot in told if begin_ms <= slot < end_ms):
            if start_ms < slot:
                yield range(start_ms, slot, step_ms), reason
            if told[slot]:
                yield range(slot, slot + step_ms, step_ms), told[slot]
            start_ms = slot + step_ms
        if start_ms < end_ms:
            yield range(start_ms, end_ms, step_ms), reason

    def _note(self, point: int, t_ms: int, reason: str) -> None:
        slot_ms, told = self.grid.at_or_before(t_ms), self._told[point]
        if slot_ms >= self._open_ms.get(point, slot_ms) and len(told) < SLOTS_KEPT_MAX:
            told[slot_ms] = reason
