"""A bare value as text: `231.4`, `ON`, `12.5 kW`. Pure."""

import math
import re
from typing import Any, Final

from tanzheng.edge.drivers.mqtt.codec import PayloadRefused

SCALAR_CHARACTERS_MAX: Final = 64
_NUMBER: Final = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?:\s*([^\s0-9.,+\-xX_][^\s,]{0,15}))?"
)
_WORDS: Final = {"on": 1.0, "off": 0.0, "true": 1.0, "false": 0.0}
_NOTHING: Final = frozenset(
    {"", "nan", "null", "none", "inf", "+inf", "-inf", "infinity", "-infinity", "n/a", "-", "--"}
    | {"unknown", "unavailable"}  # Home Assistant's words
)


def parse_scalar(text: str) -> tuple[float | None, str]:
    """(value, unit) of `text`; value None where it says that there is none.

    `PayloadRefused` for what is no number: `1,234` is one thousand to some and one to others.
    """
    stripped = text.strip().strip("\0")
    word = stripped.lower()
    if word in _WORDS:
        return _WORDS[word], ""
    if word in _NOTHING:
        return None, ""
    match = _NUMBER.fullmatch(stripped) if len(stripped) <= SCALAR_CHARACTERS_MAX else None
    if match is None:
        raise PayloadRefused("not_a_number", f"expected a number, got {stripped[:40]!r}")
    value = float(match[1])
    return (value if math.isfinite(value) else None), match[2] or ""


def scalar_of(item: Any) -> tuple[float | None, str]:
    """(value, unit) of a JSON value: number, boolean, null or a text that `parse_scalar` takes."""
    if item is None:
        return None, ""
    if isinstance(item, int | float):  # a boolean is an int
        value = float(item)
        return (value if math.isfinite(value) else None), ""
    if isinstance(item, str):
        return parse_scalar(item)
    raise PayloadRefused("not_a_number", f"expected a number, got {type(item).__name__}")
