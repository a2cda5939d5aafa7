"""Hours of one unit and month from an hourly file.

Semantics (40 CFR 75; checked against all partial hours of Idaho 2018): the load is a *rate*, the
mean MW of the operating part of the hour; CO2 mass and heat input are *totals* of the hour.
OP_HOUR is hour-beginning in standard time. An hour that the file lacks is one in which the unit
stood; that is counted in a notice, not hidden.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final

from tanzheng.core.calendar import Month
from tanzheng.hardware.epa.columns import (
    CO2,
    DATE,
    FACILITY,
    HEAT,
    HOUR,
    LOAD,
    NAME,
    OP_TIME,
    UNIT,
    Columns,
)
from tanzheng.hardware.epa.errors import (
    BadCell,
    DuplicatedHour,
    MonthNotFound,
    UnitNotFound,
    UnreadableFile,
)
from tanzheng.hardware.epa.table import rows

ZERO: Final = Decimal(0)
_NUMBER: Final = re.compile(r"\+?(\d{1,12}(\.\d{0,12})?|\.\d{1,12})([eE][+-]?\d)?", re.ASCII)
_LIMIT: Final = Decimal(1_000_000)  # MW, short tons, mmBtu of one hour: far above any unit
_DATE: Final = re.compile(
    r"(?P<m>\d\d)-(?P<d>\d\d)-(?P<y>\d{4})|(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)", re.ASCII
)
_HOUR: Final = re.compile(r"[01]?\d|2[0-3]", re.ASCII)
_UNITS_MAX: Final = 20_000  # all units that ever reported under Part 75 are fewer


@dataclass(frozen=True, slots=True)
class Hour:
    """One clock hour: `op_time` h of operation (0 to 1), `load_mw` while operating (a rate),
    `co2_short_tons` and `heat_mmbtu` of the whole hour (totals)."""

    op_time: Decimal = ZERO
    load_mw: Decimal = ZERO
    co2_short_tons: Decimal = ZERO
    heat_mmbtu: Decimal = ZERO


STANDING: Final = Hour()
JANUARY_2000: Final = Month(2000, 1)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something in the file that a user should know, with the number of hours it concerns."""

    hours: int
    text: str

    def __str__(self) -> str:
        return f"{self.hours} h: {self.text}"


@dataclass(frozen=True, slots=True)
class FileContents:
    """What a file holds: unit `ORIS/ID` → its months, sorted."""

    months: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class MonthOfHours:
    """The hours of a unit's month, in order, one for every clock hour of the month.

    `op_time_before` are the operating times of the hours just before the month, the latest last,
    as far as the file has them without a hole.
    """

    facility: str
    unit: str
    name: str
    month: Month
    hours: tuple[Hour, ...]
    op_time_before: tuple[Decimal, ...]
    notices: tuple[Notice, ...]


def read_contents(path: Path) -> FileContents:
    """Units and months of the file, in one pass. Rows without a usable unit or date are passed
    over here: `read_month` names them where they belong to the unit asked for."""
    found: dict[str, set[str]] = {}
    for columns, _, cells in rows(path):
        if len(cells) <= max(columns.index.values()):
            continue
        unit = _unit_key(columns, cells)
        months = found.setdefault(unit, set())
        day = _date(cells[columns.index[DATE]])
        if day is not None:
            months.add(f"{day.year:04d}-{day.month:02d}")
        if len(found) > _UNITS_MAX:
            raise UnitNotFound(path, None, [f"more than {_UNITS_MAX}, is this an hourly file?"])
    return FileContents({unit: tuple(sorted(months)) for unit, months in sorted(found.items())})


def read_month(path: Path, unit: str | None = None, month: Month | None = None) -> MonthOfHours:
    """The hours to replay. `unit` (`ORIS/ID`) and `month` may be left out where the file has one.

    Only the rows of that unit need be clean, and of those only the month asked for and, for the
    state in which the month begins, the operating times of the month before.
    Raises `UnitNotFound`, `MonthNotFound`, `BadCell`, `DuplicatedHour`, `MissingColumn`,
    `UnreadableFile`.
    """
    if unit is None or month is None:
        unit, month = _choose(path, unit, month)
    reading = _Reading(path, month)
    for columns, line, cells in rows(path):
        if _belongs(columns, cells, unit):
            reading.row(columns, line, cells)
    if not reading.found:
        _choose(path, unit, month)
    return reading.result(unit)


def _choose(path: Path, unit: str | None, month: Month | None) -> tuple[str, Month]:
    """The only unit and month there is, or an error that lists what the file has."""
    contents = read_contents(path)
    unit = _choose_unit(path, unit, contents)
    return unit, _choose_month(path, unit, month, contents.months[unit])


def _choose_unit(path: Path, unit: str | None, contents: FileContents) -> str:
    units = tuple(contents.months)
    if not units:
        raise UnreadableFile(f"expected hours after the header, got none, at {path}")
    if unit is None and len(units) == 1:
        return units[0]
    if unit is None or unit not in contents.months:
        raise UnitNotFound(path, unit, units)
    return unit


def _choose_month(path: Path, unit: str, month: Month | None, months: tuple[str, ...]) -> Month:
    if not months:
        return month or JANUARY_2000  # no row of the unit has a date: reading names the first one
    if month is None and len(months) == 1:
        return Month.parse(months[0])
    if month is None or str(month) not in months:
        raise MonthNotFound(path, unit, None if month is None else str(month), months)
    return month


def _unit_key(columns: Columns, cells: list[str]) -> str:
    index = columns.index
    return f"{cells[index[FACILITY]].strip()}/{cells[index[UNIT]].strip()}"


