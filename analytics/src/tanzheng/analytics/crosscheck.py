"""Electricity by two ways: what the counter gained, and power integrated over the same time."""

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tanzheng.analytics.accounting.rounding import exact, rounded
from tanzheng.analytics.series import Series
from tanzheng.core.calendar import HOUR_MS


@dataclass(frozen=True, slots=True)
class Energy:
    """MWh with three decimals over the intervals where both ways are known."""

    metered_mwh: Decimal
    integrated_mwh: Decimal


def metered_and_integrated(counter: Series, power: Series, interval_ms: int) -> Energy:
    """Compare `counter` (kWh) with `power` (kW, trapezoid rule) where both were read without a gap.

    Sums are correctly rounded (`math.fsum`), so they depend on no order of addition.
    """
    energy, rate = counter.usable(), power.usable()
    _, at_energy, at_rate = np.intersect1d(
        energy.t_ms, rate.t_ms, assume_unique=True, return_indices=True
    )
    t_ms, kwh, kw = energy.t_ms[at_energy], energy.value[at_energy], rate.value[at_rate]
    length = np.diff(t_ms)
    known = 2 * length <= 3 * interval_ms
    gained = np.diff(kwh)[known]
    area = ((kw[1:] + kw[:-1]) * length)[known]  # twice the integral, kW·ms
    return Energy(_mwh(math.fsum(gained.tolist())), _mwh(math.fsum(area.tolist()) / 2 / HOUR_MS))


def _mwh(kwh: float) -> Decimal:
    return rounded(exact(kwh).scaleb(-3), 3)
