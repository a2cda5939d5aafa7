"""Counters mended by the ledger: each kind of step, what is not borne out, the agent's account."""

from array import array
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.chains import CLOCK, KEY, sign_chain, step_event
from analytics.plants import (
    END_MS,
    ENERGY,
    MONTH,
    PLANT,
    START_MS,
    Run,
    hours_from_start,
    record,
    rolled_over,
)
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.counters import CounterMonth, counter_month, hourly_differences
from tanzheng.analytics.ledger import mend
from tanzheng.analytics.month import compute
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import Series, from_batches
from tanzheng.analytics.steps import CounterStep, in_order, on_grid, steps_of
from tanzheng.core.batch import GENESIS, Batch, Column, Event, sign
from tanzheng.core.calendar import HOUR_MS
from tanzheng.edge.steps import Counter, Standing, account

MINUTE = 60_000


def step(kind: str, at: int, before: str, after: str, lift: str | None) -> CounterStep:
    told = None if lift is None else Decimal(lift)
    return CounterStep(ENERGY, at * MINUTE, kind, Decimal(before), Decimal(after), told)


def counted(values: Sequence[float], steps: Sequence[CounterStep] = ()) -> CounterMonth:
    """A counter read each minute from 0."""
    t_ms = np.arange(len(values), dtype=np.int64) * MINUTE
    series = Series(t_ms, np.array(values, np.float64), np.zeros(len(values), np.uint8))
    return counter_month(ENERGY, series, 0, (len(values) - 1) * MINUTE, steps)


@pytest.mark.parametrize(
    ("values", "steps", "total"),
    [
        # 999 − 990 + (1000 − 999) + 5 + (10 − 5) = 20
        ([990, 999, 5, 10], [step("rollover", 2, "999", "5", "1000")], "20"),
        # twice round: 9 + 6 + 990 + 4 + 4 = 1013
        (
            [990, 999, 5, 995, 999, 3],
            [step("rollover", 2, "999", "5", "1000"), step("rollover", 5, "999", "3", "1000")],
            "1013",
        ),
        # set to 0: 10 before, 1 + 2 after; what it counted in between nobody knows
        ([500, 510, 1, 3], [step("reset", 2, "510", "1", "510")], "13"),
        # fell, not to 0: 10 before, 1 after, nothing made up for the fall
        ([500, 510, 200, 201], [step("reset", 2, "510", "200", "310")], "11"),
        # one wrong reading below, one above
        ([500, 510, 0, 511], [step("glitch", 2, "510", "0", "0")], "11"),
        ([500, 510, 9999, 511], [step("glitch", 2, "510", "9999", "0")], "11"),
        # the old meter ended at 510.5, the new one began at 3: 10.5 + 0.5
        ([500, 510, 3.5], [step("meter_swap", 1, "510.5", "3", "507.5")], "11.0"),
        # the new one shows more than the old one: a rise hides the swap
        ([500, 510, 800.5, 801], [step("meter_swap", 2, "510.5", "800", "-289.5")], "11.5"),
        # a little less, and no fall is seen: 10 + 1
        ([500, 500, 506], [step("meter_swap", 2, "510", "505", "5")], "11"),
    ],
)
def test_each_kind_of_step_by_hand(
    values: list[float], steps: list[CounterStep], total: str
) -> None:
    counter = counted(values, steps)
    assert counter.total == Decimal(total)
    assert counter.decreases_ms == ()
    assert [each.applied for each in counter.corrections] == [True] * len(steps)


def test_a_float_difference_told_by_the_agent_is_the_decimal_one() -> None:
    """510.3 − 200.1 is 310.19999999999993 in float64: no consumption comes of that."""
    told = step("reset", 2, "510.3", "200.1", repr(510.3 - 200.1))
    counter = counted([500.3, 510.3, 200.1], [told])
    assert counter.total == Decimal("10.0")


def test_a_swap_on_record_takes_the_place_of_a_reset_that_was_found() -> None:
    told = [step("reset", 2, "510", "3.5", "510"), step("meter_swap", 1, "510.5", "3", "507.5")]
    counter = counted([500, 510, 3.5, 4.0], told)
    assert counter.total == Decimal("11.5")
    assert {(c.step.kind, c.applied, c.superseded) for c in counter.corrections} == {
        ("reset", False, True),
        ("meter_swap", True, False),
    }


