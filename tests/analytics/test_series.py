"""Series: order, validity, and the same columns from batches in any order."""

import random
from dataclasses import replace

import numpy as np
import pytest

from analytics.chains import sign_chain
from analytics.plants import CO2, END_MS, PLANT, POWER, START_MS, Run, record, series
from tanzheng.analytics.errors import SeriesInvalid
from tanzheng.analytics.series import PointGap, Series, from_batches

T = np.array([1000, 2000, 3000])
DATA = record([Run(START_MS, END_MS)], interval_ms=900_000)
GAP = PointGap(POWER, START_MS + 60_000, START_MS + 180_000, 60_000, "agent_down")


@pytest.mark.parametrize("t_ms", [[1000, 1000, 2000], [1000, 3000, 2000]])
def test_repeated_and_unordered_instants_are_refused(t_ms: list[int]) -> None:
    with pytest.raises(SeriesInvalid, match=f"t_ms {t_ms[1] if t_ms[1] == 1000 else 2000}"):
        series(np.array(t_ms), np.zeros(3))


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(SeriesInvalid, match="one length"):
        Series(T, np.zeros(2), np.zeros(3, np.uint8))


def test_between_includes_both_ends() -> None:
    assert series(T, np.zeros(3)).between(2000, 3000).t_ms.tolist() == [2000, 3000]
    assert len(series(T, np.zeros(3)).between(2001, 2999)) == 0


def test_usable_leaves_out_bad_quality_and_impossible_values() -> None:
    readings = Series(T, np.array([1.0, 2.0, 1e300]), np.array([2, 7, 0], np.uint8))
    assert readings.usable().t_ms.tolist() == [1000]


def test_the_order_of_batches_does_not_matter() -> None:
    batches = [signed.batch for signed in sign_chain(DATA, [GAP])]
    random.Random(7).shuffle(batches)
    recorded = from_batches(batches, PLANT)
    assert recorded.gaps == (GAP,)
    assert recorded.series.keys() == DATA.keys()
    for point, expected in DATA.items():
        for column in ("t_ms", "value", "quality"):
            assert np.array_equal(
                getattr(recorded.series[point], column), getattr(expected, column)
            )


def test_an_equal_reading_in_two_batches_counts_once() -> None:
    batches = [signed.batch for signed in sign_chain(DATA)]
    once, twice = from_batches(batches, PLANT), from_batches([*batches, batches[3]], PLANT)
    assert {name: len(each) for name, each in twice.series.items()} == {
        name: len(each) for name, each in once.series.items()
    }


def test_two_values_of_one_instant_are_refused() -> None:
    batches = [signed.batch for signed in sign_chain(DATA)]
    other = {name: Series(each.t_ms, each.value + 1, each.quality) for name, each in DATA.items()}
    second = [signed.batch for signed in sign_chain(other)]
    with pytest.raises(SeriesInvalid, match=f"point {CO2}"):
        from_batches([*batches, second[3]], PLANT)


def test_on_a_grid_the_first_reading_of_a_slot_stands_at_its_instant() -> None:
    readings = series(np.array([1_007, 1_999, 2_000, 4_500]), np.array([1.0, 2.0, 3.0, 4.0]))
    gridded = readings.on_grid(1_000, 0)
    assert gridded.t_ms.tolist() == [1_000, 2_000, 4_000]
    assert gridded.value.tolist() == [1.0, 3.0, 4.0]
    assert readings.on_grid(1_000, 500).t_ms.tolist() == [500, 1_500, 4_500]
    assert len(series(np.empty(0, np.int64), np.empty(0)).on_grid(1_000, 0)) == 0


def test_a_gateway_speaks_only_for_its_own_points() -> None:
    batches = [signed.batch for signed in sign_chain(DATA, [GAP])]
    foreign = [replace(batch, gw="gw2") for batch in batches]
    recorded = from_batches(foreign, PLANT)
    assert not recorded.series
    assert not recorded.gaps


@pytest.mark.parametrize(
    ("to_ms", "last"), [(180_000, 120_000), (120_001, 120_000), (61_000, 60_000)]
)
def test_last_slot_of_a_gap(to_ms: int, last: int) -> None:
    assert PointGap("a/b", 60_000, to_ms, 60_000, "x").last_ms == last
