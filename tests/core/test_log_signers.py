"""The audit of a log asks of every statement whose signature it is, and whether it counts."""

from dataclasses import replace
from typing import Any

import pytest

from core.statements.samples import (
    CONFIRMED,
    KEYS,
    NAMES,
    NEW,
    POLICY,
    PROVINCE_REVIEW,
    REVIEW,
    SAMPLES,
    key_event,
    seeded,
    signers,
)
from core.test_forged_history import files_of
from evidence import OPERATOR, TIME_S, Operator, statement
from tanzheng.core.ids import Subject
from tanzheng.core.keys import SigningKey
from tanzheng.core.log_audit import Audit, audit
from tanzheng.core.log_files import LogFiles
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.key_event import KeyAct, possess
from tanzheng.core.statements.kinds import open_signed
from tanzheng.core.statements.policy import Accepted, RegistrationPolicy
from tanzheng.core.statements.roles import Role
from tanzheng.core.trust import OperatorKey, Signer

CITY, NAME, THIEF = KEYS[Role.CITY], NAMES[Role.CITY], seeded("thief")


class Log(Operator):
    """A log whose statements are sealed one by one, each in the chain of its subject."""

    def put(self, stated: Envelope, key: SigningKey) -> None:
        subject = stated.subject
        before = [leaf for leaf in self.leaves if leaf.statement.subject == subject]
        place: dict[str, Any] = {"seq": len(before) + 1}
        place["prev"] = before[-1].digest if before else None
        self.seal(replace(stated, **place).sign(key))

    def event(
        self, by: SigningKey, role: Role = Role.CITY, name: str = NAME, **fields: Any
    ) -> None:
        self.put(key_event(name, role, **fields), by)

    def rotate(
        self, old: SigningKey, new: SigningKey, role: Role = Role.CITY, name: str = NAME
    ) -> None:
        fields = {"key": new.public, "possession": possess(name, role, new)}
        self.event(old, role, name, act=KeyAct.ROTATE, kid=old.public.kid, **fields)

    def audited(self, **changes: Any) -> Audit:
        trust = self.trust(**{"signers": signers(), **changes})
        return audit(LogFiles(files_of(self).get), trust=trust)

    def named(self, **changes: Any) -> dict[int, str]:
        """Leaf → what the audit says of its signer; nothing else may be wrong."""
        found = self.audited(**changes).findings
        assert {finding.check for finding in found} <= {"signers"}
        return {int(each.what.split(",")[0].removeprefix("leaf ")): each.what for each in found}


def life() -> Log:
    log = Log()
    for name in ("month", "review, city", "annual report", "review, province", "verification"):
        stated = SAMPLES[name]
        log.put(stated, KEYS[stated.signer])
    log.put(SAMPLES["re-check"], KEYS[Role.RECHECK])
    log.put(CONFIRMED, KEYS[Role.PROVINCE])
    return log


def test_every_kind_by_its_own_role() -> None:
    audited = life().audited()
    assert audited.findings == ()
    assert "signers" in audited.asked


def test_nobody_named_but_the_operator() -> None:
    assert list(life().named(signers=())) == [1, 3, 4, 5, 6]


def test_without_a_trust_file_signers_are_not_asked_for() -> None:
    audited = audit(LogFiles(files_of(life()).get))
    assert "signers" not in audited.asked
    assert audited.findings == ()


@pytest.mark.parametrize("key", [OPERATOR, KEYS[Role.PROVINCE], THIEF])
def test_a_review_by_a_key_of_another_role(key: SigningKey) -> None:
    log = Log()
    log.seal(statement())
    log.put(REVIEW, key)
    [(leaf, what)] = log.named().items()
    assert leaf == 1
    assert f"leaf 1, {REVIEW.subject}: city key: expected a trusted one of city-bureau" in what


def test_a_signature_with_a_bit_flipped() -> None:
    log = Log()
    raw = bytearray(REVIEW.sign(CITY).raw)
    raw[-1] ^= 1
    log.seal(open_signed(bytes(raw)))
    assert "signature" in log.named()[0]


def test_at_the_time_of_the_first_checkpoint_over_it() -> None:
    log = Log()
    log.put(REVIEW, CITY)
    end_ms = (TIME_S + 10) * 1000
    city = Signer(NAME, Role.CITY, OperatorKey(CITY.public, 0, end_ms))
    log.put(REVIEW, CITY)
    assert list(log.named(signers=(city,))) == [1]


# ------------------------------------------------------------------ key events of the log itself


