"""A table of many units against many rules, in one Polars query a sector."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from tanzheng.analytics.rules.catalogue import FleetRule, placeholders
from tanzheng.analytics.rules.compiled import Compiler, there
from tanzheng.analytics.rules.expression import Expression
from tanzheng.analytics.rules.tables import DERIVED, TABLES, TableShape
from tanzheng.core.errors import BadInput

DTYPES: Mapping[str, pl.DataType] = {
    "number": pl.Float64(),
    "text": pl.String(),
    "date": pl.Date(),
}
NUMBER = "_row"
"""The helper column with a row's place in the caller's table; absent rows have none."""
ALL = "all"
PLANT_SECTORS = ("power", "cement", "aluminium", "steel")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows a rule was held against, by outcome."""

    passed: int
    failed: int
    not_applicable: int

    def __add__(self, more: "Tally") -> "Tally":
        return Tally(
            self.passed + more.passed,
            self.failed + more.failed,
            self.not_applicable + more.not_applicable,
        )


@dataclass(slots=True)
class Verdicts:
    """What the rules said of one table.

    `failures` has a row for each failure: rule, `row` (its number in the table), keys and
    `values` (the placeholders of the message in the order of `placeholders`).
    """

    shape: TableShape
    rows: int
    tallies: dict[str, Tally] = field(default_factory=dict)
    failures: list[tuple[FleetRule, int, dict[str, object]]] = field(default_factory=list)


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


def prepared(frame: pl.DataFrame, shape: TableShape, where: str) -> pl.DataFrame:
    """`frame` with the columns and types of `shape`, columns it lacks as null.

    `BadInput` for an unknown column, a wrong type, a missing or doubled key, a number that is
    infinite. NaN is not known.
    """
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
    _check_keys(frame, shape, where)
    absent = [
        pl.lit(None, DTYPES[kind.kind]).alias(name)
        for name, kind in shape.columns.items()
        if name not in frame.columns and name not in DERIVED
    ]
    return frame.with_columns(absent).with_row_index(NUMBER)


def _typed(frame: pl.DataFrame, name: str, shape: TableShape) -> pl.Expr:
    wanted = DTYPES[shape.columns[name].kind]
    column = pl.col(name)
    if wanted == pl.Date and frame.schema[name] == pl.String:
        return column.str.to_date("%Y-%m-%d")
    if wanted == pl.String:
        text = column.cast(pl.String)
        return pl.when(text.str.strip_chars() != "").then(text).alias(name)
    return column.cast(wanted).fill_nan(None) if wanted == pl.Float64 else column.cast(wanted)


def _check_keys(frame: pl.DataFrame, shape: TableShape, where: str) -> None:
    for name, kind in frame.schema.items():
        if kind == pl.Float64 and frame[name].is_infinite().any():
            raise BadInput(f"{where}: {name}: expected finite numbers, got an infinite one")
    if not frame.height:
        raise BadInput(f"{where}: expected rows, got none")
    if "sector" in shape.columns:
        found = set(frame["sector"]) if "sector" in frame.columns else {None}
        if wrong := found - {*PLANT_SECTORS}:
            named = ", ".join(sorted(map(str, wrong)))
            raise BadInput(f"{where}: sector: expected one of {PLANT_SECTORS}, got {named}")
    for name in shape.row_key:
        if frame[name].null_count():
            row = frame[name].is_null().arg_max()
            raise BadInput(f"{where}: row {(row or 0) + 1}: expected a value of {name}, got none")
    if not frame["month"].dt.day().eq(1).all():
        raise BadInput(f"{where}: month: expected the first day of each month")
    doubled = frame.select(pl.struct(shape.row_key).is_duplicated().arg_true())
    if doubled.height:
        row = doubled.item(0, 0)
        named = ", ".join(str(frame[name][row]) for name in shape.row_key)
        raise BadInput(
            f"{where}: row {row + 1}: expected each {shape.name} once, got {named} twice"
        )


