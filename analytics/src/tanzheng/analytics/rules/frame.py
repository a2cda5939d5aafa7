"""A caller's table: checked, its texts as numbers, its rows in series."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import polars as pl

from tanzheng.analytics.rules.bounded import Array
from tanzheng.analytics.rules.compiled import Places, Text
from tanzheng.analytics.rules.rows import MONTHS, NONE, Rows, first_day, months_of
from tanzheng.analytics.rules.tables import DERIVED, TABLES, TableShape
from tanzheng.core.errors import BadInput

DTYPES: Mapping[str, pl.DataType] = {
    "number": pl.Float64(),
    "text": pl.String(),
    "date": pl.Date(),
}
PLANT_SECTORS = ("power", "cement", "aluminium", "steel")
FEW_RUNS = 4
"""A column with so many rows a run of equal texts is read by its runs."""
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
        frame = frame.with_columns(_typed(frame.schema, shape))
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{where}: {shape.name}: {str(error).splitlines()[0]}") from None
    table = Table(frame.rechunk(), shape)
    _check(table, where)
    return table


def _typed(schema: pl.Schema, shape: TableShape) -> Iterator[pl.Expr]:
    """The columns that have another type than their table's, with that."""
    for name, got in schema.items():
        wanted = DTYPES[shape.columns[name].kind]
        if wanted == pl.Date and got == pl.String:
            yield pl.col(name).str.to_date("%Y-%m-%d")
        elif got != wanted:
            yield pl.col(name).cast(wanted)


def _check(table: "Table", where: str) -> None:
    frame, shape = table.frame, table.shape
    if not frame.height:
        raise BadInput(f"{where}: expected rows, got none")
    for name, most in table.most.items():
        if most == np.inf:
            raise BadInput(f"{where}: {name}: expected finite numbers, got an infinite one")
    if "sector" in shape.columns:
        sector = table.text("sector")
        codes = np.unique(sector.code).tolist()
        found = {sector.words[code] if code >= 0 else None for code in codes}
        if wrong := found - {*PLANT_SECTORS}:
            named = ", ".join(sorted(map(str, wrong)))
            raise BadInput(f"{where}: sector: expected one of {PLANT_SECTORS}, got {named}")
    for name in shape.row_key:
        if name == "month":
            missing = frame[name].is_null().to_numpy() if frame[name].null_count() else NONE
        else:
            missing = np.broadcast_to(table.text(name).code < 0, frame.height)
        if missing.any():
            row = int(missing.argmax())
            raise BadInput(f"{where}: row {row + 1}: expected a value of {name}, got none")
    if not (first_day(table.months) == frame["month"].to_physical().to_numpy()).all():
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
            yield None, Rows(self, self.order)
            return
        sector = self.text("sector")
        codes = np.broadcast_to(sector.code, self.order.shape)[self.order]
        for code, word in enumerate(sector.words):
            yield word, Rows(self, self.order[codes == code])

    def figures(self, span: slice | None) -> pl.DataFrame:
        """The numbers and dates of the rows in `span`, else of all; NaN for numbers not known,
        but columns without any stay as they are."""
        part = self.frame.select(pl.exclude(pl.String))
        if span is not None:
            part = part[span]
        holes = [
            name
            for name, kind in part.schema.items()
            if kind == pl.Float64 and 0 < part[name].null_count() < part.height
        ]
        return part.with_columns(pl.col(holes).fill_null(float("nan")))

    @cached_property
    def most(self) -> Mapping[str, float]:
        """For each column of numbers: none is larger, on either side of zero."""
        numbers = pl.col(pl.Float64)
        if not (names := self.frame.select(numbers).columns):
            return {}
        ends = self.frame.select(numbers.max().name.suffix(" max"), numbers.min()).row(0)
        most = np.fmax(*np.abs(np.array(ends, np.float64)).reshape(2, -1))
        return dict(zip(names, np.where(np.isnan(most), 0.0, most).tolist(), strict=True))

    def text(self, name: str) -> Text:
        """The texts of a column as numbers; one for all rows where they are the same."""
        if name not in self._texts:
            self._texts[name] = self._read(name)
        return self._texts[name]

    def _read(self, name: str) -> Text:
        column = self.frame.get_column(name, default=None)
        if column is None or _empty(column):
            return Text(np.array(-1), ())
        run = self._runs[name].to_numpy()
        if run[-1] >= len(run) // FEW_RUNS:
            return _sorted_text(column)
        starts = [0, *(np.flatnonzero(run[1:] != run[:-1]) + 1).tolist()]
        texts = column.gather(starts).to_list()
        words = list(dict.fromkeys(texts))
        places = dict(zip(words, range(len(words)), strict=True))
        places.update(dict.fromkeys([None, "", *filter(str.isspace, filter(None, words))], -1))
        code = np.fromiter(map(places.__getitem__, texts), np.int64, len(texts))
        return Text(code[0] if len(texts) == 1 else code[run], words)

    @cached_property
    def _runs(self) -> pl.DataFrame:
        """For each text the number of its run of equal ones."""
        return self.frame.select(pl.col(pl.String).rle_id())

    @cached_property
    def months(self) -> Places:
        """Months since the year 0."""
        return months_of(self.frame["month"].to_physical().to_numpy())

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


def _empty(column: pl.Series) -> bool:
    return column.null_count() == column.len()


def _sorted_text(column: pl.Series) -> Text:
    """The texts of a column where nearly every row has another."""
    code = column.rank("dense").fill_null(0).to_numpy().astype(np.int64) - 1
    known = np.flatnonzero(code >= 0)
    first = np.zeros(int(code.max()) + 1, np.int64)
    first[code[known]] = known
    words = column.gather(first.tolist()).to_list()
    for blank in {"", *filter(str.isspace, words)}.intersection(words):
        code[code == words.index(blank)] = -1
    return Text(code, words)


def _shared(text: Text, other: Places) -> Array:
    """With how many different numbers of `other` each row's text stands."""
    code = np.broadcast_to(text.code, other.shape)
    times = np.bincount(code[code >= 0], minlength=len(text.words) + 1)
    again = np.flatnonzero((code >= 0) & (times[code] > 1))
    width = int(other.max()) + 1
    pairs = np.sort(code[again] * width + other[again])
    different = pairs[np.diff(pairs, prepend=-1) > 0]
    counts = np.maximum(np.bincount(different // width, minlength=len(text.words)), 1.0)
    return np.append(counts, np.nan)[code]