def test_a_key_rotated_in_the_log() -> None:
    log = Log()
    log.put(REVIEW, NEW)  # too early
    log.rotate(CITY, NEW)
    log.put(REVIEW, NEW)
    log.put(REVIEW, CITY)  # too late
    named = log.named()
    assert list(named) == [0, 3]
    assert "expected leaf 0 to 1, got 3" in named[3]


def test_an_operator_s_key_rotated_in_the_log_signs_checkpoints() -> None:
    log = Log()
    later = seeded("operator later")
    log.seal(statement())
    log.rotate(OPERATOR, later, Role.OPERATOR, "operator")
    log.key = later
    log.seal(statement(Subject("E1", "CT2", "2018-07", "month")))
    assert log.audited().findings == ()
    log.key = OPERATOR
    log.seal(statement(Subject("E1", "CT3", "2018-07", "month")))
    found = log.audited().findings
    assert [each.check for each in found] == ["signatures", "signers"]


def test_compromised_since_reaches_back() -> None:
    log = Log()
    for _ in range(3):
        log.put(REVIEW, CITY)
    since_ms = log.checkpoints[1].checkpoint.t_ms
    log.event(
        CITY, act=KeyAct.REVOKE, kid=CITY.public.kid, compromised_since_ms=since_ms, reason="stolen"
    )
    named = log.named()
    assert list(named) == [1, 2]
    assert "compromised since" in named[1]


def test_a_key_event_that_does_not_count_is_named() -> None:
    log = Log()
    fields: dict[str, Any] = {"key": THIEF.public, "possession": possess(NAME, Role.CITY, NEW)}
    log.event(CITY, act=KeyAct.ADD, **fields)
    log.put(REVIEW, THIEF)
    named = log.named()
    assert list(named) == [0, 1]
    assert "key event that does not count" in named[0]


def test_an_operator_cannot_make_itself_a_city() -> None:
    log = Log()
    fields: dict[str, Any] = {"key": THIEF.public, "possession": possess(NAME, Role.CITY, THIEF)}
    log.event(OPERATOR, act=KeyAct.ADD, **fields)
    log.put(REVIEW, THIEF)
    assert list(log.named()) == [0, 1]


def test_what_no_checkpoint_covers_is_not_judged() -> None:
    """Neither the statement nor a key event: no time is known of them."""
    log = Log()
    log.put(PROVINCE_REVIEW, KEYS[Role.PROVINCE])
    sealed = list(log.checkpoints)
    log.rotate(CITY, NEW)
    log.put(REVIEW, THIEF)
    log.checkpoints = sealed
    audited = audit(LogFiles(files_of(log).get), size=3, trust=log.trust(signers=signers()))
    assert (audited.statements, audited.findings) == (3, ())


# ------------------------------------------------------------------ the registration policy


def policed(*accepts: Accepted) -> RegistrationPolicy:
    return replace(POLICY, accepts=accepts)


MONTHS = Accepted("tanzheng.statement", (Role.OPERATOR,))
REVIEWS = Accepted("tanzheng.review", (Role.CITY,))


def test_what_the_policy_before_it_did_not_allow_is_named() -> None:
    log = Log()
    log.put(REVIEW, CITY)  # before there was a policy
    log.put(policed(MONTHS), OPERATOR)
    log.put(REVIEW, CITY)
    log.put(policed(REVIEWS, MONTHS), OPERATOR)
    log.put(REVIEW, CITY)
    [finding] = log.audited().findings
    assert finding.check == "policy"
    assert finding.what.startswith(f"leaf 2, {REVIEW.subject}: policy 1 of operator/log/all/policy")
    assert audit(LogFiles(files_of(log).get)).findings == (finding,)  # without a trust file, too


def test_a_policy_of_a_stranger_is_none() -> None:
    """Its signature is a finding, and nothing else follows from it."""
    log = Log()
    log.put(policed(MONTHS), THIEF)
    log.put(REVIEW, CITY)
    assert list(log.named()) == [0]
    assert "policy" not in log.audited().asked


def test_a_policy_of_another_log_is_named() -> None:
    log = Log()
    log.put(replace(POLICY, log=replace(POLICY.log, chain_id=5)), OPERATOR)
    [finding] = log.audited().findings
    assert (finding.check, "expected a policy of" in finding.what) == ("policy", True)


def test_a_log_that_keeps_its_policy() -> None:
    log = Log()
    log.put(policed(REVIEWS, MONTHS), OPERATOR)
    log.put(REVIEW, CITY)
    audited = log.audited()
    assert (audited.findings, "policy" in audited.asked) == ((), True)
