"""Replies of one request → values, compiled once and run at every slot. Pure.

Most meters are blocks of floats or integers: one `struct` unpacks the whole reply, one pass scales
it, one sum tells that all of it is finite. Everything else takes the careful way, point by point.
"""

from array import array
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise
from math import isfinite
from operator import mul, truediv
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from tanzheng.core.quality import Quality
from tanzheng.hardware.addresses import STRING, RegisterAt
from tanzheng.hardware.errors import ValueOutOfRange
from tanzheng.hardware.points import ONE, PointSpec, gravest
from tanzheng.hardware.registers import Raw, raw_of, raw_sentinels, value_of

if TYPE_CHECKING:
    from tanzheng.hardware.blocks import ReadBlock

Memory = dict[RegisterAt, Raw]
"""Raw values of the status, scale and ratio registers of one device, as last read."""

_CODES: Final = {
    "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "f32": "f", "f64": "d",
}  # fmt: skip
_FLOAT_EXACT_MAX: Final = 1 << 53


class Decoded(NamedTuple):
    """What a reply says. `values[i]` and `quality[i]` belong to `block.points[kept[i]]`, or to
    `block.points[i]` where `kept` is None: then every point has a value and `missing` is empty.

    Values are finite, in the dictionary's unit (in the point's unit without a field); `quality` are
    codes of `core.quality`. `missing` are the indices of points that have no value now.
    """

    values: "array[float]"
    quality: bytes
    kept: tuple[int, ...] | None
    missing: tuple[int, ...]


class BlockDecoder:
    """Made by `blocks.compile_block`."""

    def __init__(self, block: "ReadBlock", ratios: Mapping[str, Fraction], memory: Memory) -> None:
        self._block, self._memory = block, memory
        self._bytes = (block.count + 7) // 8 if block.fc <= 2 else 2 * block.count
        self._points = tuple(_PointReader(block, point, ratios) for point in block.points)
        self._raws = tuple((at, _raw_reader(block, at)) for at in block.raws)
        self._quality = bytes([Quality.GOOD]) * len(block.points)
        self._fast = _Fast.of(block, self._points)
        self._pack = Struct(f"={len(block.points)}d").pack

    def decode(self, data: bytes) -> Decoded:
        """`data` are the value bytes of the reply to the block's request.

        `ValueOutOfRange` where that is not the number of bytes that were asked for.
        """
        if len(data) != self._bytes:
            block = self._block
            raise ValueOutOfRange(
                f"expected {self._bytes} bytes, got {len(data)}, at fc {block.fc} "
                f"address {block.addr}+{block.count}"
            )
        if self._fast is None:
            return self._decode_with_care(data)
        unpack, swapped, sentinels, times, over = self._fast
        numbers = unpack(_bytes_swapped(data) if swapped else data)
        if sentinels and not sentinels.isdisjoint(numbers):
            return self._decode_with_care(data)
        if times is not None:
            numbers = tuple(map(mul, numbers, times))
        if over is not None:
            numbers = tuple(map(truediv, numbers, over))
        if isfinite(sum(numbers)):
            # By way of bytes: an array that takes number after number needs three times as long.
            return Decoded(array("d", self._pack(*numbers)), self._quality, None, ())
        return self._decode_with_care(data)

    def _decode_with_care(self, data: bytes) -> Decoded:
        for at, read in self._raws:
            raw = read(data)
            if raw is None or not isfinite(raw):
                self._memory.pop(at, None)
            else:
                self._memory[at] = raw
        values = array("d")
        quality = bytearray()
        kept: list[int] = []
        for index, point in enumerate(self._points):
            found = point.read(data, self._memory)
            if found is not None:
                values.append(found[0])
                quality.append(found[1])
                kept.append(index)
        if len(kept) == len(self._points):
            return Decoded(values, bytes(quality), None, ())
        missing = tuple(sorted(set(range(len(self._points))).difference(kept)))
        return Decoded(values, bytes(quality), tuple(kept), missing)


