"""Where two files first differ, in words: the place within JSON, else the byte."""

from collections.abc import Sequence
from typing import Any

from tanzheng.core import strict_json
from tanzheng.core.errors import EncodingError

SHOWN_CHARS_MAX = 60
LABELS = ("name", "id", "path", "rule", "code", "start_ms")
"""Keys that tell an item of a list from its neighbours."""


def first_difference(expected: bytes, got: bytes) -> str:
    """`hours[13, start_ms 1530464400000].co2_cems_t: expected "100.000000", got "100.000001"`."""
    try:
        found = _inside(strict_json.loads(expected), strict_json.loads(got), "")
    except EncodingError:
        found = ""
    return found or _at_byte(expected, got)


def _inside(expected: Any, got: Any, place: str) -> str:
    """The first difference of two values that JSON holds; empty where there is none."""
    if isinstance(expected, dict) and isinstance(got, dict):
        keys = sorted(expected.keys() | got.keys())
        dotted = f"{place}." if place else ""
        return _first([_member(expected, got, key, f"{dotted}{key}") for key in keys])
    if isinstance(expected, list) and isinstance(got, list):
        pairs = zip(expected, got, strict=False)
        found = [_inside(a, b, f"{place}[{_label(i, a)}]") for i, (a, b) in enumerate(pairs)]
        if len(expected) != len(got):
            found.append(f"{place}: expected {len(expected)} items, got {len(got)}")
        return _first(found)
    return "" if expected == got else f"{place}: expected {_shown(expected)}, got {_shown(got)}"


def _member(expected: dict[str, Any], got: dict[str, Any], key: str, place: str) -> str:
    if key not in got:
        return f"{place}: expected {_shown(expected[key])}, got nothing"
    if key not in expected:
        return f"{place}: expected nothing, got {_shown(got[key])}"
    return _inside(expected[key], got[key], place)


def _first(found: Sequence[str]) -> str:
    return next((each for each in found if each), "")


def _label(index: int, item: Any) -> str:
    named = [key for key in LABELS if isinstance(item, dict) and key in item]
    return f"{index}, {named[0]} {item[named[0]]}" if named else str(index)


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[: SHOWN_CHARS_MAX - 1]}…"


def _at_byte(expected: bytes, got: bytes) -> str:
    pairs = zip(expected, got, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(expected), len(got)))
    return f"byte {at}: expected {_byte(expected, at)}, got {_byte(got, at)}"


def _byte(data: bytes, at: int) -> str:
    return f"0x{data[at]:02x}" if at < len(data) else "the end"