def with_calendar(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns that follow from `month`."""
    month = pl.col("month")
    return frame.with_columns(
        month.dt.month_end().alias("month_end"),
        month.dt.month().cast(pl.Float64).alias("month_number"),
        (month.dt.month_end().dt.day().cast(pl.Float64) * 24).alias("hours_of_month"),
    )


def dense(frame: pl.DataFrame, key: Sequence[str], months: set[int]) -> pl.DataFrame:
    """Every series with a row for every month, sorted: n months before is n rows before.

    Rows that were not there have no `NUMBER` and nothing but their key.
    """
    if not months:
        return frame
    ends = pl.date_range(pl.col("month").min(), pl.col("month").max(), "1mo")
    calendar = frame.select(ends)
    grid = frame.select(key).unique().join(calendar, how="cross")
    whole = grid.join(frame, on=[*key, "month"], how="left").sort(*key, "month")
    place = pl.int_range(pl.len()) % calendar.height
    present = pl.col(NUMBER).is_not_null()
    return whole.with_columns(
        ((place >= n) & present.shift(n, fill_value=False)).alias(there(n)) for n in months
    )


def verdict(rule: FleetRule, months: set[int]) -> pl.Expr:
    """True, false, or null where the rule does not apply or the answer is not known."""
    compiler = Compiler(rule.parameters, months)
    condition = compiler(rule.condition.tree)
    if rule.when is None:
        return condition.alias(rule.id)
    return pl.when(compiler(rule.when.tree)).then(condition).alias(rule.id)


def run(
    frame: pl.DataFrame,
    rules: Sequence[FleetRule],
    where: str,
    advance: Callable[[int], None] = lambda _: None,
) -> Verdicts:
    """All of `rules` that are about this table, held against each row of `frame`."""
    shape = which_table(frame)
    table = prepared(frame, shape, where)
    verdicts = Verdicts(shape, frame.height)
    mine = [rule for rule in rules if rule.table == shape.name]
    for sector, part in _sectors(table, shape):
        group = [rule for rule in mine if sector in {None, rule.sector} or rule.sector == ALL]
        _run_part(part, group, verdicts)
        advance(part.height)
    verdicts.failures.sort(key=lambda item: item[1])
    return verdicts


def _sectors(table: pl.DataFrame, shape: TableShape) -> list[tuple[str | None, pl.DataFrame]]:
    if "sector" not in shape.columns:
        return [(None, table)]
    parts = table.partition_by("sector", as_dict=True, maintain_order=True)
    return [(str(name), part) for (name,), part in parts.items()]


def _run_part(part: pl.DataFrame, rules: Sequence[FleetRule], verdicts: Verdicts) -> None:
    months: set[int] = set()
    answers = [verdict(rule, months) for rule in rules]
    whole = with_calendar(dense(part, verdicts.shape.series_key, months))
    table = whole.lazy().select(NUMBER, *answers).collect()
    if months:
        table = table.filter(pl.col(NUMBER).is_not_null())
    failed: dict[str, pl.Series] = {}
    for rule in rules:
        answer = table[rule.id]
        unknown = answer.null_count()
        held = int(answer.sum() or 0)
        count = part.height - held - unknown
        old = verdicts.tallies.get(rule.id, Tally(0, 0, 0))
        verdicts.tallies[rule.id] = old + Tally(held, count, unknown)
        if count:
            failed[rule.id] = table[NUMBER].filter(~answer.fill_null(value=True))
    _explain(whole, [rule for rule in rules if rule.id in failed], failed, verdicts)


def _explain(
    whole: pl.DataFrame,
    rules: Sequence[FleetRule],
    failed: Mapping[str, pl.Series],
    verdicts: Verdicts,
) -> None:
    """The values in the messages, computed at once and read only where a rule failed."""
    schema_of = verdicts.shape.schema
    texts: dict[tuple[str, str], pl.Expr] = {}
    for rule in rules:
        compiler = Compiler(rule.parameters, set())
        for text in placeholders(rule.message[0]):
            if text not in rule.parameters and text not in whole.columns:
                tree = Expression.value(text, schema_of(rule.parameters)).tree
                texts[rule.id, text] = compiler(tree).alias(f"{rule.id}:{text}")
    rows = pl.concat(failed.values()).unique() if failed else pl.Series(NUMBER, [], pl.UInt32)
    shown = whole.lazy().with_columns(texts.values()).filter(pl.col(NUMBER).is_in(rows.implode()))
    table = shown.collect()
    for rule in rules:
        names = [text for text in placeholders(rule.message[0]) if text not in rule.parameters]
        columns = {
            name: f"{rule.id}:{name}" if (rule.id, name) in texts else name for name in names
        }
        wanted = table.filter(pl.col(NUMBER).is_in(failed[rule.id].implode()))
        keys = [*verdicts.shape.row_key]
        picked = wanted.select(
            NUMBER, *keys, *(pl.col(c).alias(f"={n}") for n, c in columns.items())
        )
        for row in picked.iter_rows(named=True):
            verdicts.failures.append((rule, int(row.pop(NUMBER)), row))
