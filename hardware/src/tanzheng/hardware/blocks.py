"""Which registers to ask for in one request, and what came in them. Pure functions.

Points are merged into one read where every register between them is known to the profile
(another point's, or inside one of its `bridges`); undefined registers are never touched.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tanzheng.hardware.profile import WORDS, PointSpec, Profile
from tanzheng.hardware.registers import decode_scale, decode_value


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """One read request: `count` registers from the 0-based `addr` with function `fc`."""

    fc: int
    addr: int
    count: int
    points: tuple[PointSpec, ...]


def plan_blocks(profile: Profile, points: Iterable[PointSpec]) -> tuple[ReadBlock, ...]:
    """The fewest requests in address order that read `points` of `profile`."""
    readable = _readable(profile)
    blocks: list[ReadBlock] = []
    for point in sorted(points, key=lambda item: (item.fc, item.span)):
        first, last = point.span
        block = blocks[-1] if blocks else None
        if block is not None and block.fc == point.fc:
            end = max(block.addr + block.count, last)
            gap = range(block.addr + block.count, first)
            if end - block.addr <= profile.registers_per_read_max and all(
                (point.fc, addr) in readable for addr in gap
            ):
                blocks[-1] = ReadBlock(
                    block.fc, block.addr, end - block.addr, (*block.points, point)
                )
                continue
        blocks.append(ReadBlock(point.fc, first, last - first, (point,)))
    return tuple(blocks)


def decode_block(block: ReadBlock, data: bytes) -> tuple[float | None, ...]:
    """The values of `block.points`, in that order, from the block's register bytes.

    None where the device has no value, or its scale register shows a code that the profile does
    not know. Units as in `registers.decode_value`.
    """
    return tuple(_decode(block, point, data) for point in block.points)


def _decode(block: ReadBlock, point: PointSpec, data: bytes) -> float | None:
    own = _slice(block, point.addr, point.words, data)
    if point.scale_register is None:
        return decode_value(point, own)
    register = point.scale_register
    scale = decode_scale(register, _slice(block, register.addr, WORDS[register.type], data))
    return None if scale is None else decode_value(point, own, scale)


def _slice(block: ReadBlock, addr: int, words: int, data: bytes) -> bytes:
    at = 2 * (addr - block.addr)
    return data[at : at + 2 * words]


def _readable(profile: Profile) -> set[tuple[int, int]]:
    """(function, address) of every register that the profile allows to be read."""
    known = {
        (point.fc, addr)
        for point in profile.points
        for addr in range(point.addr, point.addr + point.words)
    }
    functions = {point.fc for point in profile.points}
    for first, last in profile.bridges:
        known |= {(fc, addr) for fc in functions for addr in range(first, last + 1)}
    return known
