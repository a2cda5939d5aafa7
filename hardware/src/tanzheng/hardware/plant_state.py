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
from itertools import accumulate

from tanzheng.core.calendar import HOUR_MS, PlantZone
from tanzheng.hardware.epa import Hour, MonthOfHours
from tanzheng.hardware.physics import (
    Constants,
    co2_tonnes,
    constants,
    energy_kwh,
    gas_nm3,
    stack_channels,
    standing_channels,
)


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of running: [`start_ms`, `stop_ms`) with what flows in it and is shown during it."""

    start_ms: int
    stop_ms: int
    kwh: Fraction
    nm3: Fraction
    shown: Mapping[str, Fraction]


class PlantState:
    """The month of `replay`, from `start_ms` to `end_ms`, of a unit of `rated_mw`."""

    def __init__(self, replay: MonthOfHours, zone: PlantZone, rated_mw: Decimal) -> None:
        self.start_ms, self.end_ms = replay.month.bounds_ms(zone)
        self._constants = constants()
        self._standing = {**standing_channels(self._constants), **_rates(Fraction(0), Fraction(0))}
        self.runs = tuple(self._runs(replay, Fraction(rated_mw)))
        self._starts = [run.start_ms for run in self.runs]
        self._kwh = list(accumulate((run.kwh for run in self.runs), initial=Fraction(0)))
        self._nm3 = list(accumulate((run.nm3 for run in self.runs), initial=Fraction(0)))

    @property
    def total_kwh(self) -> Fraction:
        """Electricity of the month."""
        return self._kwh[-1]

    @property
    def total_nm3(self) -> Fraction:
        """Fuel gas of the month."""
        return self._nm3[-1]

    def values(self, t_ms: int, turns: int = 0) -> dict[str, Fraction]:
        """Every reading field at `t_ms` of [start, end], in the dictionary's units.

        At the month's end the state is the limit from the left: no hour follows in the replay.
        `turns` is how often the month was replayed before, for the counters of a live plant.
        """
        index = bisect_right(self._starts, t_ms if t_ms < self.end_ms else self.end_ms - 1) - 1
        if index < 0:
            return self._shown(self._standing, 0, Fraction(0), turns, running=False)
        run = self.runs[index]
        done = Fraction(min(t_ms, run.stop_ms) - run.start_ms, run.stop_ms - run.start_ms)
        running = t_ms < run.stop_ms or t_ms == self.end_ms == run.stop_ms
        return self._shown(run.shown if running else self._standing, index, done, turns, running)

    def _shown(
        self, shown: Mapping[str, Fraction], index: int, done: Fraction, turns: int, running: bool
    ) -> dict[str, Fraction]:
        kwh, nm3 = self._constants.meter_start_kwh, self._constants.gas_meter_start_nm3
        if self.runs:
            kwh += self._kwh[index] + self.runs[index].kwh * done + turns * self.total_kwh
            nm3 += self._nm3[index] + self.runs[index].nm3 * done + turns * self.total_nm3
        return {
            **shown,
            "run_state": Fraction(running),
            "active_energy_export_kwh": kwh,
            "gas_volume_nm3": nm3,
        }

    def _runs(self, replay: MonthOfHours, rated_mw: Fraction) -> Iterable[Run]:
        standing = stands_after(replay.op_time_before)
        for number, hour in enumerate(replay.hours):
            begin = self.start_ms + number * HOUR_MS
            if hour.op_time == 0:
                standing = True
                continue
            length = max(1, round(Fraction(hour.op_time) * HOUR_MS))
            start = begin + HOUR_MS - length if standing else begin
            standing = start + length < begin + HOUR_MS
            yield _run(hour, start, start + length, rated_mw, self._constants)


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


def _run(hour: Hour, start_ms: int, stop_ms: int, rated_mw: Fraction, c: Constants) -> Run:
    """One hour's piece; rates are the hour's totals over the time in which it ran."""
    kwh, nm3 = energy_kwh(hour), gas_nm3(hour, c)
    hours = Fraction(stop_ms - start_ms, HOUR_MS)
    load = min(Fraction(1), Fraction(hour.load_mw) / rated_mw)
    shown = {**stack_channels(co2_tonnes(hour, c) / hours, load, c),
             **_rates(kwh / hours, nm3 / hours)}
    return Run(start_ms, stop_ms, kwh, nm3, shown)


def _rates(kw: Fraction, nm3_per_h: Fraction) -> dict[str, Fraction]:
    return {"active_power_kw": kw, "gas_flow_nm3_per_h": nm3_per_h}
