"""From the evidence of months to the annual report: what belongs together, what is missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version

from tanzheng.analytics.annual import disclosed, findings
from tanzheng.analytics.annual.disclosure import form, rows
from tanzheng.analytics.annual.findings import installed
from tanzheng.analytics.annual.months import (
    Acceptance,
    AcceptanceMismatch,
    Evidence,
    MonthsMissing,
    MonthTwice,
    PackRef,
    YearMixed,
)
from tanzheng.analytics.annual.report import (
    VERSION,
    Note,
    Report,
    Rounding,
    UsedFactor,
    UsedPack,
    total_of,
)
from tanzheng.analytics.annual.words import SECTORS, Words
from tanzheng.analytics.annual.year import UnitYear, enterprise_figures, unit_year
from tanzheng.core.calendar import Month

MONTHS = range(1, 13)
SOFTWARE = f"tanzheng-analytics {version('tanzheng-analytics')}"


def annual_report(
    evidence: Iterable[Evidence],
    acceptances: Sequence[Acceptance] = (),
    stated: Mapping[str, str] | None = None,
    *,
    partial: bool = False,
) -> Report:
    """The report of the one enterprise and year that `evidence` is of.

    Raises `YearMixed`, `MonthTwice`, `MonthsMissing` (but with `partial`), `AcceptanceMismatch`.
    Months whose acceptance is not in `acceptances` make it a draft.
    """
    found = sorted(evidence, key=lambda item: (item.unit, item.month.month, item.where))
    year = _one_year(found)
    _once(found)
    units = [_unit(rows_, acceptances) for rows_ in _by_unit(found)]
    missing = _missing(units, _filed_units(found), year)
    if missing and not partial:
        raise MonthsMissing(
            "expected evidence of twelve months for each unit, got none for "
            + "; ".join(f"{unit}: {', '.join(map(str, months))}" for unit, months in missing)
        )
    packs = tuple(_packs(units))
    draft = (
        *findings.missing(missing),
        *findings.not_accepted(units),
        *findings.draft_packs(packs),
    )
    return _report(found, units, packs, draft, stated or {})


def _report(
    found: Sequence[Evidence],
    units: Sequence[UnitYear],
    packs: tuple[UsedPack, ...],
    draft: tuple[Note, ...],
    stated: Mapping[str, str],
) -> Report:
    first, rounding = found[0], _rounding(units)
    year, total = first.month.month.year, total_of(units, rounding)
    name = Words(stated.get("name", first.name), stated.get("name_zh", first.name_zh))
    return Report(
        VERSION,
        first.enterprise,
        name,
        year,
        SOFTWARE,
        total,
        rounding,
        _due(units, year),
        draft,
        tuple(_notes(units, found)),
        enterprise_figures(units),
        tuple(units),
        packs,
        _factors(found),
        rows(disclosed.row_values(name, found, units, total), stated),
        (form().duty, *(form().sources[s] for s in sorted({unit.sector for unit in units}))),
    )


def _one_year(found: Sequence[Evidence]) -> int:
    if not found:
        raise MonthsMissing("expected evidence of twelve months, got none")
    first = found[0]
    for item in found:
        if item.sector not in SECTORS:
            raise YearMixed(
                f"{item.where}: expected a sector among {', '.join(SECTORS)}, got {item.sector}"
            )
        if item.month.month.year != first.month.month.year:
            raise YearMixed(
                f"expected months of one year, got {first.month.month} ({first.where}) and "
                f"{item.month.month} ({item.where})"
            )
        if item.enterprise != first.enterprise:
            raise YearMixed(
                f"expected one enterprise, got {first.enterprise} ({first.where}) and "
                f"{item.enterprise} ({item.where})"
            )
    return first.month.month.year


def _once(found: Sequence[Evidence]) -> None:
    seen: dict[tuple[str, Month], str] = {}
    for item in found:
        key = (item.unit, item.month.month)
        if key in seen:
            raise MonthTwice(
                f"unit {item.unit}: expected each month once, got {item.month.month} in "
                f"{seen[key]} and in {item.where}: hand in the one that was accepted"
            )
        seen[key] = item.where


def _by_unit(found: Sequence[Evidence]) -> list[list[Evidence]]:
    groups: dict[str, list[Evidence]] = {}
    for item in found:
        groups.setdefault(item.unit, []).append(item)
    return list(groups.values())


def _unit(found: Sequence[Evidence], acceptances: Sequence[Acceptance]) -> UnitYear:
    first = found[0]
    for item in found:
        same = (item.sector, item.month.emission.name)
        if same != (first.sector, first.month.emission.name):
            raise YearMixed(
                f"unit {item.unit}: expected one sector and one emission, got {first.sector} "
                f"({first.where}) and {item.sector} ({item.where})"
            )
    findings.check_packs(found)
    months = [replace(item.month, acceptance=_acceptance(item, acceptances)) for item in found]
    return unit_year(first.unit, first.sector, months)


def _acceptance(item: Evidence, acceptances: Sequence[Acceptance]) -> Acceptance | None:
    of_month = [
        one for one in acceptances if (one.unit, one.month) == (item.unit, item.month.month)
    ]
    if len(of_month) > 1:
        raise AcceptanceMismatch(
            f"unit {item.unit}, {item.month.month}: expected one acceptance, got {len(of_month)}"
        )
    if not of_month:
        return None
    if of_month[0].manifest_sha256 != item.month.origin.sha256:
        raise AcceptanceMismatch(
            f"{item.where}: expected the evidence that was deposited for {item.unit} "
            f"{item.month.month}, {of_month[0].manifest_sha256.hex()[:16]}…, "
            f"got {item.month.origin.sha256.hex()[:16]}…"
        )
    return of_month[0]


def _filed_units(found: Sequence[Evidence]) -> set[str]:
    """Units of the plant file: one left out altogether lacks every month."""
    return {unit for item in found for unit in item.plant_units}


def _missing(
    units: Sequence[UnitYear], filed: set[str], year: int
) -> list[tuple[str, list[Month]]]:
    there = {unit.unit: {item.month for item in unit.months} for unit in units}
    whole = [Month(year, number) for number in MONTHS]
    absent = [
        (unit, [month for month in whole if month not in there.get(unit, ())])
        for unit in sorted(filed | there.keys())
    ]
    return [(unit, months) for unit, months in absent if months]


def _rounding(units: Sequence[UnitYear]) -> Rounding:
    """By the packs where they say it; all the same, for there is one total."""
    rules = []
    for unit in units:
        pack = installed(unit.packs[-1])
        digits = pack.digits.get("annual_emission", form().rounding)
        rules.append(Rounding(digits.decimals, digits.source))
    if len({rule.decimals for rule in rules}) > 1:
        raise YearMixed("expected one rounding of the total, got packs with several")
    return rules[0]


def _due(units: Sequence[UnitYear], year: int) -> str:
    """The day the report is due, the earliest of the packs; empty where no pack says it."""
    deadlines = [
        item.date
        for unit in units
        for item in installed(unit.packs[-1]).deadlines
        if item.id == "annual_report" and item.date
    ]
    return f"{year + 1}-{min(deadlines)}" if deadlines else ""


def _notes(units: Sequence[UnitYear], found: Sequence[Evidence]) -> list[Note]:
    return [
        *(note for unit in units for note in findings.of_unit(unit)),
        *findings.without_cems(found),
        *findings.of_factors(_factors(found)),
    ]


def _packs(units: Sequence[UnitYear]) -> list[UsedPack]:
    used: dict[tuple[str, bytes], list[Month]] = {}
    refs = {}
    for item in (month for unit in units for month in unit.months):
        key = (item.pack.name, item.pack.sha256)
        used.setdefault(key, []).append(item.month)
        refs[key] = item.pack
    return [_used_pack(refs[key], used[key]) for key in sorted(used)]


def _used_pack(ref: PackRef, months: Sequence[Month]) -> UsedPack:
    pack = installed(ref)
    return UsedPack(
        ref.name,
        ref.version,
        ref.sha256,
        Words(pack.title, pack.title_zh),
        pack.document,
        pack.status,
        min(months),
        max(months),
    )


def _factors(found: Sequence[Evidence]) -> tuple[UsedFactor, ...]:
    used: dict[tuple[str, str, str], UsedFactor] = {}
    for item in found:
        for factor in item.factors:
            key = (factor.pack, factor.name, str(factor.value))
            before = used[key].units if key in used else ()
            units = tuple(dict.fromkeys((*before, item.unit)))
            used[key] = UsedFactor(factor, units)
    return tuple(used[key] for key in sorted(used))
