"""Reason codes, as data: `reasons.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from tanzheng.analytics.evidence.data import tables
from tanzheng.analytics.evidence.entries import word
from tanzheng.analytics.evidence.errors import ReasonNeeded
from tanzheng.analytics.evidence.states import Move


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, the moves it may go with, and what it means."""

    code: str
    moves: frozenset[Move]
    en: str
    zh: str


@cache
def reasons() -> Mapping[str, Reason]:
    """All reason codes by code, in the order of the file."""
    rows = tables("reasons.toml", "reason", ("code", "moves", "en", "zh"))
    return {
        row["code"]: Reason(
            row["code"],
            frozenset(word(move, Move, f"reasons.toml: {row['code']}") for move in row["moves"]),
            row["en"],
            row["zh"],
        )
        for row in rows
    }


def check_reason(move: Move, code: str | None) -> None:
    """Return where `code` is none or may go with `move`; else `ReasonNeeded` lists those that may.

    Whether one is needed at all is the journal's business (`months.follow`).
    """
    known = reasons().get(code) if code else None
    if code is not None and (known is None or move not in known.moves):
        fit = [item for item in reasons().values() if move in item.moves]
        listed = "; ".join(f"{item.code} ({item.en} {item.zh})" for item in fit)
        raise ReasonNeeded(
            f"{move}: expected one of the reason codes: {listed or 'none at all'}, got {code!r}"
        )
