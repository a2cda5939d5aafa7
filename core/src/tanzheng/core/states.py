"""The life of a reading: every state and the only legal moves (architecture.md, life of a reading).

    sampled → spooled → published → committed → measured | substituted | manual
            → evidenced → sealed → mined → final

A reading moves by being written down by the next stage, never by being edited: a correction is a
new row with a reason, and leads to a superseding statement. `published` may be left again for
`spooled`: a broker's PUBACK means nothing, only the platform's signed ack does. `mined` may fall
back to `sealed` when the chain reorganises before finality.
"""

from enum import StrEnum
from types import MappingProxyType

from tanzheng.core.errors import TanzhengError


class State(StrEnum):
    SAMPLED = "sampled"
    SPOOLED = "spooled"
    PUBLISHED = "published"
    COMMITTED = "committed"
    MEASURED = "measured"
    SUBSTITUTED = "substituted"
    MANUAL = "manual"
    EVIDENCED = "evidenced"
    SEALED = "sealed"
    MINED = "mined"
    FINAL = "final"


MOVES = MappingProxyType(
    {
        State.SAMPLED: frozenset({State.SPOOLED}),
        State.SPOOLED: frozenset({State.PUBLISHED}),
        State.PUBLISHED: frozenset({State.COMMITTED, State.SPOOLED}),
        State.COMMITTED: frozenset({State.MEASURED, State.SUBSTITUTED, State.MANUAL}),
        State.MEASURED: frozenset({State.EVIDENCED}),
        State.SUBSTITUTED: frozenset({State.EVIDENCED}),
        State.MANUAL: frozenset({State.EVIDENCED}),
        State.EVIDENCED: frozenset({State.SEALED}),
        State.SEALED: frozenset({State.MINED}),
        State.MINED: frozenset({State.FINAL, State.SEALED}),
        State.FINAL: frozenset(),
    }
)


def move(state: State, to: State) -> State:
    """`to` where the table allows it, else `TanzhengError`."""
    if to not in MOVES[state]:
        allowed = ", ".join(sorted(MOVES[state])) or "none: it is the last state"
        raise TanzhengError(f"expected a move from {state} to one of ({allowed}), got {to}")
    return to
