"""The form that every suppression has: what is set aside, where, for which months, why, until when.

Rules and anomalies add what they suppress; scope, reason, owner and end are the same for both.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

NEEDED = ("enterprise", "from", "until", "reason", "note", "owner", "expires")
OPTIONAL = ("unit", "approver")
TEXTS = ("enterprise", "note", "owner")


@dataclass(frozen=True, slots=True)
class Scope:
    """An enterprise, one of its units or all (None), and months, the last included."""

    enterprise: str
    unit: str | None
    first: Month
    last: Month

    def covers(self, enterprise: object, unit: object, month: Month) -> bool:
        """Whether a month of a unit is in the scope."""
        return (
            enterprise == self.enterprise
            and self.unit in {None, unit}
            and self.first <= month <= self.last
        )


def rows(raw: bytes, where: str) -> Iterator[tuple[int, Mapping[str, Any], str]]:
    """The `[[suppression]]` tables of a TOML file: number from 1, row, where it stands."""
    try:
        found = tomllib.loads(raw.decode()).get("suppression", [])
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{where}: expected TOML, got {error}") from None
    if not isinstance(found, list):
        raise BadInput(f"{where}: expected [[suppression]] tables")
    for number, row in enumerate(found, 1):
        yield number, row, f"{where}: suppression {number}"


def scope(
    row: Mapping[str, Any], what: Sequence[str], reasons: Mapping[str, object], where: str
) -> Scope:
    """The scope of a row that has `what` beside the common keys; `BadInput` names what is wrong."""
    needed = (*what, *NEEDED)
    wrong = ({*needed} - row.keys()) | (row.keys() - {*needed, *OPTIONAL})
    if wrong:
        raise BadInput(f"{where}: expected {', '.join(needed)}, got wrong {sorted(wrong)}")
    if row["reason"] not in reasons:
        raise BadInput(f"{where}: expected reason one of {list(reasons)}, got {row['reason']!r}")
    for key in TEXTS:
        if not isinstance(row[key], str) or not row[key].strip():
            raise BadInput(f"{where}: expected a text for {key}, got {row[key]!r}")
    if type(row["expires"]) is not date:
        raise BadInput(f"{where}: expected a date for expires, got {row['expires']!r}")
    first, last = _month(row["from"], where), _month(row["until"], where)
    if last < first:
        raise BadInput(f"{where}: expected until not before from, got {first} to {last}")
    return Scope(row["enterprise"], row.get("unit"), first, last)


def _month(text: object, where: str) -> Month:
    try:
        return Month.parse(str(text))
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
