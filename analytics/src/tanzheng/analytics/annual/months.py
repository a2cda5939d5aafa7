"""A unit's month as the annual report needs it, whatever it was read from."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tanzheng.analytics.accounting.tree import Source
from tanzheng.analytics.annual.figures import Figure, Line
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput
from tanzheng.core.manifest import Absent

ACCEPTED = "accepted"
"""The state of a month whose evidence is in force."""


class MonthsMissing(BadInput):
    """A unit without evidence for each month of the year: bring it, or make a draft."""


class MonthTwice(BadInput):
    """Two pieces of evidence for one month: hand in the one that is in force."""


class YearMixed(BadInput):
    """Months of two years, of two enterprises, or by standards that exclude one another."""


class AcceptanceMismatch(BadInput):
    """The evidence at hand is not the one that was accepted."""


@dataclass(frozen=True, slots=True)
class PackRef:
    """A standard pack: `sha256` is the digest of its file."""

    name: str
    version: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Factor:
    """A constant of a pack that was used, with its source; `name` is its name in the pack."""

    name: str
    pack: str
    value: Decimal
    unit: str
    source: Source


@dataclass(frozen=True, slots=True)
class Origin:
    """What a month was read from.

    `kind` is `package` (an evidence package; `sha256` of its manifest) or `account` (results of
    `tanzheng account`; `sha256` of the file). `plant_sha256` is the filed plant file's.
    """

    kind: str
    sha256: bytes
    plant_sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the evidence journal says of a month: filled in by the caller, never guessed.

    `manifest_sha256` is the digest of the package's manifest, or of the account results.
    """

    unit: str
    month: Month
    version: int
    manifest_sha256: bytes
    state: str
    deposited_on: date


@dataclass(frozen=True, slots=True)
class UnitMonth:
    """The month of a unit: `figures` begin with its emission (t), `lines` say where it is from."""

    month: Month
    pack: PackRef
    origin: Origin
    figures: tuple[Figure, ...]
    lines: tuple[Line, ...]
    acceptance: Acceptance | None = None

    @property
    def emission(self) -> Figure:
        """The month's emission in tonnes."""
        return self.figures[0]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A month as read, before it is put beside the others; `where` names its file or folder.

    `plant_units`: the units of the filed plant file, none where there is no such file. `absent`:
    figures that the unit cannot have, as its package says.
    """

    enterprise: str
    name: str
    name_zh: str
    unit: str
    sector: str
    month: UnitMonth
    factors: tuple[Factor, ...]
    where: str
    plant_units: tuple[str, ...] = ()
    absent: tuple[Absent, ...] = ()
