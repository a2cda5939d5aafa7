"""Deterministic CBOR (RFC 8949 §4.2), strict in both directions.

cbor2's own decoder takes duplicate keys, non-minimal integers and trailing bytes. Here what does
not encode back to the same bytes is refused, so that one meaning has one encoding and one hash.
Keys are text (the orders of RFC 7049 and RFC 8949 then agree), or small integers in COSE headers;
1.0 and true are neither, though Python finds them equal to 1.
"""

import io
from collections.abc import Mapping
from typing import Any

import cbor2

from tanzheng.core.errors import EncodingError

Tag = cbor2.CBORTag

_WIDTHS = ((24, 1), (25, 2), (26, 4), (27, 8))
_PARTS_MAX = 16


def dumps(value: Any) -> bytes:
    """The deterministic encoding of `value`; `EncodingError` where it has none."""
    try:
        return cbor2.dumps(value, canonical=True)
    except (cbor2.CBOREncodeError, TypeError, ValueError, RecursionError) as error:
        raise EncodingError(f"expected a value that CBOR can carry, got {error}") from error


def bytes_head(size: int) -> bytes:
    """What stands before the bytes of a byte string: whoever has a long one need not copy it."""
    return _head(2, size)


def _head(major: int, number: int) -> bytes:
    """The shortest head of that major type (RFC 8949 §3)."""
    if number < 24:
        return bytes([major << 5 | number])
    code, width = next(each for each in _WIDTHS if number < 1 << 8 * each[1])
    return bytes([major << 5 | code]) + number.to_bytes(width, "big")


def loads(data: bytes, what: str = "CBOR", bytes_max: int = 16 << 20) -> Any:
    """The value whose deterministic encoding is exactly `data`; else `EncodingError` naming `what`.

    The decoder bounds nesting; `bytes_max` bounds memory before anything is decoded.
    """
    if len(data) > bytes_max:
        raise EncodingError(f"{what}: expected at most {bytes_max} bytes, got {len(data)}")
    try:
        value = cbor2.loads(data, object_hook=_keys_checked)
        end = _end_of(value, data, 0)
    except Exception as error:  # semantic tags make the decoder raise nearly anything
        detail = f"{type(error).__name__}: {str(error)[:120]}"
        raise EncodingError(f"{what}: expected deterministic CBOR, got {detail}") from error
    if end != len(data):
        raise EncodingError(
            f"{what}: expected the deterministic encoding, got another one "
            "(duplicate keys, non-minimal numbers, wrong order or trailing bytes)"
        )
    return value


def _end_of(value: Any, data: bytes, start: int) -> int:
    """Where the deterministic encoding of `value` ends that begins at `start` of `data`; -1 where
    other bytes stand there.

    Long byte strings are compared in their place: encoding all of a batch again would cost more
    than everything else that is done with it. What has many parts has short ones.
    """
    kind = type(value)
    if kind is bytes:
        return _after(value, data, _after(bytes_head(len(value)), data, start))
    if kind is Tag:
        return _end_of(value.value, data, _after(_head(6, value.tag), data, start))
    if kind not in {list, tuple, dict} or len(value) > _PARTS_MAX:
        return _after(_encoded(value), data, start)
    if kind is not dict:
        end = _after(_head(4, len(value)), data, start)
        for item in value:
            end = _end_of(item, data, end)
        return end
    end = _after(_head(5, len(value)), data, start)
    keys = {_encoded(key): key for key in value}
    for encoded in sorted(keys, key=lambda each: (len(each), each)):
        end = _end_of(value[keys[encoded]], data, _after(encoded, data, end))
    return end


def _encoded(value: Any) -> bytes:
    """As `dumps`, at once for what most values are."""
    if type(value) is str:
        text = value.encode()
        return _head(3, len(text)) + text
    if type(value) is int and 0 <= value < 1 << 64:
        return _head(0, value)
    return dumps(value)


def _after(piece: bytes, data: bytes, start: int) -> int:
    return start + len(piece) if start >= 0 and data.startswith(piece, start) else -1


def _keys_checked(*given: Any) -> Any:
    """The map among what the decoder tells its hook (cbor2 5 and 6 tell different things)."""
    found = next(value for value in given if isinstance(value, Mapping))
    for key in found:
        if type(key) not in {str, int}:
            raise ValueError(f"the key {key!r:.40}, neither text nor an integer")
    return found


def complete(data: bytes, count_max: int | None = None) -> list[bytes]:
    """The encoded items at the beginning of a CBOR sequence that may have been cut anywhere.

    Ends at `count_max` items or before the first that is not whole. Whether an item is the
    deterministic encoding is for `loads` to say.
    """
    stream, items = io.BytesIO(data), list[bytes]()
    while (start := stream.tell()) < len(data) and len(items) != count_max:
        try:
            cbor2.load(stream)
        except Exception:  # noqa: BLE001 – semantic tags make the decoder raise nearly anything
            break
        items.append(data[start : stream.tell()])
    return items


def split(data: bytes, what: str = "CBOR sequence") -> list[bytes]:
    """The encoded items of a CBOR sequence (RFC 8742), one after another, nothing left over."""
    items = complete(data)
    if (end := sum(map(len, items))) < len(data):
        raise EncodingError(f"{what}: expected a CBOR item at byte {end}, got something else")
    return items
