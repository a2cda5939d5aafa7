"""Coal of the month by each source: mass, heating value, carbon (standards.md a.1 A3-A5, a.7)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tanzheng.analytics.findings import Finding
from tanzheng.analytics.parameters import evidence
from tanzheng.analytics.parameters.evidence import days_of
from tanzheng.analytics.parameters.plan import Meter
from tanzheng.analytics.parameters.reading import Line
from tanzheng.analytics.parameters.records import Certificate
from tanzheng.analytics.parameters.selection import Candidate, Reference, Status
from tanzheng.analytics.parameters.sources import ReportRule
from tanzheng.core.calendar import Month

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Certified:
    """The filed meter of a parameter (None: the plan names none) and all certificates."""

    meter: Meter | None
    certificates: Sequence[Certificate]

    def without(self, days: Iterable[date]) -> list[date]:
        """The days that no certificate covers; none where the plan names no meter."""
        if self.meter is None:
            return []
        return evidence.uncertified(self.meter, self.certificates, days)

    def finding(self, name: str, days: Sequence[date]) -> Finding:
        """What to say of such days."""
        assert self.meter is not None
        return evidence.of_certificates(name, self.meter, self.certificates, days)


def references(lines: Sequence[Line]) -> tuple[Reference, ...]:
    """One reference a sheet, with its first and last row."""
    sheets: dict[tuple[str, str], list[int]] = {}
    for line in lines:
        sheets.setdefault((line.grid.book, line.grid.sheet), []).append(line.row)
    return tuple(
        Reference(book, f"{f'{sheet}, ' if sheet else ''}rows {min(rows)}–{max(rows)}")
        for (book, sheet), rows in sheets.items()
    )


def burned_as_fired(lines: Sequence[Line], month: Month, scale: Certified) -> list[Candidate]:
    """Coal burned by the daily sheet. A day without a line stands in with the largest day."""
    if not lines:
        return []
    masses = {line.day("day"): line.number("coal_t") or ZERO for line in lines}
    missing = [day for day in days_of(month) if day not in masses]
    gated = scale.without(sorted(day for day, mass in masses.items() if mass))
    found = []
    if missing:
        found.append(
            Finding(
                "days_missing",
                "explain",
                f"coal_t: expected a line for each of {month.last_day.day} days, got none for "
                f"{_days(missing)}",
                f"coal_t：{_days(missing)} 没有日报数据",
            )
        )
    if gated:
        found.append(scale.finding("coal_t", gated))
    whole = sum(masses.values(), ZERO) + len(missing) * max(masses.values())
    status = Status.MISSING if found else Status.VALID
    return [Candidate("as_fired", whole, status, references(lines), tuple(found))]


def burned_by_stock(lines: Sequence[Line]) -> list[Candidate]:
    """Coal burned by the stock ledger: opening + received − other use − closing."""
    figures = []
    for line in lines:
        opening, received, other, closing = (
            line.number(f"coal_{name}_t") or ZERO
            for name in ("opening_stock", "received", "other_use", "closing_stock")
        )
        burned = opening + received - other - closing
        figures.append(Candidate("stock_ledger", burned, Status.VALID, references([line])))
    return figures


def heating_value(
    lines: Sequence[Line], tier: str, mass_name: str, instrument: Certified
) -> list[Candidate]:
    """NCV weighted by mass. Mass without a valid NCV counts with the largest one measured.

    standards.md a.7: a missing day takes a larger neighbouring value, M 65%.
    """
    burned = [line for line in lines if line.number(mass_name)]
    gated = set(instrument.without(sorted({line.day("day") for line in burned})))
    measured = [
        line for line in burned if line.number("coal_ncv_gj_per_t") and line.day("day") not in gated
    ]
    found = [instrument.finding("coal_ncv_gj_per_t", sorted(gated))] if gated else []
    empty = [line for line in burned if not line.number("coal_ncv_gj_per_t")]
    if not any(line.number("coal_ncv_gj_per_t") for line in burned):
        return []
    used = measured or [line for line in burned if line not in empty]
    # Of all days, so that a day without a certificate cannot lower the month.
    largest = max(line.number("coal_ncv_gj_per_t") or ZERO for line in burned)
    if empty:
        days = _days(sorted({line.day("day") for line in empty}))
        found.append(
            Finding(
                "heating_value_missing",
                "explain",
                f"coal_ncv_gj_per_t: expected a value where coal was burned or received, got none "
                f"for {days}: the largest of the month, {largest} GJ/t, stands in",
                f"coal_ncv_gj_per_t：{days} 未测，取当月最大值 {largest} GJ/t",
            )
        )
    status = _status(bool(measured), bool(found))
    good = set(map(id, used))
    value = weighted(
        (
            (line.number("coal_ncv_gj_per_t") or ZERO) if id(line) in good else largest,
            line.number(mass_name) or ZERO,
        )
        for line in burned
    )
    return [Candidate(tier, value, status, references(burned), tuple(found))]


def _status(measured: bool, substituted: bool) -> Status:
    if not measured:
        return Status.MISSING
    return Status.CONSERVATIVE if substituted else Status.VALID


@dataclass(frozen=True, slots=True)
class ReportsInput:
    """What carbon is judged by: the month's coal and default carbon, files by SHA-256, the past."""

    month: Month
    rule: ReportRule
    coal_t: Decimal | None
    default_carbon: Decimal
    attachments: Mapping[str, str]
    known_reports: Mapping[str, str]


