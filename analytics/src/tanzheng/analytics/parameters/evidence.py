"""Certificates and carbon reports: what makes a measurement count, and what to say where not."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from tanzheng.analytics.findings import Finding
from tanzheng.analytics.parameters.plan import Meter
from tanzheng.analytics.parameters.reading import Line
from tanzheng.analytics.parameters.records import Certificate
from tanzheng.analytics.parameters.sources import ReportRule
from tanzheng.core.calendar import Month

DATES = ("sampled_on", "received_on", "tested_on", "reported_on", "obtained_on")


def days_of(month: Month) -> list[date]:
    """Every day of the month."""
    return [month.first_day + timedelta(days=n) for n in range(month.last_day.day)]


def uncertified(
    meter: Meter, certificates: Sequence[Certificate], days: Iterable[date]
) -> list[date]:
    """The days on which no certificate of the filed class, or a better one, holds for `meter`."""
    good = [
        item
        for item in certificates
        if item.meter == meter.id and Decimal(item.accuracy_class) <= Decimal(meter.accuracy_class)
    ]
    return [day for day in days if not any(c.valid_from <= day <= c.valid_to for c in good)]


def of_certificates(
    name: str, meter: Meter, certificates: Sequence[Certificate], days: Sequence[date]
) -> Finding:
    """The finding for days without a certificate; it tells what certificates there are."""
    held = [
        f"{item.id} ({item.valid_from} to {item.valid_to}, class {item.accuracy_class})"
        for item in certificates
        if item.meter == meter.id
    ]
    got = ", ".join(held) or "none"
    return Finding(
        "certificate_missing",
        "explain",
        f"{name}: expected a certificate of meter {meter.id}, class {meter.accuracy_class} or "
        f"better, for {days[0]} to {days[-1]} ({len(days)} days), got {got}",
        f"{name}：{days[0]} 至 {days[-1]} 共 {len(days)} 天，仪表 {meter.id} 无有效的 "
        f"{meter.accuracy_class} 级检定（校准）证书；现有：{got}",
    )


def report_findings(
    line: Line,
    month: Month,
    rule: ReportRule,
    attachments: Mapping[str, str],
    known_reports: Mapping[str, str],
) -> list[Finding]:
    """Why a carbon report does not count; empty where it does.

    `attachments`: SHA-256 by file. `known_reports`: where a report of that SHA-256 was used before.
    """
    # The inherent moisture is none of the five, but without it carbon cannot be brought to "ar".
    found = [
        _wrong(line, name, "expected a value, one of the same sample", "", "缺少同一样品项目")
        for name in (*rule.same_sample, "coal_moisture_ad_percent")
        if line.number(name) is None
    ]
    if not (line.text("cma_number") or line.text("cnas_number")):
        found.append(
            _wrong(
                line, "cma_number", "expected a CMA or CNAS number", "", "报告应有 CMA 或 CNAS 标志"
            )
        )
    found += _date_findings(line, month, rule)
    return found + _file_findings(line, attachments, known_reports)


def _date_findings(line: Line, month: Month, rule: ReportRule) -> list[Finding]:
    found = []
    sampled, obtained = line.day("sampled_on"), line.day("obtained_on")
    if not month.first_day <= sampled <= month.last_day:
        found.append(
            _wrong(
                line,
                "sampled_on",
                f"expected a sample of {month}",
                str(sampled),
                "采样日期不在当月",
            )
        )
    for before, after in pairwise(DATES):
        if line.day(before) > line.day(after):
            asked = f"expected {after} on or after {before} {line.day(before)}"
            found.append(_wrong(line, after, asked, str(line.day(after)), "日期先后颠倒"))
    late = (obtained - month.last_day).days
    if late > rule.obtained_days:
        limit = month.last_day + timedelta(days=rule.obtained_days)
        found.append(
            _wrong(
                line, "obtained_on",
                f"expected the report by {limit}, {rule.obtained_days} days after month end",
                f"{obtained}, day {late}", f"月末后 {rule.obtained_days} 日内未取得报告",
            )
        )  # fmt: skip
    return found


def _file_findings(
    line: Line, attachments: Mapping[str, str], known_reports: Mapping[str, str]
) -> list[Finding]:
    file = line.text("file")
    if file not in attachments:
        got = repr(file) if file else ""
        return [
            _wrong(
                line,
                "file",
                "expected the report's scan among the attachments",
                got,
                "缺少报告扫描件",
            )
        ]
    if used := known_reports.get(attachments[file]):
        return [
            _wrong(line, "file", "expected a report not used before", f"one used for {used}",
                   f"该报告已用于 {used}")
        ]  # fmt: skip
    return []


def reused(lines: Sequence[Line], attachments: Mapping[str, str]) -> list[Finding]:
    """One scan under several report numbers."""
    pairs = {(line.text("report_id"), attachments.get(line.text("file"), "")) for line in lines}
    counts = Counter(digest for _, digest in pairs if digest)
    return [
        _wrong(line, "file", "expected one scan a report", "a scan of another report too",
               "同一扫描件用于多份报告")
        for line in lines
        if counts[attachments.get(line.text("file"), "")] > 1
    ]  # fmt: skip


def _wrong(line: Line, name: str, asked: str, got: str, zh: str) -> Finding:
    shown = got or "none"
    return Finding(
        "report_not_valid",
        "explain",
        f"{line.where(name)}, report {line.text('report_id')}, {name}: {asked}, got {shown}: "
        "treated as not measured",
        f"报告 {line.text('report_id')} {name}：{zh}（实为 {shown}），视为未实测",
    )
