"""Sources by parameter, as data: tiers in their order, defaults, what makes a report valid."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from tanzheng.analytics.accounting.tree import Node, Source
from tanzheng.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class ParameterSources:
    """The tiers of a parameter, best first; `conservative` is "max" or "min"."""

    name: str
    sectors: tuple[str, ...]
    tiers: tuple[str, ...]
    conservative: str

    def rank(self, tier: str) -> int:
        """0 is best. `tier` must be one of the parameter's."""
        return self.tiers.index(tier)


@dataclass(frozen=True, slots=True)
class ReportRule:
    """What a carbon report must have, and how many natural days after month end it may come."""

    same_sample: tuple[str, ...]
    obtained_days: int
    source: Source


@dataclass(frozen=True, slots=True)
class SourceData:
    """All of `sources.toml`."""

    parameters: Mapping[str, ParameterSources]
    labels: Mapping[str, tuple[str, str]]
    defaults: Mapping[str, Node]
    report: ReportRule
    conservative: Source

    def of_sector(self, sector: str) -> dict[str, ParameterSources]:
        """The parameters that a unit of `sector` reports."""
        return {name: item for name, item in self.parameters.items() if sector in item.sectors}

    def default(self, name: str) -> Node:
        """The default value `name`."""
        try:
            return self.defaults[name]
        except KeyError:
            raise BadInput(f"expected a default value of {name}, got none") from None


@cache
def source_data() -> SourceData:
    """The data that ship with this package."""
    file = resources.files("tanzheng.analytics.parameters") / "sources.toml"
    table = tomllib.loads(file.read_text("utf-8"))
    report = table["report"]
    return SourceData(
        {
            row["name"]: ParameterSources(
                row["name"], tuple(row["sectors"]), tuple(row["tiers"]), row["conservative"]
            )
            for row in table["parameter"]
        },
        {name: (row["en"], row["zh"]) for name, row in table["tier"].items()},
        {
            name: Node(name, Decimal(row["value"]), row["unit"], source=_source(row))
            for name, row in table["default"].items()
        },
        ReportRule(tuple(report["same_sample"]), report["obtained_days"], _source(report)),
        _source(table["conservative"]),
    )


def _source(row: Mapping[str, Any]) -> Source:
    return Source(row["document"], row["section"], row["confidence"])
