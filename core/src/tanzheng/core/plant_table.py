"""A table of the plant file that knows where it stands."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from tanzheng.core.errors import BadInput
from tanzheng.core.ids import identifier


class Table:
    """A TOML table that knows its path and refuses what nobody asked it for."""

    def __init__(self, items: Any, path: str) -> None:
        if not isinstance(items, dict):
            raise BadInput(f"{path}: expected a table, got {type(items).__name__}")
        self._items, self.path, self._seen = items, path, set[str]()

    def get(self, key: str, kind: type, default: Any = None) -> Any:
        """The value of `key`, which is a `kind`."""
        self._seen.add(key)
        value = self._items.get(key, default)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise BadInput(f"{self.path}: {key}: expected {kind.__name__}, got {value!r}")
        return value

    def id(self, key: str) -> str:
        """An identifier."""
        return identifier(self.get(key, str), f"{self.path}: {key}")

    def day(self, key: str) -> date:
        """A date, YYYY-MM-DD."""
        text = self.get(key, str)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise BadInput(f"{self.path}: {key}: expected YYYY-MM-DD, got {text!r}") from None

    def decimal(self, key: str, expected: str) -> Decimal:
        """A finite decimal, written as text; `expected` says which."""
        text = self.get(key, str)
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            raise BadInput(f"{self.path}: {key}: expected {expected}, got {text!r}")
        return value

    def table(self, key: str) -> "Table":
        """The table at `key`."""
        return Table(self.get(key, dict), f"{self.path}: {key}")

    def sha256(self, key: str) -> bytes:
        """32 bytes in hexadecimal."""
        text = self.get(key, str)
        if re.fullmatch("[0-9a-f]{64}", text) is None:
            raise BadInput(f"{self.path}: {key}: expected 64 hexadecimal digits, got {text!r}")
        return bytes.fromhex(text)

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def tables(self, key: str) -> Iterator["Table"]:
        """The tables at `key`, in order."""
        for index, item in enumerate(self.get(key, list, [])):
            yield Table(item, f"{self.path}: {key}[{index}]")

    def close(self) -> None:
        """Refuse the keys that were not asked for."""
        if unknown := sorted(self._items.keys() - self._seen):
            raise BadInput(f"{self.path}: expected one of {sorted(self._seen)}, got {unknown[0]!r}")
