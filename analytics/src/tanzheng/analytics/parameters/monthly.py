"""The parameters of a month: every source laid out, one chosen for each, with findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.findings import Finding
from tanzheng.analytics.parameters import coal
from tanzheng.analytics.parameters.books import Book
from tanzheng.analytics.parameters.coal import Certified
from tanzheng.analytics.parameters.crosschecks import crosschecks
from tanzheng.analytics.parameters.evidence import days_of
from tanzheng.analytics.parameters.flaws import BookInvalid, Flaw, RecordInvalid
from tanzheng.analytics.parameters.plan import FiledPlan, PlanVersion
from tanzheng.analytics.parameters.reading import Line
from tanzheng.analytics.parameters.records import RECORDS, ManualEntry, MeterTotal, Records
from tanzheng.analytics.parameters.selection import (
    Candidate,
    MonthlyParameter,
    Reference,
    Status,
    choose,
)
from tanzheng.analytics.parameters.sources import SourceData
from tanzheng.core import fields
from tanzheng.core.calendar import Month


@dataclass(frozen=True, slots=True)
class MeteredFigure:
    """A figure of the whole month by signed readings of the device `meter`; `reference` names
    their file and point."""

    value: Decimal
    meter: str
    reference: Reference


@dataclass(frozen=True, slots=True)
class MonthData:
    """All that a month is made from. `attachments` and `known_reports` as in `evidence`.

    `metered`: what signed readings give, by parameter; it stands for the source `metered`.
    """

    plan: FiledPlan
    month: Month
    books: tuple[Book, ...]
    records: Records
    attachments: Mapping[str, str]
    known_reports: Mapping[str, str]
    metered: Mapping[str, MeteredFigure] = field(default_factory=dict)

    def lines(self, kind: str) -> list[Line]:
        """The lines of one kind of sheet of all books that belong to the month."""
        found = [line for book in self.books for line in book.lines(kind)]
        if kind == "lab":
            return found
        first, last = self.month.first_day, self.month.last_day
        return [
            line
            for line in found
            if (first <= line.day("day") <= last if "day" in line.values else False)
            or line.values.get("month") == self.month
        ]


@dataclass(frozen=True, slots=True)
class MonthParameters:
    """The result: parameters in the order of the plan, and findings."""

    plan: FiledPlan
    version: PlanVersion
    month: Month
    parameters: tuple[MonthlyParameter, ...]
    findings: tuple[Finding, ...]


def month_parameters(given: MonthData, data: SourceData) -> MonthParameters:
    """The parameters of `given.month` by the plan that was filed for it."""
    _once_over_books(given)
    version = given.plan.at(given.month)
    known = data.of_sector(given.plan.sector)
    _check_parameters(given.records, known)
    chosen: dict[str, MonthlyParameter] = {}
    found: list[Finding] = []
    # Carbon needs the month's coal and heating value: the order of the data file.
    for name in known:
        candidates, default = _candidates(given, version, name, chosen, data)
        if name not in version.sources:
            found += [_not_filed(name, item) for item in candidates]
            continue
        parameter, more = choose(known[name], version.sources[name], candidates, default, data)
        chosen[name] = parameter
        found += more
    found += crosschecks(given.lines("stock"), given.books, given.records, given.month, chosen)
    ordered = tuple(chosen[name] for name in version.sources)
    return MonthParameters(given.plan, version, given.month, ordered, tuple(found))


def _candidates(
    given: MonthData,
    version: PlanVersion,
    name: str,
    chosen: Mapping[str, MonthlyParameter],
    data: SourceData,
) -> tuple[list[Candidate], Decimal | None]:
    certified = _certified(given, version, name)
    if name == "coal_t":
        fired = coal.burned_as_fired(given.lines("daily"), given.month, certified)
        fired = fired or _metered(given, "coal_t", "as_fired", version)
        return [*fired, *coal.burned_by_stock(given.lines("stock"))], None
    if name == "coal_ncv_gj_per_t":
        default = data.default(name).value
        daily, received = given.lines("daily"), given.lines("received")
        return [
            *coal.heating_value(daily, "as_fired", "coal_t", certified),
            *coal.heating_value(received, "as_received", "coal_received_t", certified),
        ], default
    if name == "coal_carbon_tc_per_t":
        return _carbon(given, chosen, data)
    return [*_metered(given, name, "metered", version), *_documents(given, name)], None


def _carbon(
    given: MonthData, chosen: Mapping[str, MonthlyParameter], data: SourceData
) -> tuple[list[Candidate], Decimal]:
    heat, mass = chosen.get("coal_ncv_gj_per_t"), chosen.get("coal_t")
    ncv = heat.value if heat and heat.value else data.default("coal_ncv_gj_per_t").value
    entry = fields.field("coal_carbon_tc_per_t")
    default = rounded(ncv * data.default("coal_carbon_tc_per_gj").value, entry.decimals or 0)
    judged_by = coal.ReportsInput(
        given.month, data.report, mass.value if mass else None, default,
        given.attachments, given.known_reports,
    )  # fmt: skip
    lines = given.lines("lab")
    tiers = ("daily", "batch", "monthly_composite")
    return [item for tier in tiers for item in coal.carbon(lines, tier, judged_by)], default


def _certified(given: MonthData, version: PlanVersion, name: str) -> Certified:
    meter = version.meters.get(name)
    return Certified(given.plan.meters[meter] if meter else None, given.records.certificates)


def _metered(given: MonthData, name: str, tier: str, version: PlanVersion) -> list[Candidate]:
    totals = [
        item
        for item in given.records.meter_totals
        if item.parameter == name
        and item.first <= given.month.last_day
        and item.last >= given.month.first_day
    ]
    if len(totals) > 1:
        raise RecordInvalid(f"{RECORDS}: expected one meter_total of {name}, got {len(totals)}")
    if name in given.metered:
        return [_signed(given, name, tier, version, totals)]
    found: list[Finding] = []
    status = Status.VALID
    for item in totals:
        whole = (item.first, item.last) == (given.month.first_day, given.month.last_day)
        certified = _certified(given, version, name)
        gated = certified.without(days_of(given.month))
        foreign = certified.meter is not None and certified.meter.id != item.meter
        if gated:
            found.append(certified.finding(name, gated))
        if foreign or not whole:
            found.append(_total_wrong(item.id, name, given.month, certified, item.meter))
        if found:
            status = Status.MISSING
        if item.covered_hours < given.month.hours:
            found.append(_hours_short(item.id, name, item.covered_hours, given.month))
    return [
        Candidate(tier, item.value, status, (Reference(item.attachment, item.id),), tuple(found))
        for item in totals
    ]


def _signed(
    given: MonthData, name: str, tier: str, version: PlanVersion, totals: Sequence[MeterTotal]
) -> Candidate:
    """The figure by signed readings. It covers the month; the filed meter's certificate must."""
    figure = given.metered[name]
    if totals:
        raise RecordInvalid(
            f"{RECORDS}, meter_total {totals[0].id}: expected {name} from the signed readings "
            f"alone ({figure.reference.place}), got a record beside them · "
            "已有签名计量数据，不得另填累计量"
        )
    certified = _certified(given, version, name)
    found = []
    if gated := certified.without(days_of(given.month)):
        found.append(certified.finding(name, gated))
    if certified.meter is not None and certified.meter.id != figure.meter:
        found.append(_meter_foreign(name, certified.meter.id, figure))
    status = Status.MISSING if found else Status.VALID
    return Candidate(tier, figure.value, status, (figure.reference,), tuple(found))


