"""Confirmed emissions: the year's tonnes and output as the province confirms them."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, ClassVar

from tanzheng.core.errors import EncodingError
from tanzheng.core.statements.common import Quantities, References, check_units, check_year
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.forms import Count, Identifier, ascending, record
from tanzheng.core.statements.roles import Role


@dataclass(frozen=True, slots=True)
class UnitEmissions:
    """Whole tonnes of CO2 equivalent of one unit, and what it put out, sorted by name."""

    unit: Identifier
    emissions_t: Count
    output: Quantities


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedEmissions(Envelope):
    """What a registry may book; its subject is `ENTERPRISE/UNIT/YEAR/confirmed`.

    `emissions_t` is the sum over `units`. `basis`: the report, reviews and verification that it
    rests on, sorted by subject.
    """

    TYPE: ClassVar[str] = "tanzheng.confirmed_emissions"
    SUBJECT_KIND: ClassVar[str] = "confirmed"
    SIGNER: ClassVar[Role] = Role.PROVINCE

    emissions_t: Count
    units: Annotated[
        tuple[UnitEmissions, ...], ascending(record(UnitEmissions), key=attrgetter("unit"))
    ]
    basis: References

    def check(self) -> None:
        check_year(self.subject)
        check_units(self.subject, tuple(each.unit for each in self.units))
        total = sum(each.emissions_t for each in self.units)
        if self.emissions_t != total:
            raise EncodingError(
                f"statement.emissions_t: expected the sum {total}, got {self.emissions_t}"
            )
        if not self.basis:
            raise EncodingError("statement.basis: expected the statements that it rests on")
