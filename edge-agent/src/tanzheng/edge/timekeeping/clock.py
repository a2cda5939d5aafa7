"""Where slots come from: the machine's clock, or a simulator that owns plant time.

The clock is injected, so the agent is the same in a plant and in a demo that runs a month in
minutes. Time-outs, retries and keep-alives never look at it: they stay in real time.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from tanzheng.core.batch import ClockState, Event
from tanzheng.core.errors import TanzhengError
from tanzheng.edge import log
from tanzheng.edge.timekeeping.kernel_clock import MachineTime, Times
from tanzheng.edge.timekeeping.ntp_watch import NtpWatch
from tanzheng.edge.timekeeping.scheduler import Grid
from tanzheng.edge.timekeeping.steady import SteadyTime
from tanzheng.hardware.unix_socket import short_address

_LINE_BYTES_MAX = 4096
OBSERVE_S = 0.5
MARKS_MAX = 64
"""Changes of trust that are remembered: what is read before one may be handed in after it."""


class ClockLost(TanzhengError):
    """The source of plant time went away or does not keep to the protocol."""


class MachineClock:
    """Slots by a scale that never steps (`steady.py`), led by the machine's clock.

    `told` is called with events (`clock_step`, `clock_adopted`), `leapt` where slots are left out
    because a synchronised clock stepped forward. With `ntp_server` the machine's clock is measured
    against that server too, and its word counts more than the kernel's.
    """

    waits = False
    ahead = 0

    def __init__(
        self,
        grid: Grid,
        offset_ms_max: int = 1000,
        ntp_server: str | None = None,
        times: Times | None = None,
    ) -> None:
        self.told: Callable[[Event], None] = _ignore
        self.leapt: Callable[[], None] = _nothing
        self._grid, self._offset_ms_max = grid, offset_ms_max
        self._times = times if times is not None else MachineTime()
        self._steady = SteadyTime(offset_ms_max, self._times.monotonic_s(), self._times.wall_ms())
        self._last_ms = 0
        self._state = ClockState("machine", synced=False)
        self._marks: deque[tuple[int, bool]] = deque(maxlen=MARKS_MAX)
        self._observed_s = float("-inf")
        self._ntp = NtpWatch(ntp_server, self._times) if ntp_server else None

    async def start(self, durable_ms: int | None) -> int:
        """The newest durable slot, or the present one where the spool is empty."""
        if durable_ms is not None:
            self._steady.begin_after(durable_ms, self._times.monotonic_s())
        self._last_ms = self._grid.at_or_before(self.now_ms()) if durable_ms is None else durable_ms
        if self._ntp is not None:
            self._ntp.start()
        if not self._steady.agrees:
            self._tell(self._steady.difference_ms, self._source().synced)
        self._observe()
        return self._last_ms

    async def next_slot(self) -> int:
        """Wait until the next slot has begun, looking at the machine's clock twice a second."""
        while True:
            self._observe()
            monotonic_s = self._times.monotonic_s()
            slot_ms = self._grid.due(self._last_ms, self._steady.now_ms(monotonic_s))
            wait_s = self._steady.until_s(slot_ms, monotonic_s)
            if wait_s <= 0:
                self._last_ms = slot_ms
                return slot_ms
            await self._times.sleep(min(wait_s, OBSERVE_S))

    def done(self, slot_ms: int, readings: int, missed: int) -> None:
        """Nothing to tell: this clock goes on by itself."""

    def now_ms(self) -> int:
        """UTC milliseconds; never less than before."""
        return self._steady.now_ms(self._times.monotonic_s())

    def state(self) -> ClockState:
        """As of the last half second."""
        if self._times.monotonic_s() - self._observed_s >= OBSERVE_S:
            self._observe()
        return self._state

    def synced_at(self, t_ms: int) -> bool:
        """Whether a reading of that instant, not long ago, is of a clock to be trusted."""
        self.state()
        return next((synced for since_ms, synced in self._marks if since_ms <= t_ms), False)

    def close(self) -> None:
        """Stop asking the time server."""
        if self._ntp is not None:
            self._ntp.close()

    def _source(self) -> ClockState:
        """What stands behind the wall clock now."""
        measured_ms = self._ntp.offset_ms if self._ntp is not None else None
        if measured_ms is None:
            kernel = self._times.kernel()
            return ClockState("machine", kernel.synced, kernel.offset_us)
        synced = abs(measured_ms) <= self._offset_ms_max
        return ClockState("ntp", synced, round(measured_ms * 1000))

    def _observe(self) -> None:
        self._observed_s = self._times.monotonic_s()
        wall_ms = self._times.wall_ms()
        if self._ntp is not None and self._steady.stepped(self._observed_s, wall_ms):
            self._ntp.measure_again()  # what was measured before the step is void
        source = self._source()
        seen = self._steady.observe(self._observed_s, wall_ms, source.synced)
        if seen.step is not None:
            self._tell(seen.step.step_ms, source.synced)
        if seen.leapt_ms:
            self.told(Event(self.now_ms(), "clock_adopted", {"leapt_ms": seen.leapt_ms}))
            self.leapt()
        agrees = self._steady.agrees
        offset_us = source.offset_us if agrees else self._steady.difference_ms * 1000
        self._state = ClockState(source.source, source.synced and agrees, offset_us)
        if not self._marks or self._marks[0][1] != self._state.synced:
            self._marks.appendleft((self.now_ms() if self._marks else 0, self._state.synced))

    def _tell(self, step_ms: int, synced: bool) -> None:
        log.warning("clock_step", step_ms=step_ms, synced=synced)
        detail = {"step_ms": step_ms, "synced": int(synced)}
        self.told(Event(self.now_ms(), "clock_step", detail))


