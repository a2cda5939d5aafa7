"""What a person should know about a month, found while computing it: gaps, substitutes, doubts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tanzheng.analytics.counters import CounterMonth
from tanzheng.analytics.hours import METHOD_LABELS, Hour, Method
from tanzheng.analytics.ledger import Correction
from tanzheng.analytics.series import Bool, Int64, PointGap, Series
from tanzheng.analytics.steps import SWAP
from tanzheng.core.calendar import MINUTE_MS, PlantZone
from tanzheng.core.fields import point_field
from tanzheng.core.plant import Unit

STEP_LABELS = {
    "rollover": ("roll-over", "表计翻转", "info"),
    "reset": ("reset", "表计复位", "explain"),
    "glitch": ("wrong reading", "误读", "info"),
    SWAP: ("meter swap", "换表", "explain"),
}
"""English, Chinese and severity of a step that was applied."""


UNREMARKABLE = (Method.MEASURED, Method.NOT_OPERATING, Method.NO_CEMS)
"""Methods of hours that need no finding: that there is no CEMS is said once, of the unit."""


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
    found += [_of_correction(counter.point, each, zone) for each in counter.corrections]
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


def _of_correction(point: str, correction: Correction, zone: PlantZone) -> Finding:
    """What the ledger says of a counter, with its evidence: readings, lift, whether applied."""
    step = correction.step
    kind, kind_zh, severity = STEP_LABELS[step.kind]
    shown = f"{step.from_value:f} → {step.to_value:f}"
    if correction.applied:
        code, done = f"counter_{step.kind}", f"readings from here on + {correction.lift:f}"
        done_zh = f"此后读数加 {correction.lift:f}"
        if step.kind == "glitch":
            done, done_zh = "this reading is left out", "该读数不采用"
    elif correction.superseded:
        code, severity = "counter_step_superseded", "info"
        done, done_zh = "a recorded meter swap takes its place", "以换表记录为准"
    else:
        code, severity = "counter_step_not_applied", "error" if step.kind == SWAP else "warning"
        done = "the readings or the record do not bear it out: not applied"
        done_zh = "读数或记录不足以证实，未采用"
    instant = _instant(correction.t_ms, zone)
    return Finding(
        code,
        severity,
        f"{point}: {kind} at {instant} by the gateway's ledger ({shown}): {done}",
        f"{point}：网关台账记录 {instant} {kind_zh}（{shown}）：{done_zh}",
    )


def of_unit(unit: Unit, *, has_cems: bool) -> list[Finding]:
    """What the plant file leaves out of a unit, and by what its operating time is told instead."""
    found = []
    if not has_cems:
        found.append(
            Finding(
                "no_cems",
                "info",
                f"unit {unit.id} has no CEMS: CO2 is calculated, no measurement stands beside it",
                f"机组 {unit.id} 无 CEMS：二氧化碳为核算值，无实测对照",
            )
        )
    if (by := unit.operating) is not None:
        name, measure = by.point, point_field(by.point).unit
        found.append(
            Finding(
                "operating_by_gauge",
                "info",
                f"unit {unit.id} has no run state: it operates while {name} reads more than "
                f"{by.above} {measure}, as filed",
                f"机组 {unit.id} 无运行状态测点：按备案，{name} 大于 {by.above} {measure} "
                "时计为运行",
            )
        )
    return found


def of_hours(hours: Sequence[Hour]) -> list[Finding]:
    """Hours that were not measured, by method, with what the substitution table looked at."""
    found = []
    for method, (en, zh) in METHOD_LABELS.items():
        these = [hour for hour in hours if hour.method is method]
        if these and method not in UNREMARKABLE:
            severity = "error" if method is Method.MISSING else "explain"
            looked, looked_zh = _looked_at(these)
            found.append(
                Finding(
                    f"hours_{method}",
                    severity,
                    f"{len(these)} hours: {en}{looked}",
                    f"{len(these)} 小时：{zh}{looked_zh}",
                )
            )
    return found


def _looked_at(hours: Sequence[Hour]) -> tuple[str, str]:
    """Capture rate, and the valid hours at hand where they are fewer than the table asks for."""
    told = [hour.substitution for hour in hours if hour.substitution is not None]
    if not told:
        return "", ""
    capture = told[0].capture_percent
    en = f" (capture rate of the quarter to date {capture} %"
    zh = f"（季度至今有效数据捕集率 {capture}%"
    fewest = min(told, key=lambda each: each.hours_found - each.hours_wanted)
    if fewest.hours_found < fewest.hours_wanted:
        en += f"; as few as {fewest.hours_found} valid hours at hand"
        zh += f"；可回溯的有效小时最少 {fewest.hours_found} 个"
    return en + ")", zh + "）"


def _in_gap(grid: Int64, gap: PointGap) -> Bool:
    inside: Bool = (grid >= gap.from_ms) & (grid < gap.to_ms)
    inside &= (grid - gap.from_ms) % gap.interval_ms == 0
    return inside


def _instant(t_ms: int, zone: PlantZone) -> str:
    return zone.datetime(t_ms).isoformat(timespec="minutes")


def _minutes(span_ms: int) -> str:
    return f"{span_ms / MINUTE_MS:g}"
