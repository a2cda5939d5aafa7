"""On which line each key of a TOML or JSON text is, for messages to people.

The parsers of the standard library keep no positions. This one checks nothing: it walks text that
they have accepted, and knows just enough of both grammars not to lose its way.
"""

import json
import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from typing import Final

Key = tuple[str | int, ...]

_TOML_SPACE: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_JSON_SPACE: Final = re.compile(r"[ \t\r\n]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:\\.|[^"\\])*"|' + r"'[^'\n]*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


def toml_lines(text: str) -> dict[Key, int]:
    """Key path → line (1-based) of each key, table and array element of TOML that tomllib takes.

    An array of tables gives `("device", 0)`, `("device", 0, "id")` …
    """
    scanner = _Scanner(text, _TOML_SPACE, "=")
    with suppress(RecursionError, IndexError, ValueError):
        scanner.document()
    return scanner.lines


def json_lines(text: str) -> dict[Key, int]:
    """Key path → line (1-based) of each key and array element of JSON that `json` takes."""
    scanner = _Scanner(text, _JSON_SPACE, ":")
    with suppress(RecursionError, IndexError, ValueError):
        scanner.space()
        scanner.value(())
    return scanner.lines


def line_of(lines: dict[Key, int], key: Key) -> int:
    """The line of `key`, else of the nearest thing that it would be in, else 1."""
    while key and key not in lines:
        key = key[:-1]
    return lines.get(key, 1)


class _Scanner:
    """A place in a text, and what was found on the way there."""

    def __init__(self, text: str, space: re.Pattern[str], separator: str) -> None:
        self.lines: dict[Key, int] = {}
        self._text, self._space, self._separator = text, space, separator
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._tables: dict[Key, int] = {}

    def document(self) -> None:
        """All of a TOML document: tables and the keys below them."""
        table: Key = ()
        self.space()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self.space()

    def space(self) -> None:
        """Over white space and comments."""
        found = self._space.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def value(self, key: Key) -> None:
        """Over one value, noting what is in it."""
        char = self._text[self._at]
        if char == "{":
            self._items("}", lambda _index: self._pair(key))
        elif char == "[":
            self._items("]", lambda index: self._element((*key, index)))
        elif found := _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at):
            self._at = found.end()

    def _items(self, end: str, item: Callable[[int], None]) -> None:
        self._at += 1
        self.space()
        index = 0
        while self._text[self._at] != end:
            item(index)
            index += 1
            self.space()
            if self._text[self._at] == ",":
                self._at += 1
                self.space()
        self._at += 1

    def _element(self, key: Key) -> None:
        self._note(key)
        self.value(key)

    def _header(self) -> Key:
        many = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 2 if many else 1
        *above, last = self._names()
        self._at += 2 if many else 1
        key: Key = ()
        for name in above:
            key = self._inside((*key, name))
            self._note(key, start)
        key = (*key, last)
        if many:
            self._tables[key] = self._tables.get(key, -1) + 1
            self._note(key, start)
            key = self._inside(key)
        self._note(key, start)
        return key

    def _inside(self, key: Key) -> Key:
        """`key` itself, or its newest element where it is an array of tables."""
        return (*key, self._tables[key]) if key in self._tables else key

    def _pair(self, table: Key) -> None:
        start = self._at
        key = table
        for name in self._names():
            key = (*key, name)
            self._note(key, start)
        self._at = self._text.index(self._separator, self._at) + 1
        self.space()
        self.value(key)

    def _names(self) -> list[str]:
        """A key with its dots; the place is then at what follows it."""
        names: list[str] = []
        while True:
            self.space()
            found = _BARE.match(self._text, self._at) or _STRING.match(self._text, self._at)
            if found is None:
                raise IndexError  # not the text that was promised
            self._at = found.end()
            names.append(self._name(found.group()))
            self.space()
            if self._text[self._at] != ".":
                return names
            self._at += 1

    def _name(self, token: str) -> str:
        if token[0] == '"' and self._separator == ":":
            return str(json.loads(token, strict=False))
        return next(iter(tomllib.loads(f"{token}=0")))

    def _note(self, key: Key, at: int | None = None) -> None:
        place = self._at if at is None else at
        self.lines.setdefault(key, bisect_right(self._breaks, place - 1) + 1)
