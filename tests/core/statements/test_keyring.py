"""Roles, and keys that come, are replaced and go: what stands then, and what does not."""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statements.samples import (
    KEYS,
    NAMES,
    NEW,
    PROVINCE_REVIEW,
    REVIEW,
    SAMPLES,
    es256,
    key_event,
    seeded,
    trust,
)
from evidence import OPERATOR, statement
from tanzheng.core.errors import SignatureInvalid
from tanzheng.core.ids import Subject
from tanzheng.core.jurisdiction import Jurisdiction
from tanzheng.core.keys import SigningKey
from tanzheng.core.statements.envelope import Envelope
from tanzheng.core.statements.key_event import KeyAct, KeyEvent, possess
from tanzheng.core.statements.keyring import KeyGone, Keyring, Logged, standing
from tanzheng.core.statements.kinds import open_signed
from tanzheng.core.statements.roles import Role
from tanzheng.core.trust import OperatorKey, Signer, Trust, Untrusted

CITY, NAME = KEYS[Role.CITY], NAMES[Role.CITY]
THIEF = es256(666)


def elsewhere(subject: Subject) -> Subject:
    return replace(subject, enterprise="E2")


OTHER = replace(REVIEW.of, subject=elsewhere(REVIEW.of.subject))
DAY = 86_400_000


@dataclass
class Log:
    """Statements as the chain would prove them: leaf n on day n."""

    leaves: list[Logged] = field(default_factory=list)

    def put(self, stated: Envelope, key: SigningKey) -> Logged:
        at = len(self.leaves)
        self.leaves.append(Logged(at, at * DAY, stated.sign(key)))
        return self.leaves[-1]

    def event(self, by: SigningKey, act: KeyAct, **changes: Any) -> Logged:
        return self.put(key_event(NAME, Role.CITY, act=act, **changes), by)

    def rotate(self, old: SigningKey, new: SigningKey) -> Logged:
        possession = possess(NAME, Role.CITY, new)
        return self.event(
            old, KeyAct.ROTATE, key=new.public, possession=possession, kid=old.public.kid
        )

    def add(self, by: SigningKey, new: SigningKey) -> Logged:
        possession = possess(NAME, Role.CITY, new)
        return self.event(by, KeyAct.ADD, key=new.public, possession=possession)

    def revoke(self, by: SigningKey, key: SigningKey, since_ms: int | None = None) -> Logged:
        return self.event(
            by, KeyAct.REVOKE, kid=key.public.kid, compromised_since_ms=since_ms, reason="lost"
        )

    def review(self, key: SigningKey) -> Logged:
        return self.put(REVIEW, key)

    def keyring(self, trusted: Trust | None = None) -> Keyring:
        return Keyring(trusted or trust(), self.leaves)

    def fallen(self) -> list[int]:
        """Leaves that do not stand, in the light of the whole log."""
        return [at.index for at, why in standing(self.keyring(), self.leaves) if why is not None]


# ------------------------------------------------------------------ roles


@pytest.mark.parametrize("name", SAMPLES)
def test_each_kind_by_the_key_of_its_role_and_by_no_other(name: str) -> None:
    stated = SAMPLES[name]
    keyring = Keyring(trust())
    right = KEYS[stated.signer]
    assert keyring.check(Logged(0, 0, stated.sign(right))) == right.public
    for role, key in KEYS.items():
        if role is not stated.signer:
            with pytest.raises(Untrusted, match=f"{stated.signer} key: expected a trusted one"):
                keyring.check(Logged(0, 0, stated.sign(key)))
    with pytest.raises(Untrusted):
        keyring.check(Logged(0, 0, stated.sign(THIEF)))


def test_a_trust_file_without_signers_knows_the_operator_alone() -> None:
    keyring = Keyring(trust(signers=()))
    keyring.check(Logged(0, 0, statement().sign(OPERATOR)))
    with pytest.raises(Untrusted):
        keyring.check(Logged(0, 0, REVIEW.sign(CITY)))


