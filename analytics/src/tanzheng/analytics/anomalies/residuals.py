"""What the figures of a month should say of each other, and by how much they do not.

Each residual is a logarithm of booked over expected, so 0.01 is one per cent. What is expected is
fitted robustly: the shape by the class, the level by the unit's own months.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tanzheng.analytics.anomalies.panel import Panel
from tanzheng.analytics.anomalies.robust import Array, median, regress

NAMES = (
    "energy", "boiler", "stock", "cems", "carbon_heat", "report_ncv", "dulong", "settled",
    "house", "heat_settled",
)  # fmt: skip
LABELS = {
    "energy": ("fuel heat against electricity and heat", "燃料热量对发电供热"),
    "boiler": ("boiler heat against fuel heat", "锅炉产热对燃料热量"),
    "stock": ("fuel burned against the stock ledger", "消耗量对购销存台账"),
    "cems": ("CEMS against calculation", "CEMS 对核算"),
    "carbon_heat": ("carbon against heating value, moisture and ash", "碳含量对热值、水分、灰分"),
    "report_ncv": ("heating value of the report against the daily tests", "报告热值对日常化验"),
    "dulong": ("heating value of the report against its composition", "报告热值对元素组成"),
    "settled": ("electricity settled against net generation", "结算电量对供电量"),
    "house": ("house load against load", "厂用电对负荷"),
    "heat_settled": ("heat settled against heat supplied", "结算热量对供热量"),
}
MIN_MONTHS = 8
"""Fewer known months of a unit give no level of its own."""
LOAD = 0.65
"""Load at which a unit's rate is stated; any within the usual range serves."""


@dataclass(frozen=True)
class Fit:
    """What was learnt of a fleet; applied to changed figures it gives their residuals."""

    rate: Array  # (units,): fuel heat per electricity at `LOAD` (GJ/MWh)
    load_slope: Array  # (units,): relative change of that rate by load, of the class
    per_heat: Array  # (units,): fuel heat that a GJ of heat supplied takes
    coal: Array  # (units, 2): change of the logarithm of carbon per heat by moisture and ash
    house_slope: Array  # (units,): change of the house load's share by load, of the class
    level: Array  # (units, 1, residuals): the unit's own level


def fit(panel: Panel) -> Fit:
    """The fit of a fleet. A unit with fewer than `MIN_MONTHS` months of a residual has no level."""
    units = len(panel.units)
    rate, load_slope, per_heat = _energy(panel)
    coal = np.stack([panel.figures["report_moisture"], panel.figures["ash"]], axis=-1)
    ratio = _log(_tested(panel), panel.figures["ncv"])
    house = panel.figures["auxiliary"] / panel.figures["generation"]
    shaped = Fit(
        rate,
        load_slope,
        per_heat,
        _class_slope(panel, ratio, coal),
        _class_slope(panel, house, _load(panel)[..., None])[:, 0],
        np.zeros((units, 1, len(NAMES))),
    )
    values = _raw(panel, shaped)
    few = np.isfinite(values).sum(axis=1, keepdims=True) < MIN_MONTHS
    return replace(shaped, level=np.where(few, np.nan, median(values, axis=1)))


def residuals(panel: Panel, fitted: Fit) -> Array:
    """(units, months, residuals) in the order of `NAMES`; NaN where a figure lacks."""
    return _raw(panel, fitted) - fitted.level


def physical_carbon(panel: Panel) -> Array:
    """Carbon as it likely was: a punitive default is replaced by the unit's usual carbon per heat.

    A unit that never measures keeps the default: its constant ratio goes into the level.
    """
    figures = panel.figures
    tested = np.where(figures["default"] > 0, np.nan, figures["carbon"] / figures["ncv"])
    usual = median(tested, axis=1) * figures["ncv"]
    stands_in = (figures["default"] > 0) & np.isfinite(usual)
    return np.where(stands_in, usual, figures["carbon"])


def to_as_received(panel: Panel) -> Array:
    """The factor from air-dried to as received; 1 for a fuel without moisture."""
    total, own = panel.figures["report_moisture"], panel.figures["report_moisture_ad"]
    return np.nan_to_num((100 - total) / (100 - own), nan=1.0)


def _load(panel: Panel) -> Array:
    figures = panel.figures
    return np.asarray(figures["generation"] / (figures["capacity"] * figures["hours"]))


def _tested(panel: Panel) -> Array:
    """Carbon where it was measured."""
    return np.where(panel.figures["default"] > 0, np.nan, panel.figures["carbon"])


