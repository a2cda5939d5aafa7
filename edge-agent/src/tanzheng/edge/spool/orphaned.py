"""What is told of batches that stay behind as orphans: gap records and events. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from tanzheng.core.batch import Batch, Event
from tanzheng.edge.abc import Miss
from tanzheng.edge.gaps import Gaps
from tanzheng.edge.spool.dropping import BULKY_EVENTS, EVENTS_MAX, Remains
from tanzheng.edge.spool.records import ArrivalEntry, Cadence, Entry, GapEntry
from tanzheng.edge.timekeeping.scheduler import Grid

NOT_ACKNOWLEDGED = "not_acknowledged"


def told(
    batches: Iterable[Batch], points: Sequence[str], grids: Mapping[str, Grid], grid: Grid
) -> Remains:
    """Each reading of `batches` as a gap at its slot; gaps and events as they were.

    `points` are those of the entries made; what is no longer among them owes nothing. `grids`:
    the slots of points that do not keep the gateway's `grid`, by name.
    """
    places = {name: index for index, name in enumerate(points)}
    gaps = Gaps(len(points), grid.interval_ms)
    events: list[Event] = []
    readings = 0
    for batch in batches:
        readings += batch.readings
        events += [event for event in batch.events if event.kind not in BULKY_EVENTS]
        for (slot_ms, step_ms), missed in sorted(_slots(batch, places, grids, grid).items()):
            slot = range(slot_ms, slot_ms + step_ms, step_ms)
            gaps.add_slot(slot_ms, [Miss(tuple(sorted(missed)), NOT_ACKNOWLEDGED, slot)])
        for gap in batch.gaps:
            names = [batch.points[index] for index in gap.points]
            if known := tuple(sorted(places[name] for name in names if name in places)):
                gaps.add_slot(gap.from_ms, [Miss(known, gap.reason, gap.slots)])
    left: list[Entry] = [
        GapEntry(
            gap.from_ms, gap.to_ms, gap.reason,
            (Cadence(gap.points, gap.interval_ms, gap.from_ms % gap.interval_ms),),
        )
        for gap in gaps.finish(())
    ]  # fmt: skip
    if kept := events[-EVENTS_MAX:]:
        left.append(ArrivalEntry((), tuple(kept)))
    return Remains(tuple(left), readings, len(events) - len(kept))


def _slots(
    batch: Batch, places: Mapping[str, int], grids: Mapping[str, Grid], grid: Grid
) -> dict[tuple[int, int], set[int]]:
    """(slot, interval) → the points that have a reading in it."""
    found: dict[tuple[int, int], set[int]] = {}
    for name, column in zip(batch.points, batch.columns, strict=True):
        if name in places:
            own = grids.get(name, grid)
            for t_ms in column.t_ms:
                key = own.at_or_before(t_ms), own.interval_ms
                found.setdefault(key, set()).add(places[name])
    return found
