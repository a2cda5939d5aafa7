"""A month of a unit: from readings, and books where its fuel needs them, to reported figures.

Pure and deterministic. The month close calls `compute` on rows from the database, a verifier calls
it on the readings of the signed batches; both must arrive at the same bytes. Therefore readings are
float64 only until each is rounded or read into decimals *by itself*; every sum after that is over
whole numbers or decimals, and no figure depends on an order of addition.
"""

from collections.abc import Mapping, Sequence

from tanzheng.analytics.accounting.pack import Pack, load_pack, pack_for
from tanzheng.analytics.errors import BooksMissing, BooksUnneeded, PackInvalid
from tanzheng.analytics.gas_month import gas_account
from tanzheng.analytics.inputs import COAL, GAS, MonthInputs
from tanzheng.analytics.metered import MeteredMonth
from tanzheng.analytics.result import Accounted, MonthResult, Parameter
from tanzheng.analytics.rules.ruleset import RuleSet, load_rules
from tanzheng.analytics.series import PointGap, Series
from tanzheng.analytics.steps import CounterStep
from tanzheng.analytics.substitution import MONTH_ALONE, LookBack
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant, Unit

RULES = {GAS: "gas_unit", COAL: "coal_unit"}
"""The rule set that judges a unit of each kind: nobody picks an easier one."""
SECTOR = "power"


def compute(
    plant: Plant,
    unit_id: str,
    month: Month,
    series: Mapping[str, Series],
    gaps: Sequence[PointGap],
    pack: Pack,
    rules: RuleSet,
    steps: Sequence[CounterStep] = (),
    look_back: LookBack = MONTH_ALONE,
    books: Mapping[str, bytes] | None = None,
) -> MonthResult:
    """The month of one unit from its readings (by point name) and gap records.

    `steps` is the ledger of its counters. `look_back` holds what is declared beside the readings:
    by default substitutes come from the month's own hours, which is what a verifier has. `books`:
    the files of the month's folder by path (`parameters.monthfiles`); a coal unit needs them.
    Readings and gaps outside the month and its closing slot are ignored. Raises `BadInput`: a role
    without a point (`RoleMissing`), no run state (`NothingRecorded`), a counter without a reading
    near the month's ends (`CounterBoundaryMissing`), books missing, wrong or of no use here.
    """
    inputs = MonthInputs.of(plant, unit_id, month, series, gaps, steps)
    _check_rules(inputs.unit, rules)
    check_books(inputs.unit, books is not None)
    metered = MeteredMonth.of(inputs, pack, look_back)
    accounted = _accounted(plant, metered, pack, books)
    parameters = tuple(Parameter.of(name, value) for name, value in accounted.figures.items())
    values = {item.name: item.value for item in parameters}
    checked = {**metered.checked(pack), **accounted.checked}
    return MonthResult(
        unit_id,
        month,
        inputs.start_ms,
        inputs.end_ms,
        metered.hours,
        parameters,
        accounted.calculation,
        metered.slots,
        (*metered.findings(), *accounted.findings),
        rules.check("month", values | checked, metered.absent),
        pack.sha256,
        rules.sha256,
        accounted.filed,
        metered.absent,
    )


def standard_of(unit: Unit, month: Month, name: str | None = None) -> tuple[Pack, RuleSet]:
    """The pack and the rules by which a month of `unit` is closed.

    For a gas unit there is one pack. For a coal unit it is the one in force in the month, or the
    one called `name`, a draft for instance. `PackInvalid` for a name that cannot be.
    """
    if unit.kind not in RULES:
        raise BadInput(f"unit {unit.id}: expected kind {' or '.join(RULES)}, got {unit.kind!r}")
    rules = load_rules(RULES[unit.kind])
    if unit.kind == GAS:
        if name is not None:
            raise PackInvalid(f"unit {unit.id}, kind gas: expected no standard, got {name!r}")
        return load_pack(), rules
    pack = pack_for(SECTOR, month) if name is None else load_pack(name)
    if pack.sector != SECTOR or not pack.covers(month):
        raise PackInvalid(
            f"standard: expected a pack of sector {SECTOR} valid in {month}, got {pack.name}, "
            f"valid from {pack.valid_from} to {pack.valid_to or 'now'}"
        )
    return pack, rules


def check_books(unit: Unit, given: bool) -> None:
    """Return where books are handed in for a coal unit, and for no other."""
    if unit.kind == COAL and not given:
        raise BooksMissing(
            f"unit {unit.id}, kind coal: expected the month's books (--books FOLDER), got none: "
            "its fuel is in them · 燃煤机组须提供当月填报目录"
        )
    if unit.kind != COAL and given:
        raise BooksUnneeded(
            f"unit {unit.id}, kind {unit.kind}: expected no books, got some: all of its month is "
            "metered · 燃气机组数据均来自计量，不使用填报目录"
        )


def _check_rules(unit: Unit, rules: RuleSet) -> None:
    if rules.name != RULES[unit.kind]:
        raise PackInvalid(
            f"unit {unit.id}, kind {unit.kind}: expected the rules {RULES[unit.kind]}, "
            f"got {rules.name}"
        )


def _accounted(
    plant: Plant, metered: MeteredMonth, pack: Pack, books: Mapping[str, bytes] | None
) -> Accounted:
    if books is None:
        return gas_account(metered, pack)
    # Spreadsheets and input models only where there are books to read.
    from tanzheng.analytics.coal_month import coal_account

    return coal_account(plant, metered, books, pack)
