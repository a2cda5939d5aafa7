"""What is published when, and what an ack may do: properties of the pure session."""

import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanzheng.core.ack import Ack
from tanzheng.core.batch import ChainHead
from tanzheng.edge.uplink.resend import (
    LIVE_BATCHES,
    NOTHING,
    Place,
    Session,
    Silence,
    Verdict,
    judge,
    reconnect_delay_s,
)

WINDOW = 4


def digest(place: Place) -> bytes:
    return sha256(repr(place).encode()).digest()


def head(place: Place) -> ChainHead | None:
    return ChainHead(*place, digest(place)) if place != NOTHING else None


class World:
    """A spool, a session, a broker that loses things, a platform that takes what comes early.

    Its places are (1, 1) … (1, `sealed`).
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.session = Session(WINDOW, 10_000, resend_after_s=5.0)
        self.sealed = 0
        self.committed: set[int] = set()
        self.now_s = 0.0
        self.message_id = 0
        self.sent: set[int] = set()
        """What this connection carried since everything was offered the last time."""

    @property
    def head(self) -> int:
        """The highest contiguous sequence of the platform."""
        return next(n for n in range(self.sealed + 1) if n + 1 not in self.committed)

    def pump(self, lossy: bool) -> None:
        newest = (1, self.sealed) if self.sealed else NOTHING
        while (after := self.session.next(newest)) is not None:
            seq = after[1] + 1 if after[0] else 1
            assert seq <= self.sealed
            assert (1, seq) > self.session.acked, "published what is acknowledged"
            assert seq not in self.sent, "published twice on one connection"
            if not self.sent and self.session.acked != NOTHING and self._far():
                assert seq == self.sealed, "not the newest first"
            self.sent.add(seq)
            self.message_id += 1
            self.session.published(after, (1, seq), 1000, self.message_id, self.now_s)
            self._deliver(seq, lossy)

    def _far(self) -> bool:
        return self.sealed - self.session.acked[1] > LIVE_BATCHES

    def _deliver(self, seq: int, lossy: bool) -> None:
        if lossy and self.random.random() < 0.3:
            return  # lost on the way to the broker: no PUBACK either
        self.session.confirmed(self.message_id, self.now_s)
        if lossy and self.random.random() < 0.3:
            return  # lost between broker and platform
        if self.committed or seq == 1:  # nothing is early before the very first batch
            self.committed.add(seq)

    def step(self, lossy: bool = True) -> None:
        self.now_s += self.random.choice([0.1, 1.0, 6.0])
        if lossy and self.random.random() < 0.5:
            self.sealed += self.random.choice([1, 1, 1, 30])
        if lossy and self.random.random() < 0.1:
            self.session.disconnect()
            assert self.session.in_flight == 0
        if not self.session.connected:
            self._connect()
        if self.head and (not lossy or self.random.random() < 0.5):
            self.session.acknowledged((1, self.head), self.now_s)
        silence = self.session.silence(self.now_s)
        if silence is Silence.RECONNECT:
            self.session.disconnect()
            self._connect()
        elif silence is Silence.OFFER_AGAIN:
            self.sent.clear()
        self.pump(lossy)

    def _connect(self) -> None:
        self.session.connect(self.now_s, self.random.choice([1, 2, 20, 65535]))
        self.sent.clear()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_is_lost_everything_arrives_in_the_end(seed: int) -> None:
    world = World(seed)
    for _ in range(60):
        world.step()
    for _ in range(10 + world.sealed):
        world.step(lossy=False)
        world.now_s += 80.0  # longer than the longest silence
    assert world.head == world.sealed
    assert world.session.acked == ((1, world.sealed) if world.sealed else NOTHING)
    assert world.session.in_flight == 0


def sent_in_order(session: Session, newest: Place, now_s: float = 0.0) -> list[int]:
    """Publish what there is room for; the sequences in order. Each is confirmed at once."""
    sequences = []
    while (after := session.next(newest)) is not None:
        seq = after[1] + 1
        session.published(after, (1, seq), 100, seq, now_s)
        session.confirmed(seq, now_s)
        sequences.append(seq)
    return sequences


def test_the_newest_goes_first_and_the_backlog_follows_oldest_first() -> None:
    session = Session(4, 10_000, resend_after_s=5.0, acked=(1, 10))
    session.connect(0.0)
    assert sent_in_order(session, (1, 100)) == [100, 11, 12, 13, 14]
    assert sent_in_order(session, (1, 102)) == [101, 102]  # sealed meanwhile: at once
    session.acknowledged((1, 12), 1.0)
    assert sent_in_order(session, (1, 102)) == [15, 16]
    assert sent_in_order(session, (1, 130))[:2] == [130]  # a leap: again the newest
    session.acknowledged((1, 16), 1.0)
    assert sent_in_order(session, (1, 130)) == [17, 18, 19, 20]
    session.acknowledged((1, 99), 2.0)
    assert session.acked == (1, 99)
    assert session.cursor == (1, 102)  # what went out live is not sent again
    assert sent_in_order(session, (1, 130)) == [103, 104, 105, 106]
    session.acknowledged((1, 129), 3.0)
    assert session.cursor == (1, 130)
    assert session.in_flight == 1


def test_a_few_batches_are_no_backlog() -> None:
    session = Session(4, 10_000, resend_after_s=5.0, acked=(1, 10))
    session.connect(0.0)
    assert sent_in_order(session, (1, 10 + LIVE_BATCHES)) == [11, 12, 13, 14]


def test_the_first_batch_of_an_epoch_comes_before_all_others_of_it() -> None:
    session = Session(4, 10_000, resend_after_s=5.0, acked=(1, 10))
    session.connect(0.0)
    assert session.next((2, 50)) == (1, 10)
    session.published((1, 10), (2, 1), 100, 1, 0.0)
    assert session.next((2, 50)) == (2, 1)
    session.acknowledged((2, 1), 1.0)
    assert session.next((2, 50)) == (2, 49)


def test_live_batches_without_puback_are_bounded() -> None:
    session = Session(4, 10_000, resend_after_s=5.0, acked=(1, 10))
    session.connect(0.0)
    for newest in range(100, 100 + LIVE_BATCHES):
        after = session.next((1, newest))
        assert after == (1, newest - 1)
        assert after is not None
        session.published(after, (1, newest), 100, newest, 0.0)
    assert session.next((1, 200)) == (1, 10)  # the backlog has room of its own


def test_while_the_platform_is_silent_little_more_is_published() -> None:
    """Else the broker would be filled with what its platform has not asked for."""
    session = Session(4, 10_000, resend_after_s=5.0, acked=(1, 10))
    session.connect(0.0)
    assert len(sent_in_order(session, (1, 50))) == 5
    assert session.silence(5.0) is Silence.OFFER_AGAIN
    number = sum(len(sent_in_order(session, (1, newest), 5.0)) for newest in range(60, 600, 9))
    assert number == LIVE_BATCHES + 4


def test_the_brokers_receive_maximum_is_kept() -> None:
    session = Session(100, 1 << 20, resend_after_s=5.0, acked=(1, 10))
    session.connect(0.0, receive_max=20)
    unconfirmed = 0
    while (after := session.next((1, 300))) is not None:
        unconfirmed += 1
        session.published(after, (1, after[1] + 1), 100, unconfirmed, 0.0)
    assert unconfirmed == 15 + 1 - 1  # five stay free for what is live
    assert session.next((1, 301)) == (1, 300)


def test_a_dead_connection_and_an_absent_platform_are_told_apart() -> None:
    session = Session(8, 10_000, resend_after_s=5.0)
    session.connect(0.0)
    session.published(NOTHING, (1, 1), 100, 1, 0.0)
    assert session.silence(4.9) is Silence.NONE
    assert session.silence(5.0) is Silence.RECONNECT  # not even the broker's PUBACK came
    session.connect(5.0)
    session.published(NOTHING, (1, 1), 100, 2, 5.0)
    session.confirmed(2, 5.0)
    assert session.silence(10.0) is Silence.OFFER_AGAIN
    assert session.cursor == NOTHING
    session.published(NOTHING, (1, 1), 100, 3, 10.0)
    session.confirmed(3, 10.0)
    assert session.silence(19.9) is Silence.NONE  # the interval doubles
    assert session.silence(20.0) is Silence.OFFER_AGAIN


def test_a_slow_platform_is_not_silent() -> None:
    session = Session(8, 10_000, resend_after_s=5.0)
    session.connect(0.0)
    for number, now_s in ((1, 0.0), (2, 4.0)):
        session.published((1, number - 1), (1, number), 100, number, now_s)
        session.confirmed(number, now_s)
        session.acknowledged((1, number), now_s + 4.0)
    session.published((1, 2), (1, 3), 100, 3, 8.0)
    session.confirmed(3, 8.0)
    assert session.silence(19.9) is Silence.NONE  # lately it took four seconds
    assert session.silence(20.0) is Silence.OFFER_AGAIN


def test_a_slow_line_is_not_dead() -> None:
    session = Session(8, 10_000, resend_after_s=5.0)
    session.connect(0.0)
    session.published(NOTHING, (1, 1), 100, 1, 0.0)
    session.moving(4.0)
    assert session.silence(8.9) is Silence.NONE
    session.confirmed(1, 8.9)
    assert session.silence(13.8) is Silence.NONE  # the platform has its five seconds from here
    assert session.silence(13.9) is Silence.OFFER_AGAIN
    session.published(NOTHING, (1, 1), 100, 2, 14.0)
    session.moving(15.0)
    assert session.silence(20.0) is Silence.RECONNECT


def test_a_replayed_ack_does_not_put_off_the_resend() -> None:
    session = Session(8, 10_000, resend_after_s=5.0)
    session.connect(0.0)
    session.published(NOTHING, (1, 1), 100, 1, 0.0)
    session.confirmed(1, 0.0)
    session.acknowledged((1, 1), 1.0)
    session.published((1, 1), (1, 2), 100, 2, 1.0)
    session.confirmed(2, 1.0)
    for now_s in (2.0, 3.0, 4.0, 5.0):
        session.acknowledged((1, 1), now_s)
    assert session.silence(6.0) is Silence.OFFER_AGAIN


def test_the_window_is_bounded_by_bytes_but_takes_one_large_batch() -> None:
    session = Session(32, 1000, resend_after_s=5.0)
    assert session.next((1, 3)) is None
    session.connect(0.0)
    session.published(NOTHING, (1, 1), 5000, 1, 0.0)
    assert session.next((1, 3)) is None
    session.acknowledged((1, 1), 1.0)
    assert session.next((1, 3)) == (1, 1)
    session.published((1, 1), (1, 2), 999, 2, 1.0)
    assert session.next((1, 3)) == (1, 2)
    session.published((1, 2), (1, 3), 999, 3, 1.0)
    assert session.next((1, 4)) is None


def test_a_new_connection_begins_at_the_ack() -> None:
    session = Session(2, 1000, resend_after_s=5.0, acked=(1, 7))
    session.connect(0.0)
    assert session.cursor == (1, 7)
    session.published((1, 7), (1, 8), 1, 1, 0.0)
    session.published((1, 8), (1, 9), 1, 2, 0.0)
    session.acknowledged((1, 8), 0.5)
    session.disconnect()
    assert session.next((1, 9)) is None
    session.connect(1.0)
    assert session.cursor == (1, 8)
    assert session.in_flight == 0


def test_reconnecting_waits_longer_each_time_and_never_the_same() -> None:
    assert reconnect_delay_s(0, 1.0) == 0.0
    assert [reconnect_delay_s(n, 1.0) for n in (1, 2, 3, 6, 99)] == [1.0, 2.0, 4.0, 30.0, 30.0]
    assert reconnect_delay_s(4, 0.25) == 2.0


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
