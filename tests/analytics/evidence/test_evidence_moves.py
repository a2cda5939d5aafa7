"""Who may do what when: the whole table, and what a move must name besides."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from analytics.evidence.evidence_months import (
    MARCH,
    START,
    act,
    digest,
    evidence,
    led_to,
    walk,
    who,
    written,
)
from tanzheng.analytics.closing import Deposit
from tanzheng.analytics.evidence import acts
from tanzheng.analytics.evidence.acts import Who, Why
from tanzheng.analytics.evidence.entries import Act
from tanzheng.analytics.evidence.errors import MoveIllegal, ReasonNeeded
from tanzheng.analytics.evidence.journal import Journal, accepted, read_journal
from tanzheng.analytics.evidence.reasons import reasons
from tanzheng.analytics.evidence.states import (
    LOCKED,
    MOVE_LABELS,
    ROLE_LABELS,
    STATE_LABELS,
    Move,
    Role,
    State,
)
from tanzheng.core.errors import BadInput

# Written out once more by hand: state, who may do what, and where it leads.
LEGAL = """
draft              enterprise check    checked
checked            enterprise check    checked
checked            enterprise deposit  deposited
deposited          enterprise correct  corrected
deposited          city       review   city_reviewed
deposited          city       return   returned
returned           enterprise correct  corrected
corrected          enterprise correct  corrected
corrected          city       review   city_reviewed
corrected          city       return   returned
city_reviewed      enterprise correct  corrected
city_reviewed      province   review   province_reviewed
city_reviewed      province   return   returned
province_reviewed  nation     sample   sampled
province_reviewed  nation     reopen   returned
sampled            nation     sample   sampled
sampled            nation     reopen   returned
"""
TABLE = {(s, r, m): to for s, r, m, to in map(str.split, LEGAL.strip().splitlines())}
DAY = timedelta(days=1)
IN_TIME = date(2025, 5, 10)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("move", Move)
def test_every_move_of_every_role_in_every_state(state: State, role: Role, move: Move) -> None:
    journal = led_to(state)
    before = written(journal)
    made = act(journal, role, move)
    if (state, role, move) in TABLE:
        journal.add(made)
        assert journal.month(MARCH).state == TABLE[state, role, move]
        return
    with pytest.raises(MoveIllegal) as refused:
        journal.add(made)
    legal = [f"{r} {m}" for s, r, m in TABLE if s == state]
    for words in (f"in state {state}", f"got {role} {move}", *legal):
        assert words in str(refused.value)
    assert ("locked" in str(refused.value)) == (state in LOCKED)
    assert written(journal) == before


def test_everything_has_a_name_in_both_languages() -> None:
    labels = [*STATE_LABELS.values(), *ROLE_LABELS.values(), *MOVE_LABELS.values()]
    assert len(labels) == len(State) + len(Role) + len(Move)
    labels += [(reason.en, reason.zh) for reason in reasons().values()]
    assert all(en.isascii() and not zh.isascii() for en, zh in labels)


def test_a_correction_is_a_new_version_and_the_former_stays() -> None:
    journal = led_to(State.RETURNED)
    first = journal.month(MARCH).versions
    walk(journal, [(Role.ENTERPRISE, Move.CORRECT), (Role.ENTERPRISE, Move.CORRECT)])
    versions = journal.month(MARCH).versions
    assert versions[:1] == first
    assert [(v.number, v.supersedes) for v in versions] == [(1, None), (2, 1), (3, 2)]
    assert len({v.manifest_sha256 for v in versions}) == 3


@pytest.mark.parametrize(
    ("state", "role", "move", "change", "words"),
    [
        (State.CHECKED, "enterprise", "deposit", {"manifest_sha256": digest("other")}, "checked"),
        (State.CHECKED, "enterprise", "deposit", {"version": 2}, "version 1, got 2"),
        (State.CHECKED, "enterprise", "deposit", {"supersedes": 1}, "supersedes None, got 1"),
        (State.CHECKED, "enterprise", "deposit", {"deposit": None}, "deposit is told"),
        (State.DRAFT, "enterprise", "check", {"version": 1}, "version None, got 1"),
        (State.RETURNED, "enterprise", "correct", {"version": 1}, "version 2, got 1"),
        (State.RETURNED, "enterprise", "correct", {"supersedes": None}, "supersedes 1"),
        (State.RETURNED, "enterprise", "correct", {"manifest_sha256": digest(0)}, "version 1"),
        (State.CORRECTED, "city", "review", {"version": 1}, "newest version 最新版本, 2, got 1"),
        (State.CORRECTED, "city", "review", {"manifest_sha256": digest(0)}, "package of that"),
        (State.CORRECTED, "city", "review", {"deposit": Deposit.READY}, "deposit is told"),
        (State.PROVINCE_REVIEWED, "nation", "sample", {"draw": None}, "draw is told"),
        (State.DEPOSITED, "city", "review", {"at": START - DAY}, "not before"),
        (State.DEPOSITED, "city", "review", {"at": (START + DAY).astimezone(UTC)}, "offset 8:00"),
    ],
)
def test_a_move_holds_on_to_its_package(
    state: State, role: str, move: str, change: dict[str, object], words: str
) -> None:
    journal = led_to(state)
    made = act(journal, Role(role), Move(move))
    broken = replace(made, **change)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=words):
        journal.add(broken)
    journal.add(made)


def first(journal: Journal, why: Why, deposit: Deposit = Deposit.READY, day: date = IN_TIME) -> Act:
    return acts.deposit(journal, evidence(0, deposit), who(hours=1), why, day)


@pytest.mark.parametrize("late", [False, True])
def test_what_needs_explaining_is_explained_in_words(late: bool) -> None:
    given = (Deposit.READY, date(2025, 4, 9)) if late else (Deposit.EXPLAIN, IN_TIME)
    for why in (Why(), Why("late_data"), Why("late_data", "  "), Why(None, "Outage of 3 March.")):
        journal = led_to(State.CHECKED)
        with pytest.raises(ReasonNeeded):
            journal.add(first(journal, why, *given))
    journal = led_to(State.CHECKED)
    entry = journal.add(first(journal, Why("late_data", "Outage of 3 March."), *given))
    assert entry.act.deposit is Deposit.EXPLAIN


def test_what_is_ready_and_in_time_needs_no_words() -> None:
    journal = led_to(State.CHECKED)
    journal.add(first(journal, Why()))
    assert journal.month(MARCH).state is State.DEPOSITED


@pytest.mark.parametrize(("role", "move", "state"), [
    (Role.CITY, Move.RETURN, State.DEPOSITED),
    (Role.PROVINCE, Move.RETURN, State.CITY_REVIEWED),
    (Role.NATION, Move.REOPEN, State.PROVINCE_REVIEWED),
])  # fmt: skip
def test_nothing_comes_back_without_a_reason(role: Role, move: Move, state: State) -> None:
    for why in (Why(), Why("wrong_value"), Why("wrong_value", " "), Why(None, "words")):
        journal = led_to(state)
        with pytest.raises(ReasonNeeded):
            journal.add(acts.judge(journal, MARCH, move, 1, who(role, 9), why))
    journal = led_to(state)
    with pytest.raises(ReasonNeeded, match="wrong_meter"):
        acts.judge(journal, MARCH, move, 1, who(role, 9), Why("late_data", "words"))


def test_a_judge_s_time_is_told_in_plant_time() -> None:
    journal = led_to(State.DEPOSITED)
    by = Who(Role.CITY, "somebody", datetime.fromisoformat("2025-04-30T22:00:00+00:00"))
    entry = journal.add(acts.judge(journal, MARCH, Move.REVIEW, 1, by, Why()))
    assert entry.act.at.isoformat() == "2025-05-01T06:00:00+08:00"


def test_a_correction_says_why() -> None:
    journal = led_to(State.RETURNED)
    with pytest.raises(ReasonNeeded):
        journal.add(acts.correct(journal, evidence("new"), who(hours=9), Why()))
    why = Why("review_answer")
    journal.add(acts.correct(journal, evidence("new"), who(hours=9), why))
    made = acts.correct(journal, evidence("x", Deposit.EXPLAIN), who(hours=9), why)
    with pytest.raises(ReasonNeeded, match="written"):
        journal.add(made)


def test_a_blocked_package_is_no_entry() -> None:
    journal = led_to(State.CHECKED)
    made = replace(act(journal, Role.ENTERPRISE, Move.DEPOSIT), deposit=Deposit.BLOCKED)
    with pytest.raises(MoveIllegal, match="blocked"):
        journal.add(made)


def test_accepted_months_are_those_that_the_province_accepted_and_nobody_reopened() -> None:
    journal = Journal("journal")
    for month, state in (
        ("2025-05", State.SAMPLED),
        ("2025-01", State.PROVINCE_REVIEWED),
        ("2025-02", State.CITY_REVIEWED),
        ("2024-12", State.PROVINCE_REVIEWED),
    ):
        led_to(state, replace(MARCH, period=month), journal)
    led_to(State.PROVINCE_REVIEWED, replace(MARCH, unit="G2"), journal)
    led_to(State.PROVINCE_REVIEWED, replace(MARCH, enterprise="TEST-2"), journal)
    found = accepted(read_journal(written(journal), "copy"), "TEST-1", 2025)
    assert [(item.unit, str(item.month)) for item in found] == [
        ("G1", "2025-01"), ("G1", "2025-05"), ("G2", "2025-03"),
    ]  # fmt: skip
    january = replace(MARCH, period="2025-01")
    assert found[0].version == journal.month(january).version
    assert found[0].review.act.role is Role.PROVINCE

    walk(journal, [(Role.NATION, Move.REOPEN), (Role.ENTERPRISE, Move.CORRECT)], january)
    assert [str(item.month) for item in accepted(journal, "TEST-1", 2025)] == ["2025-05", "2025-03"]
    walk(journal, [(Role.CITY, Move.REVIEW), (Role.PROVINCE, Move.REVIEW)], january)
    assert accepted(journal, "TEST-1", 2025)[0].version.number == 2
