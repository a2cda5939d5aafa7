"""The same rules by pandera's Polars backend, as somebody writes them who knows it well.

pandera has no words for months back, shared documents or what is not known: its user writes Polars.
So the rules come to it as the native Polars expressions that a person would write
(`expressions`), on a frame with a row for every month of a series, so that a look-back is a plain
shift. One `DataFrameSchema` a sector, `lazy=True`, not judged rows pass (`ignore_na`); pandera's
failure cases, a check's name and a row's number, are joined back to plant and month.

A rule may hang on the frame, as pandera's guide shows for rules over several columns, or on the
first column that it names. The frame's failure cases are whole rows as JSON, which costs more.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from rules.expressions import Compiler, there
from tanzheng.analytics.rules.catalogue import FleetRule
from tanzheng.analytics.rules.frame import DTYPES, which_table
from tanzheng.analytics.rules.tables import DERIVED, TableShape

NUMBER = "_row"
"""The helper column with a row's place in the caller's table; absent rows have none."""
Hung = Literal["frame", "column"]


def failures(frame: pl.DataFrame, rules: Sequence[FleetRule], hung: Hung) -> Iterator[pl.DataFrame]:
    """Rule and row key of each failure in `frame`, by pandera; a frame a sector."""
    shape = which_table(frame)
    table = _prepared(frame, shape)
    mine = [rule for rule in rules if rule.table == shape.name]
    parts = table.partition_by("sector", as_dict=True) if "sector" in shape.columns else {}
    for key, part in parts.items() or [((None,), table)]:
        held = [rule for rule in mine if not parts or rule.sector in {"all", *key}]
        yield _part(part, held, shape, hung)


def _prepared(frame: pl.DataFrame, shape: TableShape) -> pl.DataFrame:
    """Types and keys checked by hand: cheaper than by pandera's columns and `unique`."""
    frame = frame.drop(DERIVED, strict=False)
    frame = frame.select(
        pl.col(name).cast(DTYPES[shape.columns[name].kind]) for name in frame.columns
    )
    if frame.select(pl.struct(shape.row_key).is_duplicated().any()).item():
        raise SystemExit("expected each row once")
    absent = [
        pl.lit(None, DTYPES[kind.kind]).alias(name)
        for name, kind in shape.columns.items()
        if name not in frame.columns and name not in DERIVED
    ]
    return frame.with_columns(absent).with_row_index(NUMBER)


def _part(
    part: pl.DataFrame, rules: Sequence[FleetRule], shape: TableShape, hung: Hung
) -> pl.DataFrame:
    months: set[int] = set()
    checks = [(rule, _check(rule, months)) for rule in rules]
    whole = _dense(part, shape.series_key, months)
    if hung == "frame":
        schema = pa.DataFrameSchema(checks=[check for _, check in checks])
    else:
        by_column: dict[str, list[pa.Check]] = {}
        for rule, check in checks:
            by_column.setdefault(_column(rule, shape), []).append(check)
        schema = pa.DataFrameSchema(
            {name: pa.Column(checks=held, nullable=True) for name, held in by_column.items()}
        )
    try:
        schema.validate(whole, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases.select("check", "index")
        keys: pl.DataFrame = whole.select(NUMBER, *shape.row_key)[cases["index"]]
        named = keys.with_columns(rule=cases["check"])
        return named.drop_nulls(NUMBER).drop(NUMBER)
    return whole.select(*shape.row_key, rule=pl.lit("")).clear()


def _column(rule: FleetRule, shape: TableShape) -> str:
    """The first column that the condition names."""
    return min(rule.condition.names & shape.columns.keys(), key=rule.condition.text.index)


def _check(rule: FleetRule, months: set[int]) -> pa.Check:
    compiler = Compiler(rule.parameters, months)
    condition = compiler(rule.condition.tree)
    if rule.when is not None:
        condition = pl.when(compiler(rule.when.tree)).then(condition)
    answer = condition.fill_null(value=True) | pl.col(NUMBER).is_null()

    def holds(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(answer)

    return pa.Check(holds, name=rule.id, error=rule.id)


def _dense(frame: pl.DataFrame, key: Sequence[str], months: set[int]) -> pl.DataFrame:
    """Every series with a row for every month, sorted: n months before is n rows before.

    Rows that were not there have no `NUMBER` and nothing but their key.
    """
    if months:
        ends = pl.date_range(pl.col("month").min(), pl.col("month").max(), "1mo")
        calendar = frame.select(ends)
        grid = frame.select(key).unique().join(calendar, how="cross")
        whole = grid.join(frame, on=[*key, "month"], how="left").sort(*key, "month")
        place = pl.int_range(pl.len()) % calendar.height
        present = pl.col(NUMBER).is_not_null()
        frame = whole.with_columns(
            ((place >= n) & present.shift(n, fill_value=False)).alias(there(n)) for n in months
        )
    month = pl.col("month")
    return frame.with_columns(
        month.dt.month_end().alias("month_end"),
        month.dt.month().cast(pl.Float64).alias("month_number"),
        (month.dt.month_end().dt.day().cast(pl.Float64) * 24).alias("hours_of_month"),
    )
