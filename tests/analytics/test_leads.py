"""Leads: only the moves of the table, only by whom they belong to, all of it from the journal."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.leads import (
    ALERT,
    CITY,
    ENTERPRISE,
    OTHERS,
    PLACE,
    PROOF,
    PROVINCE,
    SUBJECT,
    Desk,
)
from tanzheng.analytics.anomalies import record
from tanzheng.analytics.anomalies.scope import seen_by
from tanzheng.analytics.journal import JournalDamaged
from tanzheng.analytics.leads import moves, register
from tanzheng.analytics.leads.lead import MOVES, MoveRefused, State, next_down
from tanzheng.analytics.leads.words import lead_data
from tanzheng.analytics.seats import NATION, Seat
from tanzheng.core.errors import BadInput, EncodingError

SEATS = (NATION, PROVINCE, CITY, ENTERPRISE)
KINDS = ("hand_down", "answer", "accept", "send_back", "close", "reopen")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "leads.journal")


def test_a_lead_goes_down_is_answered_accepted_and_closed(desk: Desk) -> None:
    lead = desk.open()
    assert (lead.id, lead.state, lead.holder, lead.due_on) == (
        "L0001", State.HELD, NATION, date(2025, 4, 6),
    )  # fmt: skip
    for seat, to in ((NATION, PROVINCE), (PROVINCE, CITY), (CITY, ENTERPRISE)):
        assert next_down(desk.read()) == to
        lead = desk.move("hand_down", seat, to=to)
        assert lead.holder == to
    assert lead.due_on == date(2025, 4, 16)
    assert desk.answer().holder == CITY
    assert desk.move("accept", CITY).holder == NATION
    lead = desk.move("close", NATION, outcome="confirmed_error")
    assert (lead.state, lead.due_on, lead.outcome) == (State.CLOSED, None, "confirmed_error")
    assert lead == desk.read()
    answered = lead.history[4][1]
    assert (answered.attachments, answered.corrected_months) == ((PROOF,), ("2024-09",))


def test_an_answer_sent_back_is_with_the_enterprise_again(desk: Desk) -> None:
    desk.asked()
    desk.answer()
    assert desk.move("send_back", CITY).holder == ENTERPRISE
    desk.answer(corrected_months=())
    desk.move("accept", CITY)
    assert desk.move("send_back", NATION).holder == ENTERPRISE


def test_a_closed_lead_is_opened_again_and_goes_down_again(desk: Desk) -> None:
    desk.open()
    desk.move("close", NATION, outcome="false_alert")
    lead = desk.move("reopen", NATION)
    assert (lead.state, lead.holder, lead.outcome) == (State.HELD, NATION, None)
    assert desk.move("hand_down", NATION, to=ENTERPRISE).holder == ENTERPRISE


def test_an_office_above_the_opener_may_close_and_reopen(desk: Desk) -> None:
    desk.open(CITY)
    desk.move("close", PROVINCE, outcome="explained")
    assert desk.move("reopen", NATION).holder == NATION


def test_an_office_answers_in_place_of_the_enterprise_but_not_its_own_lead(desk: Desk) -> None:
    desk.open()
    with pytest.raises(MoveRefused, match="expected hand_down or close by nation"):
        desk.answer(NATION)
    desk.move("hand_down", NATION, to=CITY)
    assert desk.answer(CITY).holder == NATION


def moves_of(desk: Desk) -> dict[str, Callable[[Seat], object]]:
    plain: dict[str, Callable[[Seat], object]] = {
        kind: partial(desk.move, kind) for kind in ("accept", "send_back", "reopen")
    }
    return plain | {
        "hand_down": lambda seat: desk.move("hand_down", seat, to=ENTERPRISE),
        "answer": desk.answer,
        "close": lambda seat: desk.move("close", seat, outcome="explained"),
    }


def in_state(desk: Desk, state: State) -> None:
    desk.asked()
    path = {
        State.HELD: (),
        State.ANSWERED: (("answer", ENTERPRISE),),
        State.ACCEPTED: (("answer", ENTERPRISE), ("accept", CITY)),
        State.CLOSED: (("close", NATION),),
    }
    for kind, seat in path[state]:
        moves_of(desk)[kind](seat)


LEGAL = {
    (State.HELD, "answer", ENTERPRISE), (State.HELD, "close", NATION),
    (State.ANSWERED, "accept", CITY), (State.ANSWERED, "send_back", CITY),
    (State.ACCEPTED, "send_back", NATION), (State.ACCEPTED, "close", NATION),
    (State.CLOSED, "reopen", NATION),
}  # fmt: skip


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", KINDS)
def test_no_other_move_and_no_other_mover(desk: Desk, state: State, kind: str) -> None:
    """The lead was handed down by each level to the enterprise, then brought to `state`."""
    in_state(desk, state)
    before = desk.path.read_bytes()
    for seat in (*SEATS, *OTHERS):
        if (state, kind, seat) in LEGAL:
            assert (state, kind) in MOVES
            continue
        with pytest.raises(BadInput):
            moves_of(desk)[kind](seat)
        assert desk.path.read_bytes() == before
    for legal_state, legal_kind, seat in LEGAL:
        if (legal_state, legal_kind) == (state, kind):
            moves_of(desk)[kind](seat)


@pytest.mark.parametrize("to", [NATION, PROVINCE, *OTHERS])
def test_a_lead_goes_down_only_and_stays_in_its_place(desk: Desk, to: Seat) -> None:
    desk.open(PROVINCE)
    with pytest.raises(MoveRefused, match="expected one of 320500, enterprise:E004, got"):
        desk.move("hand_down", PROVINCE, to=to)


@pytest.mark.parametrize("seat", [ENTERPRISE, *OTHERS])
def test_only_a_supervisor_of_the_place_opens(desk: Desk, seat: Seat) -> None:
    with pytest.raises(MoveRefused, match="expected a supervisor of E004"):
        desk.open(seat)
    assert not desk.path.read_bytes()


def test_an_alert_has_one_lead(desk: Desk) -> None:
    desk.open()
    grown = replace(ALERT, id="other", months=(*ALERT.months, "2024-11"))
    for alert in (ALERT, grown):
        with pytest.raises(BadInput, match="got one that L0001 is about, which is held"):
            desk.open(subject=replace(SUBJECT, alert=alert, months=alert.months))
    other = replace(ALERT, months=("2024-11",))
    assert desk.open(subject=replace(SUBJECT, alert=other, months=("2024-11",))).id == "L0002"
    assert desk.open(subject=replace(SUBJECT, alert=None)).id == "L0003"


def test_who_sees_a_lead(desk: Desk) -> None:
    def seers() -> set[Seat]:
        return {seat for seat in (*SEATS, *OTHERS) if register.seen(register.read(desk.path), seat)}

    desk.open(PROVINCE)
    assert seers() == {NATION, PROVINCE}
    desk.move("hand_down", PROVINCE, to=CITY)
    assert seers() == {NATION, PROVINCE, CITY}
    desk.move("hand_down", CITY, to=ENTERPRISE)
    assert seers() == {*SEATS}
    desk.move("close", NATION, outcome="explained")
    desk.move("reopen", NATION)
    assert seers() == {*SEATS}
    with pytest.raises(BadInput, match="expected a lead of the journal, got 'L0001'"):
        desk.move("close", OTHERS[0], outcome="explained")


def test_an_enterprise_reads_what_was_written_since_it_was_told(desk: Desk) -> None:
    lead = desk.asked()
    assert [step.move for _, step in lead.history_for(ENTERPRISE)] == ["hand_down"]
    assert len(lead.history_for(CITY)) == 4


def test_a_twin_of_another_jurisdiction_is_not_named() -> None:
    for seat in (PROVINCE, CITY, ENTERPRISE):
        shown = json.dumps(record.encode(seen_by(ALERT, seat)), ensure_ascii=False)
        assert "E005" not in shown
        assert "a unit of another jurisdiction" in shown
    assert seen_by(ALERT, NATION) == ALERT


def test_corrected_months_are_months_of_the_lead(desk: Desk) -> None:
    desk.asked()
    with pytest.raises(MoveRefused, match="expected corrected months among 2024-09, 2024-10"):
        desk.answer(corrected_months=("2024-11",))


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"cause": "weather"}, "cause: expected one of meter_fault"),
        ({"corrected_months": ("2024-10", "2024-09")}, "expected months in order"),
        ({"note": " "}, "a note for answer"),
    ],
)
def test_an_answer_of_the_wrong_form(desk: Desk, own: dict[str, Any], says: str) -> None:
    desk.asked()
    with pytest.raises(BadInput, match=says):
        desk.answer(**own)


def test_deadlines_stay_as_they_were_told(desk: Desk) -> None:
    lead = desk.open()
    body = json.loads(desk.path.read_bytes())["body"]
    assert body["due_on"] == str(lead.due_on)
    changed = {**body, "due_on": "2025-05-01"}
    assert moves.decode(changed, "x").due_on == date(2025, 5, 1)


def test_an_illegal_move_in_the_journal_is_named(desk: Desk) -> None:
    """Somebody wrote a well-formed line past this program."""
    desk.open()
    with register.journal(desk.path).writing() as writer:
        step = moves.Move("close", "L0001", CITY, "Sun", "quietly", None, outcome="false_alert")
        writer.append(moves.encode(step), desk.at)
    with pytest.raises(JournalDamaged, match=r"line 2: L0001: expected close by nation"):
        register.read(desk.path)
    assert "line 2" in register.fsck(desk.path, None).faults[0]


def test_a_move_survives_its_record(desk: Desk) -> None:
    desk.asked()
    desk.answer()
    for _, step in desk.read().history:
        assert moves.decode(moves.encode(step), "x") == step
    assert record.decode(record.encode(ALERT), "x") == ALERT


@given(st.data())
def test_a_record_with_another_shape_is_refused(data: st.DataObject) -> None:
    body = moves.encode(moves.Move("open", "L0001", NATION, "Li", "", None, subject=SUBJECT))
    key = data.draw(st.sampled_from(sorted(body)))
    wrong = data.draw(st.sampled_from([1.5, True, {}, -1, ["2024-9"]]))
    with pytest.raises(BadInput):
        moves.decode({**body, key: wrong}, "x")


@pytest.mark.parametrize("change", [{"extra": 1}, {"by": ""}, {"lead": "17"}])
def test_more_or_less_is_refused(change: dict[str, Any]) -> None:
    step = moves.Move("reopen", "L0001", NATION, "Li", "why", None)
    with pytest.raises(EncodingError):
        moves.decode({**moves.encode(step), **change}, "x")


def test_every_level_has_a_deadline_and_every_word_two_languages() -> None:
    data = lead_data()
    assert {*data.deadline_days} == {
        "nation", "province", "city", "enterprise", "review", "closing",
    }  # fmt: skip
    assert all(en and zh for words in (data.causes, data.outcomes) for en, zh in words.values())


def test_a_place_knows_its_seats() -> None:
    assert [seat.covers(PLACE) for seat in (*SEATS, *OTHERS)] == [True] * 4 + [False] * 4
