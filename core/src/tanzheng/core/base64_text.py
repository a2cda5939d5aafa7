"""Bytes as base64 text in JSON (RFC 4648 §4): one text for each byte string, no other accepted."""

import base64
import binascii

from tanzheng.core.errors import EncodingError


def encode(data: bytes) -> str:
    """`data` with padding, without line breaks."""
    return base64.b64encode(data).decode("ascii")


def decode(value: object, bytes_max: int, where: str) -> bytes:
    """The bytes of `value`; `EncodingError` where it is not what `encode` gives."""
    if not isinstance(value, str) or len(value) > 4 * (bytes_max // 3 + 1):
        raise EncodingError(f"{where}: expected base64 text of at most {bytes_max} bytes")
    try:
        data = base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise EncodingError(f"{where}: expected base64 text, got {error}") from None
    if encode(data) != value:  # the last digit may hide bits
        raise EncodingError(f"{where}: expected the canonical base64 text of its bytes")
    return data
