"""JSON from outside: bounded in size and depth, each key once, whole numbers only.

`json.loads` keeps the last of two equal keys, reads 1E400 as infinity, and recurses as deep as
the text says: where some library has raised the recursion limit, deep text ends the process.
"""

import json
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from tanzheng.core.errors import EncodingError

DEPTH_MAX = 64
BYTES_MAX = 64 << 20

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = re.compile(rb"[^\[\]{}]+")


def loads(data: bytes, what: str = "JSON", bytes_max: int = BYTES_MAX) -> Any:
    """The value of `data`; `EncodingError` naming `what` for anything else.

    Floats are refused: quantities are decimal strings.
    """
    if len(data) > bytes_max:
        raise EncodingError(f"{what}: expected at most {bytes_max} bytes, got {len(data)}")
    if _depth(data) > DEPTH_MAX:
        raise EncodingError(f"{what}: expected JSON nested at most {DEPTH_MAX} deep, got deeper")
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_once,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except (ValueError, RecursionError) as error:
        raise EncodingError(f"{what}: expected strict JSON, got {error}") from error


def _depth(data: bytes) -> int:
    """How deep lists and maps are nested, whether or not the brackets match."""
    brackets = _NOT_BRACKETS.sub(b"", _STRING.sub(b"", data))
    return max(accumulate(1 if byte in b"[{" else -1 for byte in brackets), default=0)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError(f"a duplicate key among {[key[:40] for key, _ in pairs][:8]}")
    return result


def _no_float(text: str) -> None:
    raise ValueError(f"the number {text[:40]}: quantities are decimal strings")
