"""Clock hours: operating time, coverage, method code, CO2 mass.

Source: HJ 75-2017 by way of standards.md g. An hour is *measured* where at least 75 % of its
operating minutes have valid CEMS data; its mass is the mean rate of the valid minutes times the
operating time. Other operating hours are substituted and say by what (see `substitution`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

import numpy as np

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import ratio, rounded
from tanzheng.analytics.running import Segments
from tanzheng.analytics.series import Bool, Int64
from tanzheng.analytics.substitution import (
    LookBack,
    Row,
    State,
    Substitutes,
    Substitution,
    Table,
)
from tanzheng.core.calendar import HOUR_MS

HALF_MS_PER_HOUR = 2 * HOUR_MS
HALF_MS_PER_MINUTE = HALF_MS_PER_HOUR // 60
MASS_DECIMALS = 6


class Method(StrEnum):
    """Where an hour's CO2 mass comes from."""

    MEASURED = "measured"
    NOT_OPERATING = "not_operating"
    ASSUMED_STANDING = "assumed_standing"
    SUBSTITUTED_180 = "substituted_max_180"
    SUBSTITUTED_720 = "substituted_max_720"
    SUBSTITUTED_2160 = "substituted_max_2160"
    OUT_OF_CONTROL_180 = "out_of_control_max_180"
    OUT_OF_CONTROL_720 = "out_of_control_max_720"
    OUT_OF_CONTROL_2160 = "out_of_control_max_2160"
    MANUAL = "manual"
    DEFAULT = "conservative_default"
    MISSING = "missing"
    NO_CEMS = "no_cems"


METHOD_LABELS = {
    Method.MEASURED: ("measured", "实测"),
    Method.NOT_OPERATING: ("not operating", "停运"),
    Method.ASSUMED_STANDING: ("no data, stood before and after", "无数据，前后均停运"),
    Method.SUBSTITUTED_180: ("maximum of the last 180 valid hours", "前180个有效小时最大值替代"),
    Method.SUBSTITUTED_720: ("maximum of the last 720 valid hours", "前720个有效小时最大值替代"),
    Method.SUBSTITUTED_2160: ("maximum of the last 2160 valid hours", "前2160个有效小时最大值替代"),
    Method.OUT_OF_CONTROL_180: (
        "out of control: maximum of 180 valid hours before the last calibration",
        "失控：上次校准前180个有效小时最大值替代",
    ),
    Method.OUT_OF_CONTROL_720: (
        "out of control: maximum of 720 valid hours before the last calibration",
        "失控：上次校准前720个有效小时最大值替代",
    ),
    Method.OUT_OF_CONTROL_2160: (
        "out of control: maximum of 2160 valid hours before the last calibration",
        "失控：上次校准前2160个有效小时最大值替代",
    ),
    Method.MANUAL: ("manual measurement", "人工监测"),
    Method.DEFAULT: ("filed conservative default", "备案的保守缺省值"),
    Method.MISSING: ("no value: none may be substituted", "缺失，无可用替代值"),
    Method.NO_CEMS: ("operating, no CEMS", "运行，无 CEMS"),
}
METHOD_OF_ROW = {
    Row.INVALID_180: Method.SUBSTITUTED_180,
    Row.INVALID_720: Method.SUBSTITUTED_720,
    Row.INVALID_2160: Method.SUBSTITUTED_2160,
    Row.OUT_OF_CONTROL_180: Method.OUT_OF_CONTROL_180,
    Row.OUT_OF_CONTROL_720: Method.OUT_OF_CONTROL_720,
    Row.OUT_OF_CONTROL_2160: Method.OUT_OF_CONTROL_2160,
    Row.MANUAL: Method.MANUAL,
    Row.DEFAULT: Method.DEFAULT,
}


