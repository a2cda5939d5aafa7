"""From the contract's acts to what a registry must hear of: a fold over events, pure.

An act leads to an item only where it touches a figure that could be booked: its confirmation, a
dispute of a confirmed version, the decision that upholds it, the correction that takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tanzheng.core.attestation import Act, Status
from tanzheng.core.feed import CONFIRMATION, FeedStatus
from tanzheng.feed.errors import NodeUnavailable

if TYPE_CHECKING:
    from tanzheng.feed.events import Attested

_STEPS = (Act.REPORT, Act.CORRECT, Act.REVIEW, Act.VERIFY, Act.CONFIRM)


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a version that was confirmed; the last of `acts` brought it about.

    `index` counts the changes of a subject and year from 0.
    """

    subject: str
    year: int
    index: int
    figure_version: int
    status: FeedStatus
    acts: tuple[Attested, ...]

    @property
    def event(self) -> Attested:
        """The act that brought the change."""
        return self.acts[-1]

    @property
    def confirmation(self) -> Attested:
        """The act by which the province confirmed the version."""
        return self.acts[CONFIRMATION]


@dataclass(slots=True)
class _Figure:
    changes: int = 0
    sequence: int = 0
    acts: dict[int, list[Attested]] = field(default_factory=dict)
    confirmed: set[int] = field(default_factory=set)


class Figures:
    """The figures as of the last event that was added."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, int], _Figure] = {}

    def add(self, event: Attested) -> Change | None:
        """The change that `event` brings, if it brings one."""
        figure = self._figures.setdefault((event.subject, event.year), _Figure())
        act = event.act
        if act.sequence != figure.sequence:  # the contract counts them without a gap
            raise NodeUnavailable(
                f"{event.subject} {event.year}: expected act {figure.sequence} from the node, "
                f"got {act.sequence}"
            )
        figure.sequence += 1
        if act.act in _STEPS:
            figure.acts.setdefault(act.version, []).append(event)
        found = self._status(figure, event)
        if found is None:
            return None
        version, status = found
        acts = tuple(figure.acts[version])
        further = () if act.act is Act.CONFIRM else (event,)
        all_acts = (*acts, *further)
        change = Change(event.subject, event.year, figure.changes, version, status, all_acts)
        figure.changes += 1
        return change

    def _status(self, figure: _Figure, event: Attested) -> tuple[int, FeedStatus] | None:
        version = event.act.version
        match event.act.act:
            case Act.CONFIRM:
                earlier = bool(figure.confirmed)
                figure.confirmed.add(version)
                return version, FeedStatus.CORRECTED if earlier else FeedStatus.CONFIRMED
            case Act.DISPUTE if version in figure.confirmed:
                return version, FeedStatus.DISPUTED
            case Act.UPHOLD if event.status is Status.CONFIRMED:
                return version, FeedStatus.CONFIRMED
            case Act.CORRECT if version - 1 in figure.confirmed:
                return version - 1, FeedStatus.WITHDRAWN
        return None
