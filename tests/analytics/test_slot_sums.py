"""Sums of slots give the very hours that all readings side by side give."""

from array import array
from collections.abc import Sized
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tanzheng.analytics.point_hours import (
    PointKind,
    Readings,
    hours_of,
    point_hours,
    slot_sums,
)
from tanzheng.analytics.slot_sums import SlotSums
from tanzheng.analytics.steps import CounterStep
from tanzheng.core.calendar import HOUR_MS
from tanzheng.core.columns import Column, Packed, pack
from tanzheng.core.quality import Quality

START = 1_788_220_800_000
END = START + 3 * HOUR_MS
INTERVALS = [1000 * s for s in (300, 600, 1200, 3600)]
T = TypeVar("T")
VALUES = st.one_of(
    st.floats(-1e13, 1e13),
    st.decimals(-1000, 1000, places=7).map(float),  # ties of the sixth decimal among them
    st.sampled_from([1e12, -1e12, 0.0, -0.0000005, 0.0000005]),
)


def as_many(those: Sized, of: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    return st.lists(of, min_size=len(those), max_size=len(those))


@st.composite
def columns(draw: st.DrawFn, interval_ms: int) -> Column:
    """Readings anywhere in their slots, from an interval before the hours to one after them."""
    slots = range(START - interval_ms, END + interval_ms, interval_ms)
    kept = sorted(draw(st.lists(st.sampled_from(slots), unique=True, max_size=30)))
    late = draw(as_many(kept, st.integers(0, 900)))
    value = draw(as_many(kept, VALUES))
    codes = draw(as_many(kept, st.sampled_from([Quality.GOOD, *Quality])))
    t_ms = [slot + more for slot, more in zip(kept, late, strict=True)]
    return Column(array("q", t_ms), array("d", value), bytes(codes))


@st.composite
def plants(draw: st.DrawFn) -> tuple[list[PointKind], list[Column]]:
    kinds, found = list[PointKind](), list[Column]()
    for number in range(draw(st.integers(1, 5))):
        interval_ms = draw(st.sampled_from(INTERVALS))
        counter = draw(st.booleans())
        again = found and kinds[-1].interval_ms == interval_ms and draw(st.booleans())
        column = draw(columns(interval_ms))
        if again:  # read together with the one before it
            last = found[-1]
            value = draw(as_many(last, VALUES))
            column = Column(last.t_ms, array("d", value), last.quality)
        kinds.append(PointKind(f"m{number}/x", counter, interval_ms))
        found.append(column)
    return kinds, found


def cut(column: Column, first_ms: int, last_ms: int) -> Column:
    low, high = np.searchsorted(column.t_ms, [first_ms, last_ms]).tolist()
    return Column(column.t_ms[low:high], column.value[low:high], column.quality[low:high])


def side_by_side(found: list[Column]) -> Readings:
    point = np.concatenate([np.full(len(c), n, dtype=np.int64) for n, c in enumerate(found)])
    t_ms = np.concatenate([np.array(c.t_ms, dtype=np.int64) for c in found])
    value = np.concatenate([np.array(c.value, dtype=np.float64) for c in found])
    quality = np.concatenate([np.frombuffer(c.quality, np.uint8) for c in found])
    return Readings(point, t_ms, value, quality)


@settings(max_examples=300)
@given(plants(), st.lists(st.integers(START, END), max_size=3))
def test_as_all_readings_side_by_side(
    drawn: tuple[list[PointKind], list[Column]], cuts: list[int]
) -> None:
    kinds, found = drawn
    step = CounterStep("m0/x", START + HOUR_MS, "reset", Decimal(10), Decimal(0), Decimal(10))
    sums = slot_sums(kinds, START, END, START)
    assert sums is not None
    edges = [0, *(at - at % HOUR_MS for at in sorted(cuts)), 2 * END]
    unknown = Column(array("q", [START]), array("d", [1.0]), b"\0")
    for first, last in pairwise(edges):
        batch = [unknown, *(cut(column, first, last) for column in found)]
        assert sums.add(np.arange(-1, len(kinds)), pack(batch))
    assert hours_of(sums, kinds, [step], START, START) == point_hours(
        side_by_side(found), kinds, [step], START, END, START
    )


def batch(*t_ms: int) -> Packed:
    values = array("d", [1.0] * len(t_ms))
    return pack([Column(array("q", t_ms), values, bytes(len(t_ms)))])


def sums_of_minutes() -> SlotSums:
    sums = slot_sums([PointKind("m/x", counter=False, interval_ms=60_000)], START, END, START)
    assert sums is not None
    return sums


def test_a_slot_that_comes_twice_or_late_is_refused() -> None:
    place, at = np.zeros(1, np.int64), START + 10 * 60_000
    assert not sums_of_minutes().add(place, batch(at, at + 59_999))
    for second in (at, at + 59_999, at - 60_000):
        sums = sums_of_minutes()
        assert sums.add(place, batch(at))
        assert not sums.add(place, batch(second))
    sums = sums_of_minutes()
    assert sums.add(place, batch(at))
    assert sums.add(place, batch(at + 60_000))
    assert sums.readings == 2


def test_slots_must_end_with_the_hour() -> None:
    def possible(interval_ms: int, phase_ms: int = START) -> bool:
        kinds = [PointKind("m/x", counter=False, interval_ms=interval_ms)]
        return slot_sums(kinds, START, END, phase_ms) is not None

    assert possible(60_000)
    assert possible(60_000, START + 60_000)
    assert not possible(60_000, START + 30_000)
    assert not possible(7_000)
    assert not possible(2 * HOUR_MS)


def test_large_values_of_every_second_are_summed_exactly() -> None:
    """3,600 values of 10^18 millionths: more than 64 bits hold."""
    kinds = [PointKind("m/x", counter=False, interval_ms=1000)]
    sums = slot_sums(kinds, START, END, START)
    assert sums is not None
    times = array("q", range(START, START + HOUR_MS, 1000))
    value = array("d", [1e12] * 3599 + [1e12 - 1])
    assert sums.add(np.zeros(1, np.int64), pack([Column(times, value, bytes(3600))]))
    [hour, *_] = hours_of(sums, kinds, (), START, START)
    assert hour.value == Decimal("999999999999.999722")  # less 1/3600
    assert (hour.readings, hour.valid_ms) == (3600, HOUR_MS)


def test_points_read_together_may_have_intervals_of_their_own() -> None:
    kinds = [PointKind("m/x", False, 60_000), PointKind("m/y", False, 300_000)]
    found = [
        Column(array("q", [START + 290_000, START + 301_000]), array("d", [1, value]), bytes(2))
        for value in (3, 5)
    ]
    sums = slot_sums(kinds, START, END, START)
    assert sums is not None
    assert sums.add(np.arange(2), pack(found))
    hours = hours_of(sums, kinds, (), START, START)
    assert hours == point_hours(side_by_side(found), kinds, (), START, END, START)
    assert [hour.valid_ms for hour in hours if hour.start_ms == START] == [120_000, 600_000]
