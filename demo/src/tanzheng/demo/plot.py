"""The month as a picture: hourly power, CO2 by CEMS and by fuel, and the hours with gaps."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

from tanzheng.core.manifest import HOURS_PATH, MANIFEST_PATH, PLANT_PATH, Manifest
from tanzheng.core.plant import Plant

POWER, CEMS, FUEL, FAULT = "#b9cfe4", "#b5382a", "#2c6e49", "#e9b44c"
SIZE_IN = (12, 5.6)


def draw(package: Path, png: Path) -> None:
    """Draw the month of an evidence package to `png` (1,560 × 728 pixels)."""
    manifest = Manifest.decode((package / MANIFEST_PATH).read_bytes())
    plant = Plant.parse((package / PLANT_PATH).read_bytes())
    hours = json.loads((package / HOURS_PATH).read_bytes())["hours"]
    values = manifest.values()
    fuel = float(values["fuel_gas_1e4nm3"])
    factor = float(values["co2_calculated_t"]) / fuel if fuel else 0.0
    figure, (top, bottom) = plt.subplots(2, 1, figsize=SIZE_IN, sharex=True, layout="constrained")
    # Naive plant time: matplotlib would turn an aware one into UTC.
    starts = [plant.zone.datetime(hour["start_ms"]).replace(tzinfo=None) for hour in hours]
    times = [float(date2num(start)) for start in starts]
    _power(top, times, hours)
    _co2(bottom, times, hours, factor)
    for axes in (top, bottom):
        _mark_gaps(axes, times, hours)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0)
    bottom.legend(frameon=False, loc="lower right", ncols=3)
    locator = AutoDateLocator()
    bottom.xaxis.set_major_locator(locator)
    bottom.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    figure.suptitle(
        f"{plant.name} · {manifest.subject.unit} · {manifest.subject.period} (UTC{plant.zone})",
        x=0.01, ha="left", fontsize=12, fontweight="bold",
    )  # fmt: skip
    figure.savefig(png, dpi=130)
    plt.close(figure)


def _power(axes: Axes, times: list[float], hours: list[dict[str, Any]]) -> None:
    axes.stairs(_numbers(hours, "generation_mwh"), _edges(times), fill=True, color=POWER)
    axes.set_ylabel("generation, MWh/h")
    axes.set_ylim(bottom=0)


def _co2(axes: Axes, times: list[float], hours: list[dict[str, Any]], factor: float) -> None:
    fuel = [volume * factor for volume in _numbers(hours, "fuel_gas_1e4nm3")]
    axes.step(times, fuel, where="post", color=FUEL, lw=1.2, label="by calculation (fuel)")
    axes.step(
        times, _numbers(hours, "co2_cems_t"), where="post", color=CEMS, lw=1.2, label="by CEMS"
    )
    axes.set_ylabel("CO$_2$, t/h")
    axes.set_ylim(bottom=0)


def _mark_gaps(axes: Axes, times: list[float], hours: list[dict[str, Any]]) -> None:
    """Shade the hours in which some operating minutes have no valid reading."""
    step = times[1] - times[0]
    label: str | None = "minutes in gap records"
    for time, hour in zip(times, hours, strict=True):
        if hour["method"] != "not_operating" and float(hour["coverage_percent"] or 0) < 100:
            axes.axvspan(time, time + step, color=FAULT, alpha=0.5, lw=0, label=label)
            label = None


def _edges(times: list[float]) -> list[float]:
    """The ends of the hours: one more than there are hours."""
    return [*times, times[-1] + (times[1] - times[0])]


def _numbers(hours: list[dict[str, Any]], key: str) -> list[float]:
    return [float("nan") if hour[key] is None else float(hour[key]) for hour in hours]
