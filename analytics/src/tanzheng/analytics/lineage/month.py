"""The graph of one month of a unit: annual tonnes and rules rest on it, documents end it.

    month → parameter → hours · counter readings · constants → point → batches → documents
                                                                └→ device → certificate → document

Hours stand as stretches of one method; within a stretch of substitutes every hour was filled from
the same hour. Which batches and readings a single hour came from is computed on demand (`hour`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.counters import Boundary, CounterMonth
from tanzheng.analytics.findings import STEP_LABELS
from tanzheng.analytics.hours import Method
from tanzheng.analytics.inputs import MonthInputs
from tanzheng.analytics.ledger import Correction
from tanzheng.analytics.lineage.filed import filed_parts
from tanzheng.analytics.lineage.graph import Graph, Kind, Node
from tanzheng.analytics.lineage.parts import (
    Parts,
    constant_parts,
    default_parts,
    device_parts,
    document,
    finding_parts,
    rule_parts,
)
from tanzheng.analytics.lineage.reach import BatchRange, Reach, ranges
from tanzheng.analytics.lineage.stretches import stretches
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import RuleResult, RuleSet
from tanzheng.analytics.series import from_batches
from tanzheng.core.batch import SignedBatch
from tanzheng.core.fields import Field, field
from tanzheng.core.hashing import sha256
from tanzheng.core.manifest import PLANT_PATH, batches_path
from tanzheng.core.plant import Plant, Role

FROM_HOURS = ("operating_hours_h", "co2_cems_t", "coverage_percent")
FROM_COUNTERS = {"generation_mwh": Role.GENERATION, "fuel_gas_1e4nm3": Role.FUEL_GAS}
FROM_PLANT = ("rated_capacity_mw", "heat_supplied_gj")
FROM_PACK = {
    "gas_ncv_gj_per_1e4nm3": "fuel_ncv_gj_per_1e4nm3",
    "gas_carbon_tc_per_gj": "fuel_carbon_tc_per_gj",
    "oxidation_percent": "oxidation_percent",
}
"""Reported default → its name in the calculation."""
FROM_PARAMETERS = {
    "load_factor_percent": ("generation_mwh", "rated_capacity_mw", "operating_hours_h"),
    "gas_carbon_tc_per_1e4nm3": ("gas_ncv_gj_per_1e4nm3", "gas_carbon_tc_per_gj"),
    "co2_calculated_t": (
        "fuel_gas_1e4nm3", "gas_carbon_tc_per_1e4nm3", "coal_t", "coal_carbon_tc_per_t",
        "oxidation_percent",
    ),
    "co2_intensity_t_per_mwh": ("co2_calculated_t", "generation_mwh", "heat_share_percent"),
    "co2_intensity_t_per_gj": ("co2_calculated_t", "heat_supplied_gj", "heat_share_percent"),
    "heat_share_percent": ("heat_supplied_gj", "boiler_heat_gj"),
    "coal_equivalent_tce": ("coal_t", "coal_ncv_gj_per_t"),
    "gross_coal_rate_tce_per_mwh": (
        "coal_equivalent_tce", "generation_mwh", "heat_share_percent"
    ),
    "heat_coal_rate_tce_per_gj": (
        "coal_equivalent_tce", "heat_supplied_gj", "heat_share_percent"
    ),
}  # fmt: skip
"""Reported figure → those that it is formed of, where the month has them."""
MOLAR_MASSES = {
    "carbon.co2_mass": ("relative mass of CO2", "二氧化碳相对分子质量"),
    "carbon.carbon_mass": ("relative mass of carbon", "碳相对原子质量"),
}
WITHOUT_CONSTANTS = (Method.NOT_OPERATING, Method.ASSUMED_STANDING, Method.NO_CEMS)
"""Hours that rest on no constant of the standard."""


def month_graph(
    plant: Plant,
    result: MonthResult,
    rules: Sequence[RuleResult],
    pack: Pack,
    rule_set: RuleSet,
    chains: Mapping[str, Sequence[SignedBatch]],
) -> Graph:
    """The lineage of a computed month whose readings are those of `chains`.

    `rules`: the results of all rules, those of the deposit included. Raises as `month.compute`.
    """
    recorded = from_batches((each.batch for chain in chains.values() for each in chain), plant)
    inputs = MonthInputs.of(
        plant, result.unit, result.month, recorded.series, recorded.gaps, recorded.steps
    )
    builder = _Builder(plant, result, inputs, Reach(plant, inputs, chains), pack)
    parts = [
        *builder.month(),
        *builder.parameters(),
        *builder.hours(),
        *builder.counters(),
        *builder.points(),
        *builder.documents(rule_set, chains),
        *(() if result.filed is None else filed_parts(result, result.filed, pack)),
        *rule_parts(rules, result),
        *finding_parts(result, builder.stretches),
    ]
    nodes = [part for part in parts if isinstance(part, Node)]
    return Graph.of(nodes, [part for part in parts if not isinstance(part, Node)])


@dataclass
class _Builder:
    """The parts of the graph, each as nodes and edges."""

    plant: Plant
    result: MonthResult
    inputs: MonthInputs
    reach: Reach
    pack: Pack

    def __post_init__(self) -> None:
        self.stretches = stretches(self.result.hours, self.plant.zone)

    def month(self) -> Parts:
        result, root = self.result, f"month:{self.result.month}"
        absent = {f"absent_{item.name}": str(item.reason) for item in result.absent}
        yield Node(
            root,
            Kind.MONTH,
            f"{self.plant.name}, unit {result.unit}, {result.month}",
            f"{self.plant.name_zh} {result.unit} 机组 {result.month}",
            facts={
                "enterprise": self.plant.enterprise,
                "unit": result.unit,
                "month": str(result.month),
                "utc_offset": str(self.plant.zone),
                **absent,
            },
        )
        for item in result.parameters:
            yield root, f"parameter:{item.name}"

    def parameters(self) -> Parts:
        values = self.result.values()
        for item in self.result.parameters:
            entry, own = field(item.name), f"parameter:{item.name}"
            yield Node(own, Kind.PARAMETER, entry.en, entry.zh, str(item.value), item.unit)
            for source in FROM_PARAMETERS.get(item.name, ()):
                if source in values:
                    yield own, f"parameter:{source}"
            if item.name in FROM_HOURS and self._metered(item.name):
                yield from ((own, stretch.id) for stretch in self.stretches)
            if item.name in FROM_PLANT and self._metered(item.name):
                yield own, "document:plant"
            if item.name in FROM_PACK:
                figure = self.result.calculation.find(FROM_PACK[item.name])
                yield from default_parts(item.name, figure)
            if item.name == "co2_calculated_t":
                for name, shown in MOLAR_MASSES.items():
                    yield from constant_parts(own, name, shown, self.pack.constant(name))

    def _metered(self, name: str) -> bool:
        """Whether a figure is that of readings or plant file, and not one of the books."""
        filed = self.result.filed
        return filed is None or name not in filed.names or filed.by_meter(name)

    def hours(self) -> Parts:
        inputs = self.inputs
        for stretch in self.stretches:
            yield stretch.node()
            own = stretch.id
            measured = inputs.cems_roles if stretch.method is Method.MEASURED else ()
            yield own, f"point:{inputs.run_name}"
            for role in (*measured, *inputs.counters):
                yield own, f"point:{inputs.points[role].name}"
            if stretch.method not in WITHOUT_CONSTANTS:
                yield own, "document:standard"
            for donor in self.stretches:
                if stretch.looked_at(donor):
                    yield own, donor.id
            for each in self.reach.ranges(stretch.start_ms, stretch.end_ms):
                yield from self._batches(own, each)

    def counters(self) -> Parts:
        for name, role in FROM_COUNTERS.items():
            if name not in self.result.values() or not self._metered(name):
                continue
            counter = self.inputs.counter(role)
            for end in (counter.opening, counter.closing):
                yield from self._boundary(f"parameter:{name}", counter, end)
            for each in counter.corrections:
                if each.applied and counter.opening.t_ms < each.t_ms <= counter.closing.t_ms:
                    yield from self._correction(f"parameter:{name}", counter.point, each)

    def _boundary(self, parameter: str, counter: CounterMonth, end: Boundary) -> Parts:
        opening = end is counter.opening
        entry, at = self._entry(counter.point), self._at(end.t_ms)
        own = f"reading:{counter.point}@{end.t_ms}"
        yield Node(
            own,
            Kind.READING,
            f"{'opening' if opening else 'closing'} reading",
            f"{'期初' if opening else '期末'}读数",
            f"{end.value:f}",
            entry.unit,
            {"point": counter.point, "t_ms": end.t_ms, "wanted_ms": end.wanted_ms, "at": at},
        )
        yield parameter, own
        yield own, f"point:{counter.point}"
        for each in self.reach.telling(counter.point, end.t_ms):
            yield from self._batches(own, each)

    def _correction(self, parameter: str, point: str, correction: Correction) -> Parts:
        step, at = correction.step, self._at(correction.t_ms)
        own = f"step:{point}@{correction.t_ms}"
        yield Node(
            own,
            Kind.STEP,
            STEP_LABELS[step.kind][0],
            STEP_LABELS[step.kind][1],
            f"{correction.lift:f}",
            self._entry(point).unit,
            {
                "point": point,
                "t_ms": step.t_ms,
                "at": at,
                "from": f"{step.from_value:f}",
                "to": f"{step.to_value:f}",
            },
        )
        yield parameter, own
        yield own, f"point:{point}"
        for each in self.reach.telling(point, step.t_ms):
            yield from self._batches(own, each)

    def points(self) -> Parts:
        roles = {point.name: role for role, point in self.inputs.points.items()}
        for device in self.plant.devices:
            if device.unit != self.result.unit:
                continue
            yield from device_parts(device, self.result)
            for point in device.points:
                own, entry = f"point:{point.name}", field(point.field)
                yield Node(own, Kind.POINT, entry.en, entry.zh, None, entry.unit, {
                    "point": point.name,
                    "role": str(roles.get(point.name, "")),
                    "gateway": device.gateway,
                    "interval_s": self.plant.interval_ms(device, point) // 1000,
                    "register": f"{point.field} of profile {device.profile}",
                })  # fmt: skip
                yield own, f"device:{device.id}"

    def documents(self, rule_set: RuleSet, chains: Mapping[str, Sequence[SignedBatch]]) -> Parts:
        yield document("plant", PLANT_PATH, "plant file", "电厂描述文件", self.plant.sha256)
        pack = f"{self.pack.name} {self.pack.version}"
        yield document("standard", pack, "standard pack", "标准包", self.pack.sha256)
        rules = f"{rule_set.name} {rule_set.version}"
        yield document("rules", rules, "rule set", "规则集", rule_set.sha256)
        for gw in sorted(chains):
            path, raw = batches_path(gw), b"".join(each.raw for each in chains[gw])
            yield document(f"batches/{gw}", path, "file of batches", "批次文件", sha256(raw))
            points = [point.name for point in self.plant.points_of_gateway(gw)]
            for each in ranges(gw, chains[gw]):
                for name in points:
                    if name in self.inputs.intervals_ms:
                        yield from self._batches(f"point:{name}", each)

    def _batches(self, derived: str, held: BatchRange) -> Parts:
        count = held.last_seq - held.first_seq + 1
        yield Node(
            held.id,
            Kind.BATCHES,
            f"{count} signed {'batch' if count == 1 else 'batches'}",
            f"签名批次 {count} 个",
            facts={
                "gateway": held.gw,
                "epoch": held.epoch,
                "first_seq": held.first_seq,
                "last_seq": held.last_seq,
                "head": held.head.hex(),
            })  # fmt: skip
        yield derived, held.id
        yield held.id, f"document:batches/{held.gw}"

    def _entry(self, point: str) -> Field:
        return field(point.partition("/")[2])

    def _at(self, t_ms: int) -> str:
        return self.plant.zone.datetime(t_ms).isoformat(timespec="minutes")
