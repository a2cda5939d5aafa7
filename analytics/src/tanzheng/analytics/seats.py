"""Who sees which enterprises: the nation, a province, a city, the enterprise itself.

A seat is written `nation`, `320000` (a province), `320500` (a city), `enterprise:E001`; a place is
an enterprise with the six digits of its county (GB/T 2260). What counts as a city is data
(`divisions.toml`): a district of a municipality does, and a county that answers to its province.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Any

from tanzheng.core.errors import BadInput
from tanzheng.core.ids import identifier

NATION_TEXT = "nation"
ENTERPRISE_PREFIX = "enterprise:"


class Level(IntEnum):
    """From the top down."""

    NATION = 0
    PROVINCE = 1
    CITY = 2
    ENTERPRISE = 3


LEVEL_NAMES = {
    Level.NATION: ("nation", "国家"),
    Level.PROVINCE: ("province", "省级"),
    Level.CITY: ("city", "市级"),
    Level.ENTERPRISE: ("enterprise", "企业"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """An enterprise and the code of the county or district it stands in."""

    enterprise: str
    division: str

    def __post_init__(self) -> None:
        identifier(self.enterprise, "enterprise")
        division(self.division)


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody's place in the order of supervision; `code` is "" for the nation."""

    level: Level
    code: str = ""

    @classmethod
    def parse(cls, text: str) -> "Seat":
        """The seat written as `text`; `BadInput` says how one is written."""
        if text == NATION_TEXT:
            return NATION
        if text.startswith(ENTERPRISE_PREFIX):
            name = identifier(text.removeprefix(ENTERPRISE_PREFIX), "enterprise")
            return cls(Level.ENTERPRISE, name)
        if re.fullmatch(r"[1-9][0-9]0000", text):
            return cls(Level.PROVINCE, text)
        if re.fullmatch(r"[1-9][0-9]{5}", text) and city_of(text) == text:
            return cls(Level.CITY, text)
        raise BadInput(
            f"expected nation, a province (320000), a city (320500) or enterprise:ID, got {text!r}"
            " · 应为 nation、省级代码、市级代码或 enterprise:企业编号"
        )

    def __str__(self) -> str:
        if self.level is Level.NATION:
            return NATION_TEXT
        return f"{ENTERPRISE_PREFIX if self.level is Level.ENTERPRISE else ''}{self.code}"

    def covers(self, place: Place) -> bool:
        """Whether the place lies in this seat's jurisdiction."""
        return seat_of(place, self.level) == self


NATION = Seat(Level.NATION)


def division(code: object) -> str:
    """A code of a county, district or city; `BadInput` for a province or anything else."""
    if not isinstance(code, str) or not re.fullmatch(r"[1-9][0-9](?!0000)[0-9]{4}", code):
        raise BadInput(
            f"division_code: expected six digits of a county or city (GB/T 2260), got {code!r}"
            " · 应为六位县（区、市）行政区划代码"
        )
    return code


def city_of(code: str) -> str:
    """The city that a county answers to."""
    known = _divisions()
    city_itself = code[:2] in known["municipalities"] or code[2:4] == known["direct_counties"]
    return code if city_itself else f"{code[:4]}00"


def seat_of(place: Place, level: Level) -> Seat:
    """The seat of a level that the place lies under."""
    codes = {
        Level.NATION: "",
        Level.PROVINCE: f"{place.division[:2]}0000",
        Level.CITY: city_of(place.division),
        Level.ENTERPRISE: place.enterprise,
    }
    return Seat(level, codes[level])


@cache
def _divisions() -> dict[str, Any]:
    data = resources.files("tanzheng.analytics").joinpath("divisions.toml").read_bytes()
    return tomllib.loads(data.decode())
