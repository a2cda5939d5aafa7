"""The slots that a device owes which sends by itself: each is a reading or, told once, a gap. Pure.

Nobody asks such a device, so a value that stays away is seen only later: a slot is given up when
its window has passed without a value, at once where the point is known to have none. A value that
comes after that is kept all the same, and counts: a gap record never hides a reading.
"""

from collections.abc import Iterable, Iterator, Mapping

from tanzheng.edge.abc import Miss, Placed

NOT_RECEIVED = "not_received"
SLOTS_KEPT_MAX = 4096
"""Slots remembered for each point: what a wrong clock stamps far ahead costs no memory."""


class OwedSlots:
    """The points of one device. `window_ms`: how long after its beginning a slot may be filled."""

    def __init__(self, points: Iterable[int], device: Placed, window_ms: int) -> None:
        self._device, self._window_ms = device, window_ms
        self._interval_ms, self._phase_ms = device.interval_ms, device.phase_ms
        self._told: dict[int, dict[int, str]] = {point: {} for point in points}
        self._open_ms: dict[int, int] = {}
        """The first slot of each point that is neither filled nor given up."""

    @property
    def points(self) -> tuple[int, ...]:
        """The points, in the order in which they were given."""
        return tuple(self._told)

    @property
    def windows_ms(self) -> dict[int, int]:
        """Point → how long after its beginning a slot may be filled."""
        return dict.fromkeys(self._told, self._window_ms)

    def due(self, slot_ms: int) -> tuple[int, ...]:
        """All points where the slot is one of the device's, else none."""
        return self.points if self._device.has_slot(slot_ms) else ()

    def filled(self, point: int, t_ms: int) -> None:
        """A value of `t_ms` is durable."""
        self._note(point, t_ms, "")

    def empty(self, point: int, t_ms: int, reason: str) -> None:
        """The device said that it has no value of `t_ms`."""
        if self._told[point].get(self._slot(t_ms)) is None:
            self._note(point, t_ms, reason)

    def misses(self, slot_ms: int, absent: Mapping[int, str]) -> list[Miss]:
        """What is given up at the slot: of the points in `absent` (point → reason) all up to it, of
        others what lies before the window. Nothing between two slots of the device."""
        if not self.due(slot_ms):
            return []
        past_ms = slot_ms + self._interval_ms - self._window_ms
        return self._give_up(
            slot_ms,
            {point: absent.get(point, "") for point in self._told},
            {point: slot_ms + self._interval_ms if point in absent else past_ms
             for point in self._told},
        )  # fmt: skip

    def settle(self, slot_ms: int) -> list[Miss]:
        """Everything up to the slot (the gateway's) without a value: nobody will listen for it."""
        end_ms = self._slot(slot_ms) + self._interval_ms
        return self._give_up(
            slot_ms, dict.fromkeys(self._told, ""), dict.fromkeys(self._told, end_ms)
        )

    def _give_up(
        self, slot_ms: int, reasons: Mapping[int, str], ends_ms: Mapping[int, int]
    ) -> list[Miss]:
        groups: dict[tuple[range, str], list[int]] = {}
        for point, told in self._told.items():
            begin_ms = self._open_ms.setdefault(point, self._slot(slot_ms))
            end_ms = max(begin_ms, ends_ms[point])
            for run, reason in self._runs(told, begin_ms, end_ms, reasons[point]):
                groups.setdefault((run, reason), []).append(point)
            self._open_ms[point] = end_ms
            for slot in [slot for slot in told if slot < end_ms]:
                del told[slot]
        return [Miss(tuple(points), reason, run) for (run, reason), points in groups.items()]

    def _runs(
        self, told: Mapping[int, str], begin_ms: int, end_ms: int, reason: str
    ) -> Iterator[tuple[range, str]]:
        """The slots without a value in as few stretches as have one reason each."""
        step_ms, start_ms = self._interval_ms, begin_ms
        silent = reason or NOT_RECEIVED
        for slot in sorted(slot for slot in told if begin_ms <= slot < end_ms):
            if start_ms < slot:
                yield range(start_ms, slot, step_ms), silent
            if told[slot]:
                yield range(slot, slot + step_ms, step_ms), told[slot]
            start_ms = slot + step_ms
        if start_ms < end_ms:
            yield range(start_ms, end_ms, step_ms), silent

    def _note(self, point: int, t_ms: int, reason: str) -> None:
        slot_ms, told = self._slot(t_ms), self._told[point]
        if slot_ms >= self._open_ms.get(point, slot_ms) and len(told) < SLOTS_KEPT_MAX:
            told[slot_ms] = reason

    def _slot(self, t_ms: int) -> int:
        return t_ms - (t_ms - self._phase_ms) % self._interval_ms
