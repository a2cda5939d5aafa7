"""The same faults in real hours: Langley Gulch CT1, July 2018 (US EPA), drawn in two ways.

No threshold was set on the set of single days. It did show two defects, mended since: a constant
heating value was taken for a copy, and a figure without any spread was left out. So it is not an
untouched set. The set of windows is run once, by a protocol that was there before it (decision
0025).

One month of one gas unit is at hand. A pseudo-month is thirty of its days, or ten windows of
three days that begin at any hour, drawn at random, with their hours as they were: heat input
against load is real, and so is its scatter. Nothing else is: no seasons, no ageing, no steam,
settlement or CEMS (CO2 follows from heat input by equation G-4). Faults are those that fuel and
output of a gas unit can have; with one balance only, fuel and output cannot be told apart, so no
blame is judged.
"""

import hashlib
from collections.abc import Callable
from importlib import resources

import numpy as np
import polars as pl

from anomaly.booking import calculated_co2
from anomaly.faults import KINDS, REPORT, Label, Scene
from anomaly.fleet import Array, Books, Plants, month_of
from anomaly.frames import GAS, LabelledSet, labels_frame, unit_name
from tanzheng.hardware.epa import read_month

GJ_PER_MMBTU = 1.055056
# Level only: neither moves from month to month, so no residual depends on them.
NCV = 389.31
CARBON_TC_PER_GJ = 0.01532
UNITS, MONTHS = 60, 24
DAYS, WINDOWS, WINDOW_H = 30, 10, 72
RUN_ONCE = tuple(range(7001, 7011))
"""Seeds of the set of windows, whose protocol is decision 0025."""
FILE_SHA256 = "4c4b9189da07542b34944d39c7f3d3602863ba4155a62a737e594e99d6cb6956"
Draw = Callable[[np.random.Generator, Array], Array]
APPLY = (
    "fuel_under_booked", "output_over_booked", "stuck_sensor", "clock_shift", "counter_reset",
    "copied_month", "invented_digits",
)  # fmt: skip


def real_hours(seed: int) -> LabelledSet:
    """Pseudo-months of single days, with faults in 2 % of them."""
    return _labelled(np.random.default_rng(seed), single_days)


def real_windows(seed: int) -> LabelledSet:
    """Pseudo-months of windows of consecutive hours, with the same faults (decision 0025)."""
    return _labelled(np.random.default_rng(seed), windows)


def single_days(rng: np.random.Generator, hours: Array) -> Array:
    """Sums of thirty days each, (units, months, columns), of `hours` (744, columns)."""
    days = hours.reshape(31, 24, -1).sum(axis=1)
    return np.asarray(days[rng.integers(0, len(days), (UNITS, MONTHS, DAYS))].sum(axis=2))


def windows(rng: np.random.Generator, hours: Array) -> Array:
    """Sums of ten windows of 72 consecutive hours each, which may begin at any hour."""
    until = np.concatenate([np.zeros((1, hours.shape[1])), hours.cumsum(axis=0)])
    begins = rng.integers(0, len(hours) - WINDOW_H + 1, (UNITS, MONTHS, WINDOWS))
    return np.asarray((until[begins + WINDOW_H] - until[begins]).sum(axis=2))


def _labelled(rng: np.random.Generator, draw: Draw) -> LabelledSet:
    books, capacity = _books(rng, draw)
    gas = np.full(UNITS, "gas")
    ones = np.ones(UNITS, bool)
    plants = Plants(gas, np.full(UNITS, "natural_gas"), np.full(UNITS, capacity),
                    np.ones(UNITS), ~ones, ones, np.ones(UNITS))  # fmt: skip
    scene = Scene(rng, plants, books)
    labels: list[Label] = []
    for episode, unit in enumerate(rng.permutation(UNITS)[: UNITS // 2].tolist()):
        kind = APPLY[episode % len(APPLY)]
        size = float(np.exp(rng.uniform(np.log(0.01), np.log(0.20))))
        made = KINDS[kind][0](scene, unit, int(rng.integers(0, MONTHS - 1)), size)
        if made is not None and made[1] != "cems":
            labels += [
                Label(unit, month, kind, effect, "fuel", made[1], episode)
                for month, effect in made[0].items()
            ]
    return _frames(books, capacity, labels)


def _books(rng: np.random.Generator, draw: Draw) -> tuple[Books, float]:
    """Sums of real hours: MWh, 10⁴ Nm³ and operating hours."""
    file = resources.files("tanzheng.hardware").joinpath("data/langley_gulch_ct1_2018-07.csv")
    with resources.as_file(file) as path:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == FILE_SHA256
        hours = read_month(path).hours
    rows = [
        (float(hour.load_mw * hour.op_time), float(hour.heat_mmbtu) * GJ_PER_MMBTU / NCV,
         float(hour.op_time))
        for hour in hours
    ]  # fmt: skip
    drawn = draw(rng, np.array(rows))
    shape = (UNITS, MONTHS)
    books: Books = {"generation": drawn[..., 0], "fuel": drawn[..., 1], "hours": drawn[..., 2]}
    books |= {"ncv": np.full(shape, NCV), "carbon": np.full(shape, NCV * CARBON_TC_PER_GJ)}
    books |= {name: np.full(shape, np.nan) for name in ("cems", "net", "auxiliary", *REPORT)}
    books |= {name: np.zeros(shape) for name in ("is_default", "decreases", "heat")}
    books |= {name: np.ones(shape) for name in ("fuel_run_h", "cems_run_h")}
    return books, max(float(hour.load_mw) for hour in hours)


def _frames(books: Books, capacity: float, labels: list[Label]) -> LabelledSet:
    names = [unit_name(unit) for unit in range(UNITS)]
    keys = pl.DataFrame(
        {
            "enterprise": np.repeat([name.split("-")[0] for name in names], MONTHS).tolist(),
            "unit": np.repeat(names, MONTHS).tolist(),
            "month": [month_of(index).first_day for index in range(MONTHS)] * UNITS,
        }
    )
    unit_month = keys.with_columns(
        pl.lit("power").alias("sector"),
        pl.lit("gas").alias("unit_class"),
        pl.lit("natural_gas").alias("fuel"),
        pl.lit(capacity).alias("rated_capacity_mw"),
        *(
            pl.Series(name, np.round(books[key].ravel(), decimals))
            for name, key, decimals in (
                *GAS, ("generation_mwh", "generation", 3), ("operating_hours_h", "hours", 2),
            )
        ),
        pl.Series("co2_calculated_t", np.round(calculated_co2(books).ravel(), 2)),
    )  # fmt: skip
    points = keys.with_columns(
        point=pl.lit("meter/gas_volume_m3"),
        field=pl.lit("gas_volume_m3"),
        expected_readings=pl.Series((books["hours"].ravel() * 60).astype(np.int64)),
        longest_constant_run=pl.Series((books["fuel_run_h"].ravel() * 60).astype(np.int64)),
        decreases=pl.Series(books["decreases"].ravel().astype(np.int64)),
    )
    return LabelledSet(unit_month, keys.clear(), points, labels_frame(labels))
