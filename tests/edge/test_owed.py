"""What a device owes that sends by itself: every slot ends as a reading or, once, as a gap."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.edge.abc import Miss
from tanzheng.edge.owed import NOT_RECEIVED, SLOTS_KEPT_MAX, OwedSlots
from tanzheng.edge.timekeeping.scheduler import Grid

MINUTE = 60_000
T0 = 1_788_235_200_000
WINDOW = 3


def owed(
    points: tuple[int, ...] = (0, 1), interval_ms: int = MINUTE, phase_ms: int = 0
) -> OwedSlots:
    return OwedSlots(points, Grid(interval_ms, phase_ms), WINDOW * interval_ms)


def there(_point: int) -> None:
    """No point is known to have no value."""


def told(misses: list[Miss]) -> list[tuple[int, int, str]]:
    """(point, minutes since T0, reason), sorted."""
    return sorted(
        (point, (slot - T0) // MINUTE, miss.reason)
        for miss in misses
        for point in miss.points
        for slot in miss.slots or ()
    )


def test_a_slot_is_given_up_when_its_window_has_passed() -> None:
    slots = owed()
    assert slots.misses(T0, there) == []
    for minute in (0, 2, 3, 4):
        slots.filled(0, T0 + minute * MINUTE + 37_000)
    slots.filled(1, T0 + MINUTE)
    found = {m: told(slots.misses(T0 + m * MINUTE, there)) for m in range(1, 6)}
    assert found == {
        1: [],
        2: [],
        3: [(1, 0, NOT_RECEIVED)],
        4: [(0, 1, NOT_RECEIVED)],
        5: [(1, 2, NOT_RECEIVED)],
    }


def test_what_has_no_value_is_told_at_once_and_once() -> None:
    slots = owed()
    slots.misses(T0, there)
    slots.filled(0, T0)
    assert told(slots.misses(T0 + MINUTE, {0: "stale"}.get)) == [(0, 1, "stale")]
    assert told(slots.misses(T0 + 2 * MINUTE, {0: "stale"}.get)) == [(0, 2, "stale")]
    assert slots.misses(T0 + 2 * MINUTE, {0: "stale"}.get) == []
    later = [
        miss for miss in slots.misses(T0 + 9 * MINUTE, {0: "stale"}.get) if miss.points == (0,)
    ]
    assert len(later) == 1, "one record for a stretch"
    assert told(later) == [(0, minute, "stale") for minute in range(3, 10)]


def test_what_the_device_has_no_value_of_keeps_its_reason() -> None:
    slots = owed((0,))
    slots.misses(T0, there)
    slots.filled(0, T0)
    slots.empty(0, T0 + MINUTE, "not_available")
    slots.empty(0, T0 + 2 * MINUTE, "not_available")
    slots.filled(0, T0 + 2 * MINUTE)
    assert told(slots.misses(T0 + 5 * MINUTE, there)) == [(0, 1, "not_available")]


def test_nothing_is_told_between_two_slots_of_the_device() -> None:
    slots = owed(interval_ms=MINUTE, phase_ms=30_000)
    assert slots.due(T0) == ()
    assert slots.due(T0 + 30_000) == (0, 1)
    slots.misses(T0 + 30_000, there)
    assert slots.misses(T0 + 20 * MINUTE, {0: "stale", 1: "stale"}.get) == []
    (miss,) = slots.misses(T0 + 20 * MINUTE + 30_000, {0: "stale", 1: "stale"}.get)
    assert miss.slots == range(T0 + 30_000, T0 + 21 * MINUTE + 30_000, MINUTE)


def test_settling_judges_everything_and_no_later_slot() -> None:
    slots = owed((0,))
    slots.misses(T0, there)
    slots.filled(0, T0)
    slots.filled(0, T0 + 2 * MINUTE)
    assert told(slots.settle(T0 + 3 * MINUTE + 5_000)) == [
        (0, 1, NOT_RECEIVED),
        (0, 3, NOT_RECEIVED),
    ]
    assert slots.settle(T0 + 3 * MINUTE) == []
    assert told(slots.settle(T0 + 4 * MINUTE)) == [(0, 4, NOT_RECEIVED)]


def test_a_clock_far_ahead_takes_no_memory_and_hides_no_gap() -> None:
    slots = owed((0,))
    slots.misses(T0, there)
    for n in range(3 * SLOTS_KEPT_MAX):
        slots.filled(0, T0 + (1000 + n) * MINUTE)
    assert len(slots._told[0]) == SLOTS_KEPT_MAX
    assert told(slots.misses(T0 + 3 * MINUTE, there)) == [(0, 0, NOT_RECEIVED)]


@given(
    arrivals=st.lists(
        st.tuples(st.integers(0, 39), st.integers(0, 30), st.booleans()), max_size=60
    ),
    absent=st.lists(st.integers(0, 39), max_size=20),
    skipped=st.sets(st.integers(1, 38), max_size=20),
)
@pytest.mark.parametrize("interval_ms", [1000, MINUTE])
def test_every_slot_is_a_reading_or_told_exactly_once(
    arrivals: list[tuple[int, int, bool]], absent: list[int], skipped: set[int], interval_ms: int
) -> None:
    """`arrivals`: slot, how many slots late it comes, whether with a value."""
    slots = owed((7,), interval_ms)
    values, gaps = set(), list[int]()
    by_time: Mapping[int, list[tuple[int, bool]]] = {}
    for slot, late, valued in arrivals:
        by_time = {**by_time, slot + late: [*by_time.get(slot + late, []), (slot, valued)]}
    for now in range(40):
        if now not in skipped:
            at = {7: "stale"} if now in absent else {}
            gaps += [
                (slot - T0) // interval_ms
                for miss in slots.misses(T0 + now * interval_ms, at.get)
                for slot in miss.slots or ()
            ]
        for slot, valued in by_time.get(now, []):
            t_ms = T0 + slot * interval_ms + 400
            if valued:
                slots.filled(7, t_ms)
                values.add(slot)
            else:
                slots.empty(7, t_ms, "not_available")
    gaps += [
        (slot - T0) // interval_ms
        for miss in slots.settle(T0 + 39 * interval_ms)
        for slot in miss.slots or ()
    ]
    assert len(gaps) == len(set(gaps))
    assert set(gaps) | values >= set(range(40))
    in_time = {s for s, late, valued in arrivals if valued and late == 0 and s not in absent}
    assert not in_time & set(gaps)
