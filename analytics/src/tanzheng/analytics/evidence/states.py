"""The evidence month as a table: states, roles, and the only legal moves.

    draft → checked → deposited → city_reviewed → province_reviewed → sampled
                          ↓ ↑           ↓ ↑               ↓             ↓
                     returned → corrected         (reopened by the nation: returned)

`late` is no state: it follows from the deadline and the day of the first deposit. From
`province_reviewed` on a month is locked; the nation alone reopens it, and never edits it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from tanzheng.analytics.evidence.errors import MoveIllegal


class Role(StrEnum):
    ENTERPRISE = "enterprise"
    CITY = "city"
    PROVINCE = "province"
    NATION = "nation"


class State(StrEnum):
    DRAFT = "draft"
    CHECKED = "checked"
    DEPOSITED = "deposited"
    RETURNED = "returned"
    CORRECTED = "corrected"
    CITY_REVIEWED = "city_reviewed"
    PROVINCE_REVIEWED = "province_reviewed"
    SAMPLED = "sampled"


class Move(StrEnum):
    CHECK = "check"
    DEPOSIT = "deposit"
    CORRECT = "correct"
    REVIEW = "review"
    RETURN = "return"
    SAMPLE = "sample"
    REOPEN = "reopen"


ROLE_LABELS: Mapping[Role, tuple[str, str]] = {
    Role.ENTERPRISE: ("enterprise", "企业"),
    Role.CITY: ("city", "市级"),
    Role.PROVINCE: ("province", "省级"),
    Role.NATION: ("nation", "国家"),
}
STATE_LABELS: Mapping[State, tuple[str, str]] = {
    State.DRAFT: ("draft, nothing deposited", "草稿，未存证"),
    State.CHECKED: ("checked by the enterprise", "企业已自查"),
    State.DEPOSITED: ("deposited, awaits the city", "已存证，待市级审核"),
    State.RETURNED: ("returned, awaits correction", "已退回，待更正"),
    State.CORRECTED: ("corrected, awaits the city", "已更正，待市级审核"),
    State.CITY_REVIEWED: ("reviewed by the city, awaits the province", "市级已审，待省级审核"),
    State.PROVINCE_REVIEWED: ("accepted by the province, locked", "省级已审定，锁定"),
    State.SAMPLED: ("sampled by the nation, locked", "国家抽查，锁定"),
}
MOVE_LABELS: Mapping[Move, tuple[str, str]] = {
    Move.CHECK: ("check", "自查"),
    Move.DEPOSIT: ("deposit", "存证"),
    Move.CORRECT: ("correct", "更正"),
    Move.REVIEW: ("review", "审核通过"),
    Move.RETURN: ("return", "退回"),
    Move.SAMPLE: ("sample", "抽查"),
    Move.REOPEN: ("reopen", "重新开放"),
}

LOCKED = frozenset({State.PROVINCE_REVIEWED, State.SAMPLED})
"""The province has accepted the month: only these are `accepted`."""

MOVES: Mapping[tuple[State, Role, Move], State] = MappingProxyType(
    {
        (State.DRAFT, Role.ENTERPRISE, Move.CHECK): State.CHECKED,
        (State.CHECKED, Role.ENTERPRISE, Move.CHECK): State.CHECKED,
        (State.CHECKED, Role.ENTERPRISE, Move.DEPOSIT): State.DEPOSITED,
        (State.DEPOSITED, Role.ENTERPRISE, Move.CORRECT): State.CORRECTED,
        (State.DEPOSITED, Role.CITY, Move.REVIEW): State.CITY_REVIEWED,
        (State.DEPOSITED, Role.CITY, Move.RETURN): State.RETURNED,
        (State.RETURNED, Role.ENTERPRISE, Move.CORRECT): State.CORRECTED,
        (State.CORRECTED, Role.ENTERPRISE, Move.CORRECT): State.CORRECTED,
        (State.CORRECTED, Role.CITY, Move.REVIEW): State.CITY_REVIEWED,
        (State.CORRECTED, Role.CITY, Move.RETURN): State.RETURNED,
        (State.CITY_REVIEWED, Role.ENTERPRISE, Move.CORRECT): State.CORRECTED,
        (State.CITY_REVIEWED, Role.PROVINCE, Move.REVIEW): State.PROVINCE_REVIEWED,
        (State.CITY_REVIEWED, Role.PROVINCE, Move.RETURN): State.RETURNED,
        (State.PROVINCE_REVIEWED, Role.NATION, Move.SAMPLE): State.SAMPLED,
        (State.PROVINCE_REVIEWED, Role.NATION, Move.REOPEN): State.RETURNED,
        # a later draw may hit the same month: what it draws must not hang on the draw before
        (State.SAMPLED, Role.NATION, Move.SAMPLE): State.SAMPLED,
        (State.SAMPLED, Role.NATION, Move.REOPEN): State.RETURNED,
    }
)


def legal(state: State) -> list[tuple[Role, Move]]:
    """Who may do what in `state`, in the order of the table."""
    return [(role, move) for at, role, move in MOVES if at is state]


def after(state: State, role: Role, move: Move) -> State:
    """The state behind a legal move; `MoveIllegal` names state, role and the legal moves."""
    try:
        return MOVES[state, role, move]
    except KeyError:
        allowed = ", ".join(f"{who} {what}" for who, what in legal(state))
        lock = "; it is locked 已锁定" if state in LOCKED else ""
        raise MoveIllegal(
            f"expected a legal move in state {state} {STATE_LABELS[state][1]}, one of ({allowed}), "
            f"got {role} {move}{lock}"
        ) from None
