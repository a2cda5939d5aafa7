"""Who has deposited, who is late, which reminders are due: over plants and months, on a day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from tanzheng.analytics.accounting.pack import Pack
from tanzheng.analytics.closing import deadline
from tanzheng.analytics.evidence.data import tables
from tanzheng.analytics.evidence.entries import KIND, word
from tanzheng.analytics.evidence.journal import Journal
from tanzheng.analytics.evidence.months import MonthEvidence
from tanzheng.analytics.evidence.states import Role, State
from tanzheng.core.calendar import Month
from tanzheng.core.ids import Subject
from tanzheng.core.plant import Plant

_KEYS = ("id", "days", "to", "states", "en", "zh")


@dataclass(frozen=True, slots=True)
class Reminder:
    """`days` natural days after the deadline (negative: before), to whom, in which states."""

    id: str
    days: int
    to: tuple[Role, ...]
    states: frozenset[State]
    en: str
    zh: str

    def text(self, row: "Due") -> tuple[str, str]:
        """The reminder in English and Chinese."""
        filled = {
            "unit": f"{row.plant.name} {row.month.subject.unit}",
            "month": row.month.subject.period,
            "deadline": row.deadline.isoformat(),
            "days": abs(self.days),
        }
        chinese = filled | {"unit": f"{row.plant.name_zh} {row.month.subject.unit}"}
        return self.en.format(**filled), self.zh.format(**chinese)


@cache
def reminders() -> tuple[Reminder, ...]:
    """All reminders, in the order of the file `reminders.toml`."""
    return tuple(
        Reminder(
            row["id"],
            row["days"],
            tuple(word(role, Role, f"reminders.toml: {row['id']}") for role in row["to"]),
            frozenset(
                word(state, State, f"reminders.toml: {row['id']}") for state in row["states"]
            ),
            row["en"],
            row["zh"],
        )
        for row in tables("reminders.toml", "reminder", _KEYS)
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A unit's month on a day: its deadline, lateness in days, and reminders that are due."""

    plant: Plant
    month: MonthEvidence
    deadline: date
    late_days: int
    reminders: tuple[Reminder, ...]

    def to_json(self) -> dict[str, Any]:
        """What a machine needs of it."""
        version = self.month.version
        day = self.month.deposited_on
        return {
            "subject": str(self.month.subject),
            "state": str(self.month.state),
            "version": version and version.number,
            "deposited_on": day and day.isoformat(),
            "deadline": self.deadline.isoformat(),
            "late_days": self.late_days,
            "reminders": [
                {
                    "id": item.id,
                    "day": (self.deadline + timedelta(days=item.days)).isoformat(),
                    "to": [str(role) for role in item.to],
                    "en": item.text(self)[0],
                    "zh": item.text(self)[1],
                }
                for item in self.reminders
            ],
        }


def due(
    journal: Journal,
    plants: Iterable[Plant],
    months: Sequence[Month],
    pack: Pack,
    today: date,
    since: date | None = None,
) -> list[Due]:
    """Every unit of `plants` in every month, on `today`; the latest first, then by deadline.

    `since`: the day of the run before; reminders of the days between are due as well. Without it
    those of `today` alone.
    """
    before = since or today - timedelta(days=1)
    rows = [
        _row(
            plant,
            journal.month(Subject(plant.enterprise, unit.id, str(month), KIND)),
            deadline(month, pack),
            (before, today),
        )
        for plant in plants
        for unit in plant.units
        for month in months
    ]
    return sorted(rows, key=lambda row: (-row.late_days, row.deadline, row.month.subject))


def _row(plant: Plant, month: MonthEvidence, until: date, span: tuple[date, date]) -> Due:
    before, today = span
    return Due(
        plant,
        month,
        until,
        month.late_days(until, today),
        tuple(
            item
            for item in reminders()
            if month.state in item.states and before < until + timedelta(days=item.days) <= today
        ),
    )
