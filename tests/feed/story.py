"""A feed of two figures, one of them corrected, and what a registry trusts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contracts.emissions import own_anvil
from feed.world import CONFIRMED, YEAR, World
from tanzheng.core.attestation import Act
from tanzheng.core.feed import FeedItem, open_line
from tanzheng.feed.authority import Authority
from tanzheng.feed.check import Checker

if TYPE_CHECKING:
    from pathlib import Path

    from tanzheng.core.trust import Trust

SUM = {("E1/U1", YEAR): 90, ("E1/U2", YEAR): 40}


@dataclass(frozen=True)
class Story:
    """A feed of two figures, one of them corrected, and what a registry trusts."""

    lines: tuple[bytes, ...]
    trust: Trust
    authority: dict[str, Any]

    @property
    def checker(self) -> Checker:
        return checker(self.trust, self.authority)

    def item(self, seq: int) -> FeedItem:
        return open_line(self.lines[seq - 1]).item


def checker(trust: Trust, authority: dict[str, Any]) -> Checker:
    return Checker(trust, Authority.decode(json.dumps(authority).encode()))


def told(folder: Path) -> Iterator[Story]:
    """The story as a chain tells it."""
    with own_anvil() as anvil:
        world = World(anvil, folder)
        world.confirm("U1", "100")
        world.act("U1", Act.DISPUTE)
        world.act("U1", Act.UPHOLD)
        world.confirm("U2", "39.5")
        world.act("U1", Act.DISPUTE)
        world.report("U1", "90.49")
        for act in CONFIRMED:
            world.act("U1", act)
        lines = tuple(world.collect())
        assert world.state() == {"E1/U1": 90, "E1/U2": 40}
        authority = dict(world.authority())
        authority["verifiers"] = [*authority["verifiers"], *authority["reviewers"]]
        yield Story(lines, world.trust(), authority)
        for reader in world.readers:
            reader.close()
