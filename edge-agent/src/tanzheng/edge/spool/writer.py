"""Group commit: whoever has something to keep hands it over and is told when it is durable.

One thread does all that waits for the disk, so that replies are stamped and answered meanwhile.
What comes while it writes, or within `GROUP_S` of the last write, shares the next fsync.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tanzheng.edge.spool.records import Entry, EntryCodec
from tanzheng.edge.spool.store import Row, Spool, SpoolFull, SpoolRefused

GROUP_S = 0.02
WAITING_BYTES_MAX = 4 << 20

T = TypeVar("T")


class Writer:
    """The one hand that writes entries into a spool. Lives in the event loop."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._codec = EntryCodec()
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "spool")
        self._rows: list[Row] = []
        self._owed: list[asyncio.Future[None]] = []
        self._being_written: list[asyncio.Future[None]] = []
        self._waiting_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing = False
        self._begun_s = float("-inf")
        self.commits = 0
        """How many transactions were written, for the count of what came between two of them."""

    def put(self, entries: Sequence[Entry], urgent: bool = False) -> "asyncio.Future[None]":
        """Done when `entries` are durable; fails with `SpoolRefused` where the disk refuses.

        `urgent`: whoever asks stands still until then, so it is written at once, without the way
        through the thread (a third of the time of a small slot). `SpoolFull` at once where too
        much waits already.
        """
        rows = [(entry.last_ms, self._codec.encode(entry)) for entry in entries]
        size = sum(len(body) for _, body in rows)
        if self._waiting_bytes and self._waiting_bytes + size > WAITING_BYTES_MAX:
            raise SpoolFull(f"expected a disk that keeps up, got {self._waiting_bytes} bytes ahead")
        done: asyncio.Future[None] = self._loop.create_future()
        if urgent and not self._writing and not self._owed:
            self._write_here(rows, done)
            return done
        self._rows += rows
        self._waiting_bytes += size
        self._owed.append(done)
        self._schedule(urgent)
        return done

    async def run(self, work: Callable[[], T]) -> T:
        """`work` in the thread of the spool, after what is being written."""
        return await self._loop.run_in_executor(self._thread, work)

    async def flush(self) -> None:
        """Write what waits; return when it is durable, or was refused."""
        while self._owed or self._being_written:
            owed = [*self._being_written, *self._owed]
            self._schedule(urgent=True)
            await asyncio.wait(owed)

    def close(self) -> None:
        """Wait for the thread. What was not flushed is not written."""
        if self._timer is not None:
            self._timer.cancel()
        self._thread.shutdown()

    def _schedule(self, urgent: bool) -> None:
        if self._writing or (self._timer is not None and not urgent):
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_s = self._begun_s + GROUP_S
        if urgent or due_s <= self._loop.time():
            self._write()
        else:
            self._timer = self._loop.call_at(due_s, self._write)

    def _write_here(self, rows: Sequence[Row], done: "asyncio.Future[None]") -> None:
        try:
            self._spool.commit_rows(rows)
        except SpoolRefused as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        self.commits += 1

    def _write(self) -> None:
        self._timer = None
        rows, owed, self._rows, self._owed = self._rows, self._owed, [], []
        self._waiting_bytes = 0
        self._writing, self._begun_s, self._being_written = True, self._loop.time(), owed
        work = self._loop.run_in_executor(self._thread, self._spool.commit_rows, rows)
        work.add_done_callback(lambda done: self._written(done, owed))

    def _written(self, work: "asyncio.Future[None]", owed: "list[asyncio.Future[None]]") -> None:
        self._writing, self._being_written = False, []
        self.commits += 1
        error = work.exception()
        for each in owed:
            if each.done():  # cancelled: its owner went away, the data are kept all the same
                continue
            if error is None:
                each.set_result(None)
            else:
                each.set_exception(error)
        if self._owed:
            self._schedule(urgent=False)
