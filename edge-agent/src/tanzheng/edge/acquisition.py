"""The slot cycle: wait for the slot, read every device, make it durable, tell the clock."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tanzheng.core.quality import Quality
from tanzheng.edge import log
from tanzheng.edge.abc import Clock, Driver, Outcome
from tanzheng.edge.counters import Counters
from tanzheng.edge.scheduler import Grid
from tanzheng.edge.spool.records import Entry, GapEntry, SlotEntry
from tanzheng.edge.spool.store import Spool, SpoolError

AGENT_DOWN = "agent_down"
OVERRUN = "overrun"
SPOOL_FULL = "spool_full"
DISK_CHECK_S = 1.0


class Room:
    """Whether the spool may take readings: its own limit, and a reserve of free disk."""

    def __init__(
        self, spool: Spool, folder: Path, bytes_max: int, disk_free_bytes_min: int
    ) -> None:
        self._spool, self._folder = spool, folder
        self._bytes_max, self._disk_free_bytes_min = bytes_max, disk_free_bytes_min
        self._disk_full = False
        self._check_s = 0.0

    @property
    def full(self) -> bool:
        """True where no more readings may be taken. Nothing that is held is ever dropped."""
        now_s = time.monotonic()
        if now_s >= self._check_s:
            self._check_s = now_s + DISK_CHECK_S
            disk = os.statvfs(self._folder)
            self._disk_full = disk.f_bavail * disk.f_frsize < self._disk_free_bytes_min
        return self._disk_full or self._spool.bytes_used >= self._bytes_max


class Acquisition:
    """Reads slot after slot until the clock ends or `stop` is called."""

    def __init__(
        self,
        grid: Grid,
        clock: Clock,
        drivers: Sequence[Driver],
        points: int,
        spool: Spool,
        room: Room,
        counters: Counters,
        after_slot: Callable[[], None],
    ) -> None:
        self._grid, self._clock, self._drivers, self._points = grid, clock, drivers, points
        self._spool, self._room, self._counters = spool, room, counters
        self._after_slot = after_slot
        self._full_gap: GapEntry | None = None
        self._stopping = False
        self._waiting: asyncio.Task[int | None] | None = None

    async def run(self, last_ms: int) -> bool:
        """Take the slots after `last_ms`, where the clock was started.

        True where the clock came to its end, False where `stop` was called.
        """
        gap_reason = AGENT_DOWN
        while (slot_ms := await self._next_slot()) is not None:
            if slot_ms <= last_ms:
                raise SpoolError(
                    f"expected a slot after {last_ms}, the newest durable one, got {slot_ms}"
                )
            missed = self._grid.missed(last_ms, slot_ms)
            before = [GapEntry(*missed, self._grid.interval_ms, gap_reason)] if missed else []
            await self._take(slot_ms, before)
            last_ms, gap_reason = slot_ms, OVERRUN
            self._after_slot()
        return not self._stopping

    def stop(self) -> None:
        """Finish the slot that is being read; begin no other."""
        self._stopping = True
        if self._waiting is not None:
            self._waiting.cancel()

    def forget_full_gap(self) -> None:
        """The gap that was growing is sealed: the next one is a new entry."""
        self._full_gap = None

    async def _next_slot(self) -> int | None:
        if self._stopping:
            return None
        return await self._wait_for_slot()

    async def _wait_for_slot(self) -> int | None:
        self._waiting = asyncio.ensure_future(self._clock.next_slot())
        try:
            return await self._waiting
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            return None
        finally:
            self._waiting = None

    async def _take(self, slot_ms: int, before: list[GapEntry]) -> None:
        if self._room.full:
            self._take_nothing(slot_ms, before)
            return
        self._full_gap = None
        answers = await asyncio.gather(*[driver.read() for driver in self._drivers])
        outcomes: tuple[Outcome, ...] = tuple(outcome for answer in answers for outcome in answer)
        synced = self._clock.state().synced
        quality = Quality.GOOD if synced else Quality.UNCERTAIN_CLOCK
        entry = SlotEntry(slot_ms, quality, outcomes)
        self._spool.commit([*before, entry])
        readings = entry.readings
        self._clock.done(slot_ms, readings, len(outcomes) - readings)
        self._counters.slots += 1
        self._counters.readings += readings
        self._counters.missed += len(outcomes) - readings

    def _take_nothing(self, slot_ms: int, before: Sequence[Entry]) -> None:
        """A slot without room is one gap, visible to the platform; the gap grows in place."""
        end_ms = slot_ms + self._grid.interval_ms
        if self._full_gap is None or before:
            log.error("spool_full", bytes_used=self._spool.bytes_used, since_ms=slot_ms)
            self._full_gap = GapEntry(slot_ms, end_ms, self._grid.interval_ms, SPOOL_FULL)
            self._spool.commit([*before, self._full_gap])
        else:
            begin_ms = self._full_gap.from_ms
            self._full_gap = GapEntry(begin_ms, end_ms, self._grid.interval_ms, SPOOL_FULL)
            self._spool.replace_last(self._full_gap)
        self._clock.done(slot_ms, 0, self._points)
        self._counters.slots += 1
        self._counters.slots_spool_full += 1
        self._counters.missed += self._points
