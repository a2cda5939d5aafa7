"""Rows of a table as the two back ends read them, in the order of their series."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tanzheng.analytics.rules.bounded import UNKNOWN, Array
from tanzheng.analytics.rules.compiled import Places, Text
from tanzheng.analytics.rules.exact import Row, Value

if TYPE_CHECKING:
    from tanzheng.analytics.rules.frame import Table

EPOCH = date(1970, 1, 1)
EPOCH_MONTHS = 1970 * 12
MONTHS = 12 * 10_000
"""The key of a series' first month is so much more than that of the series before."""


class Rows:
    """The rows at the places `place` of a table, sorted by series and month.

    A column without any value has one number, NaN, for all rows.
    """

    def __init__(self, whole: "Table", frame: pl.DataFrame, place: Places, together: bool) -> None:
        """`frame` has the numbers and dates of these rows where they stand together in order, and
        else those of the whole table."""
        self.whole, self.place = whole, place
        self._frame, self._together = frame, together
        self._keys, self._months = whole.keys[place], whole.months[place]
        apart = np.diff(self._keys)
        self._gaps = bool(((apart > 1) & (apart < MONTHS // 2)).any())
        self._columns: dict[str, Array | Text] = {}
        self._back: dict[int, Places] = {}

    def column(self, name: str) -> Array | Text:
        """Numbers and dates (in days since 1970) with NaN where not known, or a text."""
        found = self._columns.get(name)
        if found is None:
            text = self.whole.shape.columns[name].kind == "text"
            found = self._columns[name] = self._text(name) if text else self._numbers(name)
        return found

    def _text(self, name: str) -> Text:
        text = self.whole.text(name)
        return Text(text.code[self.place], text.words) if text.code.ndim else text

    def _numbers(self, name: str) -> Array:
        match name:
            case "month_end":
                return first_day(self._months + 1) - 1
            case "month_number":
                return (self._months % 12 + 1).astype(np.float64)
            case "hours_of_month":
                return (first_day(self._months + 1) - first_day(self._months)) * 24
        values = self._frame.get_column(name, default=None)
        if values is None or values.null_count() == len(values):
            return UNKNOWN
        figures: Array = values.to_numpy()
        if values.dtype == pl.Date:
            figures = np.where(np.isnat(figures), np.nan, figures.astype(np.int64))
        return figures if self._together else figures[self.place]

    def back(self, months: int) -> Places:
        """For each row the place of the row so many months before; one beyond the last: none."""
        if months not in self._back:
            self._back[months] = self._found(months)
        return self._back[months]

    def _found(self, months: int) -> Places:
        keys, rows = self._keys, len(self._keys)
        found = np.full(rows, rows)
        near = np.flatnonzero(keys[months:] - keys[:-months] == months)
        found[near + months] = near
        if self._gaps:
            rest = np.flatnonzero(found == rows)
            wanted = keys[rest] - months
            places = np.searchsorted(keys, wanted)
            there = keys[places] == wanted
            found[rest[there]] = places[there]
        return found

    def sharing(self, name: str, of: str) -> Array:
        """In how many units (or months) of the whole table the row's text stands."""
        shared = self.whole.sharing(name, of)
        return shared[self.place] if shared.ndim else shared

    def exact(self, place: int, names: frozenset[str], parameters: Mapping[str, Decimal]) -> Row:
        """The row at `place` in Decimal, with the values of `names` and the rule's parameters."""
        values = {name: self.value(name, place) for name in names - parameters.keys()}

        def back(months: int) -> Row | None:
            at = int(self.back(months)[place])
            return self.exact(at, names, parameters) if at < len(self.place) else None

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


def _at(array: Array | Places, place: int) -> float:
    return float(array[place] if array.ndim else array)


def first_day(months: Places) -> Array:
    """Days since 1970 of the first day of months since the year 0."""
    days = (months - EPOCH_MONTHS).astype("M8[M]").astype("M8[D]")
    return days.astype(np.int64).astype(np.float64)
