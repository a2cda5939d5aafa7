"""The information-disclosure table (信息公开表): what the enterprise makes public of its year.

Its parts and rows are data (`disclosure.toml`). A row is computed from the report, or the
enterprise's own statement (a TOML file of `key = "text"`); what nobody stated stays open, visibly.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tanzheng.analytics.accounting.pack import Digits
from tanzheng.analytics.accounting.tree import Source
from tanzheng.analytics.annual.words import Words
from tanzheng.core.errors import BadInput

STATEMENT_CHARS_MAX = 400
NAMES = ("name", "name_zh")
"""What a disclosure file may say besides the rows: the enterprise's names."""


@dataclass(frozen=True, slots=True)
class RowForm:
    """A row of the form; `stated`: by the enterprise, not computed."""

    key: str
    words: Words
    stated: bool


@dataclass(frozen=True, slots=True)
class PartForm:
    """A part of the form with its rows."""

    words: Words
    rows: tuple[RowForm, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """All of `disclosure.toml`; `sources` by sector say where the form is from."""

    parts: tuple[PartForm, ...]
    sources: Mapping[str, Source]
    duty: Source
    rounding: Digits

    @property
    def stated_keys(self) -> tuple[str, ...]:
        """The rows that only the enterprise can fill in."""
        return tuple(row.key for part in self.parts for row in part.rows if row.stated)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the finished table; `filled` is False where something is still to be stated."""

    part: Words
    words: Words
    value: Words
    filled: bool


OPEN = Words("to be stated by the enterprise", "待填报")


@cache
def form() -> Form:
    """The form that ships with this package."""
    raw = (resources.files("tanzheng.analytics.annual") / "disclosure.toml").read_text("utf-8")
    table = tomllib.loads(raw)
    sources = {key: Source(**row) for key, row in table["source"].items()}
    rounding = table["rounding"]
    return Form(
        tuple(_part(row) for row in table["part"]),
        {sector: sources[key] for sector, key in table["form"].items()},
        sources["duty"],
        Digits(rounding["decimals"], sources[rounding["source"]]),
    )


def _part(row: Mapping[str, Any]) -> PartForm:
    return PartForm(
        Words(row["en"], row["zh"]),
        tuple(
            RowForm(item["key"], Words(item["en"], item["zh"]), item["from"] == "file")
            for item in row["row"]
        ),
    )


def statements(raw: bytes, where: str) -> dict[str, str]:
    """The enterprise's statements from its disclosure file; `BadInput` names file and key."""
    try:
        table = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{where}: expected TOML, got {error}") from None
    allowed = (*NAMES, *form().stated_keys)
    for key, value in table.items():
        if key not in allowed:
            raise BadInput(f"{where}: expected keys among {', '.join(allowed)}, got {key!r}")
        good = isinstance(value, str) and value.strip() and value.isprintable()
        if not good or len(value) > STATEMENT_CHARS_MAX:
            raise BadInput(
                f"{where}: {key}: expected a line of at most {STATEMENT_CHARS_MAX} characters, "
                f"got {str(value)[:60]!r}"
            )
    return table


def rows(computed: Mapping[str, Words], stated: Mapping[str, str]) -> tuple[Row, ...]:
    """The table: `computed` by key of the rows from the report, `stated` by the enterprise."""
    return tuple(_row(part, row, computed, stated) for part in form().parts for row in part.rows)


def _row(
    part: PartForm, row: RowForm, computed: Mapping[str, Words], stated: Mapping[str, str]
) -> Row:
    if not row.stated:
        return Row(part.words, row.words, computed[row.key], True)
    text = stated.get(row.key)
    value = Words(text, text) if text else OPEN
    return Row(part.words, row.words, value, text is not None)


def open_rows(table: Sequence[Row]) -> int:
    """How many rows nobody has stated yet."""
    return sum(not row.filled for row in table)
