"""Months to replay, and what must come out of them, worked out here from the rows alone."""

import csv
import io
import random
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

SHORT_TON_T = 0.90718474
GJ_PER_MMBTU = 1.055056
LOWER_TO_HIGHER = 0.9022
NCV_GJ_PER_1E4NM3 = 389.31


@dataclass(frozen=True)
class Expected:
    """A month's figures from its hourly rows; `switches` is the number of starts and stops."""

    generation_mwh: float
    operating_hours: float
    fuel_gas_1e4nm3: float
    co2_t: float
    switches: int


COLUMNS = (
    "STATE", "FACILITY_NAME", "ORISPL_CODE", "UNITID", "OP_DATE", "OP_HOUR", "OP_TIME",
    "GLOAD (MW)", "CO2_MASS (tons)", "HEAT_INPUT (mmBtu)",
)  # fmt: skip


def state_file(path: Path, year: int, month: int, seed: int) -> Expected:
    """Write a file of two units with quoted fields, starts, partial and empty hours.

    The unit to replay is 99/G 1; the other one shares the hours and must not be mixed in.
    """
    draw = random.Random(seed)
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL)
    rows.writerow(COLUMNS)
    hours = [_hour(draw) for _ in range(24 * monthrange(year, month)[1])]
    _settle(hours, draw)
    for index, hour in enumerate(hours):
        t = datetime(year, month, 1) + timedelta(hours=index)  # noqa: DTZ001 – plant time
        stamp = (t.strftime("%m-%d-%Y"), t.hour)
        rows.writerow(("XX", 'Gas, "Two"', 99, "OTHER", *stamp, 1, 77, 30, 500))
        rows.writerow(("XX", 'Gas, "Two"', 99, "G 1", *stamp, *hour))
    path.write_text(text.getvalue())
    return expected(hours)


def _hour(draw: random.Random) -> tuple[object, ...]:
    load, heat = draw.randint(120, 280), round(draw.uniform(900, 1900), 1)
    return (1, load, round(heat * 0.0594, 1), heat)


def _settle(hours: list[tuple[object, ...]], draw: random.Random) -> None:
    """Cut stops into a month of full hours: partial at both ends, nothing or zero between."""
    start = 30
    while start < len(hours) - 40:
        length = draw.randint(1, 9)
        for index in range(start + 1, start + length):
            hours[index] = draw.choice(((0, "", "", ""), ("", "", "", ""), (0, 0, 0, 0)))
        for index in (start, start + length):
            part = draw.choice((0.02, 0.25, 0.5, 0.73, 0.98))
            load = 0 if index > start and draw.random() < 0.5 else draw.randint(20, 90)
            heat = round(draw.uniform(600, 1500) * part, 1)
            hours[index] = (part, load, round(heat * 0.0594, 3), heat)
        start += length + draw.randint(20, 60)


def expected(hours: list[tuple[object, ...]]) -> Expected:
    """GLOAD is a rate over the operating part; mass and heat are totals of the hour."""
    ran = [tuple(map(float, hour)) for hour in hours if hour[0] not in ("", 0)]  # type: ignore[arg-type]
    heat = sum(hour[3] for hour in ran)
    partial = sum(1 for hour in ran if hour[0] < 1)
    return Expected(
        generation_mwh=sum(hour[0] * hour[1] for hour in ran),
        operating_hours=sum(hour[0] for hour in ran),
        fuel_gas_1e4nm3=heat * GJ_PER_MMBTU * LOWER_TO_HIGHER / NCV_GJ_PER_1E4NM3,
        co2_t=sum(hour[2] for hour in ran) * SHORT_TON_T,
        switches=partial,
    )
