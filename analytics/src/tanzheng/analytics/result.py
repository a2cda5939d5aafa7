"""A computed month: the one shape for units of every kind."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.accounting.tree import Node
from tanzheng.analytics.findings import Finding, Slots
from tanzheng.analytics.hours import Hour
from tanzheng.analytics.rules.ruleset import RuleResult
from tanzheng.core import canonical_json, fields
from tanzheng.core.calendar import Month
from tanzheng.core.manifest import Absent

if TYPE_CHECKING:
    from tanzheng.analytics.coal_month import Filed


@dataclass(frozen=True, slots=True)
class Parameter:
    """A reported figure: name and unit from the field dictionary, rounded to its decimals."""

    name: str
    value: Decimal
    unit: str

    @classmethod
    def of(cls, name: str, value: Decimal) -> "Parameter":
        """`value` as it is reported."""
        entry = fields.field(name)
        return cls(name, rounded(value, entry.decimals or 0), entry.unit)


@dataclass(frozen=True, slots=True)
class Accounted:
    """What the account of one kind of unit makes of a month.

    `figures` are in the order of the evidence package, `checked` is what rules compare beside them,
    `filed` what came from the plant's books.
    """

    figures: Mapping[str, Decimal]
    calculation: Node
    checked: Mapping[str, Decimal] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    filed: "Filed | None" = None


@dataclass(frozen=True, slots=True)
class MonthResult:
    """A computed month.

    `parameters` are in the order of the evidence package; one that cannot be formed (intensity
    without generation) is left out; `absent` are those that the unit cannot have. `calculation`
    explains the calculated CO2. `filed` is what the plant's books gave, None where the unit needs
    none. Digests are SHA-256 over the raw bytes of the standard pack and the rule set.
    """

    unit: str
    month: Month
    start_ms: int
    end_ms: int
    hours: tuple[Hour, ...]
    parameters: tuple[Parameter, ...]
    calculation: Node
    slots: Slots
    findings: tuple[Finding, ...]
    rule_results: tuple[RuleResult, ...]
    pack_sha256: bytes
    rules_sha256: bytes
    filed: "Filed | None" = None
    absent: tuple[Absent, ...] = ()

    def values(self) -> dict[str, Decimal]:
        """The reported figures by name."""
        return {parameter.name: parameter.value for parameter in self.parameters}

    def hours_json(self) -> bytes:
        """The hours as canonical JSON: the bytes of `data/hours.json` in an evidence package."""
        told = {item.name: str(item.reason) for item in self.absent}
        return canonical_json.dumps(
            {
                **({"absent": told} if told else {}),
                "version": 1,
                "hours": [hour.to_json() for hour in self.hours],
            }
        )