def carbon(lines: Sequence[Line], tier: str, given: ReportsInput) -> list[Candidate]:
    """Carbon as received by the reports of one tier; valid reports only count as measured.

    A composite stands for the whole month. Daily and batch reports are weighted by their coal;
    coal of the month without a valid report takes the default carbon.
    """
    own = [line for line in lines if line.text("tier") == tier]
    sampled = [line for line in own if _sampled_in(line, given.month)]
    own = sampled or own
    if not own:
        return []
    again = {finding.en: finding for finding in evidence.reused(own, given.attachments)}
    judged = [(line, _judge(line, given)) for line in own]
    found = [finding for _, findings in judged for finding in findings] + list(again.values())
    good = [line for line, findings in judged if not findings] if not again else []
    if not good:
        value = max((_as_received(line) for line in own), default=ZERO)
        return [Candidate(tier, value, Status.MISSING, references(own), tuple(found))]
    merge = _composite if tier == "monthly_composite" else _by_mass
    value, more = merge(good, given)
    found += more
    status = Status.CONSERVATIVE if found else Status.VALID
    return [Candidate(tier, value, status, references(good), tuple(found))]


def _sampled_in(line: Line, month: Month) -> bool:
    return month.first_day <= line.day("sampled_on") <= month.last_day


def _judge(line: Line, given: ReportsInput) -> list[Finding]:
    return evidence.report_findings(
        line, given.month, given.rule, given.attachments, given.known_reports
    )


def _composite(good: Sequence[Line], given: ReportsInput) -> tuple[Decimal, list[Finding]]:
    value = max(_as_received(line) for line in good)
    if len(good) == 1:
        return value, []
    return value, [
        Finding(
            "composite_more_than_one",
            "explain",
            f"coal_carbon_tc_per_t: expected one monthly composite of {given.month}, got "
            f"{len(good)}: the largest stands",
            f"coal_carbon_tc_per_t：{given.month} 有 {len(good)} 份月缩分样报告，取最大值",
        )
    ]


def _by_mass(good: Sequence[Line], given: ReportsInput) -> tuple[Decimal, list[Finding]]:
    pairs = [(_as_received(line), line.number("coal_t") or ZERO) for line in good]
    sampled = sum((mass for _, mass in pairs), ZERO)
    rest = max((given.coal_t or ZERO) - sampled, ZERO)
    if rest:
        pairs.append((given.default_carbon, rest))
    if not sampled + rest:
        return given.default_carbon, []
    found = [
        Finding(
            "coal_without_report",
            "explain",
            f"coal_carbon_tc_per_t: expected reports over {given.coal_t} t, got {sampled} t: the "
            f"default {given.default_carbon} tC/t counts for {rest} t",
            f"coal_carbon_tc_per_t：报告覆盖 {sampled} t，其余 {rest} t "
            f"取缺省值 {given.default_carbon} tC/t",
        )
    ] if rest else []  # fmt: skip
    return weighted(pairs), found


def _as_received(line: Line) -> Decimal:
    """C_ar = C_ad × (100 − M_ar) / (100 − M_ad); 0 where a report lacks one of the three."""
    carbon_ad, total, inherent = (
        line.number(name)
        for name in ("coal_carbon_ad_tc_per_t", "coal_moisture_percent", "coal_moisture_ad_percent")
    )
    if carbon_ad is None or total is None or inherent is None or inherent >= 100:
        return ZERO
    return carbon_ad * (100 - total) / (100 - inherent)


def weighted(pairs: Iterable[tuple[Decimal, Decimal]]) -> Decimal:
    """The mean of (value, mass) by mass; the mass must not be 0 together."""
    listed = list(pairs)
    return sum((v * m for v, m in listed), ZERO) / sum((m for _, m in listed), ZERO)


def _days(days: Sequence[date]) -> str:
    shown = ", ".join(str(day) for day in days[:5])
    return shown if len(days) <= 5 else f"{shown} … ({len(days)} days)"
