"""Which registers to ask for in one request, and what came in them. Pure functions.

Points are merged into one read where every register between them is known to the profile (another
point's, or inside one of its `bridges`) and outside its `no_bridge`; undefined registers are never
touched. What a point needs besides its own registers (status points, scale and ratio registers)
is planned with it, and read first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from fractions import Fraction
from typing import Final, NamedTuple

from tanzheng.hardware.addresses import RegisterAt
from tanzheng.hardware.decoding import BlockDecoder, Decoded, Memory
from tanzheng.hardware.points import PointSpec
from tanzheng.hardware.profile import Profile

__all__ = [
    "BITS_PER_READ",
    "BlockDecoder",
    "Decoded",
    "Memory",
    "ReadBlock",
    "compile_block",
    "needs",
    "plan_blocks",
]

BITS_PER_READ: Final = 2000  # MODBUS Application Protocol V1.1b3 §6.1, §6.2


class _Item(NamedTuple):
    """What a request is made for: a point's value, or (None) a raw value that others need."""

    at: RegisterAt
    point: PointSpec | None


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """One read request: `count` registers (bits for fc 1 and 2) from the 0-based `addr`.

    `points` are the values wanted from it; `raws` are registers in it that points of any block of
    the device need: their raw values go into the decoders' memory.
    """

    fc: int
    addr: int
    count: int
    points: tuple[PointSpec, ...]
    raws: tuple[RegisterAt, ...] = ()
    profile: Profile = dataclass_field(repr=False, kw_only=True)

    def halves(self) -> "tuple[ReadBlock, ...]":
        """The same points in two smaller requests; none where only one item is asked for."""
        items = _items(self.points, self.raws)
        middle = len(items) // 2
        parts = (items[:middle], items[middle:]) if middle else ()
        return tuple(_block(self.profile, part) for part in parts)


def plan_blocks(
    profile: Profile,
    points: Iterable[PointSpec],
    registers_per_read_max: int | None = None,
    bits_per_read_max: int = BITS_PER_READ,
) -> tuple[ReadBlock, ...]:
    """The fewest requests that read `points` of `profile` and what these need, the needed first.

    `registers_per_read_max` lowers the profile's.
    """
    wanted = tuple(points)
    registers_max = min(profile.registers_per_read_max, registers_per_read_max or 0x10000)
    readable = _readable(profile)
    groups: list[list[_Item]] = []
    end = 0
    for item in _items(wanted, needs(profile, wanted)):
        at = item.at
        first = groups[-1][0].at if groups else None
        items_max = bits_per_read_max if at.by_bits else registers_max
        fits = (
            first is not None and at.fc == first.fc and max(end, at.end) - first.addr <= items_max
        )
        if fits and all((at.fc, addr) in readable for addr in range(end, at.addr)):
            groups[-1].append(item)
            end = max(end, at.end)
        else:
            groups.append([item])
            end = at.end
    blocks = [_block(profile, group) for group in groups]
    return tuple(sorted(blocks, key=lambda block: not block.raws))


def compile_block(
    block: ReadBlock,
    ratios: Mapping[str, Fraction] | None = None,
    memory: Memory | None = None,
) -> BlockDecoder:
    """A decoder for the replies to `block`.

    `ratios` are the "ct" and "pt" of the link, for points whose profile has no registers for them
    (default 1). `memory` is one dictionary for all blocks of a device: a decoder puts the block's
    `raws` there and finds the status, scale and ratio registers of its points there. The reader
    takes out of it what it no longer knows (a status of the last round): such points have no value.
    """
    return BlockDecoder(block, ratios or {}, {} if memory is None else memory)


def needs(profile: Profile, points: Iterable[PointSpec]) -> tuple[RegisterAt, ...]:
    """The status, scale and ratio registers without which `points` have no value."""
    found: dict[RegisterAt, None] = {}
    for point in points:
        for validity in point.validity:
            found[profile.point(validity.point).register] = None
        if point.scale_register is not None:
            found[point.scale_register.at] = None
        for name in point.times:
            if name in profile.ratios:
                found[profile.ratios[name]] = None
    return tuple(found)


def _items(points: Iterable[PointSpec], raws: Iterable[RegisterAt]) -> list[_Item]:
    items = [_Item(point.register, point) for point in points]
    items += [_Item(at, None) for at in raws]
    return sorted(items, key=lambda item: (item.at.fc, item.at.addr, item.at.end))


def _block(profile: Profile, items: Sequence[_Item]) -> ReadBlock:
    first = items[0].at
    return ReadBlock(
        fc=first.fc,
        addr=first.addr,
        count=max(item.at.end for item in items) - first.addr,
        points=tuple(item.point for item in items if item.point is not None),
        raws=tuple(item.at for item in items if item.point is None),
        profile=profile,
    )


def _readable(profile: Profile) -> set[tuple[int, int]]:
    """(function, address) of everything that a read may span on its way to the next point.

    Bridges are ranges of registers: between bits only known ones are spanned.
    """
    ats = [point.register for point in profile.points]
    ats += needs(profile, profile.points)
    if profile.identity is not None:
        ats.append(profile.identity.point)
    known = {(at.fc, addr) for at in ats for addr in range(at.addr, at.end)}
    functions = {at.fc for at in ats if not at.by_bits}
    for first, last in profile.bridges:
        known |= {(fc, addr) for fc in functions for addr in range(first, last + 1)}
    for first, last in profile.no_bridge:
        known -= {(fc, addr) for fc in (1, 2, 3, 4) for addr in range(first, last + 1)}
    return known
