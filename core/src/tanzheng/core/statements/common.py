"""Parts that statements of several kinds carry."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated

from tanzheng.core.errors import EncodingError
from tanzheng.core.ids import Subject, pack_name
from tanzheng.core.manifest import DataPack
from tanzheng.core.statements.forms import (
    IDENTIFIER,
    TEXT,
    About,
    Address,
    Amount,
    Digest,
    Form,
    Identifier,
    Positive,
    Text,
    ascending,
    octets,
    record,
)

REFERENCES_MAX = 256
ALL_UNITS = "all"
"""The unit of a subject that is about an enterprise as a whole."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Another statement: what it is about, and SHA-256 of its signed bytes."""

    subject: About
    digest: Digest


@dataclass(frozen=True, slots=True)
class Quantity:
    """A reported quantity: its name in the field dictionary, a decimal number, its unit."""

    name: Identifier
    value: Amount
    unit: Text


@dataclass(frozen=True, slots=True)
class LogName:
    """Which log: chain, contract, log id."""

    chain_id: Positive
    contract: Address
    log_id: Digest


PACK = record(DataPack, {"name": Form(pack_name), "version": TEXT, "sha256": octets(32)})
REFERENCE = record(Reference)
QUANTITY = record(Quantity)
LOG = record(LogName)

Pack = Annotated[DataPack, PACK]
To = Annotated[Reference, REFERENCE]
References = Annotated[
    tuple[Reference, ...], ascending(REFERENCE, most=REFERENCES_MAX, key=attrgetter("subject"))
]
Quantities = Annotated[tuple[Quantity, ...], ascending(QUANTITY, key=attrgetter("name"))]
Codes = Annotated[tuple[str, ...], ascending(IDENTIFIER)]


def check_year(subject: Subject) -> None:
    """Return where the period is a year; else `EncodingError`."""
    if not (len(subject.period) == 4 and subject.period.isascii() and subject.period.isdigit()):
        raise EncodingError(f"statement.subject: expected a year as its period, got {subject}")


def check_beside(subject: Subject, of: Subject) -> None:
    """Return where `subject` is about the unit and period that `of` is about."""
    if (subject.enterprise, subject.unit, subject.period) != (of.enterprise, of.unit, of.period):
        raise EncodingError(
            f"statement.subject: expected one beside {of} (same unit and period), got {subject}"
        )


def check_units(subject: Subject, units: tuple[str, ...]) -> None:
    """Return where `units` are what `subject` is about: its one unit, or several of the whole."""
    if not units or (subject.unit != ALL_UNITS and units != (subject.unit,)):
        raise EncodingError(f"statement.units: expected those of {subject}, got {[*units]}")


def check_log_subject(subject: Subject) -> None:
    """Return where `subject` is about a log as a whole: `OPERATOR/log/all/…`."""
    if (subject.unit, subject.period) != ("log", "all"):
        raise EncodingError(f"statement.subject: expected OPERATOR/log/all/…, got {subject}")
