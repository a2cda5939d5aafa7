"""Values for hours without valid data: the table of HJ 75-2017, and what stands in where it ends.

Source: standards.md g (table S1, agreement with the official text M 92 %). The capture rate is
that of the quarter to date, by whole hours:

    α = (hours − standing − invalid) ÷ (hours − standing) · 100

| capture α | bad hours N in a row | invalid or missing | out of control |
|---|---|---|---|
| ≥ 90 % | ≤ 24 | the last 180 valid hours before the failure | … before the last calibration |
| ≥ 90 % | > 24 | 720 | 720 |
| 75 to 90 % | any | 2160 | 2160 |
| < 75 % | | no automatic value: manual measurement, else the filed default, else missing | |

An hour that the unit stood in neither counts in N nor ends the failure: only a valid hour does (P).
Where no valid hour lies before the failure, the first ones after it serve, and the hour says so.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.accounting.rounding import ratio
from tanzheng.core.calendar import HOUR_MS, Month, PlantZone
from tanzheng.core.errors import BadInput


class Row(StrEnum):
    """Which row of the table an hour's value comes from, or what stands behind the table."""

    INVALID_180 = "invalid_180"
    INVALID_720 = "invalid_720"
    INVALID_2160 = "invalid_2160"
    OUT_OF_CONTROL_180 = "out_of_control_180"
    OUT_OF_CONTROL_720 = "out_of_control_720"
    OUT_OF_CONTROL_2160 = "out_of_control_2160"
    MANUAL = "manual"
    DEFAULT = "default"


class Toward(StrEnum):
    """The conservative direction: an emission is never lowered, an allowance never raised."""

    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class Table:
    """The table's constants, from a standard pack."""

    capture_high_percent: Decimal
    capture_low_percent: Decimal
    short_hours: int
    hours_short: int
    hours_long: int
    hours_low: int
    manual_apart_ms: int

    @classmethod
    def of(cls, pack: Pack) -> "Table":
        """The constants of `pack`; `PackInvalid` where one lacks."""

        def whole(name: str) -> int:
            return int(pack.constant(name).value)

        return cls(
            capture_high_percent=pack.constant("cems.capture_high_percent").value,
            capture_low_percent=pack.constant("cems.capture_low_percent").value,
            short_hours=whole("cems.substitute_gap_hours"),
            hours_short=whole("cems.substitute_hours"),
            hours_long=whole("cems.substitute_hours_long_gap"),
            hours_low=whole("cems.substitute_hours_low_capture"),
            manual_apart_ms=whole("cems.manual_apart_hours") * HOUR_MS,
        )


@dataclass(frozen=True, slots=True)
class State:
    """An hour as the table sees it: standing, valid with a rate, or bad (operating, no rate)."""

    start_ms: int
    operating: bool
    rate: Decimal | None

    @property
    def bad(self) -> bool:
        """Operating without a valid rate."""
        return self.operating and self.rate is None


@dataclass(frozen=True, slots=True)
class OutOfControl:
    """[from_ms, to_ms) in which a CEMS failed its check, and its last valid calibration before."""

    from_ms: int
    to_ms: int
    calibrated_ms: int


@dataclass(frozen=True, slots=True)
class ManualReading:
    """A manual measurement of the rate at an instant."""

    t_ms: int
    rate: Decimal


@dataclass(frozen=True, slots=True)
class LookBack:
    """What is declared beside a period's own readings.

    `before`: the hours up to the period's first, in order; without them the look-back and the
    capture rate are limited to the period itself, and each substituted hour says how many valid
    hours it found. `default_rate`: the filed conservative rate.
    """

    before: tuple[State, ...] = ()
    out_of_control: tuple[OutOfControl, ...] = ()
    manual: tuple[ManualReading, ...] = ()
    default_rate: Decimal | None = None
    toward: Toward = Toward.MAX

    def out_of_control_at(self, start_ms: int) -> OutOfControl | None:
        """The first declared period that reaches into the clock hour."""
        for period in self.out_of_control:
            if period.from_ms < start_ms + HOUR_MS and period.to_ms > start_ms:
                return period
        return None


MONTH_ALONE = LookBack()
"""Nothing is declared: a period is filled from its own hours."""


@dataclass(frozen=True, slots=True)
class Substitution:
    """Where a substituted rate comes from. `hours_found` of the `hours_wanted` valid hours were
    there; `after` is True where they lie behind the failure for want of earlier ones."""

    row: Row
    rate: Decimal
    capture_percent: Decimal
    gap_hours: int
    hours_wanted: int = 0
    hours_found: int = 0
    after: bool = False

    def to_json(self) -> dict[str, object]:
        """As maps and text; decimals are strings."""
        return {
            "row": str(self.row),
            "capture_percent": str(self.capture_percent),
            "gap_hours": self.gap_hours,
            "hours_wanted": self.hours_wanted,
            "hours_found": self.hours_found,
            "taken": "after" if self.after else "before",
        }


