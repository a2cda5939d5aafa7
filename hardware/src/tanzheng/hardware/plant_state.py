"""The state of a replayed unit at any instant of its month. Pure and exact.

Counters are fractions, so that a month's end shows exactly the month's totals. Within an hour the
unit runs in one piece at a constant rate: all of it, or the end of the hour if the unit stood when
the hour began, else its beginning. Running time is half-open: [start, stop).
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tanzheng.core.calendar import HOUR_MS, PlantZone
from tanzheng.hardware.epa import Hour, MonthOfHours
from tanzheng.hardware.physics import (
    co2_tonnes,
    constants,
    energy_kwh,
    gas_nm3,
    stack_channels,
    standing_channels,
)


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of running: [`start_ms`, `stop_ms`) with what flows in it and is shown during it.

    `kwh_before` and `nm3_before` is what the counters show when it begins.
    """

    start_ms: int
    stop_ms: int
    kwh_before: Fraction
    nm3_before: Fraction
    kwh: Fraction
    nm3: Fraction
    shown: Mapping[str, Fraction]


class PlantState:
    """The month of `replay`, from `start_ms` to `end_ms`, of a unit of `rated_mw`."""

    def __init__(self, replay: MonthOfHours, zone: PlantZone, rated_mw: Decimal) -> None:
        self.start_ms, self.end_ms = replay.month.bounds_ms(zone)
        self._constants = constants()
        self._standing = {
            **standing_channels(self._constants),
            "active_power_kw": Fraction(0),
            "gas_flow_nm3_per_h": Fraction(0),
            "run_state": Fraction(0),
        }
        self.runs = tuple(self._runs(replay, Fraction(rated_mw)))
        self._starts = [run.start_ms for run in self.runs]

    @property
    def total_kwh(self) -> Fraction:
        """Electricity of the month."""
        return sum((run.kwh for run in self.runs), Fraction(0))

    @property
    def total_nm3(self) -> Fraction:
        """Fuel gas of the month."""
        return sum((run.nm3 for run in self.runs), Fraction(0))

    def values(self, t_ms: int, turns: int = 0) -> dict[str, Fraction]:
        """Every reading field at `t_ms` of [start, end], in the dictionary's units.

        At the month's end the state is the limit from the left: no hour follows in the replay.
        `turns` is how often the month was replayed before, for the counters of a live plant.
        """
        index = bisect_right(self._starts, t_ms if t_ms < self.end_ms else self.end_ms - 1) - 1
        if index < 0:
            c = self._constants
            return self._shown(self._standing, c.meter_start_kwh, c.gas_meter_start_nm3, turns)
        run = self.runs[index]
        if t_ms < run.stop_ms or t_ms == self.end_ms == run.stop_ms:
            done = Fraction(t_ms - run.start_ms, run.stop_ms - run.start_ms)
            kwh, nm3 = run.kwh_before + run.kwh * done, run.nm3_before + run.nm3 * done
            return self._shown(run.shown, kwh, nm3, turns)
        kwh, nm3 = run.kwh_before + run.kwh, run.nm3_before + run.nm3
        return self._shown(self._standing, kwh, nm3, turns)

    def _shown(
        self, shown: Mapping[str, Fraction], kwh: Fraction, nm3: Fraction, turns: int
    ) -> dict[str, Fraction]:
        if turns:
            kwh, nm3 = kwh + turns * self.total_kwh, nm3 + turns * self.total_nm3
        return {**shown, "active_energy_export_kwh": kwh, "gas_volume_nm3": nm3}

    def _runs(self, replay: MonthOfHours, rated_mw: Fraction) -> Iterable[Run]:
        standing = stands_after(replay.op_time_before)
        kwh, nm3 = self._constants.meter_start_kwh, self._constants.gas_meter_start_nm3
        for number, hour in enumerate(replay.hours):
            begin = self.start_ms + number * HOUR_MS
            if hour.op_time == 0:
                standing = True
                continue
            length = max(1, round(Fraction(hour.op_time) * HOUR_MS))
            start = begin + HOUR_MS - length if standing else begin
            standing = start + length < begin + HOUR_MS
            run = self._run(hour, (start, start + length), (kwh, nm3), rated_mw)
            kwh, nm3 = kwh + run.kwh, nm3 + run.nm3
            yield run

    def _run(
        self,
        hour: Hour,
        when: tuple[int, int],
        before: tuple[Fraction, Fraction],
        rated_mw: Fraction,
    ) -> Run:
        """One hour's piece; rates are the hour's totals over the time in which it ran."""
        c = self._constants
        kwh, nm3 = energy_kwh(hour), gas_nm3(hour, c)
        hours = Fraction(when[1] - when[0], HOUR_MS)
        load = min(Fraction(1), Fraction(hour.load_mw) / rated_mw)
        shown = {
            **stack_channels(co2_tonnes(hour, c) / hours, load, c),
            "active_power_kw": kwh / hours,
            "gas_flow_nm3_per_h": nm3 / hours,
            "run_state": Fraction(1),
        }
        return Run(*when, *before, kwh, nm3, shown)


def stands_after(op_times: Sequence[Decimal]) -> bool:
    """Whether the unit stands at the end of these consecutive hours.

    Before the first of them it is taken to stand.
    """
    standing = True
    for op_time in op_times:
        # An hour that begins standing and runs in part ends running; one that begins running
        # and runs in part ends standing.
        standing = op_time == 0 or (op_time < 1 and not standing)
    return standing
