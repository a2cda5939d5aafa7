"""Canonical JSON (RFC 8785), for text, whole numbers, booleans, null, lists and maps.

Floats are refused: reported quantities are decimal strings with a unit, so the number formatting
of RFC 8785 §3.2.2.3, where implementations differ, never comes into play.
"""

import json
from typing import Any

from tanzheng.core import strict_json
from tanzheng.core.errors import EncodingError

INTEGER_MAX = 2**53


def dumps(value: Any) -> bytes:
    """UTF-8 bytes with sorted keys and no white space; `EncodingError` for floats and the like."""
    try:
        return _text(value).encode("utf-8")
    except (RecursionError, UnicodeEncodeError) as error:
        raise EncodingError(f"expected JSON text, got {error}") from error


def loads(data: bytes, what: str = "JSON") -> Any:
    """The value whose canonical form is exactly `data`; else `EncodingError` naming `what`."""
    value = strict_json.loads(data, what)
    if dumps(value) != data:
        raise EncodingError(
            f"{what}: expected canonical JSON (RFC 8785), got another form "
            "(unsorted keys, white space, other escapes)"
        )
    return value


def _text(value: Any) -> str:
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise EncodingError(f"expected a whole number up to 2^53, got {value}")
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_text(key)}:{_text(value[key])}" for key in keys) + "}"
    raise EncodingError(
        f"expected text, a whole number, a list or a map, got {type(value).__name__}"
    )