def _log(over: Array, under: Array) -> Array:
    good = (over > 0) & (under > 0)
    return np.log(np.where(good, over, np.nan) / np.where(good, under, np.nan))


def _raw(panel: Panel, fitted: Fit) -> Array:
    """Residuals without the level of the unit."""
    figures, off = panel.figures, _load(panel) - LOAD
    fuel_heat = figures["fuel"] * figures["ncv"]
    power = figures["generation"] * (fitted.rate * (1 + fitted.load_slope * off.T)).T
    heat = np.nan_to_num(figures["heat"]) * fitted.per_heat[:, None]
    ledger = figures["opening"] + figures["received"] - figures["other_use"] - figures["closing"]
    coal = np.nan_to_num(figures["report_moisture"]) * fitted.coal[:, [0]]
    coal = coal + np.nan_to_num(figures["ash"]) * fitted.coal[:, [1]]
    return np.stack(
        [
            _log(fuel_heat, power + heat),
            _log(figures["boiler_heat"], fuel_heat),
            _log(figures["fuel"], ledger),
            _log(figures["cems"], figures["fuel"] * physical_carbon(panel)),
            _log(_tested(panel), figures["ncv"]) - coal,
            _log(figures["report_ncv"], figures["ncv"]),
            _dulong(panel),
            _log(figures["settled"], figures["net"]),
            figures["auxiliary"] / figures["generation"] - off * fitted.house_slope[:, None],
            _log(figures["heat_settled"], figures["heat"]),
        ],
        axis=-1,
    )


def _dulong(panel: Panel) -> Array:
    """Heating value by the Dulong-type formula of standards f.4; oxygen by difference.

    The formula's constants matter little: the level of the unit takes up what they miss.
    """
    figures = panel.figures
    dry = 100 / (100 - figures["report_moisture_ad"])
    carbon, hydrogen = figures["report_carbon"] * 100 * dry, figures["report_hydrogen"] * dry
    sulphur = figures["report_sulphur"] * dry
    oxygen = 100 - figures["ash"] * dry - carbon - hydrogen - sulphur
    gross = 0.3383 * carbon + 1.443 * (hydrogen - oxygen / 8) + 0.0942 * sulphur
    wet = figures["report_moisture"]
    value = (gross - 0.206 * hydrogen) * (100 - wet) / 100 - 0.023 * wet
    return _log(value, figures["report_ncv"])


def _energy(panel: Panel) -> tuple[Array, Array, Array]:
    """Rate, load slope and fuel heat per heat: unit by unit, then with the slope of the class."""
    figures, off = panel.figures, _load(panel) - LOAD
    rate = figures["fuel"] * figures["ncv"] / figures["generation"]
    ratio = np.nan_to_num(figures["heat"] / figures["generation"])
    heated = ratio.sum(axis=1) > 0
    own = np.full(len(panel.units), np.nan)
    for unit in range(len(own)):
        columns = [np.ones_like(off[unit]), off[unit], *([ratio[unit]] if heated[unit] else [])]
        found = regress(np.stack(columns, axis=1), rate[unit])
        own[unit] = found[1] / found[0]
    slope = np.zeros_like(own)
    for of in _classes(panel):
        slope[of] = np.nan_to_num(np.nanmedian(own[of])) if np.isfinite(own[of]).any() else 0.0
    base, per_heat = np.full(len(own), np.nan), np.zeros(len(own))
    for unit in range(len(own)):
        columns = [1 + slope[unit] * off[unit], *([ratio[unit]] if heated[unit] else [])]
        found = regress(np.stack(columns, axis=1), rate[unit])
        base[unit], per_heat[unit] = found[0], found[1] if heated[unit] else 0.0
    return base, slope, per_heat


def _classes(panel: Panel) -> list[npt.NDArray[np.bool_]]:
    names = np.array(panel.unit_class)
    return [names == name for name in sorted(set(panel.unit_class))]


def _class_slope(panel: Panel, target: Array, drivers: Array) -> Array:
    """Robust slopes (units, drivers) of a figure, from all units of the class about their own
    medians; 0 where the class does not know the drivers."""
    y = target - median(target, axis=1)
    x = drivers - median(drivers, axis=1)
    slopes = np.zeros((len(panel.units), drivers.shape[-1]))
    for of in _classes(panel):
        slopes[of] = np.nan_to_num(regress(x[of].reshape(-1, x.shape[-1]), y[of].ravel()))
    return slopes
