"""The tables that rules are about, and their columns: keys, texts, dates, and the dictionary.

| table | a row is | rules may look |
|---|---|---|
| `unit_month` | a month of a unit: every figure of the field dictionary | months back |
| `lab_report` | an analysis of coal by a laboratory | at the other rows |
| `point_month` | what the readings of one point looked like in a month | months back |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tanzheng.analytics.errors import PackInvalid
from tanzheng.analytics.rules.expression import Schema
from tanzheng.analytics.rules.vocabulary import Group, Type
from tanzheng.core.fields import FIELDS

TEXT, DATE = Type("text"), Type("date")
COUNT = Type("number", "1")
SECTORS: Mapping[str, str] = MappingProxyType({
    "power": "发电", "cement": "水泥", "aluminium": "铝电解", "steel": "钢铁",
    "coal": "煤质化验", "series": "原始数据序列", "all": "全行业",
})  # fmt: skip
DERIVED = ("month_end", "month_number", "hours_of_month")
"""Columns made from `month`, which a file does not bring."""

_CALENDAR: Mapping[str, Type] = {
    "enterprise": TEXT, "unit": TEXT, "month": DATE, "month_end": DATE,
    "month_number": COUNT, "hours_of_month": Type("number", "h"),
}  # fmt: skip
_FIGURES = {
    name: Type("number", item.unit)
    for name, item in FIELDS.items()
    if item.kind in {"parameter", "constant"}
}
_UNIT_MONTH: Mapping[str, Type] = {
    **_CALENDAR, "sector": TEXT, "division_code": TEXT, "unit_class": TEXT, "fuel": TEXT,
    "fuel_source": TEXT, "fuel_source_filed": TEXT, "ncv_source": TEXT, "ncv_source_filed": TEXT,
    "carbon_source": TEXT, "carbon_source_filed": TEXT, "deposited_on": DATE,
    "verified_until_on": DATE, "days_after_month_end": Type("number", "d"), **_FIGURES,
}  # fmt: skip
_LAB_REPORT: Mapping[str, Type] = {
    **_CALENDAR, "report_id": TEXT, "report_sha256": TEXT, "laboratory": TEXT, "cma_number": TEXT,
    "cnas_number": TEXT, "sampled_on": DATE, "received_on": DATE, "tested_on": DATE,
    "reported_on": DATE,
    **{name: unit for name, unit in _FIGURES.items() if name.startswith(("coal_", "gas_"))},
}  # fmt: skip
_STATISTICS = ("minimum", "maximum", "mean", "standard_deviation", "rated_maximum")
_COUNTS = (
    "readings", "expected_readings", "gap_readings", "invalid_readings", "longest_constant_run",
    "distinct_values", "decreases",
)  # fmt: skip
_POINT_MONTH: Mapping[str, Type] = {
    **_CALENDAR, "point": TEXT, "field": TEXT, **dict.fromkeys(_COUNTS, COUNT),
    **dict.fromkeys(_STATISTICS, Type("number", "of the point")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table's columns, the key of a series in it, and what names one row to a reader."""

    name: str
    columns: Mapping[str, Type]
    series_key: tuple[str, ...]
    row_key: tuple[str, ...]
    groups: frozenset[Group]

    def schema(self, parameters: Mapping[str, object]) -> Schema:
        """What a rule with `parameters` may speak of; a parameter may not hide a column."""
        hidden = parameters.keys() & self.columns.keys()
        if hidden:
            raise PackInvalid(f"expected parameters that are no columns, got {sorted(hidden)}")
        known = {**self.columns, **dict.fromkeys(parameters, Type("number"))}
        return Schema(known, frozenset(parameters), self.groups)


_ONE: frozenset[Group] = frozenset({"basic", "table"})
_MANY: frozenset[Group] = frozenset({"basic", "table", "series"})
_UNIT = ("enterprise", "unit")
TABLES: Mapping[str, TableShape] = MappingProxyType({
    "unit_month": TableShape("unit_month", _UNIT_MONTH, _UNIT, (*_UNIT, "month"), _MANY),
    "lab_report": TableShape(
        "lab_report", _LAB_REPORT, _UNIT, (*_UNIT, "month", "report_id"), _ONE
    ),
    "point_month": TableShape(
        "point_month", _POINT_MONTH, (*_UNIT, "point"), (*_UNIT, "point", "month"), _MANY
    ),
})  # fmt: skip
