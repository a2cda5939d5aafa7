"""Statements of every kind: round trips, strict reading, fields that must fit together."""

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statements.samples import (
    ANCHORS,
    ANNUAL,
    CO2,
    CONFIRMED,
    KEYS,
    MIGRATION,
    MONTH,
    NEW,
    POWER,
    PROVINCE_REVIEW,
    RECHECK,
    REVIEW,
    REVOCATION,
    ROTATION,
    SAMPLES,
    VERIFICATION,
    YEAR,
    beside,
)
from evidence import OPERATOR, statement
from tanzheng.core import cose
from tanzheng.core.errors import BadInput, EncodingError, SignatureInvalid
from tanzheng.core.ids import Subject
from tanzheng.core.statement import SignedStatement, Statement, Supersedes
from tanzheng.core.statements.annual_report import UnitFigures
from tanzheng.core.statements.common import Reference
from tanzheng.core.statements.confirmed import UnitEmissions
from tanzheng.core.statements.envelope import CONTENT_TYPE, Envelope, WrongKind
from tanzheng.core.statements.kinds import KINDS, LABELS, open_signed
from tanzheng.core.statements.review import Level, Outcome
from tanzheng.core.statements.roles import ROLE_LABELS, Role
from tanzheng.core.statements.verification import Opinion

names = pytest.mark.parametrize("name", SAMPLES)


def test_there_is_a_sample_and_a_label_of_every_kind() -> None:
    assert {stated.TYPE for stated in SAMPLES.values()} == set(KINDS) == set(LABELS)
    assert set(ROLE_LABELS) == set(Role)


def test_no_two_kinds_share_their_subjects() -> None:
    assert len({kind.SUBJECT_KIND for kind in KINDS.values()}) == len(KINDS)


def test_the_month_keeps_its_bytes() -> None:
    """Digests taken before there was another kind."""
    assert statement().sign(OPERATOR).digest.hex() == (
        "dba43d2d7def7606f604eaea6c1872a9073d3922fb866f4561388c0d2781675d"
    )


@pytest.mark.parametrize("key", [OPERATOR, NEW], ids=["EdDSA", "ES256"])
@names
def test_signed_and_read_back(name: str, key: Any) -> None:
    stated = SAMPLES[name]
    signed = stated.sign(key)
    again: SignedStatement = open_signed(signed.raw)
    assert again == signed
    assert (again.statement, again.kid) == (stated, key.public.kid)
    again.verify(key.public)
    with pytest.raises(SignatureInvalid):
        again.verify(KEYS[Role.RECHECK].public)


@names
def test_header_carries_algorithm_issuer_and_subject(name: str) -> None:
    stated = SAMPLES[name]
    header = cbor2.loads(cbor2.loads(stated.sign(NEW).raw).value[0])
    claims = {1: stated.issuer, 2: str(stated.subject)}
    assert header == {1: -7, 3: CONTENT_TYPE, 4: NEW.public.kid, 15: claims}


def payload(stated: Envelope, **changes: Any) -> bytes:
    found = {**cbor2.loads(stated.encode()), **changes}
    return cbor2.dumps({k: v for k, v in found.items() if v is not ...}, canonical=True)


@names
def test_another_type_version_or_key_is_refused(name: str) -> None:
    stated = SAMPLES[name]
    changes: list[dict[str, Any]] = [
        {"type": "tanzheng.other"},
        {"type": ...},
        {"version": 2},
        {"version": ...},
        {"note": ""},
        {"not_before": ...},
        {"seq": 0},
        {"seq": 1.0},
    ]
    for change in changes:
        with pytest.raises(BadInput):
            type(stated).decode(payload(stated, **change), stated.issuer)
    fields = set(cbor2.loads(stated.encode())) - {"type", "version"}
    for field in fields:
        for value in (..., [None], {"a": 1}, 1.5, "\n"):
            with pytest.raises(BadInput, match=r"statement|subject"):
                type(stated).decode(payload(stated, **{field: value}), stated.issuer)


@names
def test_another_encoding_is_refused(name: str) -> None:
    stated = SAMPLES[name]
    loose = cbor2.dumps(dict(reversed(cbor2.loads(stated.encode()).items())))
    for raw in (loose, stated.encode() + b"\x00"):
        with pytest.raises(EncodingError, match="deterministic"):
            type(stated).decode(raw, stated.issuer)


@names
def test_no_kind_is_read_as_another(name: str) -> None:
    stated = SAMPLES[name]
    for kind in KINDS.values():
        if kind is not type(stated):
            with pytest.raises(EncodingError):
                kind.decode(stated.encode(), stated.issuer)
    signed = stated.sign(OPERATOR)
    assert signed.of(type(stated)) is signed.statement
    other = next(kind for kind in KINDS.values() if kind is not type(stated))
    with pytest.raises(WrongKind):
        signed.of(other)


@names
def test_a_flipped_bit_is_noticed(name: str) -> None:
    """In form or in signature, at every byte."""
    raw = SAMPLES[name].sign(NEW).raw
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises((BadInput, SignatureInvalid)):
            open_signed(changed).verify(NEW.public)


def test_a_type_that_nobody_knows() -> None:
    raw = payload(REVIEW, type="tanzheng.unknown")
    claims = {15: {1: "city-bureau", 2: str(REVIEW.subject)}}
    with pytest.raises(EncodingError, match="expected one of"):
        open_signed(cose.sign1(raw, OPERATOR, CONTENT_TYPE, claims))
    with pytest.raises(EncodingError, match="expected a map"):
        open_signed(cose.sign1(cbor2.dumps([1]), OPERATOR, CONTENT_TYPE, claims))