@dataclass(frozen=True, slots=True)
class Hour:
    """One clock hour. `rate_t_per_h` and `co2_t` carry six decimals (grams); None where missing.

    `generation_mwh` and `fuel_gas_1e4nm3` are differences of the counters at the hour's two ends,
    None where one of these readings is missing, gas also where the unit burns none. `substitution`
    says by what a substituted hour was filled; it is part of the hour's JSON only there. Of a unit
    without CEMS (`cems` False) nothing is told that only a CEMS can tell.
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
    substitution: Substitution | None = None
    cems: bool = True

    @property
    def coverage_percent(self) -> Decimal | None:
        """Valid share of the operating minutes; None where the unit stood or has no CEMS."""
        if not self.operating_half_ms or not self.cems:
            return None
        return ratio(100 * self.valid_half_ms, self.operating_half_ms, 2)

    def to_json(self) -> dict[str, object]:
        """The hour as maps and text: decimals are strings, units in the names."""
        shown: dict[str, object] = {
            "start_ms": self.start_ms,
            "operating_min": str(ratio(self.operating_half_ms, HALF_MS_PER_MINUTE, 4)),
            "method": str(self.method),
            "generation_mwh": _text(self.generation_mwh),
            "fuel_gas_1e4nm3": _text(self.fuel_gas_1e4nm3),
        }
        if self.cems:
            shown |= {
                "valid_min": str(ratio(self.valid_half_ms, HALF_MS_PER_MINUTE, 4)),
                "coverage_percent": _text(self.coverage_percent),
                "co2_rate_t_per_h": _text(self.rate_t_per_h),
                "co2_cems_t": _text(self.co2_t),
            }
        if self.substitution is not None:
            shown["substitution"] = self.substitution.to_json()
        return shown

    @property
    def state(self) -> State:
        """The hour as the substitution table sees it: only a measured rate is valid."""
        rate = self.rate_t_per_h if self.method is Method.MEASURED else None
        return State(self.start_ms, self.operating_half_ms > 0, rate)

    def unfilled(self) -> "Hour":
        """The hour as it was before anything was substituted."""
        if not self.state.bad:
            return self
        return replace(
            self, method=Method.MISSING, rate_t_per_h=None, co2_t=None, substitution=None
        )


def unfilled_hours(
    start_ms: int,
    cut: Segments,
    grams_per_h: Int64,
    valid: Bool,
    pack: Pack,
    look_back: LookBack,
) -> list[Hour]:
    """The clock hours of a period that was `cut` at its run-state samples, nothing substituted.

    `grams_per_h` and `valid` have one entry a run-state sample (see `cems.rates`). An hour that a
    declared out-of-control period reaches into has no valid data.
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
    hours = []
    for index, (operating, valid_half, measured_ms, mass) in enumerate(columns):
        begin = start_ms + index * HOUR_MS
        controlled = look_back.out_of_control_at(begin) is None
        hours.append(
            _hour(begin, operating, valid_half if controlled else 0, measured_ms, mass, need)
        )
    return hours


def hours_without_cems(start_ms: int, cut: Segments, pack: Pack) -> list[Hour]:
    """The clock hours of a period of a unit without CEMS: operating time, and no CO2."""
    need = pack.constant("cems.valid_hour_percent").value
    columns = zip(
        cut.by_hour(cut.half_ms).tolist(),
        cut.by_hour(np.where(cut.measured, cut.length_ms, 0)).tolist(),
        strict=True,
    )
    hours = []
    for index, (operating, measured_ms) in enumerate(columns):
        method = Method.NO_CEMS if operating else _standing(measured_ms, need)
        begin = start_ms + index * HOUR_MS
        hours.append(Hour(begin, operating, 0, measured_ms, method, None, None, cems=False))
    return hours


def _standing(measured_ms: int, need: Decimal) -> Method:
    known = 100 * measured_ms >= need * HOUR_MS
    return Method.NOT_OPERATING if known else Method.ASSUMED_STANDING


def _hour(
    start_ms: int, operating: int, valid: int, measured_ms: int, mass: int, need: Decimal
) -> Hour:
    """One hour from whole sums: half milliseconds, and half milliseconds times grams per hour."""
    if not operating:
        method = _standing(measured_ms, need)
        return Hour(start_ms, 0, 0, measured_ms, method, None, Decimal("0.000000"))
    if 100 * valid < need * operating:
        return Hour(start_ms, operating, valid, measured_ms, Method.MISSING, None, None)
    rate = ratio(mass, valid * 1_000_000, MASS_DECIMALS)
    hour = Hour(start_ms, operating, valid, measured_ms, Method.MEASURED, rate, None)
    return replace(hour, co2_t=_mass(rate, operating))


def filled(
    hours: Sequence[Hour],
    quarter_ms: int,
    pack: Pack,
    look_back: LookBack,
    only: Collection[int] | None = None,
) -> tuple[Hour, ...]:
    """The hours of a period with a value in each bad one that may have one.

    With `only`, the other hours are left as they are.
    """
    substitutes = substitutes_of(hours, quarter_ms, pack, look_back)
    return tuple(
        _filled(hour.unfilled(), substitutes) if only is None or hour.start_ms in only else hour
        for hour in hours
    )


def substitutes_of(
    hours: Sequence[Hour], quarter_ms: int, pack: Pack, look_back: LookBack
) -> Substitutes:
    """The substitution table over these hours; `quarter_ms` is where their quarter begins."""
    return Substitutes([hour.state for hour in hours], quarter_ms, Table.of(pack), look_back)


def _filled(hour: Hour, substitutes: Substitutes) -> Hour:
    if not hour.state.bad or (found := substitutes.of(hour.state)) is None:
        return hour
    return replace(
        hour,
        method=METHOD_OF_ROW[found.row],
        rate_t_per_h=found.rate,
        co2_t=_mass(found.rate, hour.operating_half_ms),
        substitution=found,
    )


def _mass(rate_t_per_h: Decimal, operating_half_ms: int) -> Decimal:
    return rounded(rate_t_per_h * operating_half_ms / HALF_MS_PER_HOUR, MASS_DECIMALS)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
