"""July 2018 of the shipped EPA file, as the simulator would show it, without a network."""

from decimal import Decimal
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.month import compute
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import Series
from tanzheng.core.plant import Plant
from tanzheng.hardware.epa import MonthOfHours, read_month
from tanzheng.hardware.plant_files import plant_toml, site_of
from tanzheng.hardware.plant_state import PlantState

MINUTE = 60_000
SHORT_TON_T = Decimal("0.90718474")


def replay(path: Path) -> tuple[Plant, dict[str, Series], MonthOfHours]:
    """The plant of an EPA file and what its instruments show at every minute of the month."""
    hours = read_month(path)
    plant = Plant.parse(plant_toml(hours, site_of(hours)).encode())
    state = PlantState(hours, plant.zone, plant.units[0].rated_capacity_mw)
    t_ms = np.arange(state.start_ms, state.end_ms + 1, MINUTE)
    fields = {point.name: point.field for device in plant.devices for point in device.points}
    columns = {name: np.empty(len(t_ms)) for name in fields}
    for index, instant in enumerate(t_ms.tolist()):
        values = state.values(instant)
        for name, field in fields.items():
            columns[name][index] = float(values[field])
    good = np.zeros(len(t_ms), np.uint8)
    return plant, {name: Series(t_ms, value, good) for name, value in columns.items()}, hours


def close(path: Path) -> tuple[MonthResult, MonthOfHours]:
    plant, series, hours = replay(path)
    unit = plant.units[0].id
    return compute(plant, unit, hours.month, series, (), load_pack(), load_rules()), hours


def shipped() -> Path:
    folder = resources.files("tanzheng.hardware") / "data"
    path = folder / "langley_gulch_ct1_2018-07.csv"
    assert isinstance(path, Path)
    return path


@pytest.fixture(scope="module")
def july() -> MonthResult:
    return close(shipped())[0]


def test_the_month_to_the_cent(july: MonthResult) -> None:
    values = {name: str(value) for name, value in july.values().items()}
    assert values["generation_mwh"] == "211345.000"
    assert values["operating_hours_h"] == "744.00"
    assert values["fuel_gas_1e4nm3"] == "3356.88"
    assert values["co2_calculated_t"] == "72676.61"
    assert values["load_factor_percent"] == "94.69"
    assert abs(Decimal(values["co2_cems_t"]) / Decimal("74018.84") - 1) < Decimal("0.001")


def test_only_the_age_of_the_standard_is_remarked(july: MonthResult) -> None:
    assert not july.findings
    failed = {item.id for item in july.rule_results if item.outcome != "passed"}
    assert failed == {"GAS-S03"}  # the guideline of 2022 applied to a month of 2018


def test_partial_and_empty_hours_agree_within_the_sampling_error(tmp_path: Path) -> None:
    """Starts, stops and empty hours cut into July: half an interval for each start and stop."""
    header, *rows = shipped().read_text().splitlines()
    cut = [_cut(row, number) for number, row in enumerate(rows)]
    path = tmp_path / "cut.csv"
    path.write_text("\n".join([header, *cut]) + "\n")
    result, hours = close(path)
    values = result.values()
    run_h = sum((hour.op_time for hour in hours.hours), Decimal(0))
    energy = sum((hour.op_time * hour.load_mw for hour in hours.hours), Decimal(0))
    mass = sum((hour.co2_short_tons for hour in hours.hours), Decimal(0)) * SHORT_TON_T
    starts_and_stops = 2 * sum(1 for number in range(len(rows)) if number % 50 == 7)
    unseen_h = Decimal(starts_and_stops) / 120
    assert run_h < 700
    assert abs(values["generation_mwh"] - energy) <= energy * Decimal("0.0002")
    assert abs(values["operating_hours_h"] - run_h) <= run_h / 1000 + unseen_h
    assert abs(values["co2_cems_t"] - mass) <= mass / 1000 + unseen_h * 120
    assert values["coverage_percent"] == 100
    assert not [item for item in result.rule_results if item.blocks_deposit]


def _cut(row: str, number: int) -> str:
    """Every 50 hours: 0.37 h of running, three hours standing, then a start within the hour."""
    cells = row.split(",")
    share = {7: "0.37", 8: "0", 9: "0", 10: "0", 11: "0.61"}.get(number % 50)
    if share is not None:
        cells[6] = share
        for column in (17, 21):
            cells[column] = "" if share == "0" else f"{float(cells[column]) * float(share):.3f}"
        if share == "0":
            cells[7] = ""
    return ",".join(cells)