def test_a_city_signs_for_itself_only() -> None:
    other = replace(REVIEW, issuer="another-city")
    with pytest.raises(Untrusted, match="of another-city"):
        Keyring(trust()).check(Logged(0, 0, other.sign(CITY)))


def bound(*enterprises: str) -> Trust:
    """The trust file of somebody who knows the city for these plants only."""
    city = Signer(NAME, Role.CITY, OperatorKey(CITY.public, 0, None), Jurisdiction(enterprises))
    return trust(signers=(city,))


@pytest.mark.parametrize("enterprises", [("E1",), ("E2", "E*")])
def test_a_city_speaks_of_its_plants(enterprises: tuple[str, ...]) -> None:
    Keyring(bound(*enterprises)).check(Logged(0, 0, REVIEW.sign(CITY)))


@pytest.mark.parametrize("enterprises", [("E2",), ("E10", "E1-*"), ("E11*", "e1")])
def test_a_city_does_not_speak_of_another_city_s_plants(enterprises: tuple[str, ...]) -> None:
    expected = rf"expected a plant of {NAME}'s \({re.escape(enterprises[0])}.*\), got E1"
    with pytest.raises(Untrusted, match=expected):
        Keyring(bound(*enterprises)).check(Logged(0, 0, REVIEW.sign(CITY)))


def test_a_key_that_comes_later_speaks_of_the_same_plants() -> None:
    log = Log()
    log.rotate(CITY, NEW)
    log.review(NEW)
    log.put(replace(REVIEW, subject=elsewhere(REVIEW.subject), of=OTHER), NEW)
    why = [why for _, why in standing(log.keyring(bound("E1")), log.leaves)]
    assert why[:2] == [None, None]
    assert "got E2" in str(why[2])


@pytest.mark.parametrize(("t_ms", "stands"), [(99, False), (100, True), (200, True), (201, False)])
def test_within_the_span_of_the_trust_file(t_ms: int, stands: bool) -> None:
    signer = Signer(NAME, Role.CITY, OperatorKey(CITY.public, 100, 200))
    keyring = Keyring(trust(signers=(signer,)))
    at = Logged(0, t_ms, REVIEW.sign(CITY))
    if stands:
        keyring.check(at)
    else:
        with pytest.raises(Untrusted, match="expected it valid"):
            keyring.check(at)


def test_a_signature_that_is_none() -> None:
    raw = bytearray(REVIEW.sign(CITY).raw)
    raw[-1] ^= 1
    with pytest.raises(SignatureInvalid):
        Keyring(trust()).check(Logged(0, 0, open_signed(bytes(raw))))


# ------------------------------------------------------------------ events in the order of the log


def test_rotated() -> None:
    log = Log()
    log.review(CITY)
    log.review(NEW)  # too early
    log.rotate(CITY, NEW)
    log.review(NEW)
    log.review(CITY)  # too late
    assert log.fallen() == [1, 4]
    with pytest.raises(KeyGone, match="expected leaf 0 to 2, got 4"):
        log.keyring().check(log.leaves[4])


def test_added_and_given_up() -> None:
    log = Log()
    log.add(CITY, NEW)
    log.review(NEW)
    log.review(CITY)
    log.revoke(NEW, CITY)
    log.review(CITY)
    log.review(NEW)
    assert log.fallen() == [4]


def test_compromised_since() -> None:
    """What the chain proves to have been there before T stands; what came since falls."""
    log = Log()
    log.add(CITY, NEW)
    for _ in range(3):
        log.review(CITY)
    log.revoke(NEW, CITY, since_ms=2 * DAY)
    log.review(CITY)
    assert log.fallen() == [2, 3, 5]
    with pytest.raises(KeyGone, match=r"compromised since 1970-01-03 00:00:00Z"):
        log.keyring().check(log.leaves[2])


def test_a_thief_s_keys_fall_with_the_key_that_was_stolen() -> None:
    log = Log()
    log.review(CITY)
    log.rotate(CITY, THIEF)
    log.review(THIEF)
    log.add(THIEF, seeded("second"))
    log.review(seeded("second"))
    assert log.fallen() == []
    log.revoke(CITY, CITY, since_ms=DAY)  # rotated out, and still its own to revoke
    log.review(THIEF)
    assert log.fallen() == [1, 2, 3, 4, 6]  # not the revocation itself


