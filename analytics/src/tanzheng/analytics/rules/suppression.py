"""Suppressions: failures set aside for a scope, with a reason, an owner and an end.

A suppressed failure stays in the result and in the counts; it only no longer blocks. Each row of
the TOML file is one suppression:

    [[suppression]]
    rule = "PWR-T-001"
    enterprise = "E1"
    unit = "U1"                 # optional: every unit of the enterprise
    from = "2026-01"
    until = "2026-06"           # last month of the scope
    reason = "known_outage"
    note = "Kiln rebuilt from January to June, see letter 2026-017."
    owner = "Li Wei"
    expires = 2026-12-31        # last day on which it may be used
    approver = "Wang Fang"      # needed where a rule of physics blocks
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tanzheng.analytics import suppression
from tanzheng.analytics.rules.catalogue import Catalogue
from tanzheng.analytics.suppression import Scope
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

REASONS: Mapping[str, tuple[str, str]] = {
    "known_outage": ("outage or rebuild on record", "已备案的停机或改造"),
    "fuel_change": ("change of fuel with documents", "有文件证明的燃料变化"),
    "meter_swap": ("meter swapped, record attached", "换表并附记录"),
    "rule_not_apt": ("the rule does not fit this plant", "规则不适用于该企业"),
    "authority_decision": ("decision of the authority", "主管部门决定"),
}


@dataclass(frozen=True, slots=True)
class Suppression:
    """One row of the file; `number` is its place in it, from 1."""

    number: int
    rule: str
    scope: Scope
    reason: str
    note: str
    owner: str
    expires: date
    approver: str | None

    def covers(self, rule: str, keys: Mapping[str, object]) -> bool:
        """Whether a failure of `rule` at `keys` (enterprise, unit, month) is in the scope."""
        day = keys["month"]
        assert isinstance(day, date)
        month = Month(day.year, day.month)
        return rule == self.rule and self.scope.covers(keys["enterprise"], keys["unit"], month)


@dataclass(frozen=True, slots=True)
class Suppressions:
    """Those in force today, and those that have ended: the latter are reported, not used."""

    active: Sequence[Suppression] = ()
    expired: Sequence[Suppression] = ()


def read_suppressions(raw: bytes, where: str, catalogue: Catalogue, today: date) -> Suppressions:
    """The suppressions of a file; `BadInput` says which row is wrong, and how."""
    found = [_read(row, number, at, catalogue) for number, row, at in suppression.rows(raw, where)]
    return Suppressions(
        [item for item in found if item.expires >= today],
        [item for item in found if item.expires < today],
    )


def _read(row: Mapping[str, Any], number: int, where: str, catalogue: Catalogue) -> Suppression:
    scope = suppression.scope(row, ("rule",), REASONS, where)
    rules = {rule.id: rule for rule in catalogue.rules}
    if row["rule"] not in rules:
        raise BadInput(f"{where}: expected the id of a rule, got {row['rule']!r}")
    if rules[row["rule"]].needs_approver and not row.get("approver"):
        raise BadInput(f"{where}: {row['rule']} is physics and blocks: expected an approver")
    return Suppression(
        number, row["rule"], scope, row["reason"], row["note"], row["owner"], row["expires"],
        row.get("approver"),
    )  # fmt: skip
