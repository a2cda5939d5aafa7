"""Which requests read a device's points, given what was learned about it. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from tanzheng.edge.drivers.modbus.codec import ReadRequest
from tanzheng.edge.drivers.modbus.search import Finding
from tanzheng.hardware.addresses import RegisterAt
from tanzheng.hardware.blocks import (
    BITS_PER_READ,
    Decoded,
    Memory,
    ReadBlock,
    compile_block,
    needs,
    plan_blocks,
)
from tanzheng.hardware.points import PointSpec
from tanzheng.hardware.profile import Profile


@dataclass(frozen=True, slots=True)
class Read:
    """One request and what to make of its answer; all places are indices into `Plan.points`.

    `counters` are the positions in `points` of values that are watched for leaps. `lasting`: only
    transformer ratios come of it, which need not be read at every slot.
    """

    request: ReadRequest
    decode: Callable[[bytes], Decoded]
    points: tuple[int, ...]
    counters: tuple[int, ...]
    block: ReadBlock
    lasting: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """What one slot asks for. `left_out` are points that cannot be read, by reason."""

    due: tuple[int, ...]
    reads: tuple[Read, ...]
    left_out: Mapping[str, tuple[int, ...]]


@dataclass(slots=True)
class Isolated:
    """A read of one value that the device refuses, and when to try it again."""

    block: ReadBlock
    reason: str
    delay_s: float
    next_try_s: float


@dataclass(slots=True)
class Learned:
    """What a device taught: sizes it takes, ranges it does not let through, what it lacks."""

    registers_max: int
    bits_max: int = BITS_PER_READ
    gaps: list[tuple[int, int]] = field(default_factory=list)
    isolated: list[Isolated] = field(default_factory=list)

    def note(self, block: ReadBlock, finding: Finding) -> None:
        """Keep a limit or a gap; a cell that cannot be read is the caller's."""
        if finding.kind == "gap":
            self.gaps.append((finding.first, finding.last))
        elif block.fc <= 2:
            self.bits_max = min(self.bits_max, finding.most)
        else:
            self.registers_max = min(self.registers_max, finding.most)


class Planner:
    """Makes schedules for one device."""

    def __init__(
        self,
        profile: Profile,
        unit: int,
        places: Mapping[str, int],
        ratios: Mapping[str, Fraction],
        memory: Memory,
    ) -> None:
        self._profile, self._unit, self._places = profile, unit, places
        self._ratios, self._memory = ratios, memory
        self._ratio_ats = frozenset(profile.ratios.values())

    def schedule(self, points: Sequence[PointSpec], learned: Learned) -> Schedule:
        """The requests for `points`, none of them over what was learned."""
        profile = self._profile
        if learned.gaps or learned.isolated:
            alone = [item.block for item in learned.isolated]
            refused = [(block.addr, block.addr + block.count - 1) for block in alone]
            profile = replace(profile, no_bridge=(*profile.no_bridge, *learned.gaps, *refused))
        left_out = self._left_out(points, learned)
        gone = {place for places in left_out.values() for place in places}
        wanted = [point for point in points if self._places[point.id] not in gone]
        blocks = plan_blocks(profile, wanted, learned.registers_max, learned.bits_max)
        return Schedule(
            due=tuple(self._places[point.id] for point in points),
            reads=tuple(self._read(block) for block in blocks),
            left_out=left_out,
        )

    def _left_out(
        self, points: Sequence[PointSpec], learned: Learned
    ) -> Mapping[str, tuple[int, ...]]:
        """Isolated points, and those whose status, scale or ratio register is isolated."""
        left_out: dict[str, tuple[int, ...]] = {}
        seen: set[int] = set()
        for isolated in learned.isolated:
            named = {point.id for point in isolated.block.points}
            places = tuple(
                place
                for point in points
                if (place := self._places[point.id]) not in seen
                and (point.id in named or self._needs_any(point, isolated.block.raws))
            )
            seen.update(places)
            if places:
                left_out[isolated.reason] = (*left_out.get(isolated.reason, ()), *places)
        return left_out

    def _needs_any(self, point: PointSpec, raws: Iterable[RegisterAt]) -> bool:
        return not set(raws).isdisjoint(needs(self._profile, [point]))

    def _read(self, block: ReadBlock) -> Read:
        decoder = compile_block(block, self._ratios, self._memory)
        return Read(
            request=self.request(block),
            decode=decoder.decode,
            points=tuple(self._places[point.id] for point in block.points),
            counters=tuple(i for i, point in enumerate(block.points) if point.counter),
            block=block,
            lasting=not block.points and set(block.raws) <= self._ratio_ats,
        )

    def request(self, block: ReadBlock) -> ReadRequest:
        """The bytes for `block`."""
        return ReadRequest(self._unit, block.fc, block.addr, block.count)
