"""What a month's entries make of it: its state and its versions, none of which is ever replaced."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from tanzheng.analytics.closing import Deposit
from tanzheng.analytics.evidence.entries import Act, Entry
from tanzheng.analytics.evidence.errors import MoveIllegal, ReasonNeeded
from tanzheng.analytics.evidence.states import LOCKED, Move, State, after
from tanzheng.core.errors import BadInput
from tanzheng.core.ids import Subject

REASONED = frozenset({Move.CORRECT, Move.RETURN, Move.REOPEN})
"""Moves that never go without a reason code."""
EXPLAINED = frozenset({Move.RETURN, Move.REOPEN})
"""Moves that never go without words, either."""
JUDGED = frozenset({Move.REVIEW, Move.RETURN, Move.SAMPLE, Move.REOPEN})
"""Moves about the newest version, which they name: nobody judges what they have not seen."""


@dataclass(frozen=True, slots=True)
class Version:
    """A deposited package; `supersedes` the version before it, None for the first."""

    number: int
    manifest_sha256: bytes
    supersedes: int | None
    entry: Entry


@dataclass(frozen=True, slots=True)
class MonthEvidence:
    """A month as its entries leave it. `checked`: the package of the last check, by digest."""

    subject: Subject
    state: State = State.DRAFT
    checked: bytes | None = None
    versions: tuple[Version, ...] = ()
    entries: tuple[Entry, ...] = ()

    @property
    def version(self) -> Version | None:
        """The newest version."""
        return self.versions[-1] if self.versions else None

    @property
    def accepted(self) -> bool:
        """Whether the province has accepted the newest version, and nobody reopened it."""
        return self.state in LOCKED

    @property
    def deposited_on(self) -> date | None:
        """The plant's day of the first deposit."""
        return self.versions[0].entry.act.day if self.versions else None

    def late_days(self, deadline: date, today: date) -> int:
        """By how many days the first deposit is late, or would be if it were made `today`."""
        return max(0, ((self.deposited_on or today) - deadline).days)


def follow(month: MonthEvidence, entry: Entry) -> MonthEvidence:
    """The month behind one more entry; `BadInput` says what the entry must be and is not."""
    act = entry.act
    state = after(month.state, act.role, act.move)
    for expected, got, what in _bindings(month, act):
        if got != expected:
            raise BadInput(f"{act.move}: expected {what} {_shown(expected)}, got {_shown(got)}")
    _reasons(act)
    if month.entries and act.at < month.entries[-1].act.at:
        raise BadInput(
            f"{act.move}: expected a time not before {month.entries[-1].act.at.isoformat()}, when "
            f"the month last moved, got {act.at.isoformat()} · 时间不得早于上一步"
        )
    found = replace(month, state=state, entries=(*month.entries, entry))
    if act.move is Move.CHECK:
        return replace(found, checked=act.manifest_sha256)
    if act.move in {Move.DEPOSIT, Move.CORRECT}:
        assert act.version is not None
        new = Version(act.version, act.manifest_sha256, act.supersedes, entry)
        return replace(found, versions=(*month.versions, new))
    return found


def _bindings(month: MonthEvidence, act: Act) -> Iterator[tuple[object, object, str]]:
    """(expected, got, what) of the fields by which an act holds on to a package."""
    newest = month.version
    number = newest.number if newest else None
    clock = month.entries[0].act.at.utcoffset() if month.entries else act.at.utcoffset()
    yield clock, act.at.utcoffset(), "plant time with the offset"
    if act.move is Move.DEPOSIT:
        yield 1, act.version, "version"
        yield month.checked, act.manifest_sha256, "the package last checked 已自查的存证包,"
    elif act.move is Move.CORRECT:
        yield (number or 0) + 1, act.version, "version"
        _another(month, act)
    elif act.move is Move.CHECK:
        yield None, act.version, "version"
    else:
        assert newest is not None, "the table of moves knows no judged month without a version"
        yield number, act.version, "the newest version 最新版本,"
        yield newest.manifest_sha256, act.manifest_sha256, "the package of that version,"
    yield number if act.move is Move.CORRECT else None, act.supersedes, "supersedes"
    yield act.move not in JUDGED, act.deposit is not None, "that deposit is told:"
    yield act.move is Move.SAMPLE, act.draw is not None, "that a draw is told:"


def _another(month: MonthEvidence, act: Act) -> None:
    for version in month.versions:
        if version.manifest_sha256 == act.manifest_sha256:
            raise BadInput(
                f"correct: expected another package than those before, got that of version "
                f"{version.number} · 更正须提交新的存证包"
            )


def _reasons(act: Act) -> None:
    if act.deposit is Deposit.BLOCKED:
        raise MoveIllegal(
            f"{act.move}: expected a package that may be deposited, got a blocked one"
        )
    if act.reason is None and act.move in REASONED:
        raise ReasonNeeded(f"{act.move}: expected a reason code, got none · 须注明原因代码")
    words = act.move in EXPLAINED or (act.deposit is Deposit.EXPLAIN and act.move is not Move.CHECK)
    if words and not act.note.strip():
        raise ReasonNeeded(f"{act.move}: expected a written explanation, got none · 须书面说明")
    if act.move is Move.DEPOSIT and words and act.reason is None:
        raise ReasonNeeded("deposit: expected a reason code with the explanation · 须注明原因代码")


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
