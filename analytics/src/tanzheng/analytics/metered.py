"""What the signed readings of a month say of a unit, whatever it burns."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tanzheng.analytics import findings, running
from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import ratio, rounded
from tanzheng.analytics.counters import CounterMonth
from tanzheng.analytics.crosscheck import metered_and_integrated
from tanzheng.analytics.findings import Finding, Slots
from tanzheng.analytics.hours import HALF_MS_PER_HOUR, Hour
from tanzheng.analytics.inputs import MonthInputs
from tanzheng.analytics.substitution import LookBack
from tanzheng.analytics.unit_hours import month_hours
from tanzheng.core.calendar import HOUR_MS
from tanzheng.core.manifest import Absent, Reason
from tanzheng.core.plant import Role

CEMS_FIGURES = ("co2_cems_t", "coverage_percent")


@dataclass(frozen=True, slots=True)
class MeteredMonth:
    """Hours, counters and slots of a month; `counters` in the order of `MonthInputs.counters`."""

    inputs: MonthInputs
    hours: tuple[Hour, ...]
    counters: tuple[CounterMonth, ...]
    slots: Slots

    @classmethod
    def of(cls, inputs: MonthInputs, pack: Pack, look_back: LookBack) -> "MeteredMonth":
        """The month of `inputs`; raises as `month.compute`."""
        hours = month_hours(inputs, pack, look_back)
        counters = tuple(inputs.counter(role) for role in inputs.counters)
        return cls(inputs, hours, counters, inputs.slots())

    @property
    def generation_mwh(self) -> Decimal:
        """What the electricity meter gained, as it is reported."""
        return rounded(self.counters[0].total.scaleb(-3), 3)

    @property
    def operating_hours_h(self) -> Decimal:
        """Time with run state 1, as it is reported."""
        return ratio(self._operating_half_ms, HALF_MS_PER_HOUR, 2)

    @property
    def _operating_half_ms(self) -> int:
        return sum(hour.operating_half_ms for hour in self.hours)

    def cems(self) -> dict[str, Decimal]:
        """CO2 by CEMS, and the share of operating time with valid data; left out if not formed."""
        if not self.inputs.cems_roles:
            return {}
        figures, operating = {}, self._operating_half_ms
        masses = [hour.co2_t for hour in self.hours]
        if None not in masses:
            figures["co2_cems_t"] = sum((mass for mass in masses if mass is not None), Decimal(0))
        if operating:
            valid = sum(hour.valid_half_ms for hour in self.hours)
            figures["coverage_percent"] = ratio(100 * valid, operating, 2)
        return figures

    @property
    def absent(self) -> tuple[Absent, ...]:
        """The figures that the unit cannot have."""
        if self.inputs.cems_roles:
            return ()
        return tuple(Absent(name, Reason.NO_CEMS) for name in CEMS_FIGURES)

    def checked(self, pack: Pack) -> dict[str, Decimal]:
        """What the rules compare beside the reported figures."""
        inputs, in_force = self.inputs, pack.valid_from
        power, interval_ms = inputs.role(Role.POWER)
        energy = metered_and_integrated(self.counters[0].mended.lifted(), power, interval_ms)
        transitions = running.transitions(inputs.run_samples())
        slowest_ms = max(interval_ms, inputs.run_state()[1])
        unseen = inputs.unit.rated_capacity_mw * transitions * slowest_ms / (2 * HOUR_MS)
        standing = [hour.generation_mwh for hour in self.hours if not hour.operating_half_ms]
        decreases = sum(len(counter.decreases_ms) for counter in self.counters)
        return {
            "hours_of_month": Decimal(inputs.month.hours),
            "counter_decreases": Decimal(decreases),
            "slots_unexplained": Decimal(sum(self.slots.unexplained.values())),
            "metered_with_power_mwh": energy.metered_mwh,
            "power_integral_mwh": energy.integrated_mwh,
            "transition_energy_mwh": rounded(unseen, 3),
            "generation_standing_mwh": _sum(standing),
            "months_since_standard": Decimal(
                12 * (inputs.month.year - in_force.year) + inputs.month.month - in_force.month
            ),
        }

    def findings(self) -> tuple[Finding, ...]:
        """What a person should know of the readings."""
        zone = self.inputs.zone
        return (
            *(found for counter in self.counters for found in findings.of_counter(counter, zone)),
            *findings.of_unit(self.inputs.unit, has_cems=bool(self.inputs.cems_roles)),
            *findings.of_hours(self.hours),
            *findings.of_slots(self.slots),
            *findings.of_gaps(self.inputs.gaps, zone),
            *findings.of_quality(self.inputs.series),
        )


def _sum(values: Sequence[Decimal | None]) -> Decimal:
    return sum((value for value in values if value is not None), Decimal(0))
