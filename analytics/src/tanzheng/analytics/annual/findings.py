"""What is remarkable about a year: why it is a draft, and what its reader must know."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from tanzheng.analytics.accounting.pack import Pack, load_pack, pack_names
from tanzheng.analytics.annual.months import ACCEPTED, Evidence, PackRef, UnitMonth, YearMixed
from tanzheng.analytics.annual.report import Note, UsedFactor, UsedPack
from tanzheng.analytics.annual.words import Words, figure_words
from tanzheng.analytics.annual.year import UnitYear, not_formed
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.manifest import REASON_LABELS, Reason


def installed(ref: PackRef) -> Pack:
    """The pack of that name that ships with this package; `BadInput` where there is none."""
    if ref.name not in pack_names():
        raise BadInput(f"expected a standard among {', '.join(pack_names())}, got {ref.name}")
    return load_pack(ref.name)


def check_packs(found: Sequence[Evidence], pack_of: Callable[[PackRef], Pack] = installed) -> None:
    """One pack for the year, or packs that follow one another in time; else `YearMixed`."""
    by_name: dict[str, Evidence] = {}
    for item in found:
        first = by_name.setdefault(item.month.pack.name, item)
        if item.month.pack != first.month.pack:
            raise YearMixed(
                f"unit {item.unit}: expected one version of {item.month.pack.name} in the year, "
                f"got two: {first.where} and {item.where}: close one of the months again"
            )
    if len(by_name) == 1:
        return
    for item in found:
        pack = pack_of(item.month.pack)
        others = [pack_of(other.month.pack) for other in by_name.values()]
        covering = [other.name for other in others if other.covers(item.month.month)]
        if covering != [pack.name]:
            raise YearMixed(
                f"{item.where}: expected the one pack valid in {item.month.month} "
                f"({', '.join(covering) or 'none of those used'}), got {pack.name}: a year has "
                "several packs only where their validity ends and begins within it"
            )


# ------------------------------------------------------------------ why it is a draft


def missing(absent: Sequence[tuple[str, list[Month]]]) -> Iterator[Note]:
    """Months without evidence."""
    for unit, months in absent:
        text = ", ".join(map(str, months))
        yield Note("months_missing", unit, Words(f"no evidence for {text}", f"缺少月份：{text}"))


def not_accepted(units: Sequence[UnitYear]) -> Iterator[Note]:
    """Months that nobody says were accepted."""
    for unit in units:
        months = [str(item.month) for item in unit.months if not _is_accepted(item)]
        if months:
            count, span = len(months), _span(months)
            yield Note(
                "not_accepted",
                unit.unit,
                Words(f"months not accepted, {count}: {span}", f"{count} 个月未通过存证：{span}"),
            )


def draft_packs(packs: Iterable[UsedPack]) -> Iterator[Note]:
    """Standards that are not in force."""
    for pack in packs:
        if pack.status == "draft":
            yield Note(
                "draft_standard",
                "",
                Words(f"{pack.name} is a draft, not in force", f"{pack.name} 为征求意见稿"),
            )


def _is_accepted(month: UnitMonth) -> bool:
    return month.acceptance is not None and month.acceptance.state == ACCEPTED


def _span(months: Sequence[str]) -> str:
    return months[0] if len(months) == 1 else f"{months[0]} … {months[-1]}"


# ------------------------------------------------------------------ what a reader must know


def of_unit(unit: UnitYear) -> Iterator[Note]:
    """Notes on a unit's year."""
    for name in not_formed(unit.months):
        words = figure_words(name)
        yield Note(
            "not_formed",
            unit.unit,
            Words(
                f"{words.en}: not known of each month, no figure of the year",
                f"{words.zh}：并非每月均有，不形成年度值",
            ),
        )
    yield from _plant_files(unit)
    yield from _capacities(unit)
    yield from _validity(unit)


def without_cems(found: Sequence[Evidence]) -> Iterator[Note]:
    """Units that had no CEMS, and in which months."""
    months: dict[str, list[str]] = {}
    for item in found:
        if any(each.reason is Reason.NO_CEMS for each in item.absent):
            months.setdefault(item.unit, []).append(str(item.month.month))
    for unit, those in months.items():
        en, zh = REASON_LABELS[Reason.NO_CEMS]
        span, count = _span(those), len(those)
        yield Note(
            "no_cems",
            unit,
            Words(
                f"{en} in {count} months, {span}: CO2 is calculated, none is measured beside it",
                f"{zh}，{count} 个月（{span}）：排放量为核算值，无实测对照",
            ),
        )


def _plant_files(unit: UnitYear) -> Iterator[Note]:
    digests = {item.origin.plant_sha256: item.month for item in reversed(unit.months)}
    digests.pop(None, None)
    if len(digests) > 1:
        months = ", ".join(str(month) for month in sorted(digests.values())[1:])
        yield Note(
            "plant_file_changed",
            unit.unit,
            Words(
                f"another filed plant file from {months} on: see the list of months",
                f"电厂描述文件（数据质量控制方案）自 {months} 起变更，见月度清单",
            ),
        )


def _capacities(unit: UnitYear) -> Iterator[Note]:
    found = {
        f"{figure.value}": item.month
        for item in reversed(unit.months)
        for figure in item.figures
        if figure.name == "rated_capacity_mw"
    }
    if len(found) > 1:
        text = ", ".join(f"{month}: {value} MW" for value, month in sorted(found.items()))
        yield Note(
            "capacity_changed",
            unit.unit,
            Words(f"rated capacity changed: {text}", f"装机容量变更：{text}"),
        )


def _validity(unit: UnitYear) -> Iterator[Note]:
    outside = [item for item in unit.months if not installed(item.pack).covers(item.month)]
    if outside:
        names, months = (
            sorted({item.pack.name for item in outside}),
            [str(m.month) for m in outside],
        )
        text = f"{', '.join(names)} {_span(months)}"
        yield Note(
            "outside_validity",
            unit.unit,
            Words(
                f"months outside the validity of the standard: {text}",
                f"月份不在标准有效期内：{text}",
            ),
        )
    other = sorted({i.pack.name for i in unit.months if installed(i.pack).sha256 != i.pack.sha256})
    if other:
        yield Note(
            "pack_differs",
            unit.unit,
            Words(
                f"made with another edition of {', '.join(other)} than the one installed here",
                f"所用标准包 {', '.join(other)} 与本机版本不同",
            ),
        )
    if len(unit.packs) > 1:
        text = ", ".join(pack.name for pack in unit.packs)
        yield Note(
            "packs_change",
            unit.unit,
            Words(f"the standard changed within the year: {text}", f"年内标准更替：{text}"),
        )


def of_factors(factors: Sequence[UsedFactor]) -> Iterator[Note]:
    """How many constants are not yet held against the official text."""
    doubtful = [used.factor for used in factors if used.factor.source.unverified]
    if doubtful:
        count = len(doubtful)
        yield Note(
            "unverified",
            "",
            Words(
                f"{count} of {len(factors)} factors are not yet held against the official text",
                f"{len(factors)} 项因子中有 {count} 项尚未与正式文本核对",
            ),
        )