def test_a_reset_after_a_swap_is_another_one() -> None:
    told = [step("meter_swap", 2, "510.5", "3", "507.5"), step("reset", 4, "30", "0", "30")]
    counter = counted([500, 510, 3.5, 30, 0, 1], told)
    assert counter.total == 10 + Decimal("0.5") + Decimal("0.5") + Decimal("26.5") + 1
    assert all(each.applied for each in counter.corrections)


@pytest.mark.parametrize(
    ("values", "told", "decreases"),
    [
        ([990, 999, 5, 10], [step("rollover", 2, "999", "5", None)], 1),  # no lift told
        ([990, 999, 5, 10], [step("rollover", 2, "999", "6", "1000")], 1),  # another reading
        ([990, 999, 5, 10], [step("rollover", 2, "999", "5", "900")], 1),  # would still fall
        ([990, 999, 5, 10], [step("rollover", 1, "999", "5", "1000")], 1),  # another instant
        ([990, 991, 992], [step("rollover", 2, "999", "992", "1000")], 0),  # no fall at all
        ([500, 510, 511], [step("glitch", 1, "500", "0", "0")], 0),  # the reading is another
        ([500, 510, 511], [step("meter_swap", 1, "400", "1", "399")], 0),  # read more than it ended
        ([500, 510, 3], [step("meter_swap", 2, "511", "5", "506")], 1),  # and less than it began
        (
            [990, 999, 5],
            [step("rollover", 2, "999", "5", "1000"), step("reset", 2, "999", "5", "999")],
            1,
        ),  # two that contradict each other
    ],
)
def test_a_record_that_the_readings_do_not_bear_out_is_not_applied(
    values: list[float], told: list[CounterStep], decreases: int
) -> None:
    counter = counted(values, told)
    assert not any(each.applied for each in counter.corrections)
    assert len(counter.corrections) == len(told)
    assert counter.total == Decimal(values[-1]) - Decimal(values[0])
    assert len(counter.decreases_ms) == decreases


def test_a_lift_belongs_to_the_difference_that_ends_at_its_reading() -> None:
    counter = counted([990, 999, 5, 10], [step("rollover", 2, "999", "5", "1000")])
    lifts = [counter.mended.lift(at * MINUTE, (at + 1) * MINUTE) for at in range(3)]
    assert lifts == [0, 1000, 0]
    assert counter.mended.lifted().value.tolist() == [990, 999, 1005, 1010]


def test_steps_of_other_periods_are_left_alone() -> None:
    told = [step("rollover", 0, "999", "5", "1000"), step("reset", 9, "9", "0", "9")]
    assert counted([5, 6, 7], told).corrections == ()


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from(["", "", "", "", "reset", "glitch", "swap"]),
        ),
        min_size=4,
        max_size=80,
    ),
    st.integers(0, 900),
)
def test_the_edges_own_account_gives_back_what_was_consumed(
    pattern: list[tuple[int, str]], start: int
) -> None:
    """A meter of three digits that rolls over, is reset, swapped and misread: the batch that the
    agent would sign is enough to find its consumption, by the hour and in all."""
    values, events, true = _life(pattern, start)
    column = Column(
        array("q", range(MINUTE, MINUTE * (len(values) + 1), MINUTE)),
        array("d", values),
        bytes(len(values)),
    )
    counters, ledger = {ENERGY: Counter(rollover=1000.0)}, dict[str, Standing]()
    _, told = account([ENERGY], [column], events, counters, ledger)
    batch = Batch("gw1", 1, 1, GENESIS, 1, CLOCK, (ENERGY,), (column,), events=(*told, *events))
    recorded = from_batches([sign(batch, KEY).batch], PLANT)
    mended = mend(recorded.series[ENERGY], recorded.steps)
    last = len(values) * MINUTE
    counter = counter_month(ENERGY, recorded.series[ENERGY], MINUTE, last, recorded.steps)
    assert counter.decreases_ms == ()
    assert counter.total == true
    assert mended.lift(MINUTE, last) == counter.total - Decimal(values[-1]) + Decimal(values[0])


