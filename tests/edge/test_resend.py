"""What is published when, and what an ack may do: properties of the pure session."""

import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanzheng.core.ack import Ack
from tanzheng.core.batch import ChainHead
from tanzheng.edge.resend import NOTHING, Place, Session, Silence, Verdict, judge

WINDOW = 4


def digest(place: Place) -> bytes:
    return sha256(repr(place).encode()).digest()


def head(place: Place) -> ChainHead | None:
    return ChainHead(*place, digest(place)) if place != NOTHING else None


def next_place(sealed: list[Place], after: Place) -> Place | None:
    return next((place for place in sealed if place > after), None)


class World:
    """A spool of sealed batches, a session, a broker that loses things, a platform in order."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.session = Session(WINDOW, 10_000, resend_after_s=5.0)
        self.sealed: list[Place] = []
        self.committed = NOTHING
        self.now_s = 0.0
        self.message_id = 0
        self.broker_alive = True

    def pump(self, lossy: bool) -> None:
        while self.session.room():
            place = next_place(self.sealed, self.session.cursor)
            if place is None:
                return
            assert place > self.session.acked, "published what is acknowledged"
            self.message_id += 1
            self.session.published(place, 1000, self.message_id, self.now_s)
            assert self.session.in_flight <= WINDOW
            self._deliver(place, lossy)

    def _deliver(self, place: Place, lossy: bool) -> None:
        if lossy and self.random.random() < 0.3:
            return  # lost on the way to the broker: no PUBACK either
        self.session.confirmed(self.message_id)
        if lossy and self.random.random() < 0.3:
            return  # lost between broker and platform
        if place == (1, self.committed[1] + 1):
            self.committed = place

    def step(self, lossy: bool = True) -> None:
        self.now_s += self.random.choice([0.1, 1.0, 6.0])
        if lossy and self.random.random() < 0.5:
            self.sealed.append((1, len(self.sealed) + 1))
        if lossy and self.random.random() < 0.1:
            self.session.disconnect()
        if not self.session.connected:
            self.session.connect(self.now_s)
        if not lossy or self.random.random() < 0.5:
            self.session.acknowledged(self.committed, self.now_s)
        if self.session.silence(self.now_s) is Silence.RECONNECT:
            self.session.disconnect()
            self.session.connect(self.now_s)
        self.pump(lossy)


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_whatever_is_lost_everything_arrives_in_the_end(seed: int) -> None:
    world = World(seed)
    for _ in range(60):
        world.step()
    for _ in range(10 + len(world.sealed)):
        world.step(lossy=False)
        world.now_s += 80.0  # longer than the longest silence
    assert world.committed[1] == len(world.sealed)
    assert world.session.acked == world.committed


def test_a_dead_connection_and_an_absent_platform_are_told_apart() -> None:
    session = Session(8, 10_000, resend_after_s=5.0)
    session.connect(0.0)
    session.published((1, 1), 100, 1, 0.0)
    assert session.silence(4.9) is Silence.NONE
    assert session.silence(5.0) is Silence.RECONNECT  # not even the broker's PUBACK came
    session.connect(5.0)
    session.published((1, 1), 100, 2, 5.0)
    session.confirmed(2)
    assert session.silence(10.0) is Silence.OFFER_AGAIN
    assert session.cursor == NOTHING
    session.published((1, 1), 100, 3, 10.0)
    session.confirmed(3)
    assert session.silence(19.9) is Silence.NONE  # the interval doubles
    assert session.silence(20.0) is Silence.OFFER_AGAIN


def test_a_replayed_ack_does_not_put_off_the_resend() -> None:
    session = Session(8, 10_000, resend_after_s=5.0)
    session.connect(0.0)
    session.published((1, 1), 100, 1, 0.0)
    session.confirmed(1)
    session.acknowledged((1, 1), 1.0)
    session.published((1, 2), 100, 2, 1.0)
    session.confirmed(2)
    for now_s in (2.0, 3.0, 4.0, 5.0):
        session.acknowledged((1, 1), now_s)
    assert session.silence(6.0) is Silence.OFFER_AGAIN


def test_the_window_is_bounded_by_bytes_but_takes_one_large_batch() -> None:
    session = Session(32, 1000, resend_after_s=5.0)
    assert not session.room()
    session.connect(0.0)
    session.published((1, 1), 5000, 1, 0.0)
    assert not session.room()
    session.acknowledged((1, 1), 1.0)
    assert session.room()
    session.published((1, 2), 999, 2, 1.0)
    assert session.room()
    session.published((1, 3), 999, 3, 1.0)
    assert not session.room()


def test_a_new_connection_begins_at_the_ack() -> None:
    session = Session(2, 1000, resend_after_s=5.0, acked=(1, 7))
    session.connect(0.0)
    assert session.cursor == (1, 7)
    session.published((1, 8), 1, 1, 0.0)
    session.published((1, 9), 1, 2, 0.0)
    session.acknowledged((1, 8), 0.5)
    session.disconnect()
    assert not session.room()
    session.connect(1.0)
    assert session.cursor == (1, 8)
    assert session.in_flight == 0


A, H = (1, 5), (1, 9)


@pytest.mark.parametrize(
    ("place", "of", "verdict"),
    [
        ((1, 6), (1, 6), Verdict.FREES),
        ((1, 9), (1, 9), Verdict.FREES),
        ((1, 5), (1, 5), Verdict.STALE),
        ((1, 4), (1, 4), Verdict.STALE),
        ((0, 0), (0, 0), Verdict.STALE),
        ((1, 7), (1, 8), Verdict.CONFLICT),
        ((1, 5), (9, 9), Verdict.CONFLICT),
        ((1, 10), (1, 10), Verdict.AHEAD),
        ((2, 1), (2, 1), Verdict.AHEAD),
    ],
)
def test_what_an_ack_means(place: Place, of: Place, verdict: Verdict) -> None:
    """`place` is what the ack names, `of` the batch whose hash it carries; acked 5, sealed 9."""
    ack = Ack("gw", *place, digest(of), 0)
    own = digest(place) if A < place <= H else None
    assert judge(ack, head(A), head(H), own) is verdict


def test_the_first_ack_of_a_wiped_spool_is_ahead() -> None:
    assert judge(Ack("gw", 1, 1, digest((1, 1)), 0), None, None, None) is Verdict.AHEAD


@given(st.tuples(st.integers(0, 3), st.integers(0, 12)), st.binary(min_size=32, max_size=32))
def test_only_the_hash_of_our_own_batch_frees(place: Place, claimed: bytes) -> None:
    own = digest(place) if A < place <= H else None
    verdict = judge(Ack("gw", *place, claimed, 0), head(A), head(H), own)
    assert (verdict is Verdict.FREES) == (own is not None and claimed == own)