def _belongs(columns: Columns, cells: list[str], unit: str) -> bool:
    index = columns.index
    return len(cells) > max(index[FACILITY], index[UNIT]) and _unit_key(columns, cells) == unit


class _Reading:
    """Collects the rows of one unit."""

    def __init__(self, path: Path, month: Month) -> None:
        self._path = path
        self._month = month
        self._before = _month_before(month)
        self._hours: dict[int, Hour] = {}
        self._lines: dict[int, int] = {}
        self._op_time_before: dict[int, Decimal] = {}
        self._name = ""
        self._counts: dict[str, int] = {}

    def row(self, columns: Columns, line: int, cells: list[str]) -> None:
        """Take one row of the unit."""
        if len(cells) != columns.width:
            raise BadCell(
                self._path,
                line,
                columns.spelling[UNIT],
                f"a row of {columns.width} cells",
                f"{len(cells)} cells",
            )
        row = _Row(self._path, line, columns, cells)
        day, hour = row.date(), row.hour()
        month = Month(day.year, day.month)
        at = (day.day - 1) * 24 + hour
        if month == self._before:
            self._op_time_before[at] = row.op_time()
        elif month == self._month:
            if at in self._lines:
                raise DuplicatedHour(
                    f"expected each hour once, got {day} {hour:02d}:00 on lines "
                    f"{self._lines[at]} and {line}, at {self._path}"
                )
            self._lines[at] = line
            self._hours[at] = self._hour(row)
            self._name = row.text(NAME)

    def _hour(self, row: "_Row") -> Hour:
        op_time = row.op_time()
        if op_time == 0:
            totals = (row.number(CO2), row.number(HEAT), row.number(LOAD))
            if any(totals):
                self._count("standing, yet with load, heat or CO2: those figures are left out")
            return STANDING
        load = row.number(LOAD)
        if load is None:
            self._count("firing with an empty load cell: taken as 0 MW")
        return Hour(op_time, load or ZERO, row.required(CO2), row.required(HEAT))

    def _count(self, text: str) -> None:
        self._counts[text] = self._counts.get(text, 0) + 1

    @property
    def found(self) -> bool:
        """True where the month asked for has a row."""
        return bool(self._hours)

    def result(self, unit: str) -> MonthOfHours:
        """The month, with standing hours where the file has none."""
        total = self._month.hours
        if missing := total - len(self._hours):
            self._counts["not in the file: taken as standing"] = missing
        facility, _, name = unit.partition("/")
        return MonthOfHours(
            facility=facility,
            unit=name,
            name=self._name,
            month=self._month,
            hours=tuple(self._hours.get(at, STANDING) for at in range(total)),
            op_time_before=tuple(self._tail()),
            notices=tuple(Notice(hours, text) for text, hours in self._counts.items()),
        )

    def _tail(self) -> Iterable[Decimal]:
        """Operating times just before the month, as far back as there is no hole."""
        tail: list[Decimal] = []
        at = self._before.hours - 1
        while at in self._op_time_before:
            tail.append(self._op_time_before[at])
            at -= 1
        return reversed(tail)


class _Row:
    """Cells of one row by meaning; every error names file, line and column."""

    def __init__(self, path: Path, line: int, columns: Columns, cells: list[str]) -> None:
        self._path = path
        self._line = line
        self._columns = columns
        self._cells = cells

    def text(self, meaning: str) -> str:
        """The cell without blanks around it; "" where the file has no such column."""
        at = self._columns.index.get(meaning)
        return "" if at is None else self._cells[at].strip()

    def bad(self, meaning: str, expected: str) -> BadCell:
        """The error that says what was expected in this cell."""
        return BadCell(
            self._path, self._line, self._columns.spelling[meaning], expected, self.text(meaning)
        )

    def number(self, meaning: str) -> Decimal | None:
        """A finite number of 0 or more; None for an empty cell."""
        text = self.text(meaning)
        if not text:
            return None
        if _NUMBER.fullmatch(text) is None or (value := Decimal(text)) >= _LIMIT:
            raise self.bad(meaning, f"a number from 0 to {_LIMIT}")
        return value

    def required(self, meaning: str) -> Decimal:
        """A number that an operating hour must have."""
        value = self.number(meaning)
        if value is None:
            raise self.bad(meaning, "a number, for the unit operated in this hour")
        return value

    def op_time(self) -> Decimal:
        """Operating hours of this hour, 0 to 1; an empty cell means that the unit stood."""
        value = self.number(OP_TIME) or ZERO
        if value > 1:
            raise self.bad(OP_TIME, "an operating time from 0 to 1 h")
        return value

    def date(self) -> date:
        """The plant's calendar day."""
        day = _date(self.text(DATE))
        if day is None:
            raise self.bad(DATE, "a date MM-DD-YYYY or YYYY-MM-DD from 1971 on")
        return day

    def hour(self) -> int:
        """0 to 23: the hour's beginning."""
        text = self.text(HOUR)
        if _HOUR.fullmatch(text) is None:
            raise self.bad(HOUR, "an hour from 0 to 23")
        return int(text)


@lru_cache(maxsize=1024)  # a day stands on 24 lines of every unit
def _date(text: str) -> date | None:
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    try:
        found = date(
            int(match["y"] or match["year"]),
            int(match["m"] or match["month"]),
            int(match["d"] or match["day"]),
        )
    except ValueError:
        return None
    return found if 1971 <= found.year < 9998 else None


def _month_before(month: Month) -> Month:
    last = month.first_day - timedelta(days=1)
    return Month(last.year, last.month)
