"""The plant's state: exact counters, placement of partial hours, what the CEMS shows."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.core.calendar import HOUR_MS, MINUTE_MS, Month, PlantZone
from tanzheng.hardware.commands import shipped_replay
from tanzheng.hardware.epa import Hour, MonthOfHours, read_month
from tanzheng.hardware.physics import constants
from tanzheng.hardware.plant_state import PlantState, stands_after

ZONE = PlantZone(-420)
FULL = Hour(Decimal(1), Decimal(200), Decimal("80.5"), Decimal("1500.1"))
STANDING = Hour()


def part(op_time: str, load: str = "120") -> Hour:
    return Hour(Decimal(op_time), Decimal(load), Decimal("20.2"), Decimal("340.7"))


def state_of(*hours: Hour, before: tuple[Decimal, ...] = ()) -> PlantState:
    month = Month(2018, 2)
    padded = hours + (STANDING,) * (month.hours - len(hours))
    replay = MonthOfHours("99", "CT1", "", month, padded, before, ())
    return PlantState(replay, ZONE, Decimal(300))


def pieces(state: PlantState) -> list[tuple[float, float]]:
    """Runs in hours from the month's start."""
    return [
        ((run.start_ms - state.start_ms) / HOUR_MS, (run.stop_ms - state.start_ms) / HOUR_MS)
        for run in state.runs
    ]


@pytest.fixture(scope="module")
def july() -> PlantState:
    return PlantState(read_month(shipped_replay()), ZONE, Decimal(300))


def test_july_ends_with_the_months_totals(july: PlantState) -> None:
    first, last = july.values(july.start_ms), july.values(july.end_ms)
    assert last["active_energy_export_kwh"] - first["active_energy_export_kwh"] == 211_345_000
    gas = last["gas_volume_nm3"] - first["gas_volume_nm3"]
    exact = Fraction("1372943") * Fraction("1.055056") * Fraction("0.9022") / Fraction("389.31")
    assert gas == exact * 10_000
    assert round(float(gas), 1) == 33_568_758.7
    assert first["active_energy_export_kwh"] > 0
    assert first["gas_volume_nm3"] > 0


def test_july_at_its_end_is_the_limit_from_the_left(july: PlantState) -> None:
    last, before = july.values(july.end_ms), july.values(july.end_ms - MINUTE_MS)
    for name in ("run_state", "active_power_kw", "co2_dry_percent", "stack_flow_wet_m3_per_h"):
        assert last[name] == before[name] != 0


def test_the_cems_gives_the_mass_back(july: PlantState) -> None:
    """HJ 75 as the month close computes it, over the minutes of July: 74,018.84 t."""
    total = sum(
        (mass_t_per_h(july.values(t_ms)) for t_ms in range(july.start_ms, july.end_ms, HOUR_MS)),
        Fraction(0),
    )
    assert float(total) == pytest.approx(74_018.84, abs=0.005)


def mass_t_per_h(shown: dict[str, Fraction]) -> Fraction:
    dry = (
        shown["stack_flow_wet_m3_per_h"]
        * 273
        / (273 + shown["stack_temperature_degc"])
        * shown["stack_pressure_kpa"]
        / Fraction("101.325")
        * (1 - shown["stack_moisture_percent"] / 100)
    )
    return dry * shown["co2_dry_percent"] / 100 * Fraction("1.9647") / 1000


@pytest.mark.parametrize(
    ("hours", "before", "expected"),
    [
        ((STANDING, part("0.25"), FULL), (), [(1.75, 2), (2, 3)]),
        ((FULL, part("0.25"), STANDING), (), [(0, 1), (1, 1.25)]),
        ((FULL, part("0.25"), part("0.5"), FULL), (), [(0, 1), (1, 1.25), (2.5, 3), (3, 4)]),
        ((part("0.5"),), (), [(0.5, 1)]),
        ((part("0.5"),), ("1",), [(0, 0.5)]),
        ((part("0.5"),), ("1", "0.5"), [(0.5, 1)]),
        ((part("0.5"),), ("0.5",), [(0, 0.5)]),
        ((part("0.5"),), ("1", "0"), [(0.5, 1)]),
    ],
)
def test_where_a_partial_hour_runs(
    hours: tuple[Hour, ...], before: tuple[str, ...], expected: list[tuple[float, float]]
) -> None:
    assert pieces(state_of(*hours, before=tuple(map(Decimal, before)))) == expected


def test_running_is_half_open() -> None:
    state = state_of(STANDING, part("0.5"))
    start, stop = state.start_ms + 3 * HOUR_MS // 2, state.start_ms + 2 * HOUR_MS
    shown = [state.values(t_ms)["run_state"] for t_ms in (start - 1, start, stop - 1, stop)]
    assert shown == [0, 1, 1, 0]


