"""Why is a read refused that covers several values? Found by bisection. Pure.

A device may refuse a read (exception 2 or 3, or no answer at all) because one value in it does not
exist, because it spans registers that do not exist, or because it is longer than the device likes.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal

from tanzheng.edge.drivers.modbus.codec import ADDRESSES
from tanzheng.hardware.addresses import RegisterAt
from tanzheng.hardware.blocks import ReadBlock
from tanzheng.hardware.points import PointSpec


@dataclass(frozen=True, slots=True)
class Cell:
    """Everything that is wanted from the same registers: it is answered or refused as one."""

    addr: int
    end: int
    points: tuple[PointSpec, ...]
    raws: tuple[RegisterAt, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Either `cell` cannot be read at all, or the addresses [`first`, `last`] must not be spanned,
    or a read must not ask for more than `most`, or all of it is answered after all."""

    kind: Literal["cell", "gap", "limit", "nothing"]
    cell: Cell
    first: int = 0
    last: int = 0
    most: int = 0


Search = Generator[ReadBlock, bool, Finding]
"""Asks for reads, is told whether each was answered, returns what it found."""


def cells_of(block: ReadBlock) -> tuple[Cell, ...]:
    """The values of `block` in the order of their addresses."""
    spans: dict[tuple[int, int], tuple[list[PointSpec], list[RegisterAt]]] = {}
    for point in block.points:
        at = point.register
        spans.setdefault((at.addr, at.end), ([], []))[0].append(point)
    for at in block.raws:
        spans.setdefault((at.addr, at.end), ([], []))[1].append(at)
    return tuple(
        Cell(addr, end, tuple(points), tuple(raws))
        for (addr, end), (points, raws) in sorted(spans.items())
    )


def part_of(block: ReadBlock, cells: Sequence[Cell]) -> ReadBlock:
    """A read of some neighbouring `cells` of `block`."""
    addr = cells[0].addr
    return ReadBlock(
        fc=block.fc,
        addr=addr,
        count=max(cell.end for cell in cells) - addr,
        points=tuple(point for cell in cells for point in cell.points),
        raws=tuple(at for cell in cells for at in cell.raws),
        profile=block.profile,
    )


def search(block: ReadBlock) -> Search:
    """Why `block` is refused: at most about log2(values) + 3 reads."""
    cells = cells_of(block)
    good, bad = 0, len(cells)
    while bad - good > 1:
        middle = (good + bad) // 2
        if (yield part_of(block, cells[:middle])):
            good = middle
        else:
            bad = middle
    cell = cells[good]
    if not good or not (yield part_of(block, [cell])):
        return Finding("cell", cell)
    before = max(item.end for item in cells[:good])
    if before < cell.addr and not (yield part_of(block, cells[good - 1 : bad])):
        return Finding("gap", cell, first=before, last=cell.addr - 1)
    if (yield part_of(block, cells[:bad])):
        return Finding("nothing", cell)
    return Finding("limit", cell, most=before - block.addr)


def other_count(block: ReadBlock) -> int:
    """How much to ask from the beginning of `block` so that the answer has another length: its
    first value alone, else one register more or less."""
    most = ADDRESSES - block.addr
    if block.fc <= 2:  # bits come by eights
        return min(9 if block.count <= 8 else 8, most)
    first = cells_of(block)[0]
    if first.end - first.addr < block.count:
        return first.end - first.addr
    return block.count - 1 if block.count > 1 else min(2, most)
