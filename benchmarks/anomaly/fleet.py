"""The plants and their honest months: what happened, and what honest instruments booked of it."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tanzheng.core.calendar import Month

Array = npt.NDArray[np.float64]
Strings = npt.NDArray[np.str_]
Books = dict[str, Array]
"""Booked figures by name, each of shape (plants, months); NaN where there is none."""

PHYSICS = tomllib.loads((Path(__file__).parent / "physics.toml").read_text(encoding="utf-8"))
CLASSES = ("coal_over_300mw", "coal_up_to_300mw", "coal_unconventional", "gas")
FIRST_MONTH = Month(2023, 1)
# P: rated power (MW), gross rate at full load (GJ/MWh: 255-340 gce/kWh, f.2), CHP and measured
# carbon as shares of the class, house load at full load (%).
RATINGS = {
    "coal_over_300mw": ((330, 600, 660, 1000), (7.7, 8.5), 0.35, 0.95, (3.5, 5.5)),
    "coal_up_to_300mw": ((135, 150, 200, 300), (8.3, 9.1), 0.60, 0.80, (5.5, 8.0)),
    "coal_unconventional": ((135, 200, 300), (8.6, 9.6), 0.45, 0.75, (6.5, 9.0)),
    "gas": ((180, 390, 460), (6.2, 7.0), 0.40, 0.85, (1.5, 2.5)),
}


@dataclass(frozen=True)
class Plants:
    """What does not change from month to month; every array has one entry a plant."""

    unit_class: Strings
    fuel: Strings
    capacity_mw: Array
    rate_gj_per_mwh: Array
    chp: npt.NDArray[np.bool_]
    measured: npt.NDArray[np.bool_]
    house_percent: Array

    @property
    def gas(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.unit_class == "gas")


def noise(name: str) -> float:
    """The standard deviation `name` of the physics file."""
    return float(PHYSICS["noise"][name]["value"])


@contextmanager
def louder(factor: float) -> Iterator[None]:
    """Every noise of the file times `factor` while it lasts: how much of a result is our guess."""
    entries = PHYSICS["noise"].values()
    quiet = [entry["value"] for entry in entries]
    for entry, value in zip(entries, quiet, strict=True):
        entry["value"] = factor * value
    yield
    for entry, value in zip(entries, quiet, strict=True):
        entry["value"] = value


def constant(table: str, name: str) -> float:
    """A constant of the physics file."""
    return float(PHYSICS[table][name]["value"])


def month_of(index: int) -> Month:
    """The month at `index` of the set."""
    serial = FIRST_MONTH.year * 12 + FIRST_MONTH.month - 1 + index
    return Month(serial // 12, serial % 12 + 1)


def make_plants(rng: np.random.Generator, count: int) -> Plants:
    """`count` plants by the shares of the physics file."""
    shares = np.array([PHYSICS["fleet"][name] for name in CLASSES])
    edges = np.round(np.cumsum(shares) * count).astype(int)
    classes = np.repeat(CLASSES, np.diff(edges, prepend=0))
    columns: dict[str, list[Any]] = {key: [] for key in ("mw", "rate", "chp", "measured", "house")}
    for name in classes:
        sizes, rates, chp, measured, house = RATINGS[str(name)]
        columns["mw"].append(float(rng.choice(sizes)))
        columns["rate"].append(rng.uniform(*rates))
        columns["chp"].append(rng.random() < chp)
        columns["measured"].append(rng.random() < measured)
        columns["house"].append(rng.uniform(*house))
    lignite = rng.random(count) < 0.15
    fuel = np.where(lignite, "lignite", "bituminous")
    fuel = np.where(classes == "coal_unconventional", "gangue", fuel)
    fuel = np.where(classes == "gas", "natural_gas", fuel)
    made = {key: np.array(value) for key, value in columns.items()}
    return Plants(
        classes, fuel, made["mw"], made["rate"], made["chp"], made["measured"], made["house"]
    )


def autoregressive(rng: np.random.Generator, shape: tuple[int, int], memory: float) -> Array:
    """Unit-variance series along the months that forget by `memory` a month."""
    steps = rng.standard_normal(shape)
    out = np.empty(shape)
    out[:, 0] = steps[:, 0]
    for index in range(1, shape[1]):
        out[:, index] = memory * out[:, index - 1] + np.sqrt(1 - memory**2) * steps[:, index]
    return out


def load_correction(load: Array) -> Array:
    """Rise of the heat rate at part load `load` (0 to 1), 1 at 80 %."""
    return np.asarray(
        constant("load", "base") ** (constant("load", "full") - constant("load", "slope") * load)
    )


def operate(rng: np.random.Generator, plants: Plants, months: int) -> Books:
    """Load, hours, power, heat and the fuel heat they took: the truth."""
    shape = (len(plants.capacity_mw), months)
    calendar = [month_of(index) for index in range(months)]
    season = np.array([PHYSICS["heating"]["season"][month.month - 1] for month in calendar])
    clock = np.array([float(month.hours) for month in calendar])
    summer = np.array([month.month in {7, 8} for month in calendar]) * 0.06
    load = rng.uniform(0.52, 0.74, (shape[0], 1)) + 0.05 * autoregressive(rng, shape, 0.5)
    load = np.clip(load + summer + 0.05 * season, 0.40, 0.92)
    outage = np.where(rng.random(shape) < 0.12, rng.uniform(0.15, 0.55, shape), 0.0)
    hours = clock * (1 - outage) * (1 - rng.uniform(0, 0.02, shape))
    power = plants.capacity_mw[:, None] * hours * load
    steam = rng.uniform(0.2, 0.8, (shape[0], 1)) + rng.uniform(0.6, 1.6, (shape[0], 1)) * season
    steam *= 1 + 0.10 * rng.standard_normal(shape)
    heat = np.where(plants.chp[:, None], power * np.clip(steam, 0.05, None), 0.0)
    ageing = noise("efficiency_year") * rng.standard_normal((shape[0], 1))
    rate = plants.rate_gj_per_mwh[:, None] * (1 + ageing * np.arange(months) / 12)
    rate = rate * (1 + 0.004 * np.cos(2 * np.pi * (np.arange(months) - 6) / 12))
    rate = rate * (1 + noise("efficiency_month") * rng.standard_normal(shape))
    per_heat = rng.uniform(1.08, 1.25, (shape[0], 1))
    fuel_heat = power * rate * load_correction(load) + heat * per_heat
    return {"load": load, "hours": hours, "power": power, "heat": heat, "fuel_heat": fuel_heat}
