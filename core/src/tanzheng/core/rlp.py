"""Recursive Length Prefix (Ethereum yellow paper, appendix B), strict: one value, one encoding."""

from collections.abc import Sequence
from typing import Union

from tanzheng.core.errors import EncodingError

DEPTH_MAX = 8
Item = Union[bytes, Sequence["Item"]]  # noqa: UP007 - a recursive alias cannot be written with |


def encode(item: Item) -> bytes:
    """Return the encoding of a byte string or a (nested) sequence of them."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _prefix(0x80, len(item)) + item
    body = b"".join(encode(part) for part in item)
    return _prefix(0xC0, len(body)) + body


def encode_integer(value: int) -> bytes:
    """Return `value` as a scalar: big-endian without leading zeros, zero as no bytes."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode(data: bytes, what: str = "RLP") -> Item:
    """Return the one item in `data`; `EncodingError` for trailing bytes or a longer spelling."""
    item, end = _decode(data, 0, len(data), what, 0)
    if end != len(data):
        raise EncodingError(f"{what}: expected {end} bytes, got {len(data) - end} more")
    return item


def decode_integer(item: Item, what: str, bytes_max: int = 8) -> int:
    """Return a scalar; `EncodingError` for leading zeros or more than `bytes_max` bytes."""
    if not isinstance(item, bytes) or len(item) > bytes_max or item[:1] == b"\x00":
        raise EncodingError(f"{what}: expected a scalar of at most {bytes_max} bytes")
    return int.from_bytes(item, "big")


def _prefix(base: int, length: int) -> bytes:
    if length < 56:
        return bytes([base + length])
    size = encode_integer(length)
    return bytes([base + 55 + len(size)]) + size


def _decode(data: bytes, start: int, limit: int, what: str, depth: int) -> tuple[Item, int]:
    """Return the item at `start` and where it ends; nothing is read beyond `limit`."""
    if depth > DEPTH_MAX:
        raise EncodingError(f"{what}: expected at most {DEPTH_MAX} nested lists")
    if start >= limit:
        raise EncodingError(f"{what}: expected an item at byte {start}, got the end")
    first = data[start]
    if first < 0x80:
        return data[start : start + 1], start + 1
    base = 0x80 if first < 0xC0 else 0xC0
    begin, end = _span(data, start, limit, first - base, what)
    if base == 0x80:
        if end - begin == 1 and data[begin] < 0x80:
            raise EncodingError(f"{what}: expected the short form at byte {start}")
        return data[begin:end], end
    parts = []
    while begin < end:
        part, begin = _decode(data, begin, end, what, depth + 1)
        parts.append(part)
    return parts, end


def _span(data: bytes, start: int, limit: int, code: int, what: str) -> tuple[int, int]:
    """Return [begin, end) of the content whose prefix stands at `start`."""
    begin, length = start + 1, code
    if code > 55:
        begin = start + 1 + code - 55
        size = data[start + 1 : begin]
        length = int.from_bytes(size, "big")
        if length < 56 or size[0] == 0:
            raise EncodingError(f"{what}: expected the shortest length at byte {start}")
    if begin + length > limit:
        raise EncodingError(f"{what}: expected {length} bytes at byte {begin}, got fewer")
    return begin, begin + length
