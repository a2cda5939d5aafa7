"""A caller's table: checked, its texts as numbers, its rows in series."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import polars as pl

from tanzheng.analytics.rules.bounded import UNKNOWN, Array
from tanzheng.analytics.rules.compiled import Places, Text
from tanzheng.analytics.rules.rows import EPOCH_MONTHS, MONTHS, Rows
from tanzheng.analytics.rules.tables import DERIVED, TABLES, TableShape
from tanzheng.core.errors import BadInput

DTYPES: Mapping[str, pl.DataType] = {
    "number": pl.Float64(),
    "text": pl.String(),
    "date": pl.Date(),
}
PLANT_SECTORS = ("power", "cement", "aluminium", "steel")
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


def prepared(frame: pl.DataFrame, where: str) -> "Table":
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
        frame = frame.select(
            _typed(name, got, shape.columns[name].kind) for name, got in frame.schema.items()
        )
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{where}: {shape.name}: {str(error).splitlines()[0]}") from None
    table = Table(frame.rechunk(), shape)
    _check(table, where)
    return table


def _typed(name: str, got: pl.DataType, kind: str) -> pl.Expr:
    wanted = DTYPES[kind]
    if got == wanted:
        return pl.col(name)
    if wanted == pl.Date and got == pl.String:
        return pl.col(name).str.to_date("%Y-%m-%d")
    return pl.col(name).cast(wanted)


def _check(table: "Table", where: str) -> None:
    frame, shape = table.frame, table.shape
    if not frame.height:
        raise BadInput(f"{where}: expected rows, got none")
    for name, total in frame.select(pl.col(pl.Float64).sum()).to_dict().items():
        if not np.isfinite(total[0]) and frame[name].is_infinite().any():
            raise BadInput(f"{where}: {name}: expected finite numbers, got an infinite one")
    if "sector" in shape.columns:
        found = {None} if "sector" not in frame.columns else {*frame["sector"].unique()}
        if wrong := found - {*PLANT_SECTORS}:
            named = ", ".join(sorted(map(str, wrong)))
            raise BadInput(f"{where}: sector: expected one of {PLANT_SECTORS}, got {named}")
    for name in shape.row_key:
        days = frame[name].is_null().to_numpy()
        missing = days if name == "month" else table.text(name).code < 0
        if missing.any():
            row = int(missing.argmax())
            raise BadInput(f"{where}: row {row + 1}: expected a value of {name}, got none")
    if not frame["month"].dt.day().eq(1).all():
        raise BadInput(f"{where}: month: expected the first day of each month")
    _check_once(table, where)


def _check_once(table: "Table", where: str) -> None:
    shape = table.shape
    more = [name for name in shape.row_key if name not in {*shape.series_key, "month"}]
    keys, order = table.keys, table.order
    if more:
        keys = table.codes((*shape.series_key, *more)) * MONTHS + table.months
        order = _order(keys)
    again = np.flatnonzero(np.diff(keys[order]) == 0)
    if len(again):
        row = int(order[again].min())
        named = ", ".join(str(table.frame[name][row]) for name in shape.row_key)
        raise BadInput(
            f"{where}: row {row + 1}: expected each {shape.name} once, got {named} twice"
        )


def _filled(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with NaN for numbers not known; columns without any stay as they are."""
    holes = [
        name
        for name, kind in frame.schema.items()
        if kind == pl.Float64 and 0 < frame[name].null_count() < frame.height
    ]
    return frame.with_columns(pl.col(holes).fill_null(float("nan")))


def _order(keys: Places) -> Places:
    if (keys[1:] > keys[:-1]).all():
        return np.arange(len(keys))
    return np.argsort(keys, kind="stable")


class Table:
    """`frame` has the types of its shape, in the order of the caller."""

    def __init__(self, frame: pl.DataFrame, shape: TableShape) -> None:
        self.frame, self.shape = frame, shape
        self._texts: dict[str, Text] = {}
        self._sharing: dict[tuple[str, str], Array] = {}

    def sectors(self) -> Iterator[tuple[str | None, Rows]]:
        """The rows of each sector; all at once where the table names none."""
        if "sector" not in self.shape.columns:
            yield None, self._rows(self.order)
            return
        sector = self.text("sector")
        for code, word in enumerate(sector.words):
            yield word, self._rows(self.order[sector.code[self.order] == code])

    def _rows(self, place: Places) -> Rows:
        if (np.diff(place) == 1).all():
            part = self.frame.select(pl.exclude(pl.String)).slice(int(place[0]), len(place))
            return Rows(self, _filled(part), place, together=True)
        return Rows(self, self._numbers, place, together=False)

    @cached_property
    def _numbers(self) -> pl.DataFrame:
        return _filled(self.frame.select(pl.exclude(pl.String)))

    def text(self, name: str) -> Text:
        """The texts of a column as numbers; one for all rows where it has none."""
        if name not in self._texts:
            self._texts[name] = self._read(name)
        return self._texts[name]

    def _read(self, name: str) -> Text:
        if name not in self.frame.columns or self.frame[name].null_count() == self.frame.height:
            return Text(np.array(-1), ())
        runs = self.frame[name].rle().struct.unnest()
        texts = runs["value"].to_list()
        words = list(dict.fromkeys(texts))
        places = dict(zip(words, range(len(words)), strict=True))
        places.update(dict.fromkeys([None, "", *filter(str.isspace, filter(None, words))], -1))
        code = np.fromiter(map(places.__getitem__, texts), np.int64, len(texts))
        return Text(np.repeat(code, runs["len"].to_numpy()), words)

    @cached_property
    def months(self) -> Places:
        """Months since the year 0."""
        days = self.frame["month"].to_physical().to_numpy()
        return days.astype("M8[D]").astype("M8[M]").astype(np.int64) + EPOCH_MONTHS

    @cached_property
    def keys(self) -> Places:
        """Series and month as one number; months of a series follow one another."""
        return self.codes(self.shape.series_key) * MONTHS + self.months

    @cached_property
    def order(self) -> Places:
        """The places of the rows, by series and month."""
        return _order(self.keys)

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

    def sharing(self, name: str, of: str) -> Array:
        """In how many units (or months) each row's text stands; NaN where it has none."""
        if (name, of) not in self._sharing:
            other = self.codes(("enterprise", "unit")) if of == "units" else self.months
            self._sharing[name, of] = _shared(self.text(name), other)
        return self._sharing[name, of]


def _shared(text: Text, other: Places) -> Array:
    """With how many different numbers of `other` each row's text stands."""
    if not text.code.ndim:
        return UNKNOWN
    times = np.bincount(text.code[text.code >= 0], minlength=len(text.words))
    again = np.flatnonzero((text.code >= 0) & (times[text.code] > 1))
    width = int(other.max()) + 1
    pairs = np.sort(text.code[again] * width + other[again])
    different = pairs[np.diff(pairs, prepend=-1) > 0]
    counts = np.maximum(np.bincount(different // width, minlength=len(text.words)), 1.0)
    return np.append(counts, np.nan)[text.code]
