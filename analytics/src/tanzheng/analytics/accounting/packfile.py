"""Reading a standard pack from its TOML file. What the file may hold is closed: see `_TOP`.

Tables under `[constant]` nest and flatten to dotted names; a table with `value` is a constant, a
list of such tables one constant whose value changes with time. Errors name file and key.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast, get_args

from tanzheng.analytics.accounting.pack import (
    Deadline,
    Digits,
    Evidence,
    Label,
    Pack,
    Priority,
    Status,
    Value,
    decimal,
    load_pack,
)
from tanzheng.analytics.accounting.tree import Node, Source
from tanzheng.analytics.errors import PackInvalid
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput

Row = Mapping[str, Any]

_HEAD = ("name", "version", "sector", "title", "title_zh", "document", "status", "valid_from")
_PARTS = ("source", "constant", "label", "decimals", "evidence", "deadline", "priority")
_TOP = {*_HEAD, *_PARTS, "valid_to", "uses"}
_SOURCE = {"document", "section", "confidence"}
_VALUE = {"value", "unit", "source"}
_VALUE_MORE = {"valid_from", "valid_to", "note", "confidence"}
_CONFIDENCE = re.compile(r"(S1|S2|D|P|M \d{1,2}%)(?= |$)")
_DATE = re.compile(r"(\d{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


def parse_pack(raw: bytes, file: str = "standard pack") -> Pack:
    """A pack from the bytes of its TOML file; `PackInvalid` names file and key."""
    try:
        table = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PackInvalid(f"{file}: expected TOML, got {error}") from None
    return _Reader(file, table).pack(hashlib.sha256(raw).digest())


@dataclass(frozen=True, slots=True)
class _Reader:
    file: str
    table: Row

    def pack(self, sha256: bytes) -> Pack:
        self._keys(self.table, set(_HEAD), _TOP, "")
        head = {key: self._text(self.table, key, "") for key in _HEAD}
        if head["status"] not in get_args(Status):
            raise self._wrong("status", f"one of {list(get_args(Status))}", head["status"])
        used = tuple(self._used(row, f"uses[{i}]") for i, row in enumerate(self._rows("uses")))
        # Its own values stand before those of the packs it uses.
        values = {key: item for pack in used for key, item in pack.values.items()}
        values |= dict(self._constants(self._part("constant"), "constant"))
        return Pack(
            name=head["name"],
            version=head["version"],
            sector=head["sector"],
            title=head["title"],
            title_zh=head["title_zh"],
            document=head["document"],
            status=cast("Status", head["status"]),
            valid_from=self._month(self.table, "valid_from", "") or Month(1970, 1),
            valid_to=self._month(self.table, "valid_to", ""),
            sha256=sha256,
            uses=used,
            values=values,
            labels={k: v for pack in used for k, v in pack.labels.items()} | self._labels(),
            digits=self._digits(),
            evidence=tuple(self._each("evidence", self._evidence)),
            deadlines=tuple(self._each("deadline", self._deadline)),
            priorities=tuple(self._each("priority", self._priority)),
        )

    def _used(self, row: Row, at: str) -> Pack:
        self._keys(row, {"name", "sha256"}, set(), at)
        pack = load_pack(self._text(row, "name", at))
        if pack.sha256.hex() != row["sha256"]:
            raise self._wrong(
                f"{at}.sha256", f"the digest of {pack.name}, {pack.sha256.hex()}", row["sha256"]
            )
        return pack

    def _constants(self, table: Row, at: str) -> Iterator[tuple[str, tuple[Value, ...]]]:
        for key, row in table.items():
            here = f"{at}.{key}"
            rows = row if isinstance(row, list) else [row]
            if not rows or not all(isinstance(item, dict) for item in rows):
                raise self._wrong(here, "a table with value, unit and source", row)
            if rows[0].get("value") is None and not isinstance(row, list):
                yield from self._constants(row, here)
                continue
            name = here.removeprefix("constant.")
            values = tuple(self._value(name, item, here) for item in rows)
            self._apart(values, here)
            yield name, values

    def _value(self, name: str, row: Row, at: str) -> Value:
        self._keys(row, _VALUE, _VALUE | _VALUE_MORE, at)
        value = decimal(row["value"])
        if value is None:
            raise self._wrong(f"{at}.value", "a decimal string", row["value"])
        source = self._source(row, at, row.get("note", ""))
        node = Node(name, value, self._text(row, "unit", at), source=source)
        return Value(node, self._month(row, "valid_from", at), self._month(row, "valid_to", at))

    def _apart(self, values: Sequence[Value], at: str) -> None:
        """Values of one constant follow one another in time, so that a month has at most one."""
        for before, after in pairwise(values):
            end, start = before.valid_to, after.valid_from
            if end is None or start is None or start <= end:
                raise self._wrong(at, "values one after another in time", f"{end} before {start}")

    def _source(self, row: Row, at: str, note: str = "") -> Source:
        key = self._text(row, "source", at)
        named = self._part("source").get(key)
        if not isinstance(named, dict):
            raise self._wrong(f"{at}.source", f"one of {sorted(self._part('source'))}", key)
        self._keys(named, _SOURCE, set(), f"source.{key}")
        confidence = row.get("confidence", named["confidence"])
        if not isinstance(confidence, str) or not _CONFIDENCE.match(confidence):
            raise self._wrong(f"{at}.confidence", "S1, S2, M nn%, D or P", confidence)
        draft = self.table["status"] == "draft"
        return Source(named["document"], named["section"], confidence, draft, note)

    def _labels(self) -> dict[str, Label]:
        found = {}
        for key, row in self._part("label").items():
            self._keys(row, {"en", "zh"}, set(), f"label.{key}")
            found[key] = Label(row["en"], row["zh"])
        return found

    def _digits(self) -> dict[str, Digits]:
        found = {}
        for key, row in self._part("decimals").items():
            at = f"decimals.{key}"
            self._keys(row, {"n", "source"}, {"n", "source", "confidence"}, at)
            if type(row["n"]) is not int or not 0 <= row["n"] <= 9:
                raise self._wrong(f"{at}.n", "a whole number from 0 to 9", row["n"])
            found[key] = Digits(row["n"], self._source(row, at))
        return found

    def _evidence(self, row: Row, at: str) -> Evidence:
        need = {"parameter", "en", "zh", "required", "documents", "source"}
        self._keys(row, need, need | {"confidence"}, at)
        if not isinstance(row["required"], bool):
            raise self._wrong(f"{at}.required", "true or false", row["required"])
        names = self._names(row, "documents", at)
        name, en, zh = (self._text(row, key, at) for key in ("parameter", "en", "zh"))
        return Evidence(name, en, zh, row["required"], names, self._source(row, at))

    def _deadline(self, row: Row, at: str) -> Deadline:
        need = {"id", "en", "zh", "source"}
        self._keys(row, need, need | {"days", "date", "confidence"}, at)
        days, date = row.get("days"), row.get("date")
        counted = type(days) is int and days > 0 and date is None
        dated = isinstance(date, str) and _DATE.fullmatch(date) and days is None
        if not counted and not dated:
            raise self._wrong(at, "days after month end, or a date MM-DD", f"{days}, {date}")
        en, zh = self._text(row, "en", at), self._text(row, "zh", at)
        return Deadline(self._text(row, "id", at), days, date, en, zh, self._source(row, at))

    def _priority(self, row: Row, at: str) -> Priority:
        need = {"parameter", "order", "en", "zh", "source"}
        self._keys(row, need, need | {"confidence"}, at)
        en, zh = self._text(row, "en", at), self._text(row, "zh", at)
        order = self._names(row, "order", at)
        return Priority(self._text(row, "parameter", at), order, en, zh, self._source(row, at))

    # ------------------------------------------------------------ the shape of tables

    def _part(self, key: str) -> Row:
        part = self.table.get(key, {})
        if not isinstance(part, dict):
            raise self._wrong(key, "a table", part)
        return part

    def _rows(self, key: str) -> Sequence[Row]:
        rows = self.table.get(key, [])
        if not isinstance(rows, list):
            raise self._wrong(key, "a list of tables", rows)
        return rows

    def _each(self, key: str, read: Any) -> Iterator[Any]:
        for index, row in enumerate(self._rows(key)):
            yield read(row, f"{key}[{index}]")

    def _keys(self, row: object, need: set[str], allowed: set[str], at: str) -> None:
        if not isinstance(row, dict):
            raise self._wrong(at, f"a table with {sorted(need)}", row)
        missing, unknown = need - row.keys(), row.keys() - (allowed or need)
        if missing:
            raise self._wrong(at, f"the key {min(missing)!r}", "none")
        if unknown:
            raise self._wrong(at, f"keys among {sorted(allowed or need)}", min(unknown))

    def _text(self, row: Row, key: str, at: str) -> str:
        text = row.get(key)
        if not isinstance(text, str) or not text:
            raise self._wrong(f"{at}.{key}".lstrip("."), "text", text)
        return text

    def _names(self, row: Row, key: str, at: str) -> tuple[str, ...]:
        names = row[key]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._wrong(f"{at}.{key}", "a list of texts", names)
        return tuple(names)

    def _month(self, row: Row, key: str, at: str) -> Month | None:
        if key not in row:
            return None
        try:
            return Month.parse(row[key])
        except BadInput:
            raise self._wrong(f"{at}.{key}".lstrip("."), "a month YYYY-MM", row[key]) from None

    def _wrong(self, at: str, expected: str, got: object) -> PackInvalid:
        where = f"{self.file}: {at}" if at else self.file
        return PackInvalid(f"{where}: expected {expected}, got {got!r}"[:500])
