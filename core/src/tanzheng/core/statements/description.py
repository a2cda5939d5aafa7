"""Statements as people write them (JSON, TOML) and as they are shown: byte strings in hexadecimal.

A description has `issuer`, `subject` and the fields of the kind. Where it stands in the log (`seq`,
`prev`, `not_before`) is not written by hand; a correction says `supersedes` with `reason` and
`approver`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from tanzheng.core import closed
from tanzheng.core.errors import BadInput
from tanzheng.core.fields import FIELDS
from tanzheng.core.ids import identifier
from tanzheng.core.statements import forms
from tanzheng.core.statements.common import Quantity
from tanzheng.core.statements.envelope import BlockReference, Envelope
from tanzheng.core.statements.kinds import SignedStatement

_PLACED = ("seq", "prev", "not_before", "supersedes")
DOCUMENT = "_sha256"
"""How the fields end that name a document by its digest."""


def from_description(
    kind: type[Envelope],
    described: Mapping[str, Any],
    previous: SignedStatement | None,
    not_before: BlockReference,
    where: str,
) -> Envelope:
    """Return the statement described, after `previous` of its subject; `BadInput` names the field.

    Quantities must be of the field dictionary, in its unit.
    """
    source = dict(described)
    reasons = source.pop("supersedes", None)
    issuer = identifier(source.pop("issuer", None), f"{where}.issuer")
    of_kind = {name: f for name, f in forms.forms_of(kind).items() if name not in _PLACED}
    payload = {
        **forms.told_fields(of_kind, source, where),
        "type": kind.TYPE,
        "version": kind.VERSION,
        "seq": 1 if previous is None else previous.statement.seq + 1,
        "prev": None if previous is None else previous.digest,
        "supersedes": None if reasons is None else _supersedes(reasons, previous, where),
        "not_before": {"number": not_before.number, "hash": not_before.hash},
    }
    stated = kind.read(payload, issuer)
    if previous is not None and previous.statement.subject != stated.subject:
        raise BadInput(
            f"{where}: expected a statement before it on {stated.subject}, "
            f"got one on {previous.statement.subject}"
        )
    for quantity in _quantities(stated):
        _check_quantity(quantity, where)
    return stated


def to_description(stated: Envelope) -> dict[str, Any]:
    """Return all fields of a statement as JSON values."""
    of_kind = forms.forms_of(type(stated))
    shown = forms.show_fields(of_kind, forms.write_fields(of_kind, stated))
    return {"issuer": stated.issuer, **shown}


def documents(stated: Envelope) -> dict[str, bytes]:
    """Return the digests of the documents that a statement names, by field."""
    named = {name: getattr(stated, name) for name in forms.forms_of(type(stated))}
    return {name: digest for name, digest in named.items() if name.endswith(DOCUMENT) and digest}


def _supersedes(reasons: object, previous: SignedStatement | None, where: str) -> dict[str, Any]:
    source = closed.record(reasons, ("reason", "approver"), f"{where}.supersedes")
    if previous is None:
        raise BadInput(f"{where}.supersedes: expected the statement that is superseded, got none")
    return {"digest": previous.digest, **source}


def _quantities(value: object) -> Iterator[Quantity]:
    if isinstance(value, Quantity):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _quantities(item)
    elif is_dataclass(value):
        for each in fields(value):
            yield from _quantities(getattr(value, each.name))


def _check_quantity(quantity: Quantity, where: str) -> None:
    known = FIELDS.get(quantity.name)
    if known is None or known.unit != quantity.unit:
        expected = "a name of the field dictionary" if known is None else known.unit
        raise BadInput(f"{where}: {quantity.name} in {quantity.unit}: expected {expected}")
