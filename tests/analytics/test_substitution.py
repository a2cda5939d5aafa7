"""The substitution table: each row by hand, its edges, and what stands behind it."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.plants import (
    CEMS_POINTS,
    END_MS,
    MONTH,
    PLANT,
    START_MS,
    Run,
    hours_from_start,
    record,
    without,
)
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.hours import Method
from tanzheng.analytics.month import compute
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import Series
from tanzheng.analytics.substitution import (
    MONTH_ALONE,
    LookBack,
    ManualReading,
    OutOfControl,
    State,
    Substitutes,
    Table,
    Toward,
    quarter_start_ms,
)
from tanzheng.core.calendar import CHINA, HOUR_MS, Month
from tanzheng.core.errors import BadInput

TABLE = Table.of(load_pack())
CASES = tomllib.loads(Path(__file__).with_name("substitution_cases.toml").read_text())["case"]
QUARTER = -5000 * HOUR_MS
"""All hours of the cases lie in one quarter; the month begins at 0."""


def states(words: Sequence[str], end_ms: int | None = None) -> list[State]:
    """Hours as written; they begin at 0, or end at `end_ms`."""
    made = []
    for word in words:
        match = re.fullmatch(r"(\d+)×(valid@(\d+)|bad|ooc|stop)", word)
        assert match, word
        rate = Decimal(match[3]) if match[3] else None
        made += [(match[2] != "stop", rate)] * int(match[1])
    first = 0 if end_ms is None else end_ms - len(made) * HOUR_MS
    return [State(first + i * HOUR_MS, runs, rate) for i, (runs, rate) in enumerate(made)]


def ooc_hours(words: Sequence[str]) -> tuple[int, int]:
    """[first, last) of the hours written as out of control."""
    first = 0
    for word in words:
        count, _, what = word.partition("×")
        if what == "ooc":
            return first, first + int(count)
        first += int(count)
    raise AssertionError(words)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_the_table_by_hand(case: dict[str, Any]) -> None:
    periods: tuple[OutOfControl, ...] = ()
    if "calibrated" in case:
        first, last = ooc_hours(case["month"])
        periods = (OutOfControl(first * HOUR_MS, last * HOUR_MS, case["calibrated"] * HOUR_MS),)
    look_back = LookBack(tuple(states(case["before"], 0)), periods)
    month = states(case["month"])
    found = Substitutes(month, QUARTER, TABLE, look_back).of(month[case["hour"]])
    if case["row"] == "none":
        assert found is None
        return
    assert found is not None
    assert (found.row, found.rate) == (case["row"], Decimal(case["rate"]))
    assert found.capture_percent == Decimal(case["capture"])
    assert (found.gap_hours, found.hours_found) == (case["gap"], case["found"])
    assert found.after is case.get("after", False)


def test_the_capture_rate_begins_anew_with_the_quarter() -> None:
    """Bad hours of another quarter take nothing from this one's rate, but lengthen the failure."""
    before = tuple(states(["500×valid@60", "400×bad"], 0))
    month = states(["1×bad", "99×valid@40"])
    within = Substitutes(month, QUARTER, TABLE, LookBack(before)).of(month[0])
    beyond = Substitutes(month, 0, TABLE, LookBack(before)).of(month[0])
    assert within is None  # 599 of 1000
    assert beyond is not None
    assert (beyond.row, beyond.capture_percent) == ("invalid_720", Decimal("99.00"))
    assert (beyond.gap_hours, beyond.rate) == (401, Decimal(60))


def test_hours_before_that_are_not_before_are_refused() -> None:
    month = states(["3×valid@50"])
    with pytest.raises(BadInput, match="each once, in order, got 0 behind 7200000"):
        Substitutes(month, QUARTER, TABLE, LookBack(tuple(month)))


@pytest.mark.parametrize(
    ("month", "first"), [("2018-01", "2018-01"), ("2018-03", "2018-01"), ("2018-12", "2018-10")]
)
def test_where_a_quarter_begins(month: str, first: str) -> None:
    assert quarter_start_ms(Month.parse(month), CHINA) == Month.parse(first).bounds_ms(CHINA)[0]


def test_where_less_is_conservative_the_minimum_is_taken() -> None:
    month = states(["10×valid@50", "100×valid@60", "1×bad", "20×valid@40"])
    least = Substitutes(month, QUARTER, TABLE, LookBack(toward=Toward.MIN)).of(month[110])
    assert least is not None
    assert least.rate == 50


HALF_LOST = states(["30×valid@50", "40×bad"])


def manual(*hours: tuple[float, str]) -> tuple[ManualReading, ...]:
    return tuple(ManualReading(round(at * HOUR_MS), Decimal(rate)) for at, rate in hours)


