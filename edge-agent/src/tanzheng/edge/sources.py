"""Devices that send by themselves: where their data go, and the tasks that listen to them."""

import asyncio
import time
from collections.abc import Iterator, Sequence

from tanzheng.core.batch import Event
from tanzheng.edge import log
from tanzheng.edge.abc import Line, Source, Take, is_source
from tanzheng.edge.backoff import Backoff
from tanzheng.edge.counters import Counters
from tanzheng.edge.room import Room
from tanzheng.edge.spool.records import ArrivalEntry
from tanzheng.edge.spool.store import SpoolFull
from tanzheng.edge.spool.writer import Writer

SPAN_MS_MAX = 30 * 86_400_000
"""Instants in one entry: a batch carries 49 days."""
READINGS_MAX = 50_000
"""Readings in one entry: a batch carries 200,000."""


class SpoolSink:
    """A `Sink`: returns when it is durable."""

    def __init__(self, writer: Writer, room: Room, counters: Counters) -> None:
        self._writer, self._room, self._counters = writer, room, counters

    async def commit(self, takes: Sequence[Take], events: Sequence[Event] = ()) -> None:
        """Keep it all; `SpoolFull` where there is no room, or the disk takes nothing."""
        if self._room.full:
            raise SpoolFull("expected room in the spool, got none")
        entries = [ArrivalEntry(part) for part in split(takes)]
        if events:
            first = entries.pop(0) if entries else ArrivalEntry()
            entries.insert(0, ArrivalEntry(first.takes, tuple(events)))
        if not entries:
            return
        await self._writer.put(entries)
        self._counters.arrived += sum(len(take.values) for take in takes)


def split(takes: Sequence[Take]) -> Iterator[tuple[Take, ...]]:
    """`takes` by time, in parts that a batch can carry."""
    part: list[Take] = []
    readings = 0
    for take in sorted(takes, key=lambda take: take.t_ms):
        if part and (
            take.t_ms - part[0].t_ms > SPAN_MS_MAX or readings + len(take.values) > READINGS_MAX
        ):
            yield tuple(part)
            part, readings = [], 0
        part.append(take)
        readings += len(take.values)
    if part:
        yield tuple(part)


class Listeners:
    """A task for each source. One that ends is begun again, and counted: none dies silently."""

    def __init__(self, lines: Sequence[Line], sink: SpoolSink, counters: Counters) -> None:
        self._sink, self._counters = sink, counters
        self._tasks = [asyncio.create_task(self._listen(line)) for line in lines if is_source(line)]

    async def close(self) -> None:
        """Listen no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, source: Source) -> None:
        backoff = Backoff()
        while True:
            since_s = time.monotonic()
            try:
                await source.run(self._sink)
                log.error("source_ended", line=source.name)
            except Exception as error:  # noqa: BLE001 - whatever it was, it must listen again
                log.exception("source_failed", error, line=source.name)
            self._counters.source_restarts += 1
            if time.monotonic() - since_s > backoff.delay_s_max:
                backoff.succeeded()
            backoff.failed(time.monotonic())
            await asyncio.sleep(max(0.0, backoff.next_try_s - time.monotonic()))
