"""The acts of the four roles, made for a journal as it is: what `store.write` adds."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from tanzheng.analytics.evidence import sampling
from tanzheng.analytics.evidence.entries import Act
from tanzheng.analytics.evidence.gate import Evidence
from tanzheng.analytics.evidence.journal import Journal
from tanzheng.analytics.evidence.months import MonthEvidence
from tanzheng.analytics.evidence.reasons import check_reason
from tanzheng.analytics.evidence.states import Move, Role, after
from tanzheng.core.errors import BadInput
from tanzheng.core.ids import Subject


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts, in which role, when (whole seconds, with offset; entries tell it in plant time)."""

    role: Role
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Why:
    """A reason code of `reasons.toml` and words; both may be absent where the move needs none."""

    reason: str | None = None
    note: str = ""


def check(journal: Journal, evidence: Evidence, who: Who, deadline: date) -> Act:
    """The enterprise has checked a package; the deposit must be of the same."""
    after(journal.month(evidence.subject).state, who.role, Move.CHECK)
    return _package(Move.CHECK, evidence, who, Why(), deadline, None)


def deposit(journal: Journal, evidence: Evidence, who: Who, why: Why, deadline: date) -> Act:
    """The first version. Late, or with `explain` in the package: reason code and words."""
    after(journal.month(evidence.subject).state, who.role, Move.DEPOSIT)
    return _package(Move.DEPOSIT, evidence, who, why, deadline, 1)


def correct(journal: Journal, evidence: Evidence, who: Who, why: Why) -> Act:
    """One more version with another package; the one before stays and is superseded.

    A correction is judged by its package alone: the month's lateness is that of version 1.
    """
    month = journal.month(evidence.subject)
    after(month.state, who.role, Move.CORRECT)
    assert month.version is not None, "the table of moves corrects only what was deposited"
    former = month.version.number
    return _package(Move.CORRECT, evidence, who, why, None, former + 1, former)


def judge(journal: Journal, subject: Subject, move: Move, version: int, who: Who, why: Why) -> Act:
    """Review, return or reopen `version`, which must be the newest: nobody judges one unseen."""
    month = journal.month(subject)
    after(month.state, who.role, move)
    check_reason(move, why.reason)
    return _about(month, move, version, who, why)


def sample(
    journal: Journal, period: str, randomness: bytes, how_many: int | Decimal, who: Who
) -> list[Act]:
    """Draw from the accepted months of `period`: so many (int), or a share of them (Decimal)."""
    pool = journal.pool(period)
    if not pool:
        raise BadInput(f"expected accepted months of {period} to draw from, got none")
    count = how_many if isinstance(how_many, int) else sampling.count_of(how_many, len(pool))
    draw = sampling.draw(pool, period, randomness, count)
    acts = []
    for subject in sampling.drawn(pool, draw):
        month = journal.month(subject)
        after(month.state, who.role, Move.SAMPLE)
        if any(entry.act.draw == draw for entry in month.entries):
            continue  # a draw that was cut off is finished, not made twice
        assert month.version is not None
        act = _about(month, Move.SAMPLE, month.version.number, who, Why())
        acts.append(replace(act, draw=draw))
    if not acts:
        raise BadInput(f"expected a new draw, got one of {period} that the journal has")
    return acts


def _package(
    move: Move,
    evidence: Evidence,
    who: Who,
    why: Why,
    deadline: date | None,
    version: int | None,
    supersedes: int | None = None,
) -> Act:
    check_reason(move, why.reason)
    at = who.at.astimezone(timezone(timedelta(minutes=evidence.zone.offset_minutes)))
    found = evidence.on(at.date(), deadline) if deadline else evidence.deposit
    return Act(
        evidence.subject, move, who.role, who.actor, at, evidence.manifest_sha256,
        version, supersedes, found, why.reason, why.note,
    )  # fmt: skip


def _about(month: MonthEvidence, move: Move, version: int, who: Who, why: Why) -> Act:
    assert month.version is not None, "the table of moves judges only what was deposited"
    at = who.at.astimezone(month.entries[0].act.at.tzinfo)  # the plant's clock, as it began
    return Act(
        month.subject, move, who.role, who.actor, at, month.version.manifest_sha256,
        version, reason=why.reason, note=why.note,
    )  # fmt: skip
