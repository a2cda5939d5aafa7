"""Which identifiers to ask a meter for, so that each answer serves as many points as it can. Pure.

Phases (02XX0n00) and tariffs (00XXnn00, 01XXnn00) lie side by side in a block, whose identifier
has FF instead. Two or more of them are read as that block: one exchange of 0.3 s instead of three.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tanzheng.hardware.addresses import Dlt645At
from tanzheng.hardware.dlt645.identifiers import BLOCK, Identifier, identifier
from tanzheng.hardware.errors import ProfileError
from tanzheng.hardware.points import PointSpec
from tanzheng.hardware.profile import Profile

_WITHOUT_TOTAL = frozenset({0x01, 0x02, 0x07, 0x08, 0x09})
"""DI2 of the variables whose block begins with phase A, not with a total."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A point and which value of the answer is its own."""

    point: PointSpec
    part: int


@dataclass(frozen=True, slots=True)
class DataRead:
    """One identifier to ask for. `singles` is how to ask where the meter knows no such block."""

    meaning: Identifier
    wanted: tuple[Wanted, ...]
    singles: tuple["DataRead", ...] = ()

    @property
    def points(self) -> tuple[PointSpec, ...]:
        """Whom it serves."""
        return tuple(item.point for item in self.wanted)


def plan_reads(points: Iterable[PointSpec], merge: bool = True) -> tuple[DataRead, ...]:
    """The reads that serve `points`, in the order of the points."""
    by_di: dict[str, list[Wanted]] = defaultdict(list)
    for point in points:
        at = address_of(point)
        by_di[at.di].append(Wanted(point, at.part or 0))
    reads = [DataRead(_known(di, wanted), tuple(wanted)) for di, wanted in by_di.items()]
    return tuple(_merged(reads)) if merge else tuple(reads)


def status_points(profile: Profile, points: Iterable[PointSpec]) -> tuple[PointSpec, ...]:
    """The points whose values say what `points` are worth."""
    names = dict.fromkeys(item.point for point in points for item in point.validity)
    return tuple(profile.point(name) for name in names)


def address_of(point: PointSpec) -> Dlt645At:
    """Where the point is; `ProfileError` for one of another protocol."""
    if not isinstance(point.at, Dlt645At):
        raise ProfileError(f"expected a point of DL/T 645, got {point.id} at {point.at}")
    return point.at


def _known(di: str, wanted: list[Wanted]) -> Identifier:
    meaning = identifier(di)
    if meaning is None:
        names = ", ".join(item.point.id for item in wanted)
        raise ProfileError(f"expected a data identifier of DL/T 645-2007, got {di} of {names}")
    return meaning


def _merged(reads: list[DataRead]) -> Iterable[DataRead]:
    blocks: dict[str, list[tuple[int, DataRead]]] = defaultdict(list)
    for read in reads:
        place = _place_in_block(read.meaning)
        block, part = place or (read.meaning.di, 0)
        blocks[block].append((part, read))
    for di, parts in blocks.items():
        if len(parts) == 1:
            yield parts[0][1]
            continue
        meaning = identifier(di)
        assert meaning is not None
        yield DataRead(meaning, tuple(_in_block(parts)), tuple(read for _, read in parts))


def _in_block(parts: list[tuple[int, DataRead]]) -> Iterable[Wanted]:
    for part, read in parts:
        for item in read.wanted:
            yield item if read.meaning.block else Wanted(item.point, part)


def _place_in_block(meaning: Identifier) -> tuple[str, int] | None:
    """The block that holds this identifier's value too, and where; None where there is none."""
    di3, di2, di1, di0 = bytes.fromhex(meaning.di)
    if meaning.block:
        return None
    if di3 == 0x02 and di2 <= 0x09 and di0 == 0:
        part = di1 - 1 if di2 in _WITHOUT_TOTAL else di1
    elif di3 in (0x00, 0x01) and di2 <= 0x0A:
        part = di1
    else:
        return None
    return f"{di3:02X}{di2:02X}{BLOCK:02X}{di0:02X}", part
