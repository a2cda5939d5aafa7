"""What the agent asks of a driver and of a clock, whatever the protocol."""

from collections.abc import Sequence
from typing import Protocol

from tanzheng.core.batch import ClockState

Outcome = float | str
"""One point at one slot: a finite value in the dictionary's unit, or why there is none."""


class Driver(Protocol):
    """One device. `read` never raises for what a device or a network does: it gives reasons."""

    @property
    def device_id(self) -> str:
        """The identifier that the plant file gives the device."""
        ...

    async def read(self) -> Sequence[Outcome]:
        """One outcome for each point of the device, in the plan's order, from a read made now."""
        ...

    def close(self) -> None:
        """Give connections back. The driver is not used afterwards."""
        ...


class Clock(Protocol):
    """Where slots come from. Time-outs, retries and keep-alives never use it: they are real."""

    async def start(self, durable_ms: int | None) -> int:
        """Begin; the instant (UTC ms) after which the first slot may lie is returned.

        `durable_ms` is the newest slot in the spool, None for an empty one.
        """
        ...

    async def next_slot(self) -> int | None:
        """Wait for the next slot (UTC ms); None where time has come to its end."""
        ...

    def done(self, slot_ms: int, readings: int, missed: int) -> None:
        """The slot is durable with that many readings and points not read."""
        ...

    def now_ms(self) -> int:
        """This clock's present instant, UTC ms."""
        ...

    def state(self) -> ClockState:
        """Source, synchronisation and offset, for the batch header."""
        ...

    def close(self) -> None:
        """Let go of the source of time."""
        ...
