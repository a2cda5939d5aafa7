"""Readers for closed records: an exact key set, each value of one type, nothing left over.

Evidence is only what is bound, so a record with an unknown key is as wrong as one with a key
missing. Every reader takes the decoded record, the key and `where`, and raises `EncodingError`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from tanzheng.core.errors import EncodingError

INTEGER_MAX = (1 << 53) - 1  # also exact in JSON and in every database
TEXT_CHARS_MAX = 4096
DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,29})(\.[0-9]{1,12})?")

Record = Mapping[str, Any]
T = TypeVar("T")


def record(value: object, keys: Iterable[str], where: str) -> Record:
    """`value` as a map with exactly `keys`."""
    found = mapping(value, where)
    expected = set(keys)
    if found.keys() == expected:
        return found
    missing = sorted(expected - found.keys())
    unknown = sorted(str(key)[:40] for key in found.keys() - expected)
    raise EncodingError(
        f"{where}: expected exactly the keys {sorted(expected)}, "
        f"got missing {missing} and unknown {unknown}"
    )


def mapping(value: object, where: str) -> Mapping[Any, Any]:
    """`value` where it is a map."""
    if not isinstance(value, Mapping):
        raise EncodingError(f"{where}: expected a map, got {type(value).__name__}")
    return value


def typed(value: Any, kind: type[T], where: str) -> T:
    """`value` where it is a `kind` (a bool is no int)."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise EncodingError(f"{where}: expected {kind.__name__}, got {type(value).__name__}")
    return value


def version(source: Record, known: int, where: str) -> None:
    """`version` is exactly `known`: a record of another version has another meaning."""
    if integer(source, "version", where) != known:
        raise EncodingError(f"{where}.version: expected {known}, got {source['version']}")


def text(source: Record, key: str, where: str) -> str:
    """One line of printable text of at most `TEXT_CHARS_MAX` characters."""
    return line(source[key], f"{where}.{key}")


def line(value: object, where: str) -> str:
    """`value` as one line of printable text of at most `TEXT_CHARS_MAX` characters."""
    if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX or not value.isprintable():
        raise EncodingError(f"{where}: expected a line of text, got {_shown(value)}")
    return value


def integer(source: Record, key: str, where: str, least: int = 0) -> int:
    """An integer from `least` to 2^53 - 1."""
    return number(source[key], f"{where}.{key}", least)


def number(value: object, where: str, least: int = 0) -> int:
    """`value` as an integer from `least` to 2^53 - 1."""
    if type(value) is not int or not least <= value <= INTEGER_MAX:
        raise EncodingError(
            f"{where}: expected an integer from {least} to 2^53-1, got {_shown(value)}"
        )
    return value


def items(source: Record, key: str, where: str, count_max: int) -> Sequence[Any]:
    """A list of at most `count_max` items."""
    return sequence(source[key], f"{where}.{key}", count_max)


def sequence(value: object, where: str, count_max: int) -> Sequence[Any]:
    """`value` as a list of at most `count_max` items (inside a CBOR tag it comes as a tuple)."""
    if not isinstance(value, (list, tuple)) or len(value) > count_max:
        raise EncodingError(f"{where}: expected a list of at most {count_max}, got {_shown(value)}")
    return value


def octets(value: object, count: int, where: str) -> bytes:
    """A byte string of exactly `count` bytes (CBOR)."""
    if not isinstance(value, bytes) or len(value) != count:
        raise EncodingError(f"{where}: expected {count} bytes, got {_shown(value)}")
    return value


def hexadecimal(value: object, count: int, where: str) -> bytes:
    """A lower-case hexadecimal text of exactly `count` bytes (JSON)."""
    if not isinstance(value, str) or re.fullmatch(f"[0-9a-f]{{{2 * count}}}", value) is None:
        raise EncodingError(f"{where}: expected {count} bytes in hexadecimal, got {_shown(value)}")
    return bytes.fromhex(value)


def decimal(value: object, where: str) -> str:
    """A plain decimal number as text: no exponent, no leading zero, no plus sign."""
    if not isinstance(value, str) or DECIMAL.fullmatch(value) is None:
        raise EncodingError(f"{where}: expected a decimal number as text, got {_shown(value)}")
    return value


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
