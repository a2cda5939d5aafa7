"""One statement of each kind, the keys of those who sign them, and a trust file that names these.

The first of each pair of keys is Ed25519, the second P-256: both sides are played by every role.
"""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

from evidence import CHAIN_ID, CONTRACT, LOG_ID, OPERATOR, Operator, statement
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.statements.annual_report import AnnualReport, UnitFigures
from tanzheng.core.statements.common import LogName, Quantity, Reference
from tanzheng.core.statements.confirmed import ConfirmedEmissions, UnitEmissions
from tanzheng.core.statements.envelope import BlockReference, Envelope, Supersedes
from tanzheng.core.statements.key_event import KeyAct, KeyEvent, possess
from tanzheng.core.statements.migration import Migration
from tanzheng.core.statements.policy import (
    Accepted,
    AnchoredKey,
    AnchoredWitness,
    RegistrationPolicy,
    TrustAnchors,
)
from tanzheng.core.statements.review import Level, Outcome, Review
from tanzheng.core.statements.roles import Role
from tanzheng.core.statements.verification import (
    Assurance,
    Finding,
    Opinion,
    Recheck,
    Verification,
)
from tanzheng.core.trust import OperatorKey, Signer, Trust


def es256(number: int) -> SigningKey:
    """The P-256 key whose secret is `number`."""
    return SigningKey(derive_private_key(number, SECP256R1()))


def seeded(name: str) -> SigningKey:
    """An Ed25519 key of that name."""
    return SigningKey.from_seed(name.encode().ljust(32, b"."))


NEW = es256(77)
NAMES = {
    Role.CITY: "city-bureau",
    Role.PROVINCE: "province-bureau",
    Role.VERIFIER: "verifier-1",
    Role.RECHECK: "institute",
}
KEYS = {
    Role.OPERATOR: OPERATOR,
    Role.CITY: seeded("city"),
    Role.PROVINCE: es256(1001),
    Role.VERIFIER: es256(1002),
    Role.RECHECK: seeded("recheck"),
}
MONTH = Subject("E1", "CT1", "2018-07", "month")
YEAR = Subject("E1", "CT1", "2018", "annual-report")
CO2 = Quantity("co2e_calculated_t", "123456.78", "t")
POWER = Quantity("net_generation_mwh", "345678.901", "MWh")
HERE = LogName(CHAIN_ID, CONTRACT, LOG_ID)


def envelope(issuer: str, subject: Subject, **changes: Any) -> dict[str, Any]:
    plain = {
        "issuer": issuer,
        "subject": subject,
        "seq": 1,
        "prev": None,
        "supersedes": None,
        "not_before": BlockReference(1, b"\x01" * 32),
    }
    return plain | changes


def beside(of: Subject, kind: str) -> Subject:
    return Subject(of.enterprise, of.unit, of.period, kind)


def about_log(kind: str) -> Subject:
    return Subject("operator", "log", "all", kind)


def key_event(holder: str, role: Role, **changes: Any) -> KeyEvent:
    empty = dict.fromkeys(("key", "possession", "kid", "compromised_since_ms", "reason"))
    subject = Subject(holder, "keys", str(role), "key-event")
    return KeyEvent(**{**envelope(holder, subject), **empty, "role": role, **changes})


