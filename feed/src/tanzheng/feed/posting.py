"""The bookkeeping: what an item does to a figure, as one posting between three accounts. Pure.

    pending ──confirmed, corrected──▶ confirmed ──disputed──▶ disputed ──withdrawn──▶ pending
                                          ▲────confirmed (upheld)─────┘

Nothing is ever changed: a correction is the reversal of the old version (withdrawn) and a posting
of its own (corrected). What `confirmed` holds is what may be issued on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tanzheng.core.attestation import Act
from tanzheng.core.feed import FeedItem, FeedStatus
from tanzheng.feed.errors import NotProved


class Account(StrEnum):
    """Where the tonnes of a figure stand."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True)
class Standing:
    """A figure after its last item; `sequence` of the last act that counted."""

    version: int
    status: FeedStatus
    tonnes: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Posting:
    """`tonnes` leave `source` and arrive at `target`."""

    source: Account
    target: Account
    tonnes: int


_LIVE = (FeedStatus.CONFIRMED, FeedStatus.CORRECTED)


def post(before: Standing | None, item: FeedItem) -> tuple[Standing, Posting]:
    """The figure after `item` and the posting; `NotProved` where the item does not follow."""
    last = item.acts[-1]
    after = Standing(item.figure_version, item.status, item.tonnes, last.sequence)
    if not _follows(before, item):
        was = f"{before.status}, version {before.version}" if before else "nothing booked"
        raise NotProved(
            f"{item.subject} {item.year}: expected an item that follows on {was}, got "
            f"{item.status}, version {item.figure_version}, {item.tonnes} t, act {last.sequence}"
        )
    upheld = last.act is Act.UPHOLD
    moves = {
        FeedStatus.CONFIRMED: (Account.DISPUTED if upheld else Account.PENDING, Account.CONFIRMED),
        FeedStatus.CORRECTED: (Account.PENDING, Account.CONFIRMED),
        FeedStatus.DISPUTED: (Account.CONFIRMED, Account.DISPUTED),
        FeedStatus.WITHDRAWN: (Account.DISPUTED, Account.PENDING),
    }
    return after, Posting(*moves[item.status], item.tonnes)


def _follows(before: Standing | None, item: FeedItem) -> bool:
    last = item.acts[-1]
    if before is None:
        return item.status is FeedStatus.CONFIRMED and last.act is Act.CONFIRM
    if item.status is FeedStatus.CORRECTED:
        later = item.figure_version > before.version and last.sequence > before.sequence
        return later and before.status is FeedStatus.WITHDRAWN
    # On one version nothing lies between its confirmation, a dispute and the decision.
    figure = (item.figure_version, item.tonnes, last.sequence)
    if figure != (before.version, before.tonnes, before.sequence + 1):
        return False
    if item.status is FeedStatus.DISPUTED:
        return before.status in _LIVE
    decides = item.status is FeedStatus.WITHDRAWN or last.act is Act.UPHOLD
    return decides and before.status is FeedStatus.DISPUTED
