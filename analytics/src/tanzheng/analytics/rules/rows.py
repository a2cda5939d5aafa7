"""Rows of a table as the two back ends read them, in the order of their series."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tanzheng.analytics.rules.bounded import UNKNOWN, Array, Mask
from tanzheng.analytics.rules.compiled import Places, Text
from tanzheng.analytics.rules.exact import Row, Value

if TYPE_CHECKING:
    from tanzheng.analytics.rules.frame import Table

EPOCH = date(1970, 1, 1)
EPOCH_MONTHS = 1970 * 12
MONTHS = 12 * 10_000
"""The key of a series' first month is so much more than that of the series before."""
DAYS_MAX = 31.0 * MONTHS
"""No date has more days since 1970, nor any column made from the month."""
NONE = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Back:
    """Where rows of so many months before are: as many places before, but none for `absent` ones
    and at `found` for those of `moved`, which have a gap between."""

    absent: Mask
    moved: Places
    found: Places


class Rows:
    """The rows at the places `place` of a table, sorted by series and month.

    A column without any value has one number, NaN, for all rows.
    """

    def __init__(self, whole: "Table", place: Places) -> None:
        self.whole, self.place = whole, place
        self._span = _span(place)
        self._keys: Places = self._mine(whole.keys)
        self._months: Places = self._mine(whole.months)
        apart = np.diff(self._keys)
        self._gaps = bool(((apart > 1) & (apart < MONTHS // 2)).any())
        self._figures = whole.figures(self._span)
        self._columns: dict[str, Array | Text] = {}
        self._back: dict[int, Back] = {}

    def _mine(self, whole: Any) -> Any:
        """These rows' part of a column of the table; one value for all stays one."""
        if not whole.ndim:
            return whole
        return whole[self.place if self._span is None else self._span]

    def column(self, name: str) -> Array | Text:
        """Numbers and dates (in days since 1970) with NaN where not known, or a text."""
        found = self._columns.get(name)
        if found is None:
            text = self.whole.shape.columns[name].kind == "text"
            found = self._columns[name] = self._text(name) if text else self._numbers(name)
        return found

    def _text(self, name: str) -> Text:
        text = self.whole.text(name)
        return Text(self._mine(text.code), text.words)

    def _numbers(self, name: str) -> Array:
        match name:
            case "month_end":
                return first_day(self._months + 1) - 1
            case "month_number":
                return (self._months % 12 + 1).astype(np.float64)
            case "hours_of_month":
                return (first_day(self._months + 1) - first_day(self._months)) * 24
        values = self._figures.get_column(name, default=None)
        if values is None or values.null_count() == len(values):
            return UNKNOWN
        figures: Array = values.to_numpy()
        if values.dtype == pl.Date:
            figures = np.where(np.isnat(figures), np.nan, figures.astype(np.int64))
        return figures if self._span else figures[self.place]

    def most(self, name: str) -> float:
        """No number of the column is larger, on either side of zero."""
        return self.whole.most.get(name, DAYS_MAX)

    def earlier(self, values: Any, absent: Any, months: int) -> Any:
        """Each row's value so many months before, `absent` where there is no such row."""
        if months not in self._back:
            self._back[months] = self._found(months)
        back = self._back[months]
        values = np.broadcast_to(values, back.absent.shape)
        found = np.empty(values.shape, values.dtype)
        found[months:] = values[:-months]
        np.putmask(found, back.absent, absent)
        found[back.moved] = values[back.found]
        return found

    def _found(self, months: int) -> Back:
        keys = self._keys
        absent = np.ones(len(keys), np.bool_)
        absent[months:] = keys[months:] - keys[:-months] != months
        moved = np.flatnonzero(absent) if self._gaps else NONE
        places = np.searchsorted(keys, keys[moved] - months)
        there = keys[places] == keys[moved] - months
        return Back(absent, moved[there], places[there])

    def sharing(self, name: str, of: str) -> Array:
        """In how many units (or months) of the whole table the row's text stands."""
        shared: Array = self._mine(self.whole.sharing(name, of))
        return shared

    def exact(self, place: int, names: frozenset[str], parameters: Mapping[str, Decimal]) -> Row:
        """The row at `place` in Decimal, with the values of `names` and the rule's parameters."""
        values = {name: self.value(name, place) for name in names - parameters.keys()}

        def back(months: int) -> Row | None:
            wanted = self._keys[place] - months
            at = int(np.searchsorted(self._keys, wanted))
            return self.exact(at, names, parameters) if self._keys[at] == wanted else None

        def sharing(column: str, _: str) -> tuple[int, int]:
            units, months = (self.whole.sharing(column, of) for of in ("units", "months"))
            return int(units[self.place[place]]), int(months[self.place[place]])

        return Row({**values, **parameters}, back, sharing)

    def value(self, name: str, place: int) -> Value:
        """One value as `exact` reads it: a float is the decimal that it is printed as."""
        column = self.column(name)
        if isinstance(column, Text):
            code = int(_at(column.code, place))
            return column.words[code] if code >= 0 else None
        number = _at(column, place)
        if np.isnan(number):
            return None
        if self.whole.shape.columns[name].kind == "date":
            return EPOCH + timedelta(days=number)
        return Decimal(repr(number))


def _span(place: Places) -> slice | None:
    """Places that follow one another as a slice, which costs no copy."""
    if len(place) and (np.diff(place) == 1).all():
        return slice(int(place[0]), int(place[-1]) + 1)
    return None


def _at(array: Array | Places, place: int) -> float:
    return float(array[place] if array.ndim else array)


def first_day(months: Places) -> Array:
    """Days since 1970 of the first day of months since the year 0."""
    return _looked_up(months, lambda each: (each - EPOCH_MONTHS).astype("M8[M]").astype("M8[D]"))


def months_of(days: Places) -> Places:
    """Months since the year 0 of days since 1970."""
    found = _looked_up(days, lambda each: each.astype("M8[D]").astype("M8[M]").astype(np.int64))
    return found.astype(np.int64) + EPOCH_MONTHS


def _looked_up(places: Places, answer: Callable[[Places], Any]) -> Array:
    """`answer` of each, computed once for each place in their span: a calendar is slow."""
    low, high = int(places.min()), int(places.max())
    table: Array = answer(np.arange(low, high + 1)).astype(np.int64).astype(np.float64)
    return table[places - low]