ANNUAL = AnnualReport(
    **envelope("E1", YEAR),
    manifest_sha256=b"\x21" * 32,
    manifest_sm3=b"\x22" * 32,
    units=(UnitFigures("CT1", (CO2, POWER)),),
    months=(Reference(MONTH, b"\x23" * 32),),
    software="tanzheng 0.1.0",
)
REVIEW = Review(
    **envelope("city-bureau", beside(MONTH, "review.city.month")),
    of=Reference(MONTH, b"\x31" * 32),
    level=Level.CITY,
    outcome=Outcome.RETURNED,
    reasons=("wrong_meter", "wrong_value"),
    document_sha256=b"\x32" * 32,
)
PROVINCE_REVIEW = Review(
    **envelope("province-bureau", beside(YEAR, "review.province.annual-report")),
    of=Reference(YEAR, b"\x33" * 32),
    level=Level.PROVINCE,
    outcome=Outcome.ACCEPTED,
    reasons=(),
    document_sha256=None,
)
VERIFICATION = Verification(
    **envelope("verifier-1", beside(YEAR, "verification")),
    of=Reference(YEAR, b"\x41" * 32),
    opinion=Opinion.UNMODIFIED,
    assurance=Assurance.REASONABLE,
    materiality_percent="5",
    quantities=(CO2, POWER),
    findings=(),
    lead_verifier="Wang Wei 王伟",
    report_sha256=b"\x42" * 32,
)
RECHECK = Recheck(
    **envelope("institute", beside(YEAR, "recheck")),
    of=Reference(beside(YEAR, "verification"), b"\x51" * 32),
    sample=(Reference(MONTH, b"\x52" * 32),),
    finding=Finding.CONTRADICTED,
    quantities=(CO2,),
    findings=("wrong_meter",),
    report_sha256=b"\x53" * 32,
)
CONFIRMED = ConfirmedEmissions(
    **envelope("province-bureau", beside(YEAR, "confirmed")),
    emissions_t=123_457,
    units=(UnitEmissions("CT1", 123_457, (POWER,)),),
    basis=(Reference(YEAR, b"\x61" * 32), Reference(beside(YEAR, "verification"), b"\x62" * 32)),
)
ROTATION = key_event(
    "city-bureau",
    Role.CITY,
    act=KeyAct.ROTATE,
    key=NEW.public,
    possession=possess("city-bureau", Role.CITY, NEW),
    kid=KEYS[Role.CITY].public.kid,
)
REVOCATION = key_event(
    "city-bureau",
    Role.CITY,
    act=KeyAct.REVOKE,
    kid=KEYS[Role.CITY].public.kid,
    compromised_since_ms=1_790_000_000_000,
    reason="stolen",
    seq=2,
    prev=b"\x71" * 32,
)
POLICY = RegistrationPolicy(
    **envelope("operator", about_log("policy")),
    log=HERE,
    accepts=(
        Accepted("tanzheng.review", (Role.CITY, Role.PROVINCE)),
        Accepted("tanzheng.statement", (Role.OPERATOR,)),
    ),
    algorithms=(-8, -7),
    statement_bytes_max=1 << 20,
    document_sha256=None,
)
ANCHORS = TrustAnchors(
    **envelope("operator", about_log("trust-anchors")),
    log=HERE,
    keys=(
        AnchoredKey("city-bureau", Role.CITY, KEYS[Role.CITY].public, 0, None),
        AnchoredKey("operator", Role.OPERATOR, OPERATOR.public, 0, 1_900_000_000_000),
        AnchoredKey("province-bureau", Role.PROVINCE, KEYS[Role.PROVINCE].public, 0, None),
    ),
    witnesses=(AnchoredWitness("institute", NEW.public),),
    threshold=1,
)
MIGRATION = Migration(
    **envelope("operator", about_log("migration")),
    old=LogName(31338, bytes(20), b"\x81" * 32),
    new=HERE,
    checkpoint_seq=7,
    size=12,
    checkpoint_sha256=b"\x82" * 32,
    receipt_sha256=b"\x83" * 32,
    reason="another-chain",
)
CORRECTED = statement(
    seq=2, prev=b"\x91" * 32, supersedes=Supersedes(b"\x91" * 32, "wrong_value", "Li Na 李娜")
)
SAMPLES: dict[str, Envelope] = {
    "month": statement(),
    "month corrected": CORRECTED,
    "annual report": ANNUAL,
    "review, city": REVIEW,
    "review, province": PROVINCE_REVIEW,
    "verification": VERIFICATION,
    "re-check": RECHECK,
    "confirmed emissions": CONFIRMED,
    "key rotated": ROTATION,
    "key revoked": REVOCATION,
    "registration policy": POLICY,
    "trust anchors": ANCHORS,
    "migration": MIGRATION,
}


def signers() -> tuple[Signer, ...]:
    """Everybody but the operator, trusted without end."""
    return tuple(
        Signer(name, role, OperatorKey(KEYS[role].public, 0, None)) for role, name in NAMES.items()
    )


def trust(**changes: Any) -> Trust:
    """The trust file of somebody who knows them all."""
    return Operator().trust(**{"signers": signers(), **changes})
