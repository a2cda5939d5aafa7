"""The readings of a batch as columns of bytes: written and read without a step for each value.

Little-endian arrays, one column after another: instants (uint32 ms after the first of all),
values (float64), quality codes (uint8).
"""

import math
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import le
from typing import Any, overload

from tanzheng.core.errors import EncodingError
from tanzheng.core.quality import Quality

SPAN_MS_MAX = 2**32 - 1

_QUALITIES = bytes(Quality)


# Not frozen: that doubles the cost of making one, a tenth of a whole batch. Nobody changes it.
@dataclass(slots=True)
class Column:
    """The readings of one point, equally long.

    `t_ms` (int64, rising), `value` (float64, finite, in the field's unit), `quality` (uint8).
    Points that were read together share one array of instants: it is never changed.
    """

    t_ms: "array[int]"
    value: "array[float]"
    quality: bytes

    def __len__(self) -> int:
        return len(self.t_ms)


@dataclass(frozen=True, slots=True)
class Packed:
    """Columns as bytes: `counts` readings each, the first instant of all, the three arrays."""

    counts: list[int]
    t0: int
    offsets: bytes
    values: bytes
    quality: bytes


def pack(columns: Sequence[Column]) -> Packed:
    """The bytes of `columns`; `EncodingError` where they are not what `Column` says, or span more
    than 49 days."""
    instants = {id(column.t_ms): column.t_ms for column in columns}  # shared ones once
    t0 = min((times[0] for times in instants.values() if times), default=0)
    last = max((times[-1] for times in instants.values() if times), default=0)
    if last - t0 > SPAN_MS_MAX:
        raise EncodingError(f"batch: expected a span up to {SPAN_MS_MAX} ms, got {last - t0}")
    counts = [len(column.t_ms) for column in columns]
    values = _joined([column.value for column in columns])
    quality = b"".join([column.quality for column in columns])
    if not len(values) == 8 * sum(counts) == 8 * len(quality):
        raise EncodingError("batch: expected columns of equal length")
    _check_readings(values, quality)
    offsets = {key: _offsets(times, t0) for key, times in instants.items()}
    return Packed(
        counts, t0, _joined([offsets[id(column.t_ms)] for column in columns]), values, quality
    )


class PackedColumns(Sequence[Column]):
    """The columns of a decoded batch: checked as a whole, each a `Column` once one is asked for.

    `span_ms`: the first and the last instant, None where there is no reading.
    """

    __slots__ = ("_columns", "packed", "span_ms")

    def __init__(self, packed: Packed) -> None:
        """`EncodingError` where the arrays, whose lengths `packed.counts` asks for, are not what
        `Column` says."""
        self.packed = packed
        self.span_ms = _checked_span(packed)
        self._columns: tuple[Column, ...] | None = None

    def __len__(self) -> int:
        return len(self.packed.counts)

    @overload
    def __getitem__(self, index: int) -> Column: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Column, ...]: ...
    def __getitem__(self, index: int | slice) -> Column | tuple[Column, ...]:
        if self._columns is None:
            self._columns = _unpack(self.packed)
        return self._columns[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self[:] == tuple(other)

    __hash__ = None  # type: ignore[assignment] # as a column has none


def packed_of(columns: Sequence[Column]) -> Packed:
    """The bytes of `columns`, as they came where they are those of a decoded batch."""
    return columns.packed if isinstance(columns, PackedColumns) else pack(columns)


def read_together(packed: Packed) -> Iterator[tuple[int, int, bytes]]:
    """Neighbouring columns that share their instants: first and after the last column, offsets.

    What was read together stands together, mostly: most batches have few of these.
    """
    counts, offsets = packed.counts, packed.offsets
    alike = bool(counts) and counts.count(counts[0]) == len(counts)
    if alike and offsets[: 4 * counts[0]] * len(counts) == offsets:
        yield 0, len(counts), offsets[: 4 * counts[0]]
        return
    first, chunk, end = 0, b"", 0
    for column, count in enumerate(counts):
        start, end = end, end + 4 * count
        if column == first or offsets[start:end] != chunk:
            if column > first:
                yield first, column, chunk
            first, chunk = column, offsets[start:end]
    if counts:
        yield first, len(counts), chunk


def _checked_span(packed: Packed) -> tuple[int, int] | None:
    _check_readings(packed.values, packed.quality)
    first, last = [], []
    for chunk in {chunk for *_, chunk in read_together(packed)} - {b""}:
        times = _little(array("I", chunk))
        _check_rising(times)
        first.append(times[0])
        last.append(times[-1])
    if min(first, default=packed.t0) != 0:
        raise EncodingError("batch t0: expected the first instant (0 where there is no reading)")
    return (packed.t0, packed.t0 + max(last)) if last else None


def _unpack(packed: Packed) -> tuple[Column, ...]:
    values, columns, start = _little(array("d", packed.values)), list[Column](), 0
    for first, after, chunk in read_together(packed):
        times = array("q", map(packed.t0.__add__, _little(array("I", chunk))))
        for _ in range(first, after):
            end = start + len(times)
            columns.append(Column(times, values[start:end], packed.quality[start:end]))
            start = end
    return tuple(columns)


def _offsets(times: "array[int]", t0: int) -> "array[int]":
    """Instants as uint32 after `t0`."""
    _check_rising(times)
    return array("I", [t - t0 for t in times])


def _check_readings(values: bytes, quality: bytes) -> None:
    """float64 in `values` are finite, codes in `quality` known.

    The high byte of NaN and infinity is 0x7f or 0xff. Of finite numbers only those beyond 1e304
    have it: in nearly every batch no value needs a look of its own.
    """
    high = values[7::8]
    if (b"\x7f" in high or b"\xff" in high) and not all(
        map(math.isfinite, _little(array("d", values)))
    ):
        raise EncodingError("batch x: expected finite values, got NaN or infinity")
    if quality.translate(None, _QUALITIES):  # what is left when the known codes are taken out
        raise EncodingError("batch q: expected known quality codes")


def _check_rising(times: "array[int]") -> None:
    if any(map(le, times[1:], times)):  # later <= earlier, without a Python step a reading
        raise EncodingError("batch t: expected rising instants in each column")


def _joined(parts: "Sequence[array[Any]]") -> bytes:
    """All items of `parts`, little-endian."""
    return b"".join(parts if sys.byteorder == "little" else [_little(part) for part in parts])


def _little(items: "array[Any]") -> "array[Any]":
    if sys.byteorder == "big":
        items = items[:]
        items.byteswap()
    return items
