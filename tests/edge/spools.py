"""Spools of a small plant for tests: entries that tell which they are, and a sealer."""

from edge.scripted import take
from edge.world import GATEWAY, GATEWAY_KEY
from tanzheng.core.batch import ClockState, Event
from tanzheng.edge.abc import Miss
from tanzheng.edge.sealer import SealPolicy
from tanzheng.edge.sealing import Sealing, SealLimits
from tanzheng.edge.spool.records import ArrivalEntry, Cadence, SlotEntry
from tanzheng.edge.spool.store import Spool
from tanzheng.edge.steps import Counter as CounterPoint

INTERVAL_MS = 60_000
POINTS = ("m/active_power_kw", "g/gas_flow_nm3_per_h")
SLOTS_MAX = 7
ALL = (Cadence(None, INTERVAL_MS),)


def slot(number: int) -> SlotEntry:
    """Slot `number`; its values tell which one it is, every fifth misses a point."""
    t_ms = number * INTERVAL_MS
    if number % 5:
        return SlotEntry(t_ms, (take(t_ms, [0, 1], [number + 0.5, float(number)]),))
    missed = (Miss((1,), "comms_timeout"),)
    return SlotEntry(t_ms, (take(t_ms, [0], [number + 0.5]),), missed)


def value_of(point: str, number: int) -> float:
    return number + 0.5 if point == POINTS[0] else float(number)


def event(t_ms: int, kind: str) -> ArrivalEntry:
    return ArrivalEntry((), (Event(t_ms, kind, {}),))


def sealing(
    spool: Spool, slots_max: int = SLOTS_MAX, counters: dict[str, CounterPoint] | None = None,
    sealed_bytes_max: int | None = None,
) -> Sealing:  # fmt: skip
    limits = SealLimits(SealPolicy(slots_max, 1e9), INTERVAL_MS, counters or {}, sealed_bytes_max)
    return Sealing(
        spool, GATEWAY_KEY, GATEWAY, limits, lambda: 1, lambda: ClockState("test", synced=True)
    )


def seal_all(sealer: Sealing) -> int:
    """Everything, in as many pieces as it takes; how many batches."""
    sealed = 0
    while count := sealer.seal_due(full=False, everything=True):
        sealed += count
    return sealed
