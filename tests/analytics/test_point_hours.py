"""Hours of many points at once are those that the month's own functions make of each by itself."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanzheng.analytics.counters import hourly_differences
from tanzheng.analytics.errors import SeriesInvalid
from tanzheng.analytics.gauges import gauge_hours
from tanzheng.analytics.ledger import mend
from tanzheng.analytics.point_hours import PointHour, PointKind, Readings, point_hours
from tanzheng.analytics.series import Series, merged
from tanzheng.analytics.steps import CounterStep
from tanzheng.core.calendar import HOUR_MS
from tanzheng.core.quality import Quality

START = 1_788_220_800_000
HOURS = 3
END = START + HOURS * HOUR_MS
STARTS = list(range(START, END, HOUR_MS))


def readings_of(*series: Series) -> Readings:
    point = np.concatenate([np.full(len(s), n, dtype=np.int64) for n, s in enumerate(series)])
    columns = [np.concatenate([getattr(s, name) for s in series]) for name in NAMES]
    return Readings(point, *columns)


NAMES = ("t_ms", "value", "quality")


@st.composite
def gauges(draw: st.DrawFn) -> tuple[int, Series]:
    """A gauge read about every interval, with holes and with codes of every kind."""
    interval_ms = draw(st.sampled_from([1000 * 60, 1000 * 300, 1000 * 3600, 1000 * 7200]))
    slots = range(START - interval_ms, END + 1, interval_ms)
    kept = draw(st.lists(st.sampled_from(slots), unique=True, max_size=40))
    late = draw(st.lists(st.integers(0, 900), min_size=len(kept), max_size=len(kept)))
    value = draw(st.lists(st.floats(-1e13, 1e13), min_size=len(kept), max_size=len(kept)))
    codes = draw(st.lists(st.sampled_from(Quality), min_size=len(kept), max_size=len(kept)))
    return interval_ms, merged(
        np.array(sorted(kept), dtype=np.int64) + np.array(late, dtype=np.int64),
        np.array(value, dtype=np.float64),
        np.array(codes, dtype=np.uint8),
    )


@settings(max_examples=200)
@given(st.lists(gauges(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_as_the_months_gauges(drawn: list[tuple[int, Series]], random: object) -> None:
    points = [PointKind(f"m/{n}", counter=False, interval_ms=i) for n, (i, _) in enumerate(drawn)]
    given_ = readings_of(*(series for _, series in drawn))
    order = list(range(len(given_.point)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = given_.where(np.array(order, dtype=np.int64))
    found = point_hours(shuffled, points, (), START, END, START)
    assert [(hour.point, hour.start_ms) for hour in found] == [
        (n, at) for n in range(len(points)) for at in STARTS
    ]
    for number, (interval_ms, series) in enumerate(drawn):
        slotted = series.on_grid(interval_ms, START)
        told = gauge_hours(slotted, interval_ms, START, END)
        mine = [hour for hour in found if hour.point == number]
        assert [(hour.value, 2 * hour.valid_ms) for hour in mine] == [
            (hour.mean, hour.valid_half_ms) for hour in told
        ]


def minutes(*values: float | None, start: int = START, step: int = 60_000) -> Series:
    kept = [(start + n * step, value) for n, value in enumerate(values) if value is not None]
    t_ms, value = (np.array(column) for column in zip(*kept, strict=True))
    return Series(t_ms.astype(np.int64), value.astype(np.float64), np.zeros(len(kept), np.uint8))


def test_counters_are_differences_with_their_steps() -> None:
    interval = HOUR_MS // 2
    series = minutes(100, 110, 120, None, 5, 15, 25, start=START, step=interval)
    told = ("reset", Decimal(120), Decimal(5), Decimal(130))
    step = CounterStep("m/kwh", START + 4 * interval, *told)
    point = PointKind("m/kwh", counter=True, interval_ms=interval)
    found = point_hours(readings_of(series), [point], [step], START, END, START)
    expected = hourly_differences(mend(series, [step]), STARTS)
    assert [hour.value for hour in found] == expected
    assert expected[0] == 20
    assert [hour.valid_ms for hour in found] == [HOUR_MS if v is not None else 0 for v in expected]


def test_quality_and_count_of_an_hour() -> None:
    series = minutes(1, 2, 3, step=HOUR_MS // 2)
    codes = np.array([Quality.MANUAL, Quality.GOOD, Quality.FAULT], dtype=np.uint8)
    given_ = readings_of(Series(series.t_ms, series.value, codes))
    point = PointKind("m/kw", counter=False, interval_ms=HOUR_MS // 2)
    one, two, three = point_hours(given_, [point], (), START, END, START)
    assert one == PointHour(0, START, Decimal("1.500000"), Quality.MANUAL, 2, HOUR_MS)
    assert (two.value, two.quality, two.readings) == (None, Quality.FAULT, 0)
    assert (three.value, three.quality, three.readings) == (None, Quality.COMMS, 0)


def test_a_reading_that_comes_twice_counts_once_and_a_contradiction_is_named() -> None:
    series, point = minutes(1, 2), PointKind("m/kw", counter=False, interval_ms=60_000)
    once = point_hours(readings_of(series), [point], (), START, END, START)
    twice = Readings(*(np.concatenate((c, c)) for c in _columns(readings_of(series))))
    assert point_hours(twice, [point], (), START, END, START) == once
    other = Readings(twice.point, twice.t_ms, twice.value + np.array([0, 0, 0, 1]), twice.quality)
    with pytest.raises(SeriesInvalid, match=r"m/kw: two readings of t_ms 1788220860000 differ"):
        point_hours(other, [point], (), START, END, START)


def test_no_reading_at_all() -> None:
    empty = Readings(*(column[:0] for column in _columns(readings_of(minutes(1)))))
    point = PointKind("m/kw", counter=False, interval_ms=60_000)
    found = point_hours(empty, [point, point], (), START, END, START)
    assert {(h.value, h.readings, h.valid_ms, h.quality) for h in found} == {
        (None, 0, 0, int(Quality.COMMS))
    }
    assert len(found) == 2 * HOURS


def _columns(given_: Readings) -> list[Any]:
    return [given_.point, given_.t_ms, given_.value, given_.quality]