def _life(pattern: list[tuple[int, str]], start: int) -> tuple[list[float], list[Event], Decimal]:
    """Readings, swaps on record, and the true consumption. Nothing happens within three readings
    of another step or of the end, nor near the limit: there the agent cannot tell what it sees."""
    values, events, shown, true, quiet = [float(start)], [], start, 0, 0
    for number, (gain, what) in enumerate(pattern, 2):
        happens = what if quiet >= 3 and number <= len(pattern) - 2 and 200 < shown < 900 else ""
        quiet = 0 if happens else quiet + 1
        if happens == "glitch":
            values.append(shown - 150.0)
            continue
        if happens == "swap":
            detail = {"device": "meter", "field": ENERGY.split("/")[1], "final": str(shown + 1),
                      "initial": "0", "reason": "worn out", "by": "Li Wei"}  # fmt: skip
            events.append(Event(number * MINUTE, "meter_swap", detail))
            true, shown = true + 1, 0
        if happens == "reset":
            shown = 0
            values.append(0.0)
            continue
        if shown + gain >= 1000:
            quiet = 0
        true, shown = true + gain, (shown + gain) % 1000
        values.append(float(shown))
    return values, events, Decimal(true)


# ---------------------------------------------------------------- in a month


def month_of(series: dict[str, Series], steps: Sequence[CounterStep]) -> MonthResult:
    return compute(PLANT, "G1", MONTH, series, (), load_pack(), load_rules(), steps)


def test_a_month_across_a_roll_over_is_right_with_its_ledger_and_blocked_without() -> None:
    series, told = rolled_over()
    plain = month_of(record([Run(START_MS, END_MS)]), ())
    mended, left = month_of(series, [told]), month_of(series, ())
    assert mended.values() == plain.values()
    assert [hour.to_json() for hour in mended.hours] == [hour.to_json() for hour in plain.hours]
    assert [(each.code, each.severity) for each in mended.findings] == [
        ("counter_rollover", "info")
    ]
    assert mended.findings[0].en == (
        "meter/active_energy_export_kwh: roll-over at 2018-02-05T04:01+08:00 by the gateway's "
        "ledger (999996000.0 → 0.0): readings from here on + 1000000000.0"
    )
    assert "counter_decreased" in {each.code for each in left.findings}
    assert left.values()["generation_mwh"] < 0
    outcomes = {item.id: item.outcome for item in mended.rule_results}
    assert (outcomes["GAS-L03"], outcomes["GAS-L04"]) == ("passed", "passed")


def test_hourly_differences_add_up_to_the_month_across_steps() -> None:
    series, told = rolled_over()
    on_slot = on_grid(told, MINUTE, START_MS)
    mended = mend(series[ENERGY], [on_slot])
    starts = list(range(START_MS, END_MS, HOUR_MS))
    differences = hourly_differences(mended, starts)
    assert set(differences) == {Decimal(240_000)}
    assert hours_from_start(100) < on_slot.t_ms <= hours_from_start(101)


def test_the_ledger_comes_out_of_signed_batches_whatever_their_order() -> None:
    series, told = rolled_over()
    chain = [signed.batch for signed in sign_chain(series)]
    event = step_event(told)
    foreign = Event(2, "counter_step", {**event.detail, "device": "another"})
    events = (event, Event(1, "epoch_opened", {}), foreign, event)
    batch = Batch("gw1", 9, 1, GENESIS, 1, CLOCK, (), (), events=events)
    recorded = from_batches([batch, *reversed(chain)], PLANT)
    assert recorded.steps == (told,)
    assert in_order([told, told]) == (told,)


@pytest.mark.parametrize(
    "detail",
    [
        {"device": "m", "field": "x", "kind": "rollover", "from": "nan", "to": "1", "lift": "2"},
        {"device": "m", "field": "x", "kind": "rollover", "from": "1", "to": "1e400", "lift": "2"},
        {"device": "m", "field": "x", "kind": "jump", "from": "1", "to": "1", "lift": "2"},
        {"device": "m", "field": "x", "kind": "rollover", "from": "1"},
        {},
    ],
)
def test_an_event_of_another_shape_is_no_step(detail: dict[str, str]) -> None:
    batch = Batch("g", 1, 1, GENESIS, 1, CLOCK, (), (), events=(Event(1, "counter_step", detail),))
    assert list(steps_of(batch)) == []


def test_an_event_without_its_lift_is_kept_and_mends_nothing() -> None:
    """Gateways of before told only the sum of all lifts."""
    detail = {"device": "m", "field": "x", "kind": "rollover", "from": "99.0", "to": "1.0",
              "offset": "100.0"}  # fmt: skip
    batch = Batch("g", 1, 1, GENESIS, 1, CLOCK, (), (), events=(Event(1, "counter_step", detail),))
    assert [each.lift for each in steps_of(batch)] == [None]
