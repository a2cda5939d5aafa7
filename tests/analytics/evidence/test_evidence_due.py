"""Deadlines, lateness and reminders: days counted in plant time."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from analytics.evidence.evidence_months import MARCH, evidence, led_to, who
from analytics.plants import PLANT
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.closing import Deposit, deadline
from tanzheng.analytics.evidence import acts
from tanzheng.analytics.evidence.acts import Who, Why
from tanzheng.analytics.evidence.due import due, reminders
from tanzheng.analytics.evidence.journal import Journal
from tanzheng.analytics.evidence.months import MonthEvidence
from tanzheng.analytics.evidence.states import Role, State
from tanzheng.core.calendar import Month

PACK = load_pack()
UNTIL = date(2025, 5, 10)  # of March 2025
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("month", "last_day"),
    [
        ("2025-01", "2025-03-12"),
        ("2024-01", "2024-03-11"),
        ("2025-02", "2025-04-09"),
        ("2024-02", "2024-04-09"),
        ("2025-12", "2026-02-09"),
        ("2025-03", "2025-05-10"),
    ],
)
def test_late_begins_the_day_after_forty_natural_days(month: str, last_day: str) -> None:
    last = date.fromisoformat(last_day)
    assert deadline(Month.parse(month), PACK) == last
    draft = MonthEvidence(replace(MARCH, period=month))
    assert [draft.late_days(last, last + n * DAY) for n in (-9, 0, 1, 31)] == [0, 0, 1, 31]


def test_the_first_deposit_decides_on_lateness_for_good() -> None:
    journal = led_to(State.CORRECTED)
    month = journal.month(MARCH)
    assert month.deposited_on == date(2025, 4, 10)
    assert month.late_days(UNTIL, date(2026, 1, 1)) == 0
    assert month.late_days(date(2025, 4, 8), date(2026, 1, 1)) == 2


@pytest.mark.parametrize(
    ("at", "deposit"),
    [
        ("2025-05-10T23:59:59+08:00", Deposit.READY),
        ("2025-05-11T00:00:00+08:00", Deposit.EXPLAIN),
        ("2025-05-10T15:59:59+00:00", Deposit.READY),
        ("2025-05-10T16:00:00+00:00", Deposit.EXPLAIN),
        ("2025-05-10T09:00:00-07:00", Deposit.EXPLAIN),
    ],
)
def test_the_day_is_the_plant_s_own(at: str, deposit: Deposit) -> None:
    by = Who(Role.ENTERPRISE, "somebody", datetime.fromisoformat(at))
    made = acts.check(Journal("j"), evidence(), by, UNTIL)
    assert made.deposit is deposit
    assert made.at == by.at
    assert made.at.isoformat().endswith("+08:00")


def at(state: State, today: date, since: date | None = None) -> list[str]:
    (row,) = due(led_to(state), [PLANT_ONE], [Month.parse("2025-03")], PACK, today, since)
    assert row.deadline == UNTIL
    return [reminder.id for _, reminder in row.reminders]


PLANT_ONE = replace(PLANT, enterprise=MARCH.enterprise)


@pytest.mark.parametrize(
    ("state", "days", "id_"),
    [
        (State.DRAFT, -20, "deposit_in_20_days"),
        (State.CHECKED, -7, "deposit_in_7_days"),
        (State.DRAFT, -3, "deposit_in_3_days"),
        (State.DRAFT, 0, "deposit_today"),
        (State.CHECKED, 1, "late_1_day"),
        (State.DRAFT, 10, "late_10_days"),
    ],
)
def test_a_reminder_is_due_on_its_day_alone(state: State, days: int, id_: str) -> None:
    assert at(state, UNTIL + days * DAY) == [id_]
    assert id_ not in at(state, UNTIL + (days - 1) * DAY) + at(state, UNTIL + (days + 1) * DAY)


@pytest.mark.parametrize(
    ("state", "days", "id_"),
    [
        (State.RETURNED, 7, "returned_7_days"),
        (State.RETURNED, 15, "returned_15_days"),
        (State.DEPOSITED, 10, "city_review_10_days"),
        (State.CORRECTED, 10, "city_review_10_days"),
        (State.CITY_REVIEWED, 10, "province_review_10_days"),
    ],
)
def test_who_sits_on_a_month_is_reminded_from_its_last_move(
    state: State, days: int, id_: str
) -> None:
    moved = led_to(state).month(MARCH).entries[-1].act.day
    assert at(state, moved + days * DAY) == [id_]
    assert id_ not in at(state, moved + (days - 1) * DAY) + at(state, moved + (days + 1) * DAY)


def test_every_reminder_is_tried_above() -> None:
    ids = {id_ for state in State for id_ in at(state, UNTIL + 20 * DAY, UNTIL - 60 * DAY)}
    assert ids == {reminder.id for reminder in reminders()}


def test_days_between_two_runs_are_not_lost() -> None:
    week = [UNTIL - 4 * DAY, UNTIL + DAY]
    assert at(State.DRAFT, week[1], week[0]) == ["deposit_in_3_days", "deposit_today", "late_1_day"]
    assert at(State.DRAFT, week[1], UNTIL) == ["late_1_day"]
    assert at(State.PROVINCE_REVIEWED, week[1], week[0]) == []


def test_reminders_are_told_in_both_languages() -> None:
    assert len({reminder.id for reminder in reminders()}) == len(reminders())
    rows = due(Journal("j"), [PLANT_ONE], [Month.parse("2025-03")], PACK, UNTIL + 10 * DAY)
    for reminder in reminders():
        en, zh = reminder.text(rows[0])
        assert "A plant on paper G1" in en
        assert "纸上电厂 G1" in zh
        assert "2025-03" in en
        assert "2025-03" in zh
        assert "{" not in en + zh
        assert en.isascii()
    assert rows[0].to_json()["reminders"] == [
        {
            "id": "late_10_days",
            "day": "2025-05-20",
            "to": ["enterprise", "city", "province"],
            "en": "Evidence of 2025-03 for A plant on paper G1 is late by 10 days.",
            "zh": "纸上电厂 G1 2025-03 月度存证已逾期 10 天。",
        }
    ]


def test_the_latest_stand_first() -> None:
    journal = led_to(State.DEPOSITED)
    months = [Month(2025, number) for number in (1, 2, 3, 4)]
    rows = due(journal, [PLANT_ONE], months, PACK, date(2025, 4, 11))
    assert [(row.month.subject.period, row.late_days) for row in rows] == [
        ("2025-01", 30), ("2025-02", 2), ("2025-03", 0), ("2025-04", 0),
    ]  # fmt: skip
    assert rows[2].to_json() | {"reminders": []} == {
        "subject": "TEST-1/G1/2025-03/month",
        "state": "deposited",
        "version": 1,
        "deposited_on": "2025-04-10",
        "deadline": "2025-05-10",
        "late_days": 0,
        "reminders": [],
    }


def test_a_late_month_is_late_after_its_deposit_as_well() -> None:
    journal = led_to(State.CHECKED)
    made = acts.deposit(
        journal, evidence(0), who(hours=24 * 40), Why("late_data", "Outage."), UNTIL
    )
    journal.add(made)
    rows = due(journal, [PLANT_ONE], [Month(2025, 3)], PACK, date(2025, 9, 1))
    assert rows[0].late_days == 10
