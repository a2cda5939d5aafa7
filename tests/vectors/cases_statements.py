"""Cases of every kind of statement: who must sign it, its subject, corrections, key events."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import cbor2

from core.statements.samples import (
    ANCHORS,
    CONFIRMED,
    KEYS,
    MIGRATION,
    NAMES,
    NEW,
    POLICY,
    RECHECK,
    REVIEW,
    REVOCATION,
    ROTATION,
    SAMPLES,
    VERIFICATION,
    key_event,
    signers,
)  # fmt: skip
from evidence import OPERATOR, TIME_S, Operator, statement
from tanzheng.core.hashing import sha256
from tanzheng.core.jurisdiction import Jurisdiction
from tanzheng.core.keys import SigningKey
from tanzheng.core.statements.common import Reference
from tanzheng.core.statements.envelope import Envelope, Supersedes
from tanzheng.core.statements.key_event import KeyAct, KeyEvent, possess
from tanzheng.core.statements.roles import Role
from vectors import world
from vectors.case import Case, given
from vectors.cases import encoded, parts_of
from vectors.judge import Given

EVERYBODY = {"signers": signers()}
CITY = KEYS[Role.CITY]
LETTER = b"letter"
FIRST = {name: stated for name, stated in SAMPLES.items() if stated.seq == 1}


def log(*signed: tuple[Envelope, SigningKey]) -> Operator:
    """A log with a checkpoint behind each statement."""
    operator = Operator()
    for stated, key in signed:
        operator.seal(stated.sign(key))
    return operator


def of(*signed: tuple[Envelope, SigningKey], at: int = -1, **more: Any) -> Case:
    """The receipt of one of these statements, for somebody who trusts all signers."""
    return Case("", given(log(*signed), at, trust=EVERYBODY, **more))


def of_sample(name: str) -> Given:
    """A receipt of that kind in good order."""
    return of((SAMPLES[name], _key(SAMPLES[name]))).given


def rotated() -> Given:
    """A review by a key that came, with the receipt of the event beside it."""
    return _event(ROTATION, CITY, NEW).given


def with_letter() -> Given:
    """A review that names its letter."""
    return of((replace(REVIEW, document_sha256=sha256(LETTER)), CITY)).given


def statements() -> Iterator[Case]:
    found = {**_good(), **_signers(), **_corrections(), **_keys(), **_beside()}
    for name, case in found.items():
        yield replace(case, name=name)
    yield from _form()


def _key(stated: Envelope) -> SigningKey:
    return KEYS[stated.signer]


def _good() -> dict[str, Case]:
    return {name: Case("", of_sample(name)) for name in SAMPLES}


def _signers() -> dict[str, Case]:
    found = {}
    for name, stated in FIRST.items():
        other = next(key for role, key in KEYS.items() if role != stated.signer)
        found[f"{name}, signed in another role"] = of((stated, other))
        found[f"{name}, signed by a stranger"] = of((stated, world.STRANGER))
    stranger = replace(REVIEW, issuer="another-bureau")
    found["review in another's name"] = of((stranger, CITY))
    alone = given(log((REVIEW, CITY)))
    found["review, nobody but the operator on trust"] = Case("", alone)
    return {**found, **_plants()}


def _plants() -> dict[str, Case]:
    """A city that the trust file binds to plants; keys that come later are bound as it is."""
    enterprise = REVIEW.subject.enterprise
    found = {}
    for name, subjects in {
        "review of a plant of the city's": [enterprise],
        "review of a plant whose name begins so": ["X", f"{enterprise[:2]}*"],
        "review of another's plant": [f"{enterprise}0"],
        "review of a plant whose name begins otherwise": [f"{enterprise}0*"],
    }.items():
        bound = [replace(s, jurisdiction=Jurisdiction(tuple(subjects))) for s in signers()]
        found[name] = Case("", given(log((REVIEW, CITY)), trust={"signers": tuple(bound)}))
    for name, subjects in {"bound": [f"{enterprise}0"], "bound to it": [enterprise]}.items():
        told = [replace(s, jurisdiction=Jurisdiction(tuple(subjects))) for s in signers()]
        operator = log((ROTATION, CITY), (REVIEW, NEW))
        events = (operator.receipt(0),)
        case = given(operator, trust={"signers": tuple(told)}, key_events=events)
        found[f"review by a city's next key, {name}"] = Case("", case)
    return found


def _corrections() -> dict[str, Case]:
    found = {}
    for name, stated in FIRST.items():
        first = stated.sign(_key(stated))
        why = Supersedes(first.digest, "wrong_value", "Li Na 李娜")
        later = replace(stated, seq=2, prev=first.digest, supersedes=why)
        pair = (stated, _key(stated)), (later, _key(stated))
        found[f"{name}, corrected"] = of(*pair, at=0)
        found[f"{name}, the correction"] = of(*pair)
    return found


def _keys() -> dict[str, Case]:
    """Key events beside a receipt: leaf n is proved by block n + 1, ten seconds apart."""
    since = (TIME_S + 15) * 1000
    revoked = replace(REVOCATION, seq=1, prev=None, compromised_since_ms=since)
    given_up = replace(revoked, compromised_since_ms=None)
    added = key_event(
        NAMES[Role.CITY], Role.CITY, act=KeyAct.ADD, key=NEW.public,
        possession=possess(NAMES[Role.CITY], Role.CITY, NEW),
    )  # fmt: skip
    borrowed = replace(added, possession=possess("another-bureau", Role.CITY, NEW))
    old_by_another = replace(ROTATION, kid=KEYS[Role.PROVINCE].public.kid)
    return {
        "review by the key that came": _event(ROTATION, CITY, NEW),
        "review by the key that went": _event(ROTATION, CITY, CITY),
        "review by a key that was added": _event(added, CITY, NEW),
        "review by the key that added another": _event(added, CITY, CITY),
        "review after its key was given up": _event(given_up, CITY, CITY),
        "review after its key was compromised": _event(revoked, CITY, CITY),
        "review before its key was given up": _event(given_up, CITY, CITY, later=True),
        "review before its key was compromised": _event(
            replace(revoked, compromised_since_ms=since + 25_000), CITY, CITY, later=True
        ),
        "key revoked by itself": _event(revoked, CITY, None),
        "new key without its own signature": _event(borrowed, CITY, NEW),
        "rotation signed by a stranger": _event(ROTATION, world.STRANGER, NEW),
        "rotation signed by the operator": _event(ROTATION, OPERATOR, NEW),
        "rotation of a key that another holds": _event(old_by_another, CITY, NEW),
        "key added that is held already": _event(
            replace(added, key=CITY.public, possession=possess(NAMES[Role.CITY], Role.CITY, CITY)),
            CITY, CITY,
        ),
    }  # fmt: skip


def _event(
    event: KeyEvent, by: SigningKey, reviewer: SigningKey | None, later: bool = False
) -> Case:
    """A review beside a key event, `later`: of the event; no reviewer: the event by itself."""
    pairs = [(event, by), (statement(), OPERATOR)]
    if reviewer is None:
        return of(*pairs, at=0, key_events=(log(*pairs).receipt(0),))
    pairs.insert(0 if later else 2, (REVIEW, reviewer))
    sealed = log(*pairs)
    at = 0 if later else 2
    return of(*pairs, at=at, key_events=(sealed.receipt(1 if later else 0),))


def _beside() -> dict[str, Case]:
    good = Case("", with_letter())
    unseen = Operator()
    unseen.seal(statement(software="elsewhere"))
    unseen.seal(ROTATION.sign(CITY))
    return {
        "review and its letter": _with(good, documents={"letter.pdf": LETTER}),
        "review and another letter": _with(good, documents={"letter.pdf": b"other"}),
        "letter of a review that names none": _with(
            of((replace(REVIEW, document_sha256=None), CITY)), documents={"letter.pdf": LETTER}
        ),
        "review with a package": _with(good, package=world.package()),
        "review with a disclosed figure": _with(good, disclosure=world.disclosure()),
        "a month as a key event": _with(good, key_events=(world.small().receipt(),)),
        "key event of a block that was not observed": _with(good, key_events=(unseen.receipt(),)),
        "no key event at all": _with(good, key_events=(b"\x80",)),
    }


def _with(case: Case, **more: Any) -> Case:
    return Case("", replace(case.given, **more))


# ------------------------------------------------------------------ form


def _form() -> Iterator[Case]:
    """Payloads out of shape, in the place of what was signed."""
    for name, stated in FIRST.items():
        if name == "month":
            continue
        good = given(log((stated, _key(stated))), trust=EVERYBODY)
        subject = str(stated.subject).rpartition("/")[0] + "/month"
        yield _changed(f"{name}, with a month's subject", good.receipt, subject=subject)
        yield _changed(f"{name} as a month", good.receipt, type="tanzheng.statement")
    for stated, changes in FLAWS:
        good = given(log((stated, _key(stated))), trust=EVERYBODY)
        for name, change in changes.items():
            yield _changed(f"{stated.TYPE}: {name}", good.receipt, **change)


def _changed(name: str, data: bytes, **changes: Any) -> Case:
    envelope, core = parts_of(data)
    tag = cbor2.loads(core["transparent"])
    protected, unprotected, payload, signature = tag.value
    again = encoded({**cbor2.loads(payload), **changes})
    header = cbor2.loads(protected)
    if "subject" in changes:
        header[15][2] = changes["subject"]
    parts = [encoded(header), dict(unprotected), again, signature]
    core["transparent"] = encoded(cbor2.CBORTag(18, parts))
    receipt = encoded({**envelope, "core": encoded(core)})
    return Case(name, replace(given(log((REVIEW, CITY)), trust=EVERYBODY), receipt=receipt))


def _told(value: Reference) -> dict[str, Any]:
    return {"subject": str(value.subject), "digest": value.digest}


UNIT = {"unit": "CT1", "emissions_t": 123_457, "output": []}
OTHER = {"subject": "E1/CT2/2018-07/month", "digest": bytes(32)}
FIRST_REASON = ["wrong_meter"]
KEY = {
    "holder": "city-bureau", "role": "city", "key": CITY.public.raw, "not_before_ms": 0,
    "not_after_ms": None,
}  # fmt: skip
Flaws = Mapping[str, Mapping[str, Any]]
FLAWS: tuple[tuple[Envelope, Flaws], ...] = (
    (REVIEW, {
        "unknown level": {"level": "verifier"},
        "returned without a reason": {"reasons": []},
        "accepted with a reason": {"outcome": "accepted"},
        "reasons out of order": {"reasons": ["wrong_value", "wrong_meter"]},
        "a reason twice": {"reasons": FIRST_REASON * 2},
        "of another unit": {"of": OTHER},
        "of itself": {"of": _told(Reference(REVIEW.subject, bytes(32)))},
        "digest of 31 bytes": {"document_sha256": bytes(31)},
        "unknown key": {"note": None},
        "superseding nothing": {
            "supersedes": {"digest": bytes(32), "reason": "x", "approver": "y"}
        },
        "seq 2 without prev": {"seq": 2},
        "seq 0": {"seq": 0},
        "unknown type": {"type": "tanzheng.opinion"},
        "type of text and more": {"type": ["tanzheng.review"]},
        "version 2": {"version": 2},
    }),
    (VERIFICATION, {
        "opinion that needs findings": {"opinion": "adverse"},
        "finding of an unmodified opinion": {"findings": FIRST_REASON},
        "materiality with an exponent": {"materiality_percent": "5e0"},
        "quantity twice": {"quantities": [{"name": "a", "value": "1", "unit": "t"}] * 2},
        "two lines as a name": {"lead_verifier": "a\nb"},
    }),
    (RECHECK, {
        "upheld with findings": {"finding": "upheld"},
        "sample twice": {"sample": [OTHER, OTHER]},
    }),
    (CONFIRMED, {
        "another sum": {"emissions_t": 123_456},
        "no basis": {"basis": []},
        "no unit": {"units": [], "emissions_t": 0},
        "another unit": {"units": [{**UNIT, "unit": "CT2"}]},
        "tonnes below zero": {"units": [{**UNIT, "emissions_t": -1}], "emissions_t": -1},
        "tonnes beyond 2^53": {"emissions_t": 2**53},
    }),
    (ROTATION, {
        "of another holder": {"subject": "province-bureau/keys/city/key-event"},
        "without a new key": {"key": None},
        "with a reason": {"reason": "stolen"},
        "compromised by rotation": {"compromised_since_ms": 0},
        "key that is no point": {"key": b"\x02" + b"\xff" * 32},
        "unknown act": {"act": "lend"},
    }),
    (POLICY, {
        "about a unit": {"subject": "operator/CT1/2018/policy"},
        "accepts nothing": {"accepts": []},
        "algorithms out of order": {"algorithms": [-7, -8]},
        "roles out of order": {
            "accepts": [{"type": "tanzheng.review", "roles": ["province", "city"]}]
        },
    }),
    (ANCHORS, {
        "threshold above the witnesses": {"threshold": 2},
        "no keys": {"keys": []},
        "a key twice": {"keys": [KEY, KEY]},
    }),
    (MIGRATION, {
        "to itself": {"old": {
            "chain_id": MIGRATION.new.chain_id, "contract": MIGRATION.new.contract,
            "log_id": MIGRATION.new.log_id,
        }},
        "contract of 19 bytes": {"new": {
            "chain_id": 1, "contract": bytes(19), "log_id": bytes(32),
        }},
    }),
)  # fmt: skip
