"""A month of a gas-fired unit: from readings to reported figures. Pure and deterministic.

The month close calls `compute` on rows from the database, a verifier calls it on the readings of
the signed batches; both must arrive at the same bytes. Therefore readings are float64 only until
each is rounded or read into decimals *by itself*; every sum after that is over whole numbers or
decimals, and no figure depends on an order of addition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tanzheng.analytics import findings, running
from tanzheng.analytics.accounting.combustion import gas_co2
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import ratio, rounded
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.counters import CounterMonth
from tanzheng.analytics.crosscheck import metered_and_integrated
from tanzheng.analytics.findings import Finding, Slots
from tanzheng.analytics.hours import HALF_MS_PER_HOUR, Hour
from tanzheng.analytics.inputs import MonthInputs
from tanzheng.analytics.rules.ruleset import RuleResult, RuleSet
from tanzheng.analytics.series import PointGap, Series
from tanzheng.analytics.steps import CounterStep
from tanzheng.analytics.substitution import MONTH_ALONE, LookBack
from tanzheng.analytics.unit_hours import month_hours
from tanzheng.core import canonical_json
from tanzheng.core.calendar import HOUR_MS, Month
from tanzheng.core.fields import field
from tanzheng.core.plant import Plant, Role, Unit


@dataclass(frozen=True, slots=True)
class Parameter:
    """A reported figure: name and unit from the field dictionary, rounded to its decimals."""

    name: str
    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class MonthResult:
    """A computed month.

    `parameters` are in the order of the evidence package; one that cannot be formed (intensity
    without generation) is absent. `calculation` explains the calculated CO2. Digests are SHA-256
    over the raw bytes of the standard pack and the rule set.
    """

    unit: str
    month: Month
    start_ms: int
    end_ms: int
    hours: tuple[Hour, ...]
    parameters: tuple[Parameter, ...]
    calculation: Node
    slots: Slots
    findings: tuple[Finding, ...]
    rule_results: tuple[RuleResult, ...]
    pack_sha256: bytes
    rules_sha256: bytes

    def values(self) -> dict[str, Decimal]:
        """The reported figures by name."""
        return {parameter.name: parameter.value for parameter in self.parameters}

    def hours_json(self) -> bytes:
        """The hours as canonical JSON: the bytes of `data/hours.json` in an evidence package."""
        return canonical_json.dumps(
            {"version": 1, "hours": [hour.to_json() for hour in self.hours]}
        )


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
) -> MonthResult:
    """The month of one gas-fired unit from its readings (by point name) and gap records.

    `steps` is the ledger of its counters. `look_back` holds what is declared beside the readings:
    by default substitutes come from the month's own hours, which is what a verifier has.
    Readings and gaps outside the month (its closing slot included) are ignored, so it does not
    matter how much more the caller hands in. Raises `BadInput`: a role without a point
    (`RoleMissing`), no run state at all (`NothingRecorded`), a counter without a reading near the
    month's ends (`CounterBoundaryMissing`).
    """
    inputs = MonthInputs.of(plant, unit_id, month, series, gaps, steps)
    hours = month_hours(inputs, pack, look_back)
    generation, fuel = inputs.counter(Role.GENERATION), inputs.counter(Role.FUEL_GAS)
    calculation = gas_co2(fuel.total.scaleb(-4), pack)
    parameters = _parameters(inputs.unit, generation, calculation, hours)
    slots = inputs.slots()
    values = {item.name: item.value for item in parameters} | _checked_values(
        inputs, hours, (generation, fuel), slots, pack, running.transitions(inputs.run_samples())
    )
    return MonthResult(
        unit_id,
        month,
        inputs.start_ms,
        inputs.end_ms,
        hours,
        parameters,
        calculation,
        slots,
        _findings(inputs, hours, (generation, fuel), slots),
        rules.check("month", values),
        pack.sha256,
        rules.sha256,
    )


def _parameters(
    unit: Unit, generation: CounterMonth, calculation: Node, hours: Sequence[Hour]
) -> tuple[Parameter, ...]:
    """Round each reported figure first and compute with the rounded ones (standards.md a.4)."""
    operating = sum(hour.operating_half_ms for hour in hours)
    energy = rounded(generation.total.scaleb(-3), 3)
    time = ratio(operating, HALF_MS_PER_HOUR, 2)
    capacity = unit.rated_capacity_mw
    load = 100 * energy / (capacity * time) if time else Decimal(0)
    figures = {
        "rated_capacity_mw": capacity,
        "generation_mwh": energy,
        "heat_supplied_gj": Decimal(0),  # this class of unit has no heat meter: none is supplied
        "operating_hours_h": time,
        "load_factor_percent": load,
        "fuel_gas_1e4nm3": calculation.find("fuel_1e4nm3").value,
        "gas_ncv_gj_per_1e4nm3": calculation.find("fuel_ncv_gj_per_1e4nm3").value,
        "gas_carbon_tc_per_gj": calculation.find("fuel_carbon_tc_per_gj").value,
        "gas_carbon_tc_per_1e4nm3": calculation.find("fuel_carbon_tc_per_1e4nm3").value,
        "oxidation_percent": calculation.find("oxidation_percent").value,
        "co2_calculated_t": calculation.value,
    }
    if energy > 0:
        figures["co2_intensity_t_per_mwh"] = calculation.value / energy
    masses = [hour.co2_t for hour in hours]
    if None not in masses:
        figures["co2_cems_t"] = sum((mass for mass in masses if mass is not None), Decimal(0))
    if operating:
        valid = sum(hour.valid_half_ms for hour in hours)
        figures["coverage_percent"] = ratio(100 * valid, operating, 2)
    return tuple(_parameter(name, value) for name, value in figures.items())


def _parameter(name: str, value: Decimal) -> Parameter:
    entry = field(name)
    return Parameter(name, rounded(value, entry.decimals or 0), entry.unit)


def _checked_values(
    inputs: MonthInputs,
    hours: Sequence[Hour],
    counters: Sequence[CounterMonth],
    slots: Slots,
    pack: Pack,
    transitions: int,
) -> dict[str, Decimal]:
    """What the rules compare beside the reported figures."""
    power, interval_ms = inputs.role(Role.POWER)
    energy = metered_and_integrated(counters[0].mended.lifted(), power, interval_ms)
    unseen = inputs.unit.rated_capacity_mw * transitions * interval_ms / (2 * HOUR_MS)
    standing = [hour.generation_mwh for hour in hours if not hour.operating_half_ms]
    in_force, month = pack.valid_from, inputs.month
    return {
        "hours_of_month": Decimal(month.hours),
        "counter_decreases": Decimal(sum(len(item.decreases_ms) for item in counters)),
        "slots_unexplained": Decimal(sum(slots.unexplained.values())),
        "metered_with_power_mwh": energy.metered_mwh,
        "power_integral_mwh": energy.integrated_mwh,
        "transition_energy_mwh": rounded(unseen, 3),
        "generation_standing_mwh": sum((mwh for mwh in standing if mwh is not None), Decimal(0)),
        "months_since_standard": Decimal(
            12 * (month.year - in_force.year) + month.month - in_force.month
        ),
    }


def _findings(
    inputs: MonthInputs, hours: Sequence[Hour], counters: Sequence[CounterMonth], slots: Slots
) -> tuple[Finding, ...]:
    return (
        *(finding for counter in counters for finding in findings.of_counter(counter, inputs.zone)),
        *findings.of_hours(hours),
        *findings.of_slots(slots),
        *findings.of_gaps(inputs.gaps, inputs.zone),
        *findings.of_quality(inputs.series),
    )
