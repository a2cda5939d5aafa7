"""Any life a figure can have: what the feed tells of it adds up to the contract's state."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.figures import feed_item
from tanzheng.core.attestation import Act, Status
from tanzheng.core.feed import FeedItem, decode
from tanzheng.core.feed_parts import FeedAct
from tanzheng.core.hashing import sha256
from tanzheng.feed.errors import NodeUnavailable, NotProved
from tanzheng.feed.events import Attested
from tanzheng.feed.figures import Change, Figures
from tanzheng.feed.posting import Account, Standing, post

TEMPLATE = feed_item()
NEXT = {
    Status.NONE: {Act.REPORT: Status.REPORTED},
    Status.REPORTED: {Act.REVIEW: Status.REVIEWED},
    Status.REVIEWED: {Act.VERIFY: Status.VERIFIED},
    Status.VERIFIED: {Act.CONFIRM: Status.CONFIRMED},
    Status.CONFIRMED: {},
    Status.DISPUTED: {Act.CORRECT: Status.REPORTED},
}
"""The contract's moves; a dispute of what is not disputed and its decision come besides."""


@dataclass
class Contract:
    """VerifiedEmissions for one figure, in a page."""

    status: Status = Status.NONE
    before: Status = Status.NONE
    version: int = 0
    sequence: int = 0
    tonnes: int = 0

    def moves(self) -> list[Act]:
        if self.status is Status.DISPUTED:
            return [Act.CORRECT, Act.UPHOLD]
        disputable = [] if self.status is Status.NONE else [Act.DISPUTE]
        return [*NEXT[self.status], *disputable]

    def do(self, act: Act, tonnes: int) -> Attested:
        if act is Act.DISPUTE:
            self.before, self.status = self.status, Status.DISPUTED
        elif act is Act.UPHOLD:
            self.status = self.before
        else:
            if act in (Act.REPORT, Act.CORRECT):
                self.version, self.tonnes = self.version + 1, tonnes
            self.status = NEXT[self.status][act]
        told = self.event(act)
        self.sequence += 1
        return told

    def event(self, act: Act) -> Attested:
        statement = sha256(b"%d" % self.version)
        figure = (self.version, self.sequence, self.tonnes, statement, sha256(act.encode()))
        parts = FeedAct(act, *figure, bytes(20), 0, bytes(65))
        return Attested("E1/U1", 2025, parts, self.status, 1, bytes(32), bytes(32), self.sequence)

    @property
    def bookable(self) -> int:
        return self.tonnes if self.status is Status.CONFIRMED else 0


def item_of(change: Change) -> FeedItem:
    figure = change.acts[0].act
    return replace(
        TEMPLATE,
        figure_version=change.figure_version,
        status=change.status,
        tonnes=figure.tonnes,
        statement=figure.statement,
        acts=tuple(event.act for event in change.acts),
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 10**9)), max_size=60))
def test_the_books_follow_the_contract_through_any_life(choices: list[tuple[int, int]]) -> None:
    contract, figures = Contract(), Figures()
    standing: Standing | None = None
    balances = dict.fromkeys(Account, 0)
    for choice, tonnes in choices:
        moves = contract.moves()
        change = figures.add(contract.do(moves[choice % len(moves)], tonnes))
        if change is not None:
            item = item_of(change)
            assert decode(item.encode()) == item  # its shape is one that is read, too
            standing, posting = post(standing, item)
            balances[posting.source] -= posting.tonnes
            balances[posting.target] += posting.tonnes
        assert balances[Account.CONFIRMED] == contract.bookable
        assert sum(balances.values()) == 0


def test_an_event_left_out_by_the_node_is_noticed() -> None:
    contract, figures = Contract(), Figures()
    events = [contract.do(act, 5) for act in (Act.REPORT, Act.REVIEW, Act.VERIFY)]
    figures.add(events[0])
    with pytest.raises(NodeUnavailable, match="expected act 1"):
        figures.add(events[2])


def life(*acts: Act) -> list[FeedItem]:
    contract, figures = Contract(), Figures()
    found = [figures.add(contract.do(act, 10 + n)) for n, act in enumerate(acts)]
    return [item_of(change) for change in found if change is not None]


FULL = (
    *(Act.REPORT, Act.REVIEW, Act.VERIFY, Act.CONFIRM, Act.DISPUTE, Act.UPHOLD, Act.DISPUTE),
    *(Act.CORRECT, Act.REVIEW, Act.VERIFY, Act.CONFIRM),
)


def test_only_the_next_item_can_be_posted() -> None:
    """Every item at every place in the life of a figure: it is posted in its own place only."""
    items = life(*FULL)
    assert len(items) == 6
    standing: Standing | None = None
    for place in range(len(items)):
        for other, item in enumerate(items):
            if other != place:
                with pytest.raises(NotProved):
                    post(standing, item)
        standing, _ = post(standing, items[place])
    for item in items:
        with pytest.raises(NotProved):
            post(standing, item)
