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


def dumps(value: Any) -> bytes:
    """The deterministic encoding of `value`; `EncodingError` where it has none."""
    try:
        return cbor2.dumps(value, canonical=True)
    except (cbor2.CBOREncodeError, TypeError, ValueError, RecursionError) as error:
        raise EncodingError(f"expected a value that CBOR can carry, got {error}") from error


def bytes_head(size: int) -> bytes:
    """What stands before the bytes of a byte string: whoever has a long one need not copy it."""
    if size < 24:
        return bytes([0x40 | size])
    code, width = next(
        (code, width)
        for code, width in ((0x58, 1), (0x59, 2), (0x5A, 4), (0x5B, 8))
        if size < 1 << 8 * width
    )
    return bytes([code]) + size.to_bytes(width, "big")


def loads(data: bytes, what: str = "CBOR", bytes_max: int = 16 << 20) -> Any:
    """The value whose deterministic encoding is exactly `data`; else `EncodingError` naming `what`.

    The decoder bounds nesting; `bytes_max` bounds memory before anything is decoded.
    """
    if len(data) > bytes_max:
        raise EncodingError(f"{what}: expected at most {bytes_max} bytes, got {len(data)}")
    try:
        value = cbor2.loads(data, object_hook=_keys_checked)
        again = cbor2.dumps(value, canonical=True)
    except Exception as error:  # semantic tags make the decoder raise nearly anything
        detail = f"{type(error).__name__}: {str(error)[:120]}"
        raise EncodingError(f"{what}: expected deterministic CBOR, got {detail}") from error
    if again != data:
        raise EncodingError(
            f"{what}: expected the deterministic encoding, got another one "
            "(duplicate keys, non-minimal numbers, wrong order or trailing bytes)"
        )
    return value


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
