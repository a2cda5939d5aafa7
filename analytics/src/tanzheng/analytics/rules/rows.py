"""A caller's table checked, and its rows as the two back ends read them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

import numpy as np
import polars as pl

from tanzheng.analytics.rules.bounded import UNKNOWN, Array
from tanzheng.analytics.rules.compiled import Places, Text
from tanzheng.analytics.rules.exact import Row, Value
from tanzheng.analytics.rules.tables import DERIVED, TABLES, TableShape
from tanzheng.core.errors import BadInput

DTYPES: Mapping[str, pl.DataType] = {
    "number": pl.Float64(),
    "text": pl.String(),
    "date": pl.Date(),
}
PLANT_SECTORS = ("power", "cement", "aluminium", "steel")
EPOCH = date(1970, 1, 1)
EPOCH_MONTHS = 1970 * 12
MONTHS = 12 * 10_000
CODES_MAX = 2**31
"""Keys of series stay below it, so that with their months they fit in 64 bits."""


def which_table(frame: pl.DataFrame) -> TableShape:
    """The table that `frame` is, by its columns."""
    name = (
        "lab_report"
        if "report_id" in frame.columns
        else "point_month"
        if "point" in frame.columns
        else "unit_month"
    )
    return TABLES[name]


def prepared(frame: pl.DataFrame, where: str) -> "Rows":
    """`frame` with the types of its table, in the order of the caller.

    `BadInput` for an unknown column, a wrong type, a missing or doubled key, a number that is
    infinite. NaN is not known; nor is a text of blanks.
    """
    shape = which_table(frame)
    unknown = set(frame.columns) - shape.columns.keys()
    missing = {*shape.row_key} - set(frame.columns)
    if unknown or missing:
        what = f"no column {sorted(unknown)}" if unknown else f"the columns {sorted(missing)}"
        raise BadInput(f"{where}: {shape.name}: expected {what}")
    frame = frame.drop(DERIVED, strict=False)
    try:
        frame = frame.select(_typed(frame, name, shape) for name in frame.columns)
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{where}: {shape.name}: {str(error).splitlines()[0]}") from None
    rows = Rows(frame.rechunk(), shape)
    _check(rows, where)
    return rows


def _typed(frame: pl.DataFrame, name: str, shape: TableShape) -> pl.Expr:
    wanted = DTYPES[shape.columns[name].kind]
    if wanted == pl.Date and frame.schema[name] == pl.String:
        return pl.col(name).str.to_date("%Y-%m-%d")
    return pl.col(name).cast(wanted)


def _check(rows: "Rows", where: str) -> None:
    frame, shape = rows.frame, rows.shape
    if not frame.height:
        raise BadInput(f"{where}: expected rows, got none")
    for name, (most, least) in _extremes(frame):
        if most == np.inf or least == -np.inf:
            raise BadInput(f"{where}: {name}: expected finite numbers, got an infinite one")
    if "sector" in shape.columns:
        found = {None} if "sector" not in frame.columns else {*frame["sector"].unique()}
        if wrong := found - {*PLANT_SECTORS}:
            named = ", ".join(sorted(map(str, wrong)))
            raise BadInput(f"{where}: sector: expected one of {PLANT_SECTORS}, got {named}")
    for name in shape.row_key:
        missing = np.isnan(rows.numbers(name)) if name == "month" else rows.text(name).code < 0
        if missing.any():
            row = int(missing.argmax())
            raise BadInput(f"{where}: row {row + 1}: expected a value of {name}, got none")
    if (_first_day(rows.months) != rows.numbers("month")).any():
        raise BadInput(f"{where}: month: expected the first day of each month")
    _check_once(rows, where)


def _extremes(frame: pl.DataFrame) -> Iterator[tuple[str, tuple[float, float]]]:
    numbers = frame.select(pl.col(pl.Float64))
    if numbers.width:
        most, least = numbers.max().row(0), numbers.min().row(0)
        yield from zip(numbers.columns, zip(most, least, strict=True), strict=True)


def _check_once(rows: "Rows", where: str) -> None:
    shape = rows.shape
    more = [name for name in shape.row_key if name not in {*shape.series_key, "month"}]
    keys = rows.codes((*shape.series_key, *more)) * MONTHS + rows.months
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(np.diff(keys[order]) == 0)
    if len(again):
        row = int(order[again].min())
        named = ", ".join(str(rows.frame[name][row]) for name in shape.row_key)
        raise BadInput(
            f"{where}: row {row + 1}: expected each {shape.name} once, got {named} twice"
        )


def _first_day(months: Places) -> Array:
    """Days since 1970 of the first day of months since 1970."""
    return (
        (months - EPOCH_MONTHS).astype("M8[M]").astype("M8[D]").astype(np.int64).astype(np.float64)
    )


class Rows:
    """Rows of one table as numpy reads them; `place` is where each stands in the caller's frame.

    A column without any value has one number, NaN, for all rows.
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        shape: TableShape,
        whole: "Rows | None" = None,
        place: Places | None = None,
    ) -> None:
        self.frame, self.shape, self._whole = frame, shape, whole
        self.place = np.arange(frame.height) if place is None else place
        self._columns: dict[str, Array | Text] = {}
        self._earlier: list[Places] = []
        self._back: dict[int, Places] = {}

    def sectors(self) -> Iterator[tuple[str | None, "Rows"]]:
        """The rows of each sector, in their order; all at once where the table names none."""
        if "sector" not in self.shape.columns:
            yield None, self
            return
        sector = self.text("sector")
        for code, word in enumerate(sector.words):
            inside = np.flatnonzero(sector.code == code)
            if inside[-1] - inside[0] + 1 == len(inside):
                part = self.frame.slice(int(inside[0]), len(inside))
            else:
                part = self.frame[inside]
            yield word, Rows(part, self.shape, self, inside)

    def column(self, name: str) -> Array | Text:
        """Numbers and dates (in days since 1970) with NaN where not known, or a text."""
        found = self._columns.get(name)
        if found is None:
            text = self.shape.columns[name].kind == "text"
            found = self._columns[name] = self._text(name) if text else self._numbers(name)
        return found

    def text(self, name: str) -> Text:
        found = self.column(name)
        assert isinstance(found, Text)
        return found

    def numbers(self, name: str) -> Array:
        found = self.column(name)
        assert not isinstance(found, Text)
        return found

    def _numbers(self, name: str) -> Array:
        match name:
            case "month_end":
                return _first_day(self.months + 1) - 1
            case "month_number":
                return (self.months % 12 + 1).astype(np.float64)
            case "hours_of_month":
                return (_first_day(self.months + 1) - _first_day(self.months)) * 24
        if not self._has(name):
            return UNKNOWN
        values = self.frame[name]
        if values.dtype == pl.Date:
            values = values.to_physical().cast(pl.Float64)
        if values.null_count():
            values = values.fill_null(float("nan"))
        return values.to_numpy()

    def _has(self, name: str) -> bool:
        return name in self.frame.columns and self.frame[name].null_count() < self.frame.height

    def _text(self, name: str) -> Text:
        if self._whole is not None:
            text = self._whole.text(name)
            return Text(text.code[self.place], text.words) if text.code.ndim else text
        if not self._has(name):
            return Text(np.array(-1), ())
        run = self._runs[name].to_numpy()
        heads = self.frame[name].gather(np.flatnonzero(np.diff(run, prepend=-1))).to_list()
        words = [text for text in dict.fromkeys(heads) if text and text.strip()]
        places = dict(zip(words, range(len(words)), strict=True))
        return Text(np.array([places.get(text, -1) for text in heads])[run], words)

    @cached_property
    def _runs(self) -> pl.DataFrame:
        """The texts as numbers of runs of one value: most stand for many rows."""
        return self.frame.select(pl.col(pl.String).rle_id())

    @cached_property
    def months(self) -> Places:
        """Months since the year 0."""
        if self._whole is not None:
            return self._whole.months[self.place]
        days = self.frame["month"].to_physical().fill_null(0).to_numpy()
        return days.astype("M8[D]").astype("M8[M]").astype(np.int64) + EPOCH_MONTHS

    def codes(self, names: Sequence[str]) -> Places:
        """One number for each combination of the texts in `names`."""
        code, count = np.zeros(self.frame.height, np.int64), 1
        for name in names:
            text = self.text(name)
            code, count = code * len(text.words) + text.code, count * len(text.words)
            if count > CODES_MAX:
                found, code = np.unique(code, return_inverse=True)
                count = len(found)
        return code

    def back(self, months: int) -> Places:
        """For each row the place of the row so many months before; one beyond the last: none."""
        if months not in self._back:
            order, rank, keys = self._series
            at = self._at_most(months)
            there = keys[at] == keys - months
            self._back[months] = np.where(there, order[at], len(at))[rank]
        return self._back[months]

    @cached_property
    def _series(self) -> tuple[Places, Places, Places]:
        """The rows in order of series and month, the rank of each row in it, keys in that order."""
        keys = self.codes(self.shape.series_key) * MONTHS + self.months
        order = np.argsort(keys, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return order, rank, keys[order]

    def _at_most(self, months: int) -> Places:
        """By rank, the first row that is at most `months` before in the series."""
        while len(self._earlier) <= months:
            keys = self._series[2]
            at = self._earlier[-1] if self._earlier else np.arange(len(keys))
            before = np.maximum(at - 1, 0)
            self._earlier.append(np.where(keys[before] >= keys - len(self._earlier), before, at))
        return self._earlier[months]

    def sharing(self, name: str, of: str) -> Array:
        """In how many units (or months) the row's text stands; NaN where it has none."""
        text = self.text(name)
        if not len(text.words):
            return UNKNOWN
        other = self.codes(("enterprise", "unit")) if of == "units" else self.months
        width = int(other.max()) + 1
        pairs = np.sort(text.code[text.code >= 0] * width + other[text.code >= 0])
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        counts = np.bincount(pairs // width, minlength=len(text.words)).astype(np.float64)
        return np.append(counts, np.nan)[text.code]

    def exact(self, place: int, names: frozenset[str], parameters: Mapping[str, Decimal]) -> Row:
        """The row at `place` in Decimal, with the values of `names` and the rule's parameters."""
        values = {name: self.value(name, place) for name in names - parameters.keys()}

        def back(months: int) -> Row | None:
            at = int(self.back(months)[place])
            return self.exact(at, names, parameters) if at < len(self.place) else None

        def sharing(column: str, _: str) -> tuple[int, int]:
            units, months = (self.sharing(column, of)[place] for of in ("units", "months"))
            return int(units), int(months)

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
        if self.shape.columns[name].kind == "date":
            return EPOCH + timedelta(days=number)
        return Decimal(repr(number))


def _at(array: Array | Places, place: int) -> float:
    return float(array[place] if array.ndim else array)
