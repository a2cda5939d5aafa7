"""The machine's clocks, and what the kernel knows of their synchronisation. Linux.

chrony and systemd-timesyncd both discipline the kernel's clock, so adjtimex(2) speaks for either;
whoever sets the clock by hand makes the kernel forget that it was synchronised.
"""

import asyncio
import ctypes
import time
from dataclasses import dataclass
from typing import Protocol

_TIME_ERROR = 5
_STATUS_NANO = 0x2000


@dataclass(frozen=True, slots=True)
class KernelState:
    """Whether a time service disciplines the clock, and the offset it has still to work off."""

    synced: bool
    offset_us: int


class Times(Protocol):
    """The machine's times, or a test's."""

    def monotonic_s(self) -> float:
        """Seconds that never step and count while the machine sleeps."""
        ...

    def wall_ms(self) -> float:
        """UTC milliseconds by the clock that may step."""
        ...

    def kernel(self) -> KernelState:
        """What the kernel says of that clock, now."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class MachineTime:
    """Monotonic time that counts while the machine sleeps, wall time, the kernel's state."""

    def monotonic_s(self) -> float:
        """Seconds since boot."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall_ms(self) -> float:
        """UTC milliseconds by the machine's clock."""
        return time.time_ns() / 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Wait so long."""
        await asyncio.sleep(seconds)

    def kernel(self) -> KernelState:
        """adjtimex(2) with no mode set: a query that needs no privilege."""
        timex = _Timex()
        answer = _LIBC.adjtimex(ctypes.byref(timex))
        offset_us = timex.offset // 1000 if timex.status & _STATUS_NANO else timex.offset
        return KernelState(0 <= answer < _TIME_ERROR, int(offset_us))


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


_LIBC = ctypes.CDLL(None, use_errno=True)