def quarter_start_ms(month: Month, zone: PlantZone) -> int:
    """Where the quarter of `month` begins."""
    return Month(month.year, month.month - (month.month - 1) % 3).bounds_ms(zone)[0]


class Substitutes:
    """The substitutes of one period: its hours and those before, seen once.

    `quarter_ms` is where the period's quarter begins. `BadInput` where hours are not in order.
    """

    def __init__(
        self, states: Sequence[State], quarter_ms: int, table: Table, look_back: LookBack
    ) -> None:
        self._table, self._look_back = table, look_back
        self._own = states
        every = [*look_back.before, *states]
        for first, second in pairwise(every):
            if first.start_ms >= second.start_ms:
                raise BadInput(
                    f"hours to look back at: expected each once, in order, got "
                    f"{second.start_ms} behind {first.start_ms}"
                )
        quarter = [state for state in every if state.start_ms >= quarter_ms and state.operating]
        self._operating = len(quarter)
        self._captured = sum(not state.bad for state in quarter)
        valid = [(state.start_ms, state.rate) for state in every if state.rate is not None]
        self._valid_ms = [start_ms for start_ms, _ in valid]
        self._rates = [rate for _, rate in valid]
        self._gaps = _gap_lengths(every)

    @property
    def capture_percent(self) -> Decimal:
        """The quarter's capture rate to date, two decimals; 100 where the unit never ran."""
        if not self._operating:
            return Decimal("100.00")
        return ratio(100 * self._captured, self._operating, 2)

    def of(self, state: State) -> Substitution | None:
        """What stands in for a bad hour of the period; None where nothing may."""
        window = self._window(state)
        gap = self._gaps[state.start_ms]
        if window is not None and (rates := self._rates[window.first : window.last]):
            return Substitution(
                window.row,
                self._worst(rates),
                self.capture_percent,
                gap,
                window.wanted,
                len(rates),
                window.after,
            )
        return self._declared(state, gap)

    def dependents(self, changed: Collection[int]) -> set[int]:
        """The bad hours of the period whose look-back holds one of the `changed` valid hours."""
        found = set()
        for state in self._own:
            if state.bad and (window := self._window(state)) is not None:
                seen = self._valid_ms[window.first : window.last]
                if any(start_ms in changed for start_ms in seen):
                    found.add(state.start_ms)
        return found

    def _window(self, state: State) -> "_Window | None":
        """Which valid hours the table looks at; None below the lower capture rate."""
        table = self._table
        share = 100 * self._captured
        if share < table.capture_low_percent * self._operating:
            return None
        period = self._look_back.out_of_control_at(state.start_ms)
        rows = _ROWS[period is not None]
        if share < table.capture_high_percent * self._operating:
            row, wanted = rows[2], table.hours_low
        elif self._gaps[state.start_ms] > table.short_hours:
            row, wanted = rows[1], table.hours_long
        else:
            row, wanted = rows[0], table.hours_short
        until_ms = state.start_ms if period is None else period.calibrated_ms
        if last := bisect_right(self._valid_ms, until_ms - HOUR_MS):
            return _Window(row, wanted, max(0, last - wanted), last, after=False)
        # Hours between the calibration and the failed check are in doubt: not these.
        first = bisect_left(self._valid_ms, state.start_ms if period is None else period.to_ms)
        return _Window(row, wanted, first, first + wanted, after=True)

    def _declared(self, state: State, gap: int) -> Substitution | None:
        rate, row = self._manual(state.start_ms), Row.MANUAL
        if rate is None:
            rate, row = self._look_back.default_rate, Row.DEFAULT
        return None if rate is None else Substitution(row, rate, self.capture_percent, gap)

    def _manual(self, start_ms: int) -> Decimal | None:
        """The worse of the two measurements around an hour, where they are near enough (M 75 %)."""
        readings = sorted(self._look_back.manual, key=lambda reading: reading.t_ms)
        for first, second in pairwise(readings):
            near = second.t_ms - first.t_ms <= self._table.manual_apart_ms
            if near and first.t_ms <= start_ms and start_ms + HOUR_MS <= second.t_ms:
                return self._worst([first.rate, second.rate])
        return None

    def _worst(self, rates: Sequence[Decimal]) -> Decimal:
        return max(rates) if self._look_back.toward is Toward.MAX else min(rates)


@dataclass(frozen=True, slots=True)
class _Window:
    row: Row
    wanted: int
    first: int
    last: int
    after: bool


_ROWS = {
    False: (Row.INVALID_180, Row.INVALID_720, Row.INVALID_2160),
    True: (Row.OUT_OF_CONTROL_180, Row.OUT_OF_CONTROL_720, Row.OUT_OF_CONTROL_2160),
}


def _gap_lengths(states: Sequence[State]) -> dict[int, int]:
    """For each bad hour, how many bad hours its failure has."""
    lengths: dict[int, int] = {}
    failure: list[int] = []
    for state in [*states, None]:
        if state is not None and state.bad:
            failure.append(state.start_ms)
        elif state is None or state.operating:
            lengths |= dict.fromkeys(failure, len(failure))
            failure = []
    return lengths
