"""The annual report as one record, its canonical JSON, and the check that it adds up.

XLSX and PDF are made from this record alone, so whoever has the JSON can make them again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tanzheng.analytics.accounting.rounding import rounded
from tanzheng.analytics.accounting.tree import Source
from tanzheng.analytics.annual import record, shape
from tanzheng.analytics.annual.disclosure import Row
from tanzheng.analytics.annual.figures import Figure
from tanzheng.analytics.annual.months import ACCEPTED, Factor
from tanzheng.analytics.annual.words import Words
from tanzheng.analytics.annual.year import UnitYear, enterprise_figures, unit_year
from tanzheng.core import canonical_json
from tanzheng.core.calendar import Month
from tanzheng.core.errors import CheckFailed, EncodingError
from tanzheng.core.hashing import sha256

VERSION = 1


class SumsWrong(CheckFailed):
    """The figures of a report do not follow from its months."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader must know; `where` names the unit, or is empty."""

    code: str
    where: str
    words: Words

    @property
    def told(self) -> Words:
        """The words with the unit before them."""
        if not self.where:
            return self.words
        return Words(f"{self.where}: {self.words.en}", f"{self.where}：{self.words.zh}")


@dataclass(frozen=True, slots=True)
class UsedFactor:
    """A constant, and the units that used it."""

    factor: Factor
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UsedPack:
    """A standard pack, what it is, and whether it is in force; `months` it was used for."""

    name: str
    version: str
    sha256: bytes
    words: Words
    document: str
    status: str
    first: Month
    last: Month


@dataclass(frozen=True, slots=True)
class Rounding:
    """How many decimals the total carries, and by which source."""

    decimals: int
    source: Source


@dataclass(frozen=True, slots=True)
class Report:
    """The year of an enterprise.

    `total` in tonnes, rounded by `rounding`; `figures` are exact sums of the units and begin with
    the emission. `draft` says why the report is not final: empty means it is.
    """

    version: int
    enterprise: str
    name: Words
    year: int
    software: str
    total: Decimal
    rounding: Rounding
    due: str
    draft: tuple[Note, ...]
    notes: tuple[Note, ...]
    figures: tuple[Figure, ...]
    units: tuple[UnitYear, ...]
    packs: tuple[UsedPack, ...]
    factors: tuple[UsedFactor, ...]
    disclosure: tuple[Row, ...]
    disclosure_sources: tuple[Source, ...]

    @property
    def is_draft(self) -> bool:
        """Whether the report is stamped as a draft."""
        return bool(self.draft)

    def encode(self) -> bytes:
        """The canonical JSON (RFC 8785); `SumsWrong` where it does not add up."""
        check_sums(self)
        return canonical_json.dumps(record.to_json(self))

    @property
    def sha256(self) -> bytes:
        """The digest of the canonical JSON, which XLSX and PDF carry."""
        return sha256(self.encode())


def decode(data: bytes, where: str = "report.json") -> Report:
    """The report whose canonical JSON is `data`; `EncodingError`, or `SumsWrong`."""
    report: Report = record.from_json(Report, canonical_json.loads(data, where), where)
    shape.check(report.units, [pack.status for pack in report.packs], where)
    if report.version != VERSION:
        raise EncodingError(f"{where}.version: expected {VERSION}, got {report.version}")
    check_sums(report)
    return report


def grouped(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Notes that say the same of several units as one."""
    found: dict[tuple[str, Words], list[str]] = {}
    for note in notes:
        found.setdefault((note.code, note.words), []).append(note.where)
    return tuple(
        Note(code, ", ".join(dict.fromkeys(filter(None, where))), words)
        for (code, words), where in found.items()
    )


def accepted_months(report: Report) -> tuple[int, int]:
    """How many unit-months were accepted, and how many a whole year of the units has."""
    months = [month for unit in report.units for month in unit.months]
    states = [month.acceptance.state for month in months if month.acceptance]
    return states.count(ACCEPTED), 12 * len(report.units)


def total_of(units: Sequence[UnitYear], rounding: Rounding) -> Decimal:
    """The enterprise's tonnes: the exact sum of all unit-months, rounded once."""
    exact = sum((month.emission.value for unit in units for month in unit.months), Decimal(0))
    return rounded(exact, rounding.decimals)


def check_sums(report: Report) -> None:
    """Σ months = year of each unit, Σ units = enterprise, total rounded; else `SumsWrong`."""
    for unit in report.units:
        if unit != unit_year(unit.unit, unit.sector, unit.months):
            raise SumsWrong(f"unit {unit.unit}: expected the year that its months add up to")
    if report.figures != enterprise_figures(report.units):
        raise SumsWrong("enterprise: expected the figures that the units add up to")
    if report.total != (total := total_of(report.units, report.rounding)):
        raise SumsWrong(f"total: expected {total} t, got {report.total} t")