class _PointReader:
    """The careful way for one point."""

    def __init__(
        self, block: "ReadBlock", point: PointSpec, ratios: Mapping[str, Fraction]
    ) -> None:
        profile = block.profile
        self.at = point.register
        self.sentinels = raw_sentinels(point)
        self.constant = point.factor
        for name in point.times:
            if name not in profile.ratios:
                self.constant *= ratios.get(name, ONE)
        self._raw = _raw_reader(block, self.at)
        self._shift = point.offset * point.to_field
        self._scale = point.scale_register
        self._ratios = [profile.ratios[name] for name in point.times if name in profile.ratios]
        self._validity = [(profile.point(item.point).register, item) for item in point.validity]
        self._expected = None
        if point.expected is not None:
            low, high = sorted(limit * point.to_field for limit in point.expected)
            self._expected = float(low), float(high)

    @property
    def is_plain(self) -> bool:
        """True where raw × constant is all there is to it, sentinels aside."""
        depends = self._scale or self._ratios or self._validity
        return self.at.type in _CODES and not (depends or self._shift or self._expected)

    def read(self, data: bytes, memory: Memory) -> tuple[float, Quality] | None:
        """Value and quality, or None."""
        raw = self._raw(data)
        if raw is None or raw in self.sentinels:
            return None
        scaled = self._scale or self._ratios
        factor = self._factor(memory) if scaled else self.constant
        quality = self._graded(memory) if self._validity else Quality.GOOD
        if factor is None or quality is None:
            return None
        value = value_of(raw, factor, self._shift)
        if value is not None and quality is Quality.GOOD and self._expected is not None:
            low, high = self._expected
            if not low <= value <= high:
                quality = Quality.OVER_RANGE
        return None if value is None else (value, quality)

    def _factor(self, memory: Memory) -> Fraction | None:
        """None where a register that scales the value is unknown or shows nothing usable."""
        factor = self.constant
        for at in self._ratios:
            ratio = memory.get(at, 0)
            if ratio <= 0:
                return None
            factor = factor * Fraction(ratio)
        if self._scale is None:
            return factor
        code = memory.get(self._scale.at)
        scale = None if code is None else self._scale.factors.get(int(code))
        return None if scale is None else factor * scale

    def _graded(self, memory: Memory) -> Quality | None:
        """None where a status point was not read: then nobody can say what the value is worth."""
        found: list[Quality] = []
        for at, validity in self._validity:
            raw = memory.get(at)
            if raw is None:
                return None
            found.append(validity.quality(int(raw)))
        return gravest(found)


class _Fast(NamedTuple):
    """How a block without peculiarities is unpacked and scaled as a whole."""

    unpack: Callable[[bytes], tuple[Raw, ...]]
    swapped: bool
    sentinels: frozenset[Raw]
    times: tuple[Raw, ...] | None
    over: tuple[Raw, ...] | None

    @classmethod
    def of(cls, block: "ReadBlock", points: "tuple[_PointReader, ...]") -> "_Fast | None":
        """None where one of the points, or what others need of the block, asks for care."""
        ats = [point.at for point in points]
        apart = all(before.end <= after.addr for before, after in pairwise(ats))
        if block.raws or not (ats and apart and all(point.is_plain for point in points)):
            return None
        swaps = {at.byte_swap for at in ats}
        orders = {at.order for at in ats if at.words > 1} or {"big"}
        if len(swaps) > 1 or len(orders) > 1:
            return None
        little, swap = "little" in orders, True in swaps
        layout = f"{'<' if little else '>'}{_layout(block.addr, ats)}"
        times = tuple(_operand(point.at, point.constant.numerator) for point in points)
        over = tuple(_operand(point.at, point.constant.denominator) for point in points)
        return cls(
            unpack=Struct(layout).unpack,
            # ABCD is big-endian, DCBA little-endian; the other two are, once bytes are swapped.
            swapped=little != swap,
            sentinels=frozenset().union(*(point.sentinels for point in points)),
            times=None if set(times) == {1} else times,
            over=None if set(over) == {1} else over,
        )


def _layout(addr: int, ats: list[RegisterAt]) -> str:
    """`struct` codes of the values with the registers between them skipped."""
    codes: list[str] = []
    for at in ats:
        codes.append(f"{2 * (at.addr - addr)}x{_CODES[at.type]}")
        addr = at.end
    return "".join(codes)


def _operand(at: RegisterAt, number: int) -> Raw:
    """For floats as a float, which saves a conversion a value; integers stay exact."""
    return float(number) if at.type[0] == "f" and abs(number) < _FLOAT_EXACT_MAX else number


def _bytes_swapped(data: bytes) -> bytes:
    words = array("H", data)
    words.byteswap()
    return words.tobytes()


def _raw_reader(block: "ReadBlock", at: RegisterAt) -> Callable[[bytes], Raw | None]:
    """`raw_of` from a reply to `block`; always None for a text."""
    place = at.addr - block.addr
    if at.type == STRING:
        return lambda _data: None
    if at.by_bits:
        byte, bit = divmod(place, 8)
        return lambda data: data[byte] >> bit & 1
    if at.type in _CODES and at.letters == "ABCD":
        unpack = Struct(">" + _CODES[at.type]).unpack_from
        return lambda data: cast("Raw", unpack(data, 2 * place)[0])
    cut = slice(2 * place, 2 * at.words + 2 * place)
    return lambda data: raw_of(at, data[cut])
