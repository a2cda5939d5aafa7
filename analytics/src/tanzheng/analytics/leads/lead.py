"""The life of a lead: one table of legal moves, and who may make each.

    held ──answer──▶ answered ──accept──▶ accepted ──close──▶ closed
     ▲ │ ▲               │                    │                  │
     └─┘ └───send_back───┴────────────────────┘                  │
    hand_down        held ◀──────────────reopen──────────────────┘

`held` says with whom: the last seat that it was handed down to. An office may answer in place of
the enterprise. Handing down goes to any lower seat of the same place, so that a province may skip a
city, never sideways or up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from tanzheng.analytics.anomalies.alert import Alert
from tanzheng.analytics.leads.moves import Move, Subject
from tanzheng.analytics.leads.words import lead_data
from tanzheng.analytics.seats import LEVEL_NAMES, Level, Seat, seat_of
from tanzheng.core.calendar import CHINA
from tanzheng.core.errors import BadInput


class State(StrEnum):
    """Where a lead stands."""

    HELD = "held"
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    CLOSED = "closed"


class Who(StrEnum):
    """Who may move: with whom it lies, who asked for the answer, who opened it (or above)."""

    HOLDER = "holder"
    ASKER = "asker"
    OPENER = "opener"


MOVES: Mapping[tuple[State, str], tuple[Who, State]] = {
    (State.HELD, "hand_down"): (Who.HOLDER, State.HELD),
    (State.HELD, "answer"): (Who.HOLDER, State.ANSWERED),
    (State.HELD, "close"): (Who.OPENER, State.CLOSED),
    (State.ANSWERED, "accept"): (Who.ASKER, State.ACCEPTED),
    (State.ANSWERED, "send_back"): (Who.ASKER, State.HELD),
    (State.ACCEPTED, "send_back"): (Who.OPENER, State.HELD),
    (State.ACCEPTED, "close"): (Who.OPENER, State.CLOSED),
    (State.CLOSED, "reopen"): (Who.OPENER, State.HELD),
}


class MoveRefused(BadInput):
    """A move that the lead's state or the mover's seat does not allow."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead as its moves left it. `chain` are the seats that it went down, the opener first."""

    id: str
    subject: Subject
    state: State
    chain: tuple[Seat, ...]
    history: tuple[tuple[datetime, Move], ...]

    @property
    def opener(self) -> Seat:
        return self.chain[0]

    @property
    def holder(self) -> Seat:
        """Who has to move now."""
        if self.state is State.HELD:
            return self.chain[-1]
        return self.chain[-2] if self.state is State.ANSWERED else self.chain[0]

    @property
    def last(self) -> Move:
        return self.history[-1][1]

    @property
    def due_on(self) -> date | None:
        """The day by which `holder` has to move; None when closed."""
        return self.last.due_on

    @property
    def outcome(self) -> str | None:
        """How it was closed; None while it is not."""
        return self.last.outcome

    @property
    def about(self) -> Alert | None:
        """The alert it was opened from; None where by hand."""
        return self.subject.alert

    def seen_by(self, seat: Seat) -> bool:
        """Those who ever had it see it, and every office above its opener."""
        had = {self.opener, *(step.seat for _, step in self.history)}
        had |= {step.to for _, step in self.history if step.to is not None}
        return seat in had or self.is_above(seat)

    def history_for(self, seat: Seat) -> Sequence[tuple[datetime, Move]]:
        """All moves; for an enterprise those since it was told, not what offices wrote before."""
        if seat.level is not Level.ENTERPRISE:
            return self.history
        told = next((n for n, (_, step) in enumerate(self.history) if step.to == seat), None)
        return () if told is None else self.history[told:]

    def is_above(self, seat: Seat) -> bool:
        """Whether the seat supervises the opener in this place."""
        return seat.level < self.opener.level and seat.covers(self.subject.place)


def opened(step: Move, at: datetime) -> Lead:
    """A new lead; `MoveRefused` where the place is not the opener's to supervise."""
    assert step.subject is not None
    if step.seat.level is Level.ENTERPRISE or not step.seat.covers(step.subject.place):
        place = f"{step.subject.place.enterprise} ({step.subject.place.division})"
        raise MoveRefused(
            f"expected a supervisor of {place}, got {step.seat} · {step.seat} 无权对该企业立案"
        )
    return Lead(step.lead, step.subject, State.HELD, (step.seat,), ((at, step),))


def moved(lead: Lead, step: Move, at: datetime) -> Lead:
    """The lead after a move; `MoveRefused` says what would be legal."""
    allowed = MOVES.get((lead.state, step.move))
    if allowed is None:
        legal = ", ".join(move for state, move in MOVES if state is lead.state)
        raise MoveRefused(
            f"{lead.id} is {lead.state}: expected {legal}, got {step.move} · 当前状态不允许该操作"
        )
    who, state = allowed
    if not _may(lead, who, step.seat):
        raise MoveRefused(
            f"{lead.id}: expected {step.move} by {_named(lead, who)}, got {step.seat}"
            " · 无权进行该操作"
        )
    chain = lead.chain
    if step.move == "hand_down":
        chain = (*chain, _handed_to(lead, step))
    elif step.move == "answer":
        _check_answer(lead, step)
    elif step.move == "reopen":
        chain = (step.seat,)
    return replace(lead, state=state, chain=chain, history=(*lead.history, (at, step)))


def due_on(lead: Lead, at: datetime) -> date | None:
    """The day by which the lead's next move is due, by the data of today."""
    if lead.state is State.CLOSED:
        return None
    step = {State.ANSWERED: "review", State.ACCEPTED: "closing"}.get(lead.state)
    days = lead_data().deadline_days[step or LEVEL_NAMES[lead.holder.level][0]]
    return CHINA.day(int(at.timestamp() * 1000)) + timedelta(days=days)


def next_down(lead: Lead) -> Seat:
    """The seat just below the holder."""
    level = Level(min(lead.holder.level + 1, Level.ENTERPRISE))
    return seat_of(lead.subject.place, level)


def _may(lead: Lead, who: Who, seat: Seat) -> bool:
    if who is Who.OPENER:
        return seat == lead.opener or lead.is_above(seat)
    return seat == lead.holder


def _named(lead: Lead, who: Who) -> str:
    return f"{lead.opener} or above" if who is Who.OPENER else str(lead.holder)


def _handed_to(lead: Lead, step: Move) -> Seat:
    to, place = step.to, lead.subject.place
    assert to is not None
    if to.level <= lead.holder.level or not to.covers(place):
        below = [str(seat_of(place, level)) for level in Level if level > lead.holder.level]
        shown = ", ".join(below) or "an answer: nobody is below an enterprise"
        raise MoveRefused(f"{lead.id}: expected one of {shown}, got {to} · 只能向下级交办")
    return to


def _check_answer(lead: Lead, step: Move) -> None:
    if len(lead.chain) == 1:
        raise MoveRefused(
            f"{lead.id}: expected hand_down or close by {lead.opener}, which opened it, got answer"
        )
    if more := set(step.corrected_months) - set(lead.subject.months):
        months = ", ".join(lead.subject.months)
        raise MoveRefused(
            f"{lead.id}: expected corrected months among {months}, got {', '.join(sorted(more))}"
        )
