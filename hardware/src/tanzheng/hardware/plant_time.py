"""Who owns plant time in a replay: a pure state machine, no clock, no socket.

Time moves on only when the agent has made the slot before durable. A slot is *offered*, then
*taken* once the agent says that it is durable. When the agent goes away, the slot on offer stays
pending and plant time goes on ten minutes; when it comes back, the pending slot counts as taken
if the agent's last durable slot says so, else it is lost to the agent (it must record a gap).
The closing slot at the month's end is always offered: counters are closed with it.
"""

from dataclasses import dataclass
from typing import Final

from tanzheng.core.errors import BadInput

AWAY_MS: Final = 10 * 60_000


class PlantTimeError(BadInput):
    """The agent said something that the protocol has not at this point."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A slot that is durable with the agent: `readings` points in it, `missed` points not read."""

    slot_ms: int
    readings: int
    missed: int


class PlantTime:
    """The plant's clock from `start_ms` to `end_ms`, both of them slots.

    `readings_per_slot` is what a slot counts that the agent made durable but could not report.
    `last_taken_ms`: where an earlier run of the simulator got to.
    """

    def __init__(
        self, start_ms: int, end_ms: int, readings_per_slot: int, last_taken_ms: int | None = None
    ) -> None:
        self.start_ms, self.end_ms = start_ms, end_ms
        self.now_ms = start_ms if last_taken_ms is None else last_taken_ms
        self._readings_per_slot = readings_per_slot
        self._interval_ms = 0
        self._pending: int | None = None
        self._next = start_ms
        self._last_taken = last_taken_ms
        self._connected = False

    @property
    def ended(self) -> bool:
        """True once the closing slot is taken."""
        return self._last_taken == self.end_ms

    def hello(self, interval_ms: int, durable_ms: int | None) -> Taken | None:
        """An agent comes. Returns the pending slot where it turns out to be taken.

        `PlantTimeError` for an interval that does not divide the month or is another than before.
        """
        self._set_interval(interval_ms)
        self._connected = True
        pending, self._pending = self._pending, None
        if pending is None or pending != durable_ms:
            return None
        return self._take(pending, self._readings_per_slot, 0)

    def next(
        self, done_ms: int | None, readings: int, missed: int
    ) -> tuple[Taken | None, int | None]:
        """The agent wants a slot, having made `done_ms` durable (None only while none is offered).

        Returns what became taken and the slot on offer now, None after the closing slot.
        """
        if not self._connected:
            raise PlantTimeError("expected hello before next")
        if done_ms != self._pending:
            raise PlantTimeError(f"expected done_ms {self._pending}, got {done_ms}")
        taken = None if done_ms is None else self._take(done_ms, readings, missed)
        if self.ended:
            return taken, None
        self._pending = self.now_ms = self._next
        self._next += self._interval_ms
        return taken, self._pending

    def goodbye(self) -> None:
        """The agent is gone: plant time goes on a little, then holds."""
        if not self._connected:
            return
        self._connected = False
        if not self.ended:
            self._next = min(self._next + AWAY_MS, self.end_ms)
            self.now_ms = self._next - self._interval_ms

    def _take(self, slot_ms: int, readings: int, missed: int) -> Taken:
        self._pending = None
        self._last_taken = slot_ms
        return Taken(slot_ms, readings, missed)

    def _set_interval(self, interval_ms: int) -> None:
        if interval_ms <= 0 or (self.end_ms - self.start_ms) % interval_ms or AWAY_MS % interval_ms:
            raise PlantTimeError(
                f"expected an interval that divides the month and ten minutes, got {interval_ms} ms"
            )
        if self._interval_ms not in (0, interval_ms):
            raise PlantTimeError(f"expected {self._interval_ms} ms as before, got {interval_ms} ms")
        if self._interval_ms == 0 and self._last_taken is not None:
            # The simulator itself was restarted: the slot after the last one taken may have been
            # on offer, and plant time went on meanwhile.
            self._pending = self._last_taken + interval_ms
            self._next = min(self._pending + interval_ms + AWAY_MS, self.end_ms)
        self._interval_ms = interval_ms
