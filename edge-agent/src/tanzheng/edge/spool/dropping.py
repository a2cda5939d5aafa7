"""What stays of entries that must go to make room for newer ones: gap records and events. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from tanzheng.edge.abc import Miss
from tanzheng.edge.gaps import Gaps
from tanzheng.edge.spool.records import (
    ArrivalEntry,
    Cadence,
    Entry,
    GapEntry,
    SlotEntry,
    decode_entry,
)
from tanzheng.edge.timekeeping.scheduler import Grid

SPOOL_DROPPED = "spool_dropped"
BULKY_EVENTS = frozenset({"frame"})
"""Events that are as large as readings; they go with them."""
EVENTS_MAX = 1000
"""Others are kept, the newest so many."""


@dataclass(frozen=True, slots=True)
class Remains:
    """Entries in place of those dropped, and what was lost."""

    entries: tuple[Entry, ...]
    readings: int
    events: int


def drop(bodies: Sequence[bytes], grids: Sequence[Grid], interval_ms: int) -> Remains:
    """What is left of the entries in `bodies`: each reading becomes a gap at its slot.

    Misses keep their reason. `grids`: the slots of each point of the point set;
    `interval_ms` is the gateway's.
    """
    gaps = Gaps(len(grids), interval_ms)
    told = readings = 0
    events = []
    for body in bodies:
        entry = decode_entry(body)
        if isinstance(entry, GapEntry):
            gaps.add_entry(entry)
            continue
        told += len(entry.events)
        events += [event for event in entry.events if event.kind not in BULKY_EVENTS]
        if isinstance(entry, SlotEntry):
            gaps.add_slot(entry.slot_ms, entry.misses)
        slots: dict[tuple[int, int], set[int]] = {}
        for take in entry.takes:
            readings += len(take.points)
            for point in take.points:
                grid = grids[point]
                key = grid.at_or_before(take.t_ms), grid.interval_ms
                slots.setdefault(key, set()).add(point)
        for (slot_ms, step_ms), missed in sorted(slots.items()):
            slot = range(slot_ms, slot_ms + step_ms, step_ms)
            gaps.add_slot(slot_ms, [Miss(tuple(sorted(missed)), SPOOL_DROPPED, slot)])
    left: list[Entry] = [
        GapEntry(
            gap.from_ms, gap.to_ms, gap.reason,
            (Cadence(gap.points, gap.interval_ms, gap.from_ms % gap.interval_ms),),
        )
        for gap in gaps.finish(())
    ]  # fmt: skip
    kept = events[-EVENTS_MAX:]
    if kept:
        left.append(ArrivalEntry((), tuple(kept)))
    return Remains(tuple(left), readings, told - len(kept))
