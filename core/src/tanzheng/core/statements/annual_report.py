"""The year's report: what an enterprise reports for its units, and the months it rests on."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, ClassVar

from tanzheng.core.errors import EncodingError
from tanzheng.core.statements.common import (
    Quantities,
    References,
    check_units,
    check_year,
)
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.forms import Digest, Identifier, Text, ascending, record
from tanzheng.core.statements.roles import Role


@dataclass(frozen=True, slots=True)
class UnitFigures:
    """What is reported for one unit, sorted by name."""

    unit: Identifier
    quantities: Quantities


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnualReport(Envelope):
    """A year's report, stated; its subject is `ENTERPRISE/UNIT/YEAR/annual-report`.

    `manifest_sha256`, `manifest_sm3`: of the packet's manifest.json, which binds all its files.
    `months`: the statements that the year rests on, sorted by subject.
    """

    TYPE: ClassVar[str] = "tanzheng.annual_report"
    SUBJECT_KIND: ClassVar[str] = "annual-report"
    SIGNER: ClassVar[Role] = Role.OPERATOR

    manifest_sha256: Digest
    manifest_sm3: Digest
    units: Annotated[
        tuple[UnitFigures, ...], ascending(record(UnitFigures), key=attrgetter("unit"))
    ]
    months: References
    software: Text

    def check(self) -> None:
        check_year(self.subject)
        check_units(self.subject, tuple(each.unit for each in self.units))
        for month in self.months:
            about, year = month.subject, self.subject.period
            if about.enterprise != self.subject.enterprise or about.period[:4] != year:
                raise EncodingError(
                    f"statement.months: expected months of {self.subject}, got {about}"
                )
