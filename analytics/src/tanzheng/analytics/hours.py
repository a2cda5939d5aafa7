"""Clock hours: operating time, coverage, method code, CO2 mass.

Source: HJ 75-2017 by way of standards.md g. An hour is *measured* where at least 75 % of its
operating minutes have valid CEMS data; its mass is the mean rate of the valid minutes times the
operating time. Other operating hours are substituted and say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

import numpy as np

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import ratio, rounded
from tanzheng.analytics.running import Segments
from tanzheng.analytics.series import Bool, Int64
from tanzheng.core.calendar import HOUR_MS

HALF_MS_PER_HOUR = 2 * HOUR_MS
HALF_MS_PER_MINUTE = HALF_MS_PER_HOUR // 60
MASS_DECIMALS = 6


class Method(StrEnum):
    """Where an hour's CO2 mass comes from."""

    MEASURED = "measured"
    NOT_OPERATING = "not_operating"
    ASSUMED_STANDING = "assumed_standing"
    SUBSTITUTED = "substituted_max_180"
    MISSING = "missing"


METHOD_LABELS = {
    Method.MEASURED: ("measured", "实测"),
    Method.NOT_OPERATING: ("not operating", "停运"),
    Method.ASSUMED_STANDING: ("no data, stood before and after", "无数据，前后均停运"),
    Method.SUBSTITUTED: ("maximum of the last 180 valid hours", "前180个有效小时最大值替代"),
    Method.MISSING: ("no valid hour to substitute from", "无可用替代值"),
}


@dataclass(frozen=True, slots=True)
class Hour:
    """One clock hour. `rate_t_per_h` and `co2_t` carry six decimals (grams); None where missing.

    `generation_mwh` and `fuel_gas_1e4nm3` are differences of the counters at the hour's two ends,
    None where one of these readings is missing.
    """

    start_ms: int
    operating_half_ms: int
    valid_half_ms: int
    measured_ms: int
    method: Method
    rate_t_per_h: Decimal | None
    co2_t: Decimal | None
    generation_mwh: Decimal | None = None
    fuel_gas_1e4nm3: Decimal | None = None

    @property
    def coverage_percent(self) -> Decimal | None:
        """Valid share of the operating minutes; None where the unit stood."""
        if not self.operating_half_ms:
            return None
        return ratio(100 * self.valid_half_ms, self.operating_half_ms, 2)

    def to_json(self) -> dict[str, object]:
        """The hour as maps and text: decimals are strings, units in the names."""
        return {
            "start_ms": self.start_ms,
            "operating_min": str(ratio(self.operating_half_ms, HALF_MS_PER_MINUTE, 4)),
            "valid_min": str(ratio(self.valid_half_ms, HALF_MS_PER_MINUTE, 4)),
            "coverage_percent": _text(self.coverage_percent),
            "method": str(self.method),
            "co2_rate_t_per_h": _text(self.rate_t_per_h),
            "co2_cems_t": _text(self.co2_t),
            "generation_mwh": _text(self.generation_mwh),
            "fuel_gas_1e4nm3": _text(self.fuel_gas_1e4nm3),
        }


def hourly(
    start_ms: int, cut: Segments, grams_per_h: Int64, valid: Bool, pack: Pack
) -> tuple[Hour, ...]:
    """The clock hours of a period that was `cut` at its run-state samples.

    `grams_per_h` and `valid` have one entry a run-state sample (see `cems.rates`).
    """
    counts = cut.measured & valid[cut.sample]
    valid_half_ms = np.where(counts, cut.half_ms, 0)
    columns = zip(
        cut.by_hour(cut.half_ms).tolist(),
        cut.by_hour(valid_half_ms).tolist(),
        cut.by_hour(np.where(cut.measured, cut.length_ms, 0)).tolist(),
        cut.by_hour(valid_half_ms * grams_per_h[cut.sample]).tolist(),
        strict=True,
    )
    need = pack.constant("cems.valid_hour_percent").value
    hours = [
        _hour(start_ms + index * HOUR_MS, *column, need) for index, column in enumerate(columns)
    ]
    return _substituted(hours, int(pack.constant("cems.substitute_hours").value))


def _hour(
    start_ms: int, operating: int, valid: int, measured_ms: int, mass: int, need: Decimal
) -> Hour:
    """One hour from whole sums: half milliseconds, and half milliseconds times grams per hour."""
    if not operating:
        known = 100 * measured_ms >= need * HOUR_MS
        method = Method.NOT_OPERATING if known else Method.ASSUMED_STANDING
        return Hour(start_ms, 0, 0, measured_ms, method, None, Decimal("0.000000"))
    if 100 * valid < need * operating:
        return Hour(start_ms, operating, valid, measured_ms, Method.MISSING, None, None)
    rate = ratio(mass, valid * 1_000_000, MASS_DECIMALS)
    hour = Hour(start_ms, operating, valid, measured_ms, Method.MEASURED, rate, None)
    return replace(hour, co2_t=_mass(rate, operating))


def _substituted(hours: Sequence[Hour], count: int) -> tuple[Hour, ...]:
    """Fill operating hours without a rate with the largest of the last `count` valid hours.

    Source: HJ 75-2017, missing data (standards.md g). Only the month's own hours are looked at, so
    that a verifier needs no other month; at its beginning the first `count` valid hours serve.
    """
    rates = [hour.rate_t_per_h for hour in hours if hour.rate_t_per_h is not None]
    seen, filled = 0, []
    for hour in hours:
        if hour.method is Method.MISSING and rates:
            rate = max(rates[max(0, seen - count) : seen] or rates[:count])
            mass = _mass(rate, hour.operating_half_ms)
            filled.append(replace(hour, method=Method.SUBSTITUTED, rate_t_per_h=rate, co2_t=mass))
        else:
            seen += hour.method is Method.MEASURED
            filled.append(hour)
    return tuple(filled)


def _mass(rate_t_per_h: Decimal, operating_half_ms: int) -> Decimal:
    return rounded(rate_t_per_h * operating_half_ms / HALF_MS_PER_HOUR, MASS_DECIMALS)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