@pytest.mark.parametrize(
    ("readings", "rate"),
    [
        (manual((40, "55"), (46, "57")), "57"),  # six hours apart, the larger one
        (manual((46, "57"), (40, "55")), "57"),  # in any order
        (manual((40, "55"), (46.01, "57")), None),  # too far apart
        (manual((40, "55"), (43.5, "57")), None),  # the hour reaches beyond
        (manual((43, "55")), None),
    ],
)
def test_below_75_percent_a_manual_measurement_serves(
    readings: tuple[ManualReading, ...], rate: str | None
) -> None:
    hour = HALF_LOST[43]
    found = Substitutes(HALF_LOST, QUARTER, TABLE, LookBack(manual=readings)).of(hour)
    assert (found and str(found.rate)) == rate
    assert found is None or found.row == "manual"
    filed = LookBack(manual=readings, default_rate=Decimal(99))
    last = Substitutes(HALF_LOST, QUARTER, TABLE, filed).of(hour)
    assert last is not None
    assert (last.row, last.rate) == (("default", 99) if rate is None else ("manual", Decimal(57)))


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), min_size=1, max_size=60),
    st.sampled_from(Toward),
)
def test_a_substitute_is_never_beyond_what_was_measured_and_never_better_than_the_hour_before(
    pattern: list[tuple[int, int]], toward: Toward
) -> None:
    """Code 0 stands, 1 is bad, the rest is valid: the substitute is the worst of a window that
    ends right before the failure."""
    month = [
        State(i * HOUR_MS, code > 0, Decimal(rate) if code > 1 else None)
        for i, (code, rate) in enumerate(pattern)
    ]
    substitutes = Substitutes(month, QUARTER, TABLE, LookBack(toward=toward))
    valid: list[Decimal] = []
    rates = {state.rate for state in month if state.rate is not None}
    for state in month:
        if state.rate is not None:
            valid.append(state.rate)
        if not state.bad or (found := substitutes.of(state)) is None:
            continue
        assert found.rate in rates
        assert found.after is (not valid)
        if valid:
            worse = max if toward is Toward.MAX else min
            assert found.rate == worse(found.rate, valid[-1])


# ---------------------------------------------------------------- in a month


@dataclass(frozen=True)
class Asked:
    series: dict[str, Series]

    def month(self, look_back: LookBack = MONTH_ALONE) -> MonthResult:
        return compute(
            PLANT, "G1", MONTH, self.series, (), load_pack(), load_rules(), look_back=look_back
        )


def cems_silent(first: float, last: float) -> Asked:
    """A month at 100 t/h, its CEMS silent in these hours."""
    series = record([Run(START_MS, END_MS)])
    for point in CEMS_POINTS:
        series[point] = without(series[point], hours_from_start(first), hours_from_start(last))
    return Asked(series)


def test_a_substituted_hour_says_where_it_came_from() -> None:
    result = cems_silent(100, 130).month()
    hour = result.hours[110]
    assert hour.method is Method.SUBSTITUTED_720
    assert hour.to_json()["substitution"] == {
        "row": "invalid_720",
        "capture_percent": "95.54",  # 642 ÷ 672 = 95.5357 %
        "gap_hours": 30,
        "hours_wanted": 720,
        "hours_found": 100,
        "taken": "before",
    }
    assert "substitution" not in result.hours[99].to_json()
    finding = next(each for each in result.findings if each.code.startswith("hours_"))
    assert finding.en == (
        "30 hours: maximum of the last 720 valid hours (capture rate of the quarter to date "
        "95.54 %; as few as 100 valid hours at hand)"
    )
    assert "95.54%；可回溯的有效小时最少 100 个" in finding.zh


def test_hours_of_the_month_before_change_the_substitutes_and_nothing_else() -> None:
    asked = cems_silent(0, 5)
    before = tuple(
        State(START_MS - i * HOUR_MS, True, Decimal("130.000000")) for i in range(180, 0, -1)
    )
    alone, seen = asked.month(), asked.month(LookBack(before))
    assert {str(hour.rate_t_per_h) for hour in alone.hours[:5]} == {"100.000000"}
    assert {str(hour.rate_t_per_h) for hour in seen.hours[:5]} == {"130.000000"}
    assert alone.hours[5:] == seen.hours[5:]


def test_a_month_below_75_percent_is_blocked_until_something_is_declared() -> None:
    asked = cems_silent(100, 400)
    missing = asked.month()
    assert missing.hours[200].method is Method.MISSING
    assert "co2_cems_t" not in missing.values()
    declared = asked.month(LookBack(default_rate=Decimal("120.000000")))
    assert declared.hours[200].method is Method.DEFAULT
    assert declared.values()["co2_cems_t"] == 372 * 100 + 300 * 120


def test_out_of_control_hours_are_not_valid_though_they_were_read() -> None:
    asked = Asked(record([Run(START_MS, END_MS)]))
    begin, end = hours_from_start(300), hours_from_start(301.5)
    declared = LookBack(out_of_control=(OutOfControl(begin, end, hours_from_start(250)),))
    hours = asked.month(declared).hours
    assert [hour.method for hour in hours[299:303]] == [
        Method.MEASURED,
        Method.OUT_OF_CONTROL_180,
        Method.OUT_OF_CONTROL_180,
        Method.MEASURED,
    ]
    assert hours[300].valid_half_ms == 0
    assert replace(hours[300], substitution=None).to_json()["coverage_percent"] == "0.00"
