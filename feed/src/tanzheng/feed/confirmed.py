"""That an item says what the province stated: asked by who gives it out and by who books it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanzheng.feed.errors import NotProved

if TYPE_CHECKING:
    from tanzheng.core.feed import FeedItem
    from tanzheng.core.statements.confirmed import ConfirmedEmissions


def check_confirmed(item: FeedItem, confirmed: ConfirmedEmissions) -> None:
    """Return where subject, year, tonnes and output are those of `confirmed`, which rests on the
    statement that the four parties signed; else `NotProved`.
    """
    about = confirmed.subject
    if (f"{about.enterprise}/{about.unit}", about.period) != (item.subject, str(item.year)):
        raise NotProved(f"statement: expected one on {item.subject}, year {item.year}, got {about}")
    if item.statement not in {reference.digest for reference in confirmed.basis}:
        raise NotProved(
            f"statement: expected one that rests on {item.statement.hex()}, got "
            f"{[str(reference.subject) for reference in confirmed.basis]}"
        )
    if item.tonnes != confirmed.emissions_t:
        raise NotProved(
            f"tonnes: expected {confirmed.emissions_t} as the province stated, got {item.tonnes}"
        )
    if item.units != confirmed.units:
        raise NotProved(f"units: expected those of the province's statement on {about}")
