"""Who has deposited, who is late, which reminders are due: over plants and months, on a day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
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

_KEYS = ("id", "counts_from", "days", "to", "states", "en", "zh")


class CountsFrom(StrEnum):
    """The day from which a reminder counts: the deadline, or that of the month's last move."""

    DEADLINE = "deadline"
    LAST_MOVE = "last_move"


@dataclass(frozen=True, slots=True)
class Reminder:
    """`days` natural days after a day (negative: before), to whom, while in which states."""

    id: str
    counts_from: CountsFrom
    days: int
    to: tuple[Role, ...]
    states: frozenset[State]
    en: str
    zh: str

    def day(self, month: MonthEvidence, deadline: date) -> date | None:
        """The day on which it is due; None while the month is in another state."""
        if month.state not in self.states:
            return None
        if self.counts_from is CountsFrom.DEADLINE:
            return deadline + timedelta(days=self.days)
        return month.entries[-1].act.day + timedelta(days=self.days) if month.entries else None

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
            word(row["counts_from"], CountsFrom, f"reminders.toml: {row['id']}"),
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
    """A unit's month on a day: its deadline, lateness in days, and reminders with their days."""

    plant: Plant
    month: MonthEvidence
    deadline: date
    late_days: int
    reminders: tuple[tuple[date, Reminder], ...]

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
                    "day": due_on.isoformat(),
                    "to": [str(role) for role in item.to],
                    "en": item.text(self)[0],
                    "zh": item.text(self)[1],
                }
                for due_on, item in self.reminders
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
    found = [(item.day(month, until), item) for item in reminders()]
    told = tuple((day, item) for day, item in found if day is not None and before < day <= today)
    return Due(plant, month, until, month.late_days(until, today), told)
