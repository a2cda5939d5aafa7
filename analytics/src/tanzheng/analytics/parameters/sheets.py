"""What sheets a plant's book has: columns, labels in both languages, units, and how to say them."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tanzheng.core.errors import BadInput
from tanzheng.core.fields import FIELDS, Field

SECTORS = ("power", "cement", "aluminium", "steel")
TOTALS = {"合计", "总计", "月合计", "本月合计", "total", "totals", "sum"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: a figure of the dictionary where `field` is set, else a day, month or text."""

    name: str
    kind: str
    zh: str
    en: str
    field: Field | None
    required: bool
    choices: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """As the template writes it, Chinese over English, the unit in brackets."""
        unit = f" ({self.field.unit})" if self.field else ""
        return f"{self.zh}\n{self.en}{unit}"

    def labels(self) -> set[str]:
        """The names this column is known by, in comparable form, without the unit."""
        return {plain(text) for text in (self.zh, self.en, self.zh + self.en, self.name)}


@dataclass(frozen=True, slots=True)
class SheetSpec:
    """One kind of sheet. `key`: the columns no two lines share; `weight` as in the data file."""

    name: str
    zh: str
    en: str
    sectors: tuple[str, ...]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    weight: str
    example: Mapping[str, str]

    @property
    def title(self) -> str:
        """The name of the sheet in a book."""
        return f"{self.zh} {self.en}"

    def column(self, name: str) -> Column:
        """The column `name`, which must exist."""
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True, slots=True)
class Sheets:
    """All kinds of sheets with the units they may be written in."""

    specs: tuple[SheetSpec, ...]
    unit_names: Mapping[str, tuple[str, ...]]
    unit_hints: Mapping[str, Mapping[str, str]]

    def of_sector(self, sector: str) -> tuple[SheetSpec, ...]:
        """The sheets of `sector`, in their order in a book."""
        if sector not in SECTORS:
            raise BadInput(
                f"expected a sector of {', '.join(SECTORS)}, got {sector!r} · 行业名称有误"
            )
        return tuple(spec for spec in self.specs if sector in spec.sectors)

    def kinds(self) -> tuple[str, ...]:
        """The names of all kinds of sheets."""
        return tuple(spec.name for spec in self.specs)

    def spec(self, kind: str) -> SheetSpec:
        """The sheet `kind`; `BadInput` where there is none."""
        for spec in self.specs:
            if spec.name == kind:
                return spec
        raise BadInput(f"expected a kind of sheet of {', '.join(self.kinds())}, got {kind!r}")

    def is_unit(self, written: str, field: Field) -> bool:
        """Whether `written` is the unit of `field`."""
        names = (field.unit, *self.unit_names.get(field.unit, ()))
        return plain(written) in {plain(name) for name in names}

    def unit_hint(self, written: str, field: Field) -> tuple[str, str]:
        """How to come from a wrong unit to the right one, where that is known."""
        for name, factor in self.unit_hints.get(field.unit, {}).items():
            if plain(name) == plain(written):
                return (
                    f": 1 {name} is {factor} {field.unit}; convert the column",
                    f"：1 {name} = {factor} {field.unit}，请换算整列",
                )
        return "", ""


@cache
def sheets() -> Sheets:
    """The sheets that ship with this package."""
    raw = (resources.files("tanzheng.analytics.parameters") / "sheets.toml").read_text("utf-8")
    table = tomllib.loads(raw)
    return Sheets(
        tuple(_spec(row, table["text"]) for row in table["sheet"]),
        {unit: tuple(names) for unit, names in table["unit_names"].items()},
        table["unit_hints"],
    )


def _spec(row: Mapping[str, Any], texts: Mapping[str, Any]) -> SheetSpec:
    names = [(name, True) for name in row["required"]] + [(name, False) for name in row["optional"]]
    return SheetSpec(
        row["name"],
        row["zh"],
        row["en"],
        tuple(row["sectors"]),
        tuple(row["key"]),
        tuple(_column(name, required, texts) for name, required in names),
        row["weight"],
        row["example"],
    )


def _column(name: str, required: bool, texts: Mapping[str, Any]) -> Column:
    if name in FIELDS:
        field = FIELDS[name]
        return Column(name, "number", field.zh, field.en, field, required)
    text = texts[name]
    choices = tuple(text.get("choices", ()))
    return Column(name, text["kind"], text["zh"], text["en"], None, required, choices)


def plain(text: str) -> str:
    """`text` in a form for comparison: narrow, small, without white space."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


def heading_parts(text: str) -> tuple[str, str]:
    """Label and unit of a heading in comparable form; the unit is empty where there is none."""
    whole = plain(text)
    match = re.fullmatch(r"(.+?)[(\[]([^()\[\]]+)[)\]]", whole)
    return (match[1], match[2]) if match else (whole, "")
