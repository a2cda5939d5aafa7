"""What an accepted frame means for the points of a device. Pure.

DataTime is the start of the period for 2051, 2061 and 2031 and the instant for 2011 (HJ 212-2017
§6.6), in the zone of the link. A value with a bad mark is a reading of that quality; no number and
-999 are no reading.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from tanzheng.core.quality import HJ212_FLAG, Quality
from tanzheng.edge.drivers.hj212.codec import Frame, data_time_ms, is_sentinel, value_of
from tanzheng.edge.drivers.hj212.factors import factor
from tanzheng.edge.drivers.hj212.settings import LoggerLink, PointRule
from tanzheng.edge.drivers.hj212.units import credible

FUTURE_MS_MAX: Final = 600_000
PAST_MS_MAX: Final = 366 * 86_400_000


@dataclass(slots=True)
class Readings:
    """Of one frame: equally long `points`, `values` (in the fields' units), `quality`.

    `void` are points that are in the frame without a usable value. `strange` are points with a
    value that is not credible in its unit, or with an unknown mark (what, per point).
    """

    t_ms: int
    points: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    quality: bytearray = field(default_factory=bytearray)
    void: list[int] = field(default_factory=list)
    strange: dict[int, str] = field(default_factory=dict)


def time_of(frame: Frame, link: LoggerLink, now_ms: int) -> tuple[int | None, str]:
    """(DataTime as UTC ms, "") or (None, why it cannot be used)."""
    text = frame.data_time
    t_ms = None if text is None else data_time_ms(text, link.utc_offset_min)
    if t_ms is None:
        return None, "no_datatime" if text is None else "datatime_invalid"
    if t_ms > now_ms + FUTURE_MS_MAX:
        return None, "datatime_future"
    if t_ms < now_ms - PAST_MS_MAX:
        return None, "datatime_too_old"
    return t_ms, ""


def read(frame: Frame, link: LoggerLink, t_ms: int) -> Readings:
    """The readings of `frame` at `t_ms`; none where its command does not feed the points."""
    readings = Readings(t_ms)
    if frame.cn != link.data:
        return readings
    found = dict(frame.items)
    for rule in link.rules:
        code = _code_in(found, rule)
        if code is not None:
            mark = found.get(f"{code}-Flag", found.get("Flag", "N"))
            _read_point(readings, rule, found[f"{code}-{rule.suffix}"], mark)
    return readings


def _code_in(found: dict[str, str], rule: PointRule) -> str | None:
    """The factor's code, or that of 2005 where the logger sends it."""
    known = factor(rule.code)
    for code in (rule.code, known.code_2005 if known else ""):
        if code and f"{code}-{rule.suffix}" in found:
            return code
    return None


def _read_point(readings: Readings, rule: PointRule, text: str, mark: str) -> None:
    raw = value_of(f"{rule.code}-{rule.suffix}", text)
    if isinstance(raw, str) or is_sentinel(raw) or raw in rule.sentinels:
        readings.void.append(rule.index)
        return
    quality = HJ212_FLAG.get(mark.upper())
    if quality is None:
        readings.strange[rule.index] = f"mark {mark[:8]!r}"
        quality = Quality.FAULT
    sent = Fraction(text)
    scale, shift = rule.to_unit
    value = sent * scale + shift
    if not (_expected(rule, value) and credible(rule.code, rule.sent_unit, sent)):
        readings.strange[rule.index] = f"{text[:24]} {rule.sent_unit} is not credible"
        quality = Quality.OVER_RANGE if quality.valid else quality
    try:
        readings.values.append(float(value * rule.to_field))
    except OverflowError:  # a number beyond any instrument
        readings.void.append(rule.index)
        return
    readings.points.append(rule.index)
    readings.quality.append(quality)


def _expected(rule: PointRule, value: Fraction) -> bool:
    return rule.expected is None or rule.expected[0] <= value <= rule.expected[1]