@given(st.binary(max_size=200))
def test_garbage_is_a_named_error(data: bytes) -> None:
    for kind in KINDS.values():
        with pytest.raises(BadInput):
            kind.decode(data, "x")


# ------------------------------------------------------------------ fields that must fit

OTHER = Reference(Subject("E2", "CT1", "2018-07", "month"), bytes(32))
UNFIT: dict[str, Envelope] = {
    "month under a review's subject": statement(beside(MONTH, "review.city.month")),
    "review under the month's subject": replace(REVIEW, subject=MONTH),
    "review of another plant": replace(REVIEW, of=OTHER),
    "review of another level": replace(REVIEW, level=Level.PROVINCE),
    "returned without a reason": replace(REVIEW, reasons=()),
    "accepted with a reason": replace(REVIEW, outcome=Outcome.ACCEPTED),
    "reasons out of order": replace(REVIEW, reasons=("wrong_value", "wrong_meter")),
    "a reason twice": replace(REVIEW, reasons=("wrong_value", "wrong_value")),
    "year of a month": replace(ANNUAL, subject=beside(MONTH, "annual-report")),
    "year in other digits": replace(ANNUAL, subject=Subject("E1", "CT1", "20-8", "annual-report")),
    "months of another year": replace(
        ANNUAL, months=(Reference(Subject("E1", "CT1", "2017-07", "month"), bytes(32)),)
    ),
    "months of another enterprise": replace(ANNUAL, months=(OTHER,)),
    "no units": replace(ANNUAL, units=()),
    "another unit": replace(ANNUAL, units=(UnitFigures("CT2", (CO2,)),)),
    "quantities out of order": replace(VERIFICATION, quantities=(POWER, CO2)),
    "a quantity twice": replace(VERIFICATION, quantities=(CO2, replace(CO2, value="1"))),
    "exponent": replace(VERIFICATION, quantities=(replace(CO2, value="1E5"),)),
    "clean opinion with findings": replace(VERIFICATION, findings=("x",)),
    "modified opinion without findings": replace(VERIFICATION, opinion=Opinion.MODIFIED),
    "verification elsewhere": replace(VERIFICATION, of=Reference(MONTH, bytes(32))),
    "contradicted by nothing": replace(RECHECK, findings=()),
    "a sum that is none": replace(CONFIRMED, emissions_t=123_456),
    "negative tonnes": replace(
        CONFIRMED, emissions_t=-1, units=(UnitEmissions("CT1", -1, (POWER,)),)
    ),
    "confirmed on nothing": replace(CONFIRMED, basis=()),
    "a subject referred to twice": replace(
        CONFIRMED, basis=(Reference(YEAR, bytes(32)), Reference(YEAR, b"\x01" * 32))
    ),
    "key event of another": replace(ROTATION, issuer="province-bureau"),
    "key event of another role": replace(ROTATION, role=Role.PROVINCE),
    "rotation without the new key": replace(ROTATION, key=None),
    "rotation without possession": replace(ROTATION, possession=None),
    "rotation without the old key": replace(ROTATION, kid=None),
    "rotation that tells of compromise": replace(ROTATION, compromised_since_ms=1),
    "revocation without a reason": replace(REVOCATION, reason=None),
    "revocation with a key": replace(REVOCATION, key=NEW.public),
    "more witnesses wanted than named": replace(ANCHORS, threshold=2),
    "keys out of order": replace(ANCHORS, keys=ANCHORS.keys[::-1]),
    "policy of a plant": replace(ANCHORS, subject=beside(YEAR, "trust-anchors")),
    "migration to itself": replace(MIGRATION, old=MIGRATION.new),
    "correction of nothing": replace(REVIEW, supersedes=Supersedes(bytes(32), "typo", "Li")),
}


@pytest.mark.parametrize("flaw", UNFIT)
def test_what_does_not_fit_is_not_signed(flaw: str) -> None:
    with pytest.raises(BadInput, match=r"^(statement|quantity|reason|unit)"):
        UNFIT[flaw].sign(OPERATOR)


def test_a_whole_enterprise_has_several_units() -> None:
    whole = Subject("E1", "all", "2018", "annual-report")
    units = (UnitFigures("CT1", (CO2,)), UnitFigures("CT2", (POWER,)))
    stated = replace(ANNUAL, subject=whole, units=units)
    assert open_signed(stated.sign(NEW).raw).statement == stated


def test_who_signs_what() -> None:
    signed_by = {(stated.TYPE, stated.signer) for stated in SAMPLES.values()}
    assert signed_by == {
        ("tanzheng.statement", "operator"),
        ("tanzheng.annual_report", "operator"),
        ("tanzheng.review", "city"),
        ("tanzheng.review", "province"),
        ("tanzheng.verification", "verifier"),
        ("tanzheng.recheck", "recheck"),
        ("tanzheng.confirmed_emissions", "province"),
        ("tanzheng.key_event", "city"),
        ("tanzheng.registration_policy", "operator"),
        ("tanzheng.trust_anchors", "operator"),
        ("tanzheng.migration", "operator"),
    }
    assert PROVINCE_REVIEW.signer is Role.PROVINCE
    assert isinstance(SAMPLES["month"], Statement)
