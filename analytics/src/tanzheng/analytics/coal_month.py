"""The account of a coal-fired unit: output by its meters, fuel by the plant's books.

The filed plan says by which source each figure counts; signed readings are its source `metered`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tanzheng.analytics.accounting.engine import account_document
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import quotient
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.errors import BooksForeign
from tanzheng.analytics.findings import Finding
from tanzheng.analytics.metered import MeteredMonth
from tanzheng.analytics.parameters.accountable import input_document
from tanzheng.analytics.parameters.attachments import parse_known_reports
from tanzheng.analytics.parameters.bookfiles import KNOWN_REPORTS, payload
from tanzheng.analytics.parameters.coal import burned_by_stock
from tanzheng.analytics.parameters.flaws import PlanInvalid
from tanzheng.analytics.parameters.monthfiles import month_data
from tanzheng.analytics.parameters.monthly import (
    MeteredFigure,
    MonthData,
    MonthParameters,
    month_parameters,
)
from tanzheng.analytics.parameters.plan import PLAN, FiledPlan, PlanVersion
from tanzheng.analytics.parameters.selection import Reference, Status
from tanzheng.analytics.parameters.sources import SourceData, source_data
from tanzheng.analytics.result import Accounted
from tanzheng.core.manifest import batches_path
from tanzheng.core.plant import Plant, Role, Unit

SECTOR = "power"
WITH_HEAT = "boiler_heat_gj"
"""Filed where heat is supplied: the one figure that a plan may leave out."""
STANDARD_VALUES = {
    "standard_oxidation_percent": "coal_default.oxidation_percent",
    "standard_carbon_tc_per_gj": "coal_default.carbon_tc_per_gj",
    "standard_coal_gj_per_tce": "standard_coal.gj_per_tce",
    "relative_mass_co2": "carbon.co2_mass",
    "relative_mass_carbon": "carbon.carbon_mass",
}
"""What the rules compare with → its name in the standard pack."""
REPORTED = (
    "rated_capacity_mw", "generation_mwh", "heat_supplied_gj", "boiler_heat_gj",
    "operating_hours_h", "load_factor_percent", "coal_t", "coal_ncv_gj_per_t",
    "coal_carbon_tc_per_t", "oxidation_percent", "heat_share_percent", "coal_equivalent_tce",
    "gross_coal_rate_tce_per_mwh", "heat_coal_rate_tce_per_gj", "co2_calculated_t",
    "co2_intensity_t_per_mwh", "co2_intensity_t_per_gj",
)  # fmt: skip
"""In the order of the evidence package; what is not formed is left out."""


@dataclass(frozen=True, slots=True)
class Filed:
    """The books of a month: the files that computing needs, by path in their folder; what they
    hold; what was chosen of it by the filed plan."""

    files: Mapping[str, bytes]
    data: MonthData
    month: MonthParameters

    def payload(self) -> dict[str, bytes]:
        """The files as they lie in an evidence package."""
        return payload(self.files)

    def to_json(self) -> list[dict[str, object]]:
        """The figures of the filed plan with source, status and records, in its order."""
        return [item.to_json() for item in self.month.parameters]

    @property
    def names(self) -> frozenset[str]:
        """The figures that the filed plan speaks of."""
        return frozenset(item.name for item in self.month.parameters)

    def by_meter(self, name: str) -> bool:
        """Whether the figure `name` is that of the signed readings."""
        used = {item.name: item.references for item in self.month.parameters}
        metered = self.data.metered.get(name)
        return metered is not None and metered.reference in used[name]


def coal_account(
    plant: Plant, metered: MeteredMonth, books: Mapping[str, bytes], pack: Pack
) -> Accounted:
    """The account by `pack`; raises as `month_data`, `month_parameters` and `account_document`.

    `BooksForeign` where the filed plan is not that of the plant file's unit.
    """
    known = parse_known_reports(books.get(KNOWN_REPORTS, b""), KNOWN_REPORTS)
    inputs, sources = metered.inputs, source_data()
    data, _ = month_data(books, inputs.month, known, sources, _by_meter(plant, metered))
    _check_plan(data.plan, plant, inputs.unit)
    _check_whole(data.plan.at(inputs.month), sources)
    filed = Filed(books, data, month_parameters(data, sources))
    document = json.dumps(input_document(filed.month, pack.name)).encode()
    (accounted,) = account_document(document, "the month's account").months
    figures = _figures(inputs.unit, filed, accounted.figures)
    checked = dict(_checked(filed, metered, figures, pack))
    findings = (*filed.month.findings, *_not_formed(figures))
    return Accounted(figures | metered.cems(), accounted.figures[0], checked, findings, filed)


def _by_meter(plant: Plant, metered: MeteredMonth) -> dict[str, MeteredFigure]:
    """What signed readings give, by which point."""
    found = {}
    inputs = metered.inputs
    for name, point, value in (
        ("generation_mwh", inputs.points[Role.GENERATION].name, metered.generation_mwh),
        ("operating_hours_h", inputs.run_name, metered.operating_hours_h),
    ):
        meter = point.partition("/")[0]
        (gateway,) = (device.gateway for device in plant.devices if device.id == meter)
        found[name] = MeteredFigure(value, meter, Reference(batches_path(gateway), point))
    return found


def _check_plan(plan: FiledPlan, plant: Plant, unit: Unit) -> None:
    """The books are those of the unit that was metered."""
    if plan.sha256 != unit.filed_plan_sha256:
        held = unit.filed_plan_sha256
        raise BooksForeign(
            f"{PLAN}: expected the plan that the plant file names (filed_plan_sha256 of unit "
            f"{unit.id}: {held.hex() if held else 'none'}), got {plan.sha256.hex()} · "
            "填报方案不是电厂描述文件所列的备案方案"
        )
    facility = plan.facility
    pairs: list[tuple[str, object, object]] = [
        ("enterprise", plant.enterprise, plan.enterprise),
        ("unit", unit.id, plan.unit),
    ]
    if facility is not None:
        capacity = facility.rated_capacity_mw
        pairs.append(("facility.rated_capacity_mw", unit.rated_capacity_mw, capacity))
        pairs.append(("facility.unit_class", "coal", facility.unit_class.partition("_")[0]))
    for name, expected, got in pairs:
        if expected != got:
            raise BooksForeign(
                f"{PLAN}, {name}: expected {expected} as in the plant file, got {got} · "
                "填报方案与电厂描述文件不一致"
            )


def _check_whole(version: PlanVersion, sources: SourceData) -> None:
    """No figure is left out: of a unit that supplies no heat a document says 0."""
    asked = sources.of_sector(SECTOR).keys() - {WITH_HEAT}
    if absent := sorted(asked - version.sources.keys()):
        raise PlanInvalid(
            f"{PLAN}, version {version.id}, sources: expected every figure of a power unit, got "
            f"none for {', '.join(absent)} · 方案缺少参数"
        )


def _figures(unit: Unit, filed: Filed, account: Sequence[Node]) -> dict[str, Decimal]:
    """Figures of the account first, then what it used, then what was filed beside it."""
    nodes = [node for figure in account for node in figure.walk()]
    used = {node.name: node.value for node in reversed(nodes)}
    known = {item.name: item.value for item in filed.month.parameters}
    formed = {node.name: node.value for node in account}
    values = {**known, **used, **formed, "rated_capacity_mw": unit.rated_capacity_mw}
    found = {name: values.get(name) for name in REPORTED}
    return {name: value for name, value in found.items() if value is not None}


def _checked(
    filed: Filed, metered: MeteredMonth, figures: Mapping[str, Decimal], pack: Pack
) -> Iterator[tuple[str, Decimal]]:
    month = metered.inputs.month
    yield "generation_metered_mwh", metered.generation_mwh
    yield "operating_hours_metered_h", metered.operating_hours_h
    if ncv := figures.get("coal_ncv_gj_per_t"):
        carbon, decimals = figures["coal_carbon_tc_per_t"], pack.decimals("carbon_per_heat")
        yield "coal_carbon_tc_per_gj", quotient(carbon, ncv, decimals)
    for item in burned_by_stock(filed.data.lines("stock")):
        yield "coal_stock_ledger_t", item.value
    statuses = [item.status for item in filed.month.parameters]
    yield "defaults_used", Decimal(statuses.count(Status.DEFAULT))
    yield "sources_lowered", Decimal(statuses.count(Status.CONSERVATIVE))
    yield "standard_draft", Decimal(pack.status == "draft")
    for name, constant in STANDARD_VALUES.items():
        yield name, pack.constant(constant, month).value


def _not_formed(figures: Mapping[str, Decimal]) -> Iterator[Finding]:
    """Heat goes out, and nothing says what share of the heat made it is."""
    if figures.get("heat_supplied_gj") and "heat_share_percent" not in figures:
        yield Finding(
            "heat_share_unknown",
            "warning",
            f"heat_supplied_gj is {figures['heat_supplied_gj']} GJ and the books have no heat "
            "produced: coal rates and intensities per MWh and GJ are not formed",
            f"供热量 {figures['heat_supplied_gj']} GJ，填报数据无锅炉总产热量，"
            "不计算供热比、煤耗与排放强度",
        )
