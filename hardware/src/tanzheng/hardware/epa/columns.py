"""Which column of an hourly file means what, in both public spellings. Pure.

FTP layout (until 2021): ORISPL_CODE, UNITID, OP_DATE, GLOAD (MW), CO2_MASS (tons) …
CAMPD layout (bulk files, custom downloads, and its predecessor AMPD): Facility ID, Unit ID, Date,
Gross Load (MW), CO2 Mass (short tons) … Units in the header are optional, but must be the right
ones. Note that the FTP layout has UNIT_ID, too: a number of EPA's own, not the unit's name.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tanzheng.hardware.epa.errors import MissingColumn

FACILITY, UNIT, DATE, HOUR, OP_TIME = "facility", "unit", "date", "hour", "operating time"
LOAD, CO2, HEAT, NAME = "gross load", "CO2 mass", "heat input", "facility name"

Layout = Mapping[str, tuple[str, ...]]

_FTP: Final[Layout] = {
    FACILITY: ("orispl code",),
    UNIT: ("unitid",),
    DATE: ("op date",),
    HOUR: ("op hour",),
    OP_TIME: ("op time",),
    LOAD: ("gload",),
    CO2: ("co2 mass",),
    HEAT: ("heat input",),
    NAME: ("facility name",),
}
_CAMPD: Final[Layout] = {
    FACILITY: ("facility id", "facilityid"),
    UNIT: ("unit id", "unitid"),
    DATE: ("date",),
    HOUR: ("hour",),
    OP_TIME: ("operating time", "optime", "op time"),
    LOAD: ("gross load", "grossload"),
    CO2: ("co2 mass", "co2mass", "co2"),
    HEAT: ("heat input", "heatinput"),
    NAME: ("facility name", "facilityname"),
}
_LAYOUTS: Final = (_FTP, _CAMPD)
_OPTIONAL: Final = frozenset({NAME})
_UNITS: Final = {
    LOAD: {"mw"},
    CO2: {"tons", "short tons"},
    HEAT: {"mmbtu"},
    OP_TIME: {"hours", "hour", "hr"},
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the values stand: index and the header's own spelling of each meaning."""

    width: int
    index: Mapping[str, int]
    spelling: Mapping[str, str]


def find_columns(header: Sequence[str], where: str) -> Columns:
    """The columns of `header`; `MissingColumn` names every one that is not there, twice there, or
    in another unit. `where` is the file's name for messages."""
    names = [_name(cell) for cell in header]
    layout = max(_LAYOUTS, key=lambda table: _fit(table, names))
    index: dict[str, int] = {}
    missing: list[str] = []
    for meaning, spellings in layout.items():
        found = [at for at, name in enumerate(names) if name in spellings]
        if len(found) > 1:
            raise MissingColumn(
                f"expected one column for {meaning}, got {[header[at] for at in found]}, "
                f"at {where}, line 1"
            )
        if found:
            index[meaning] = found[0]
            _check_unit(meaning, header[found[0]], where)
        elif meaning not in _OPTIONAL:
            missing.append(f"{meaning} ({_spellings(meaning)})")
    if missing:
        raise MissingColumn(
            f"expected the columns {', '.join(missing)}, got {_shown(header)}, at {where}, line 1"
        )
    return Columns(len(header), index, {key: header[at].strip() for key, at in index.items()})


def _fit(layout: Layout, names: Sequence[str]) -> int:
    """How many meanings a header has in this layout."""
    return sum(not set(names).isdisjoint(spellings) for spellings in layout.values())


def _name(cell: str) -> str:
    """`CO2_MASS (tons)` → `co2 mass`."""
    return " ".join(re.sub(r"\(.*\)", "", cell).replace("_", " ").split()).casefold()


def _check_unit(meaning: str, cell: str, where: str) -> None:
    unit = re.search(r"\((.*)\)", cell)
    allowed = _UNITS.get(meaning)
    if unit is None or allowed is None:
        return
    if " ".join(unit[1].split()).casefold() not in allowed:
        raise MissingColumn(
            f"expected {meaning} in {' or '.join(sorted(allowed))}, got {cell!r}, "
            f"at {where}, line 1"
        )


def _spellings(meaning: str) -> str:
    ftp = _FTP[meaning][0].replace(" ", "_").upper()
    return f"{ftp!r} or {_CAMPD[meaning][0].title()!r}"


def _shown(header: Sequence[str]) -> str:
    text = ", ".join(header)
    return repr(text if len(text) <= 200 else text[:200] + "…")