def _meter_foreign(name: str, filed: str, figure: MeteredFigure) -> Finding:
    return Finding(
        "meter_foreign",
        "explain",
        f"{name}: expected readings of the filed meter {filed}, got those of device "
        f"{figure.meter} ({figure.reference.place})",
        f"{name}：应为备案仪表 {filed} 的读数，实为设备 {figure.meter} 的读数",
    )


def _total_wrong(record: str, name: str, month: Month, filed: Certified, meter: str) -> Finding:
    asked = filed.meter.id if filed.meter else meter
    return Finding(
        "meter_total_not_valid",
        "explain",
        f"{name}: expected a total of meter {asked} from {month.first_day} to {month.last_day}, "
        f"got record {record} of meter {meter}",
        f"{name}：应为仪表 {asked} 在 {month} 全月的累计量，实为记录 {record}（仪表 {meter}）",
    )


def _hours_short(record: str, name: str, covered: int, month: Month) -> Finding:
    return Finding(
        "hours_not_covered",
        "explain",
        f"{name}: expected readings in {month.hours} hours, got {covered} in record {record}",
        f"{name}：记录 {record} 仅覆盖 {covered} 小时，应为 {month.hours} 小时",
    )


def _documents(given: MonthData, name: str) -> list[Candidate]:
    lines = [
        line
        for line in given.lines(f"{given.plan.sector}_outputs")
        if line.number(name) is not None
    ]
    found = [
        Candidate(
            "document", line.number(name) or Decimal(0), Status.VALID, coal.references([line])
        )
        for line in lines
    ]
    found += [
        Candidate("document", item.value, Status.VALID, (Reference(item.attachment, item.id),))
        for item in given.records.manual
        if item.parameter == name
    ]
    if len(found) > 1:
        places = ", ".join(
            f"{item.references[0].file} {item.references[0].place}" for item in found
        )
        raise RecordInvalid(
            f"{name}: expected one document of {given.month}, got {len(found)}: {places} · "
            f"同一参数有多份凭证"
        )
    return found


def _check_parameters(records: Records, known: Mapping[str, object]) -> None:
    figures: list[MeterTotal | ManualEntry] = [*records.meter_totals, *records.manual]
    for item in figures:
        if item.parameter not in known:
            raise RecordInvalid(
                f"{RECORDS}, {item.id}, parameter: expected one of {', '.join(known)}, "
                f"got {item.parameter!r}"
            )


def _once_over_books(given: MonthData) -> None:
    """The same day or month in two books: as wrong as twice in one."""
    kinds = {sheet.spec.name: sheet.spec for book in given.books for sheet in book.sheets}
    flaws = []
    for kind, spec in kinds.items():
        seen: dict[object, Line] = {}
        for line in given.lines(kind):
            key = tuple(line.values[name] for name in spec.key)
            first = seen.setdefault(key, line)
            if first is not line:
                shown = ", ".join(str(part) for part in key)
                flaws.append(
                    Flaw(
                        line.where(spec.key[-1]),
                        f"expected {shown} once, got it again after {first.where()}",
                        f"{shown} 重复出现，首次在 {first.where()}",
                    )
                )
    if flaws:
        raise BookInvalid(flaws)


def _not_filed(name: str, item: Candidate) -> Finding:
    return Finding(
        "source_not_filed",
        "explain",
        f"{name}: expected it in the filed plan, got a figure by {item.tier} only: not used",
        f"{name}：方案中未备案该参数，{item.tier} 数据未采用",
    )
