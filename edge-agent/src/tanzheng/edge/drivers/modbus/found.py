"""What a round finds, and where: values that were read, and why others were not."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from tanzheng.edge.abc import Miss, Take
from tanzheng.hardware.blocks import Decoded

NOT_AVAILABLE = "not_available"


@dataclass(slots=True)
class Found:
    """So far, of all devices of a line."""

    takes: list[Take] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)

    def take(self, points: tuple[int, ...], decoded: Decoded, t_ms: int) -> None:
        """What a reply that arrived at `t_ms` says of `points`."""
        values, quality, kept, missing = decoded
        if kept is not None:
            self.miss(tuple(points[index] for index in missing), NOT_AVAILABLE)
            points = tuple(points[index] for index in kept)
        if points:
            self.takes.append(Take(t_ms, points, values, quality))

    def miss(self, points: tuple[int, ...], reason: str) -> None:
        """Points without a value, if any."""
        if points:
            self.misses.append(Miss(points, reason))


class Place(Protocol):
    """Where the device is. `generation` changes whenever something else may have come there."""

    generation: int


class Begin(NamedTuple):
    """Where a device's part of a round begins."""

    takes: int
    misses: int


def place_of(kept: tuple[int, ...] | None, position: int) -> int | None:
    """Where in `values` the point at `position` is, None where it has no value."""
    if kept is None:
        return position
    return kept.index(position) if position in kept else None
