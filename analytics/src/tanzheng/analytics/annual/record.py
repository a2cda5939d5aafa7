"""Frozen dataclasses as closed JSON and back: decimals and months as text, bytes in hexadecimal.

The annual report is read back by whoever checks it: every key must be there and none besides.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from tanzheng.core import closed
from tanzheng.core.calendar import Month
from tanzheng.core.errors import EncodingError

ITEMS_MAX = 100_000
DIGEST_BYTES = 32


def to_json(value: Any) -> Any:
    """The JSON form of a dataclass of texts, numbers, decimals, months, days, digests, tuples."""
    if is_dataclass(value) and not isinstance(value, Month):
        return {item.name: to_json(getattr(value, item.name)) for item in fields(value)}
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return f"{value:f}"
        case Month() | date():
            return str(value)
        case bytes():
            return value.hex()
        case tuple():
            return [to_json(item) for item in value]
    raise EncodingError(f"expected a record's value, got {type(value).__name__}")


def from_json(kind: Any, value: Any, where: str) -> Any:
    """`value` as a `kind`; `EncodingError` names the first place that is out of shape."""
    origin = get_origin(kind)
    if origin is tuple:
        item = get_args(kind)[0]
        rows = closed.sequence(value, where, ITEMS_MAX)
        return tuple(from_json(item, row, f"{where}[{i}]") for i, row in enumerate(rows))
    if origin is UnionType:
        (inner,) = (option for option in get_args(kind) if option is not NoneType)
        return None if value is None else from_json(inner, value, where)
    if is_dataclass(kind) and kind is not Month:
        hints = get_type_hints(kind)
        row = closed.record(value, hints, where)
        make: Any = kind
        return make(
            **{key: from_json(hint, row[key], f"{where}.{key}") for key, hint in hints.items()}
        )
    return _scalar(kind, {"value": value}, where)


def _scalar(kind: Any, row: Mapping[str, Any], where: str) -> Any:
    if kind is str:
        return closed.text(row, "value", where)
    if kind is int:
        return closed.integer(row, "value", where)
    if kind is bool:
        return closed.typed(row["value"], bool, where)
    if kind is Decimal:
        return Decimal(closed.decimal(row["value"], where))
    if kind is bytes:
        return closed.hexadecimal(row["value"], DIGEST_BYTES, where)
    if kind is Month:
        return Month.parse(row["value"])
    assert kind is date, f"no reader for {kind}"
    try:
        return date.fromisoformat(closed.text(row, "value", where))
    except ValueError:
        raise EncodingError(f"{where}: expected YYYY-MM-DD, got {row['value']!r}") from None