def test_the_load_is_a_rate_and_the_totals_are_totals() -> None:
    state = state_of(part("0.5"))
    assert state.total_kwh == 60_000
    running = state.values(state.end_ms - HOUR_MS * 671 - HOUR_MS // 4)
    assert running["active_power_kw"] == 120_000
    tonnes = Fraction("20.2") * Fraction("0.90718474")
    assert mass_t_per_h(running) == tonnes * 2
    assert running["gas_flow_nm3_per_h"] == state.total_nm3 * 2


def test_start_up_without_load_burns_gas() -> None:
    state = state_of(part("0.3", load="0"), FULL)
    shown = state.values(state.start_ms + HOUR_MS - 1)
    assert shown["active_power_kw"] == 0
    assert shown["run_state"] == 1
    assert shown["gas_flow_nm3_per_h"] > 0
    assert shown["stack_flow_wet_m3_per_h"] > 0


def test_a_standing_unit_shows_air_and_no_flow() -> None:
    state = state_of()
    shown = state.values(state.start_ms + 5 * HOUR_MS)
    for name in (
        "run_state",
        "active_power_kw",
        "gas_flow_nm3_per_h",
        "co2_dry_percent",
        "stack_flow_wet_m3_per_h",
    ):
        assert shown[name] == 0
    assert shown["gas_volume_nm3"] == constants().gas_meter_start_nm3
    assert shown["o2_dry_percent"] == Fraction("20.95")


hours_drawn = st.builds(
    lambda op, load, co2, heat: (
        STANDING
        if op == 0
        else Hour(Decimal(op) / 100, Decimal(load), Decimal(co2) / 10, Decimal(heat) / 10)
    ),
    st.one_of(st.just(0), st.just(100), st.integers(0, 100)),
    st.integers(0, 300),
    st.integers(0, 1500),
    st.integers(0, 30_000),
)


@given(st.lists(hours_drawn, min_size=1, max_size=30))
def test_counters_and_operating_time_agree_with_the_hours(hours: list[Hour]) -> None:
    state = state_of(*hours)
    first, last = state.values(state.start_ms), state.values(state.end_ms)
    assert last["active_energy_export_kwh"] - first["active_energy_export_kwh"] == sum(
        (Fraction(hour.load_mw * hour.op_time) * 1000 for hour in hours), Fraction(0)
    )
    assert sum(run.stop_ms - run.start_ms for run in state.runs) == sum(
        int(hour.op_time * HOUR_MS) for hour in hours
    )
    ends = [state.start_ms, *(edge for run in state.runs for edge in (run.start_ms, run.stop_ms))]
    assert ends == sorted(ends)


@given(st.lists(hours_drawn, min_size=1, max_size=12))
def test_counters_never_fall_and_follow_the_rates(hours: list[Hour]) -> None:
    state = state_of(*hours)
    for at in range(0, len(hours) * HOUR_MS, 7 * MINUTE_MS):
        now, then = state.values(state.start_ms + at), state.values(state.start_ms + at + 1)
        rise = then["active_energy_export_kwh"] - now["active_energy_export_kwh"]
        assert rise == now["active_power_kw"] / HOUR_MS
        assert then["gas_volume_nm3"] - now["gas_volume_nm3"] == (
            now["gas_flow_nm3_per_h"] / HOUR_MS
        )


@given(st.lists(hours_drawn, min_size=1, max_size=12))
def test_mass_over_the_minutes_is_the_mass_of_the_hours(hours: list[Hour]) -> None:
    """Each start and each stop may cost half a polling interval, at the rate of its own hour."""
    state = state_of(*hours)
    minutes = range(state.start_ms, state.start_ms + (len(hours) + 1) * HOUR_MS, MINUTE_MS)
    rates = [mass_t_per_h(state.values(t_ms)) for t_ms in minutes]
    masses = [Fraction(hour.co2_short_tons) * Fraction("0.90718474") for hour in hours]
    exact = sum(masses, Fraction(0))
    running = zip(masses, hours, strict=True)
    hourly = [mass / Fraction(hour.op_time) for mass, hour in running if hour.op_time]
    slack = max(hourly, default=Fraction(0)) / 60 * len(state.runs)
    assert abs(sum(rates, Fraction(0)) / 60 - exact) <= slack


def test_a_replay_that_turns_round_keeps_counting() -> None:
    state = state_of(FULL)
    end, again = state.values(state.end_ms), state.values(state.start_ms, turns=1)
    assert again["active_energy_export_kwh"] == end["active_energy_export_kwh"]


@given(st.lists(st.sampled_from([Decimal(0), Decimal("0.4"), Decimal(1)]), max_size=8))
def test_the_state_before_the_month_is_the_one_a_longer_replay_has(before: list[Decimal]) -> None:
    hours = [STANDING if op == 0 else part(str(op)) for op in before]
    longer = state_of(*hours, part("0.5"))
    begin = longer.start_ms + len(hours) * HOUR_MS
    runs_at_once = longer.runs[-1].start_ms == begin
    assert stands_after(before) is not runs_at_once


def test_the_repository_ships_the_file() -> None:
    assert shipped_replay().is_relative_to(Path(__file__).parents[2] / "hardware")
