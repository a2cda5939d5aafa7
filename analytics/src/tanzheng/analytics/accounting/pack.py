"""Standard packs: the constants of one guideline as data, each with its source.

A pack is a TOML file, `packs/<standard>/<version>.toml`, and its name is `<standard>/<version>`.
Its SHA-256 is taken over the raw bytes, so that a verifier with the same file says without parsing
whether the same standard was used. A pack that uses another one (fuel table, HJ 75) names that
one's digest: the digest of a pack binds every value it hands out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal

from tanzheng.analytics.accounting.tree import Node, Source
from tanzheng.analytics.errors import PackInvalid
from tanzheng.core.calendar import Month

GAS_MONTH = "cets_power/2023-2024"
"""The pack by which the month of a gas-fired unit is closed (环办气候函〔2022〕485号)."""

Status = Literal["in_force", "superseded", "draft", "unverified"]


@dataclass(frozen=True, slots=True)
class Value:
    """A constant while it is valid: months `valid_from` to `valid_to`, both included."""

    node: Node
    valid_from: Month | None
    valid_to: Month | None

    def covers(self, month: Month) -> bool:
        """Whether the value is valid in `month`."""
        return covers(self.valid_from, self.valid_to, month)


@dataclass(frozen=True, slots=True)
class Digits:
    """How many decimals a reported quantity carries, and by which source."""

    decimals: int
    source: Source


@dataclass(frozen=True, slots=True)
class Evidence:
    """What must be deposited for a parameter: names of documents as the guideline lists them."""

    parameter: str
    en: str
    zh: str
    required: bool
    documents: tuple[str, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Deadline:
    """A term: `days` after month end, or a `date`, `MM-DD` each year or `YYYY-MM-DD` once."""

    id: str
    days: int | None
    date: str | None
    en: str
    zh: str
    source: Source


@dataclass(frozen=True, slots=True)
class Priority:
    """Data sources of a parameter, the best first: the filed plan may not go down this list."""

    parameter: str
    order: tuple[str, ...]
    en: str
    zh: str
    source: Source


@dataclass(frozen=True, slots=True)
class Label:
    """What a fuel, a product or another group of constants is called."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Pack:
    """A standard pack. `values` and `labels` are its own and those of the packs it `uses`."""

    name: str
    version: str
    sector: str
    title: str
    title_zh: str
    document: str
    status: Status
    valid_from: Month
    valid_to: Month | None
    sha256: bytes
    uses: tuple["Pack", ...]
    values: Mapping[str, tuple[Value, ...]]
    labels: Mapping[str, Label]
    digits: Mapping[str, Digits]
    evidence: tuple[Evidence, ...]
    deadlines: tuple[Deadline, ...]
    priorities: tuple[Priority, ...]

    def constant(self, name: str, month: Month | None = None) -> Node:
        """The constant `name`, in `month` where its value changes with time.

        `PackInvalid`: none of that name, none valid in `month`, or several and no `month`.
        """
        found = self.values.get(name)
        if found is None:
            raise PackInvalid(f"pack {self.name}: expected a constant {name}, got none")
        valid = [item for item in found if month is None or item.covers(month)]
        if len(valid) != 1:
            what = f"a value of {name} valid in {month}" if month else f"a month, for {name}"
            raise PackInvalid(f"pack {self.name}: expected {what}, got {len(valid)} values")
        return valid[0].node

    def has(self, name: str, month: Month | None = None) -> bool:
        """Whether there is a constant `name`, in `month` valid where one is given."""
        return any(month is None or item.covers(month) for item in self.values.get(name, ()))

    def constants_under(self, prefix: str, month: Month | None = None) -> dict[str, Node]:
        """The constants `prefix.REST` by REST, in the order of the file; in `month` the valid."""
        under = [name for name in self.values if name.startswith(f"{prefix}.")]
        return {
            name.removeprefix(f"{prefix}."): self.constant(name, month)
            for name in under
            if self.has(name, month)
        }

    def label(self, key: str) -> Label:
        """What `key` (such as `fuel.diesel`) is called; `PackInvalid` where it has no name."""
        try:
            return self.labels[key]
        except KeyError:
            raise PackInvalid(f"pack {self.name}: expected a label {key!r}, got none") from None

    def decimals(self, quantity: str) -> int:
        """How many decimals a reported `quantity` carries."""
        try:
            return self.digits[quantity].decimals
        except KeyError:
            raise PackInvalid(
                f"pack {self.name}: expected decimals of {quantity}, got none"
            ) from None

    def deadline(self, id: str) -> Deadline:  # noqa: A002 - it is the id of the file
        """The deadline `id`; `PackInvalid` where the pack has none of that name."""
        for item in self.deadlines:
            if item.id == id:
                return item
        raise PackInvalid(f"pack {self.name}: expected a deadline {id}, got none")

    def covers(self, month: Month) -> bool:
        """Whether `month` lies within the standard's validity."""
        return covers(self.valid_from, self.valid_to, month)

    def to_json(self) -> dict[str, object]:
        """What a result says of the pack it was made with."""
        return {
            "name": self.name,
            "version": self.version,
            "status": self.status,
            "sha256": self.sha256.hex(),
        }


def covers(valid_from: Month | None, valid_to: Month | None, month: Month) -> bool:
    """Whether `month` lies in [`valid_from`, `valid_to`]; None is an open end."""
    return not (valid_from and month < valid_from) and not (valid_to and month > valid_to)


def pack_names() -> tuple[str, ...]:
    """The names of all packs shipped with this package, sorted."""
    return tuple(
        sorted(
            f"{standard.name}/{file.name.removesuffix('.toml')}"
            for standard in _folder().iterdir()
            if standard.is_dir()
            for file in standard.iterdir()
            if file.name.endswith(".toml")
        )
    )


@cache
def load_pack(name: str = GAS_MONTH) -> Pack:
    """The pack `name` shipped with this package; `PackInvalid` where there is none."""
    from tanzheng.analytics.accounting.packfile import parse_pack

    if name not in pack_names():
        raise PackInvalid(
            f"expected the name of a standard pack ({', '.join(pack_names())}), got {name!r}"
        )
    pack = parse_pack((_folder() / f"{name}.toml").read_bytes(), f"packs/{name}.toml")
    if pack.name != name:
        raise PackInvalid(f"packs/{name}.toml: name: expected {name!r}, got {pack.name!r}")
    return pack


def pack_for(sector: str, month: Month, *, draft: bool = False) -> Pack:
    """The pack of `sector` valid in `month`; a draft only with `draft`; `PackInvalid` for none."""
    packs = [pack for pack in map(load_pack, pack_names()) if pack.sector == sector]
    valid = [pack for pack in packs if pack.covers(month)]
    chosen = [pack for pack in valid if draft or pack.status != "draft"]
    if len(chosen) == 1:
        return chosen[0]
    drafts = [pack.name for pack in valid if pack not in chosen]
    more = f"; a draft is there, name it to use it: {', '.join(drafts)}" if drafts else ""
    raise PackInvalid(
        f"expected one standard pack of sector {sector} valid in {month}, "
        f"got {', '.join(pack.name for pack in chosen) or 'none'}{more}"
    )


def decimal(text: object) -> Decimal | None:
    """The finite number that `text` spells; None for anything else."""
    try:
        value = Decimal(text) if isinstance(text, str) else None
    except ArithmeticError:
        return None
    return value if value is not None and value.is_finite() else None


def _folder() -> Traversable:
    return resources.files("tanzheng.analytics") / "packs"
