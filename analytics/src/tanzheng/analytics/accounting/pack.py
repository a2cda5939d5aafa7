"""Standard packs: the constants of one guideline as data, each with its source.

A pack is a TOML file. Its SHA-256 is taken over the raw bytes, so that a verifier with the same
file says without parsing whether the same standard was used.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib import resources
from typing import Any

from tanzheng.analytics.accounting.tree import Node, Source
from tanzheng.analytics.errors import PackInvalid
from tanzheng.core.calendar import Month

POWER_2022 = "cets_power_2022_485"


@dataclass(frozen=True, slots=True)
class Pack:
    """A standard pack: constants by name as leaves with unit and source, decimals by quantity."""

    name: str
    version: str
    title: str
    title_zh: str
    document: str
    valid_from: Month
    sha256: bytes
    constants: Mapping[str, Node]
    reported_decimals: Mapping[str, int]

    def constant(self, name: str) -> Node:
        """The constant `name`; `PackInvalid` where the pack has none."""
        try:
            return self.constants[name]
        except KeyError:
            raise PackInvalid(f"pack {self.name}: expected a constant {name}, got none") from None

    def decimals(self, quantity: str) -> int:
        """How many decimals a reported `quantity` carries."""
        try:
            return self.reported_decimals[quantity]
        except KeyError:
            raise PackInvalid(f"pack {self.name}: expected decimals of {quantity}") from None


def load_pack(name: str = POWER_2022) -> Pack:
    """The pack `name` shipped with this package; `PackInvalid` where there is none."""
    file = resources.files("tanzheng.analytics") / "packs" / f"{name}.toml"
    if not file.is_file():
        raise PackInvalid(f"expected the name of a standard pack, got {name!r}")
    return parse_pack(file.read_bytes())


def parse_pack(raw: bytes) -> Pack:
    """A pack from the bytes of its TOML file; `PackInvalid` names what is missing."""
    try:
        table = tomllib.loads(raw.decode())
        return Pack(
            name=table["name"],
            version=table["version"],
            title=table["title"],
            title_zh=table["title_zh"],
            document=table["document"],
            valid_from=Month.parse(table["valid_from"]),
            sha256=hashlib.sha256(raw).digest(),
            constants={key: _constant(key, row) for key, row in table["constant"].items()},
            reported_decimals=dict(table["decimals"]),
        )
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PackInvalid(f"standard pack: expected TOML, got {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise PackInvalid(f"standard pack: expected the key {error}") from None


def _constant(name: str, row: Mapping[str, Any]) -> Node:
    try:
        value = Decimal(row["value"])
    except (InvalidOperation, TypeError, ValueError):
        raise PackInvalid(
            f"constant {name}: expected a decimal string, got {row['value']!r}"
        ) from None
    source = Source(row["document"], row["section"], row["confidence"])
    return Node(name, value, row["unit"], source=source)
