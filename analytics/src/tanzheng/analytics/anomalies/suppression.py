"""Suppressions of alerts. A lead closed as a false alert silences nothing by itself: somebody must
write an entry, with a reason and an end, that names the lead. A suppressed alert stays in the
report and in its count; each row of the TOML file is one suppression:

    [[suppression]]
    lead = "L0003"              # closed as false_alert, of the same enterprise and input
    input = "fuel"              # as the alert blames it
    enterprise = "E004"
    unit = "U1"                 # optional: every unit of the enterprise
    from = "2024-09"
    until = "2025-03"           # last month of the scope
    reason = "known_operation"
    note = "Boiler 2 tests lignite, see letter 2024-117."
    owner = "Li Wei"
    expires = 2025-12-31        # last day on which it may be used
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from tanzheng.analytics import suppression
from tanzheng.analytics.anomalies.alert import Alert
from tanzheng.analytics.seats import Seat
from tanzheng.analytics.suppression import Scope
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

REASONS: Mapping[str, tuple[str, str]] = {
    "known_operation": ("the plant runs otherwise, on record", "已备案的工况变化"),
    "known_meter": ("a meter reads otherwise, on record", "已备案的计量特性"),
    "model_not_apt": ("the comparison does not fit this plant", "比较方法不适用于该企业"),
    "authority_decision": ("decision of the authority", "主管部门决定"),
}
CLOSED_AS = "false_alert"


class KnownLead(Protocol):
    """What is asked of a lead: where it stands, how it was closed (None while open), and the
    alert that it was opened from (None where by hand)."""

    @property
    def id(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def outcome(self) -> str | None: ...

    @property
    def about(self) -> Alert | None: ...

    def seen_by(self, seat: Seat) -> bool:
        """Whether the seat may know of it."""
        ...


@dataclass(frozen=True, slots=True)
class Suppression:
    """One row of the file; `number` is its place in it, from 1."""

    number: int
    input: str
    scope: Scope
    expires: date

    def covers(self, alert: Alert) -> bool:
        """Whether every month of the alert is in the scope, and the same input is blamed."""
        return alert.blames == self.input and all(
            self.scope.covers(alert.enterprise, alert.unit, Month.parse(month))
            for month in alert.months
        )


def read_suppressions(
    raw: bytes, where: str, leads: Mapping[str, KnownLead], today: date
) -> Sequence[Suppression]:
    """Those of a file that are in force today; `BadInput` says which row is wrong, and how."""
    found = [_read(row, number, at, leads) for number, row, at in suppression.rows(raw, where)]
    return [item for item in found if item.expires >= today]


def _read(
    row: Mapping[str, Any], number: int, where: str, leads: Mapping[str, KnownLead]
) -> Suppression:
    scope = suppression.scope(row, ("lead", "input"), REASONS, where)
    lead = leads.get(row["lead"])
    if lead is None or lead.outcome != CLOSED_AS:
        state = "none of that number" if lead is None else f"one closed as {lead.outcome}"
        raise BadInput(f"{where}: expected a lead closed as {CLOSED_AS}, got {state}")
    alert = lead.about
    if alert is None or (alert.enterprise, alert.blames) != (scope.enterprise, row["input"]):
        about = "no alert" if alert is None else f"{alert.enterprise}, {alert.blames}"
        raise BadInput(
            f"{where}: expected a lead about {scope.enterprise}, {row['input']}, got {about}"
        )
    if scope.unit not in {None, alert.unit}:
        raise BadInput(f"{where}: expected the lead's unit {alert.unit}, got {scope.unit}")
    return Suppression(number, row["input"], scope, row["expires"])
