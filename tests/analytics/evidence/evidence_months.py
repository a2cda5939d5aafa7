"""Evidence months for tests: acts without a package behind them, and journals made of them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from tanzheng.analytics.closing import Deposit
from tanzheng.analytics.evidence.acts import Who
from tanzheng.analytics.evidence.entries import Act
from tanzheng.analytics.evidence.gate import Evidence
from tanzheng.analytics.evidence.journal import Journal
from tanzheng.analytics.evidence.states import Move, Role, State
from tanzheng.core.calendar import CHINA
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject

MARCH = Subject("TEST-1", "G1", "2025-03", "month")
START = datetime.fromisoformat("2025-04-10T09:00:00+08:00")
RANDOMNESS = bytes(range(32))
PACK = "cets_power/2023-2024"

E, C, P, N = Role
PATH: dict[State, tuple[tuple[Role, Move], ...]] = {
    State.DRAFT: (),
    State.CHECKED: ((E, Move.CHECK),),
    State.DEPOSITED: ((E, Move.CHECK), (E, Move.DEPOSIT)),
    State.RETURNED: ((E, Move.CHECK), (E, Move.DEPOSIT), (C, Move.RETURN)),
    State.CORRECTED: ((E, Move.CHECK), (E, Move.DEPOSIT), (E, Move.CORRECT)),
    State.CITY_REVIEWED: ((E, Move.CHECK), (E, Move.DEPOSIT), (C, Move.REVIEW)),
    State.PROVINCE_REVIEWED: (
        (E, Move.CHECK), (E, Move.DEPOSIT), (C, Move.REVIEW), (P, Move.REVIEW),
    ),
    State.SAMPLED: (
        (E, Move.CHECK), (E, Move.DEPOSIT), (C, Move.REVIEW), (P, Move.REVIEW), (N, Move.SAMPLE),
    ),
}  # fmt: skip
"""A shortest way to each state."""


def digest(text: object) -> bytes:
    return sha256(str(text).encode())


def evidence(
    name: object = 1, deposit: Deposit = Deposit.READY, subject: Subject = MARCH
) -> Evidence:
    return Evidence(subject, digest(name), deposit, PACK, CHINA)


def who(role: Role = Role.ENTERPRISE, hours: int = 0) -> Who:
    return Who(role, f"{role} of tests", START + timedelta(hours=hours))


def act(journal: Journal, role: Role, move: Move, subject: Subject = MARCH) -> Act:
    """The act that the move needs in this journal, as well as it can be made in any state."""
    from tanzheng.analytics.evidence import sampling

    month = journal.month(subject)
    newest = month.version
    number = newest.number if newest else None
    at = START + timedelta(minutes=len(journal.entries))
    made = Act(subject, move, role, f"{role} of tests", at, digest(len(journal.entries)))
    if move is Move.CHECK:
        return replace(made, deposit=Deposit.READY)
    if move is Move.DEPOSIT:
        checked = month.checked or made.manifest_sha256
        return replace(made, version=1, manifest_sha256=checked, deposit=Deposit.READY)
    if move is Move.CORRECT:
        return replace(
            made, version=(number or 0) + 1, supersedes=number, deposit=Deposit.READY,
            reason="wrong_value",
        )  # fmt: skip
    about = newest.manifest_sha256 if newest else made.manifest_sha256
    made = replace(made, version=number or 1, manifest_sha256=about)
    if move is Move.SAMPLE:
        pool = journal.pool("2025") or [subject]
        return replace(made, draw=sampling.draw(pool, "2025", RANDOMNESS, len(pool)))
    if move in {Move.RETURN, Move.REOPEN}:
        return replace(made, reason="wrong_value", note="The gas figure is not the meter's.")
    return made


def led_to(state: State, subject: Subject = MARCH, journal: Journal | None = None) -> Journal:
    """A journal whose month `subject` is in `state`."""
    found = journal or Journal("journal")
    walk(found, PATH[state], subject)
    assert found.month(subject).state is state
    return found


def walk(journal: Journal, moves: Iterable[tuple[Role, Move]], subject: Subject = MARCH) -> None:
    for role, move in moves:
        journal.add(act(journal, role, move, subject))


def written(journal: Journal) -> bytes:
    return b"".join(entry.encode() for entry in journal.entries)
