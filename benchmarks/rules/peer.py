"""The same rules by pandera's Polars backend, used the way it is quickest.

One `DataFrameSchema` a sector; each rule is one dataframe-level `Check` over native Polars
expressions, the very expressions our back end compiles (pandera has no language of its own for
them), validated lazily so that every failure is collected and none stops the run. Not judged rows
count as passed, as pandera's `ignore_na` has it. The frame is prepared beforehand and its
preparation is counted in neither's favour: both include it.
"""

from collections.abc import Sequence

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from tanzheng.analytics.rules import fleet
from tanzheng.analytics.rules.catalogue import FleetRule

Found = set[tuple[str, int]]


def failures(frame: pl.DataFrame, rules: Sequence[FleetRule], where: str) -> Found:
    """(rule, row) of each failure in `frame`, by pandera."""
    shape = fleet.which_table(frame)
    table = fleet.prepared(frame, shape, where)
    mine = [rule for rule in rules if rule.table == shape.name]
    parts = (
        table.partition_by("sector", as_dict=True) if "sector" in shape.columns else {None: table}
    )
    found: Found = set()
    for key, part in parts.items():
        sector = key[0] if key else None
        group = [rule for rule in mine if sector is None or rule.sector in {sector, fleet.ALL}]
        found |= _part(part, group, shape.series_key)
    return found


def _part(part: pl.DataFrame, rules: Sequence[FleetRule], key: Sequence[str]) -> Found:
    months: set[int] = set()
    checks = [_check(rule, fleet.verdict(rule, months)) for rule in rules]
    whole = fleet.with_calendar(fleet.dense(part, key, months))
    schema = pa.DataFrameSchema(checks=checks)
    try:
        schema.validate(whole, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases.select("check", "index").unique()
        rows = whole[fleet.NUMBER]
        named = zip(cases["check"], rows.gather(cases["index"]), strict=True)
        return {(str(check), int(row)) for check, row in named if row is not None}
    return set()


def _check(rule: FleetRule, verdict: pl.Expr) -> pa.Check:
    present = pl.col(fleet.NUMBER).is_null()
    answer = verdict.fill_null(value=True) | present

    def holds(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(answer)

    return pa.Check(holds, name=rule.id, error=rule.id)
