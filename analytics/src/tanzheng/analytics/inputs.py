"""What a month is computed from: the unit's points by role, with their readings of the month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tanzheng.analytics import cems
from tanzheng.analytics.counters import CounterMonth, counter_month
from tanzheng.analytics.errors import RoleMissing
from tanzheng.analytics.findings import Slots, count_slots
from tanzheng.analytics.running import run_samples
from tanzheng.analytics.series import EMPTY, PointGap, Series
from tanzheng.analytics.steps import CounterStep, in_order, on_grid
from tanzheng.core.calendar import Month, PlantZone
from tanzheng.core.errors import BadInput
from tanzheng.core.plant import Plant, Point, Role, Unit

GAS, COAL = "gas", "coal"
REQUIRED = {
    GAS: (Role.GENERATION, Role.POWER, Role.FUEL_GAS, *cems.INPUTS),
    COAL: (Role.GENERATION, Role.POWER),
}
COUNTERS = {GAS: (Role.GENERATION, Role.FUEL_GAS), COAL: (Role.GENERATION,)}
"""Roles by kind of unit; generation is the first counter of each."""
GAS_ROLES = frozenset({Role.FUEL_GAS, Role.FUEL_GAS_FLOW})
CEMS_ROLES = frozenset({*cems.INPUTS, Role.CEMS_O2})


@dataclass(frozen=True, slots=True)
class MonthInputs:
    """The month [start_ms, end_ms) of one unit, closing slot at `end_ms` included.

    `series` and `intervals_ms` have an entry for each point of the unit's devices, an empty series
    where nothing was read. Readings stand at the instants of their slots (`Series.on_grid`).
    """

    unit: Unit
    zone: PlantZone
    month: Month
    start_ms: int
    end_ms: int
    points: Mapping[Role, Point]
    intervals_ms: Mapping[str, int]
    series: Mapping[str, Series]
    gaps: tuple[PointGap, ...]
    steps: tuple[CounterStep, ...] = ()

    @classmethod
    def of(
        cls,
        plant: Plant,
        unit_id: str,
        month: Month,
        series: Mapping[str, Series],
        gaps: Sequence[PointGap],
        steps: Sequence[CounterStep] = (),
    ) -> "MonthInputs":
        """Take from `series`, `gaps` and `steps` what belongs to the unit and month."""
        unit, points = plant.unit(unit_id), plant.roles(unit_id)
        _check_roles(unit, points)
        start_ms, end_ms = month.bounds_ms(plant.zone)
        intervals_ms = {
            point.name: plant.interval_ms(device, point)
            for device in plant.devices
            if device.unit == unit_id
            for point in device.points
        }
        return cls(
            unit,
            plant.zone,
            month,
            start_ms,
            end_ms,
            points,
            intervals_ms,
            {
                name: series.get(name, EMPTY).on_grid(step_ms, start_ms).between(start_ms, end_ms)
                for name, step_ms in intervals_ms.items()
            },
            tuple(
                sorted(
                    gap
                    for gap in gaps
                    if gap.point in intervals_ms and gap.touches(start_ms, end_ms)
                )
            ),
            _slotted(steps, intervals_ms, start_ms),
        )

    @property
    def counters(self) -> tuple[Role, ...]:
        """The roles that counters fill; generation is the first."""
        return COUNTERS[self.unit.kind]

    @property
    def cems_roles(self) -> tuple[Role, ...]:
        """The roles that CO2 by CEMS is computed from; none where the unit has no CEMS."""
        return cems.INPUTS if Role.CEMS_CO2 in self.points else ()

    @property
    def run_name(self) -> str:
        """The point that tells whether the unit runs: its run state, or the filed gauge."""
        operating = self.unit.operating
        return self.points[Role.RUN_STATE].name if operating is None else operating.point

    def run_state(self) -> tuple[Series, int]:
        """The run state, 1 or 0, and its interval in milliseconds; of a filed gauge it is 1 while
        the gauge reads more than what is filed."""
        series, operating = self.series[self.run_name], self.unit.operating
        if operating is not None:
            runs = (series.value > float(operating.above)).astype(np.float64)
            series = Series(series.t_ms, runs, series.quality)
        return series, self.intervals_ms[self.run_name]

    def role(self, role: Role) -> tuple[Series, int]:
        """The readings of the point that fills `role`, and its interval in milliseconds."""
        name = self.points[role].name
        return self.series[name], self.intervals_ms[name]

    def run_samples(self) -> Series:
        """The valid samples of the run state; `NothingRecorded` where there is none."""
        return run_samples(self.run_state()[0], self.start_ms, self.end_ms)

    def counter(self, role: Role) -> CounterMonth:
        """The counter that fills `role` over the month, mended by its ledger."""
        name = self.points[role].name
        steps = [step for step in self.steps if step.point == name]
        return counter_month(name, self.series[name], self.start_ms, self.end_ms, steps)

    def slots(self) -> Slots:
        """Every slot of every point accounted for."""
        return count_slots(self.series, self.gaps, self.intervals_ms, self.start_ms, self.end_ms)


def _check_roles(unit: Unit, points: Mapping[Role, Point]) -> None:
    """A unit of a known kind with all points that its month needs, and no fuel left out.

    A coal unit has the whole of a CEMS or none: one without a CO2 analyser gives no CO2.
    """
    if unit.kind not in REQUIRED:
        raise BadInput(
            f"unit {unit.id}: expected kind {' or '.join(map(repr, REQUIRED))}, got {unit.kind!r}"
        )
    wanted = (*REQUIRED[unit.kind], *(cems.INPUTS if CEMS_ROLES & points.keys() else ()))
    absent = [str(role) for role in dict.fromkeys(wanted) if role not in points]
    if unit.operating is None and Role.RUN_STATE not in points:
        absent.append(f"{Role.RUN_STATE} (or a filed gauge, [unit.operating])")
    if absent:
        raise RoleMissing(
            f"unit {unit.id}: expected a point for each role, got none for {', '.join(absent)}"
        )
    if unit.kind == COAL and (gas := sorted(GAS_ROLES & points.keys())):
        raise BadInput(
            f"unit {unit.id}: expected the fuel of a coal unit in its books alone, got a point "
            f"for {', '.join(gas)}: both fuels together are not computed · 燃煤机组不得设天然气测点"
        )


def _slotted(
    steps: Sequence[CounterStep], intervals_ms: Mapping[str, int], start_ms: int
) -> tuple[CounterStep, ...]:
    """The steps of these points at the instants of their slots."""
    return tuple(
        on_grid(step, intervals_ms[step.point], start_ms)
        for step in in_order(steps)
        if step.point in intervals_ms
    )
