"""Where slots come from: the machine's clock, or a simulator that owns plant time.

The clock is injected, so the agent is the same in a plant and in a demo that runs a month in
minutes. Time-outs, retries and keep-alives never look at it: they stay in real time.
"""

import asyncio
import ctypes
import json
import time
from pathlib import Path
from typing import Any

from tanzheng.core.batch import ClockState
from tanzheng.core.errors import TanzhengError
from tanzheng.edge.scheduler import Grid
from tanzheng.hardware.unix_socket import short_address

_LINE_BYTES_MAX = 4096
_TIME_ERROR = 5
_STATUS_NANO = 0x2000


class ClockLost(TanzhengError):
    """The source of plant time went away or does not keep to the protocol."""


class MachineClock:
    """The machine's clock; its synchronisation is what the kernel says (adjtimex, RFC 5905)."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._last_ms = 0
        self._state = ClockState("machine", synced=False)
        self._state_until_s = 0.0

    async def start(self, durable_ms: int | None) -> int:
        """The newest durable slot, or the present one where the spool is empty."""
        self._last_ms = self._grid.at_or_before(self.now_ms()) if durable_ms is None else durable_ms
        return self._last_ms

    async def next_slot(self) -> int:
        """Wait until the next slot has begun. A clock that is set meanwhile is looked at again."""
        while True:
            slot_ms = self._grid.due(self._last_ms, self.now_ms())
            wait_ms = slot_ms - self.now_ms()
            if wait_ms <= 0:
                self._last_ms = slot_ms
                return slot_ms
            await asyncio.sleep(min(wait_ms / 1000, 1.0))

    def done(self, slot_ms: int, readings: int, missed: int) -> None:
        """Nothing to tell: this clock goes on by itself."""

    def now_ms(self) -> int:
        """UTC milliseconds."""
        return time.time_ns() // 1_000_000

    def state(self) -> ClockState:
        """Asked of the kernel at most every ten seconds."""
        now_s = time.monotonic()
        if now_s >= self._state_until_s:
            self._state = _kernel_state()
            self._state_until_s = now_s + 10.0
        return self._state

    def close(self) -> None:
        """Nothing is held."""


class PlantClock:
    """Plant time, asked of a simulator over a unix socket, one JSON line for each message.

    Time moves on when the slot before is durable: `done` is told with the next request.
    """

    def __init__(self, socket_path: str, interval_ms: int) -> None:
        self._path = socket_path
        self._interval_ms = interval_ms
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._done: tuple[int | None, int, int] = (None, 0, 0)
        self._now_ms = 0

    async def start(self, durable_ms: int | None) -> int:
        """Say hello; the month's first slot is owed where the spool is empty."""
        try:
            with short_address(Path(self._path)) as address:
                self._reader, self._writer = await asyncio.open_unix_connection(
                    address, limit=_LINE_BYTES_MAX
                )
        except OSError as error:
            raise ClockLost(f"expected plant time, got {error}, at {self._path}") from error
        interval_s = self._interval_ms // 1000
        hello = {"op": "hello", "interval_s": interval_s, "durable_ms": durable_ms}
        answer = await self._ask(hello)
        self._now_ms, start_ms = self._number(answer, "now_ms"), self._number(answer, "start_ms")
        return start_ms - self._interval_ms if durable_ms is None else durable_ms

    async def next_slot(self) -> int | None:
        """The slot that the plant offers; None after the closing slot."""
        done_ms, readings, missed = self._done
        answer = await self._ask(
            {"op": "next", "done_ms": done_ms, "readings": readings, "missed": missed}
        )
        self._done = (None, 0, 0)
        if answer.get("end") is True:
            return None
        self._now_ms = self._number(answer, "slot_ms")
        return self._now_ms

    def done(self, slot_ms: int, readings: int, missed: int) -> None:
        """To be told with the next request."""
        self._done = (slot_ms, readings, missed)

    def now_ms(self) -> int:
        """The newest instant that the plant named."""
        return self._now_ms

    def state(self) -> ClockState:
        """Plant time is what it says it is."""
        return ClockState("plant-time", synced=True)

    def close(self) -> None:
        """Let go of the socket: plant time then goes on by itself for a while."""
        if self._writer is not None:
            self._writer.close()

    async def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._reader is not None
        assert self._writer is not None
        self._writer.write(json.dumps(message).encode() + b"\n")
        try:
            line = await self._reader.readline()
            answer = json.loads(line) if line else {"error": "the connection was closed"}
        except (OSError, ValueError) as error:
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


class _Timex(ctypes.Structure):
    """struct timex of <sys/timex.h> up to `status`; the rest is padding for the kernel to fill."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    ]


def _kernel_state() -> ClockState:
    """adjtimex(2) with no mode set: a query that needs no privilege."""
    timex = _Timex()
    answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    offset_us = timex.offset // 1000 if timex.status & _STATUS_NANO else timex.offset
    return ClockState("machine", synced=0 <= answer < _TIME_ERROR, offset_us=int(offset_us))
