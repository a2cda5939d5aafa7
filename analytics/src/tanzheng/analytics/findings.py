"""What a person should know about a month, found while computing it: gaps, substitutes, doubts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tanzheng.analytics.counters import CounterMonth
from tanzheng.analytics.hours import METHOD_LABELS, Hour, Method
from tanzheng.analytics.series import Bool, Int64, PointGap, Series
from tanzheng.core.calendar import MINUTE_MS, PlantZone


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation: `code` for machines, severity as of the rules, both languages for people."""

    code: str
    severity: str
    en: str
    zh: str

    def to_json(self) -> dict[str, object]:
        """The finding as a map of text."""
        return {"code": self.code, "severity": self.severity, "en": self.en, "zh": self.zh}


@dataclass(frozen=True, slots=True)
class Slots:
    """The grid instants of the month's points: each is a reading, in a gap record, or neither."""

    readings: int
    in_gaps: int
    unexplained: Mapping[str, int]


def count_slots(
    series: Mapping[str, Series],
    gaps: Sequence[PointGap],
    intervals_ms: Mapping[str, int],
    start_ms: int,
    end_ms: int,
) -> Slots:
    """Account for every slot of the points in `intervals_ms`, closing slot at `end_ms` included.

    A slot that was read although a gap record names it counts as read.
    """
    gaps_of: dict[str, list[PointGap]] = {}
    for gap in gaps:
        gaps_of.setdefault(gap.point, []).append(gap)
    readings, in_gaps, unexplained = 0, 0, {}
    for point, interval_ms in sorted(intervals_ms.items()):
        grid = np.arange(start_ms, end_ms + 1, interval_ms, dtype=np.int64)
        missing = ~np.isin(grid, series[point].t_ms, assume_unique=True)
        explained = np.zeros(len(grid), dtype=np.bool_)
        for gap in gaps_of.get(point, ()):
            explained |= _in_gap(grid, gap)
        readings += len(grid) - int(np.count_nonzero(missing))
        in_gaps += int(np.count_nonzero(missing & explained))
        if lost := int(np.count_nonzero(missing & ~explained)):
            unexplained[point] = lost
    return Slots(readings, in_gaps, unexplained)


def of_gaps(gaps: Iterable[PointGap], zone: PlantZone) -> list[Finding]:
    """One finding for each stretch without readings, however many points it holds."""
    stretches = Counter((gap.from_ms, gap.to_ms, gap.reason) for gap in gaps)
    return [
        Finding(
            "gap_recorded",
            "info",
            f"{points} points have no reading for {_minutes(to_ms - from_ms)} min "
            f"from {_instant(from_ms, zone)}: {reason}",
            f"{points} 个测点自 {_instant(from_ms, zone)} 起 {_minutes(to_ms - from_ms)} 分钟"
            f"无读数：{reason}",
        )
        for (from_ms, to_ms, reason), points in sorted(stretches.items())
    ]


def of_slots(slots: Slots) -> list[Finding]:
    """Slots that are neither a reading nor in a gap record: something was dropped on the way."""
    return [
        Finding(
            "slots_unexplained",
            "error",
            f"{point}: {count} slots have neither a reading nor a gap record",
            f"{point}：{count} 个采样时刻既无读数也无缺失记录",
        )
        for point, count in slots.unexplained.items()
    ]


def of_quality(series: Mapping[str, Series]) -> list[Finding]:
    """Readings that were taken but are marked as not valid, by point."""
    return [
        Finding(
            "readings_not_valid",
            "info",
            f"{point}: {count} of {len(readings)} readings are marked not valid",
            f"{point}：{len(readings)} 个读数中 {count} 个标记为无效",
        )
        for point, readings in sorted(series.items())
        if (count := len(readings) - int(np.count_nonzero(readings.valid)))
    ]


def of_counter(counter: CounterMonth, zone: PlantZone) -> list[Finding]:
    """Boundary readings that stand in for another instant, and places where it ran backwards."""
    found = [
        Finding(
            "boundary_reading_nearest",
            "explain",
            f"{counter.point}: no reading at {_instant(end.wanted_ms, zone)}; the nearest, "
            f"{_minutes(end.t_ms - end.wanted_ms)} min from it, stands in",
            f"{counter.point}：{_instant(end.wanted_ms, zone)} 无读数，采用相距 "
            f"{_minutes(end.t_ms - end.wanted_ms)} 分钟的最近读数",
        )
        for end in (counter.opening, counter.closing)
        if not end.exact
    ]
    if counter.decreases_ms:
        found.append(
            Finding(
                "counter_decreased",
                "error",
                f"{counter.point} ran backwards {len(counter.decreases_ms)} times, first at "
                f"{_instant(counter.decreases_ms[0], zone)}: roll-over, reset or another meter",
                f"{counter.point} 倒走 {len(counter.decreases_ms)} 次，首次在 "
                f"{_instant(counter.decreases_ms[0], zone)}：翻转、复位或换表",
            )
        )
    return found


def of_hours(hours: Sequence[Hour]) -> list[Finding]:
    """Hours that were not measured, by method."""
    severities = {
        Method.SUBSTITUTED: "explain",
        Method.ASSUMED_STANDING: "explain",
        Method.MISSING: "error",
    }
    counts = Counter(hour.method for hour in hours)
    return [
        Finding(
            f"hours_{method}",
            severity,
            f"{counts[method]} hours: {METHOD_LABELS[method][0]}",
            f"{counts[method]} 小时：{METHOD_LABELS[method][1]}",
        )
        for method, severity in severities.items()
        if counts[method]
    ]


def _in_gap(grid: Int64, gap: PointGap) -> Bool:
    inside: Bool = (grid >= gap.from_ms) & (grid < gap.to_ms)
    inside &= (grid - gap.from_ms) % gap.interval_ms == 0
    return inside


def _instant(t_ms: int, zone: PlantZone) -> str:
    return zone.datetime(t_ms).isoformat(timespec="minutes")


def _minutes(span_ms: int) -> str:
    return f"{span_ms / MINUTE_MS:g}"