def test_the_earliest_compromise_counts() -> None:
    log = Log()
    log.add(CITY, NEW)
    log.review(CITY)
    log.review(CITY)
    log.revoke(NEW, CITY, since_ms=2 * DAY)
    log.revoke(NEW, CITY, since_ms=DAY)
    assert log.fallen() == [1, 2]


def test_two_that_undermine_each_other_are_both_gone() -> None:
    """NEW rests on CITY, and says that CITY was stolen before it brought NEW."""
    log = Log()
    log.add(CITY, NEW)
    log.revoke(NEW, CITY, since_ms=0)
    log.review(CITY)
    log.review(NEW)
    assert log.fallen() == [0, 1, 2, 3]


@pytest.mark.parametrize("flaw", ["operator", "other city", "no possession", "another's key"])
def test_events_that_do_not_count_are_named(flaw: str) -> None:
    log = Log()
    possession = possess(NAME, Role.CITY, NEW)
    if flaw == "operator":
        log.add(OPERATOR, NEW)
    elif flaw == "other city":
        log.add(THIEF, NEW)
    elif flaw == "no possession":
        wrong = possess("another-city", Role.CITY, NEW)
        log.event(CITY, KeyAct.ADD, key=NEW.public, possession=wrong)
    else:
        log.event(CITY, KeyAct.ROTATE, key=NEW.public, possession=possession, kid=bytes(16))
    log.review(NEW)
    [(event, reason)] = log.keyring().ignored
    assert (event.index, bool(reason)) == (0, True)
    assert 1 in log.fallen()


def test_a_key_comes_once() -> None:
    log = Log()
    log.add(CITY, NEW)
    log.add(CITY, NEW)
    log.add(CITY, OPERATOR)
    assert [event.index for event, _ in log.keyring().ignored] == [1, 2]


def test_revoking_a_stranger_s_key_does_nothing() -> None:
    log = Log()
    log.revoke(CITY, KEYS[Role.PROVINCE], since_ms=0)
    log.put(PROVINCE_REVIEW, KEYS[Role.PROVINCE])
    assert len(log.keyring().ignored) == 1
    assert log.fallen() == []


def test_the_operator_s_own_keys() -> None:
    log = Log()
    event = key_event(
        "operator",
        Role.OPERATOR,
        act=KeyAct.ROTATE,
        key=NEW.public,
        possession=possess("operator", Role.OPERATOR, NEW),
        kid=OPERATOR.public.kid,
    )
    log.put(event, OPERATOR)
    log.put(statement(issuer="E1"), NEW)
    log.put(statement(issuer="E1"), OPERATOR)
    assert log.fallen() == [2]


acts = st.lists(
    st.tuples(
        st.sampled_from(["add", "rotate", "revoke", "since", "review"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=10,
)
POOL = [CITY, NEW, THIEF, seeded("second")]


@given(acts, st.randoms())
def test_any_history_has_one_answer(history: list[tuple[str, int, int]], random: Any) -> None:
    """It ends, in whatever order the events are handed in; no key stands that was not let in."""
    log = Log()
    for act, by, other in history:
        key, target = POOL[by], POOL[other]
        if act == "add":
            log.add(key, target)
        elif act == "rotate":
            log.rotate(key, target)
        elif act == "review":
            log.review(key)
        else:
            log.revoke(key, target, since_ms=other * DAY if act == "since" else None)
    fallen = log.fallen()
    shuffled = random.sample(log.leaves, len(log.leaves))
    again = standing(Keyring(trust(), shuffled), log.leaves)
    assert [at.index for at, why in again if why is not None] == fallen
    trusted = {CITY.public.kid}
    for at in log.leaves:
        stated = at.signed.statement
        if at.index not in fallen:
            assert at.signed.kid in trusted
            if isinstance(stated, KeyEvent) and stated.key is not None:
                trusted.add(stated.key.kid)