def _ignore(_event: Event) -> None:
    """Nobody listens yet."""


def _nothing() -> None:
    """Nobody listens yet."""


class _Wire(asyncio.Protocol):
    """A line for a line; whoever sends unasked is hung up on. asyncio's streams would take a
    hundredth of a fast slot more."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._came = b""
        self._answer: asyncio.Future[bytes] | None = None

    def ask(self, line: bytes) -> "asyncio.Future[bytes]":
        """The line that answers `line`; b"" where the connection is closed."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            self._answer.set_result(b"")
        else:
            self._transport.write(line)
        return self._answer

    def close(self) -> None:
        """Let it go."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop opened it."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A piece of the answer, nearly always all of it."""
        self._came += data
        if self._answer is None or self._answer.done():
            self.close()
        elif data.endswith(b"\n") or len(self._came) > _LINE_BYTES_MAX:
            self._answer.set_result(self._came)
            self._came = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """The event loop closed it."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(b"")


class PlantClock:
    """Plant time, asked of a simulator over a unix socket, one JSON line for each message.

    Time moves on when the slot before is durable: `done` is told with the next request. A source
    that grants `ahead` in its answer to hello moves on while so many slots are under way to the
    disk; it is told the newest durable one, and the sums of what became durable since it was told.
    """

    waits = True

    def __init__(self, socket_path: str, interval_ms: int) -> None:
        self._path = socket_path
        self._interval_ms = interval_ms
        self._wire = _Wire()
        self._done: tuple[int | None, int, int] = (None, 0, 0)
        self._now_ms = 0
        self.ahead = 0

    async def start(self, durable_ms: int | None) -> int:
        """Say hello; the month's first slot is owed where the spool is empty."""
        try:
            with short_address(Path(self._path)) as address:
                loop = asyncio.get_running_loop()
                await loop.create_unix_connection(lambda: self._wire, address)
        except OSError as error:
            raise ClockLost(f"expected plant time, got {error}, at {self._path}") from error
        interval_s = self._interval_ms // 1000
        hello = {"op": "hello", "interval_s": interval_s, "durable_ms": durable_ms}
        answer = await self._ask(hello)
        self._now_ms, start_ms = self._number(answer, "now_ms"), self._number(answer, "start_ms")
        self.ahead = self._number({"ahead": 0, **answer}, "ahead")
        return start_ms - self._interval_ms if durable_ms is None else durable_ms

    async def next_slot(self) -> int | None:
        """The slot that the plant offers; None after the closing slot."""
        (done_ms, readings, missed), self._done = self._done, (None, 0, 0)
        answer = await self._ask(
            {"op": "next", "done_ms": done_ms, "readings": readings, "missed": missed}
        )
        if answer.get("end") is True:
            return None
        self._now_ms = self._number(answer, "slot_ms")
        return self._now_ms

    def done(self, slot_ms: int, readings: int, missed: int) -> None:
        """To be told with the next request."""
        _, readings_before, missed_before = self._done
        self._done = (slot_ms, readings_before + readings, missed_before + missed)

    def now_ms(self) -> int:
        """The newest instant that the plant named."""
        return self._now_ms

    def state(self) -> ClockState:
        """Plant time is what it says it is."""
        return ClockState("plant-time", synced=True)

    def synced_at(self, t_ms: int) -> bool:
        """Always."""
        del t_ms
        return True

    def close(self) -> None:
        """Let go of the socket: plant time then goes on by itself for a while."""
        self._wire.close()

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            line = await self._wire.ask(json.dumps(message).encode() + b"\n")
            answer = json.loads(line) if line else {"error": "the connection was closed"}
        except ValueError as error:
            raise ClockLost(f"expected a JSON line, got {error}, at {self._path}") from error
        if not isinstance(answer, dict) or "error" in answer:
            got = answer.get("error") if isinstance(answer, dict) else answer
            raise ClockLost(f"expected plant time, got {got!r}, at {self._path}")
        return answer

    def _number(self, answer: dict[str, Any], key: str) -> int:
        value = answer.get(key)
        if type(value) is not int:
            raise ClockLost(f"expected {key} as a whole number, got {value!r}, at {self._path}")
        return value
