"""What to publish next, and what the platform's ack means: the uplink's session as a pure object.

Live first: where a backlog has gathered, the newest batch goes out at once and each one sealed
after it, too, while the backlog follows behind, oldest first. The platform keeps what comes early
and acknowledges it when the backlog has reached it.

PUBACK is the broker's word and frees nothing. It only tells, when the platform is silent, where
the silence lies: PUBACKs missing too = the connection is dead (a frozen broker, a cut line), so a
new one is needed; PUBACKs there = the platform is away, so the same batches are offered again, at
growing intervals.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from tanzheng.core.ack import Ack
from tanzheng.core.batch import ChainHead

SILENCE_FACTOR_MAX = 16
"""Against a platform that is away the interval of offering again doubles up to this factor."""
ANSWERS, ANSWER_DECAY = 3, 0.9
"""A platform that works through a backlog is slow, not silent: it gets three times what it took."""
LIVE_BATCHES = 8
"""What waits beyond this is a backlog. So many live batches may be unconfirmed beside it."""
RECEIVE_MAX = 65_535
"""MQTT's own limit of unconfirmed publications, where the broker names none."""
RECONNECT_DELAY_S_MAX = 30.0

Place = tuple[int, int]
"""(epoch, seq): the order of batches."""

NOTHING: Place = (0, 0)


class Verdict(Enum):
    """What a properly signed ack means for this spool."""

    FREES = auto()
    """It names a batch of ours: everything up to it may go."""
    STALE = auto()
    """It names what is acknowledged already: a replay or a repetition, harmless."""
    CONFLICT = auto()
    """Its hash is not that of our batch at that place: free nothing, call for help."""
    AHEAD = auto()
    """The platform holds more than we ever sealed: this spool has lost the end of its chain."""


def judge(
    ack: Ack, acked: ChainHead | None, head: ChainHead | None, own_digest: bytes | None
) -> Verdict:
    """The meaning of `ack`; `own_digest` is that of our batch at its place, None for none."""
    place = (ack.epoch, ack.seq)
    if acked is not None and place == (acked.epoch, acked.seq):
        return Verdict.STALE if ack.head == acked.digest else Verdict.CONFLICT
    if place <= place_of(acked):
        return Verdict.STALE
    if place > place_of(head):
        return Verdict.AHEAD
    return Verdict.FREES if own_digest == ack.head else Verdict.CONFLICT


def reconnect_delay_s(failures: int, chance: float) -> float:
    """How long to wait after so many failures in a row; `chance` is random, from 0 to 1.

    Exponential with full jitter, so that a thousand gateways do not come back as one.
    """
    return chance * min(RECONNECT_DELAY_S_MAX, 2.0 ** min(failures - 1, 16)) if failures else 0.0


class Silence(Enum):
    """What to do about a platform that does not answer."""

    NONE = auto()
    OFFER_AGAIN = auto()
    RECONNECT = auto()


@dataclass(frozen=True, slots=True)
class _Sent:
    """A publication without PUBACK."""

    place: Place
    live: bool


@dataclass(frozen=True, slots=True)
class _InOrder:
    """A publication that the next acks will name."""

    size: int
    sent_s: float


@dataclass(slots=True)
class Session:
    """What is published and not acknowledged. Times are monotonic seconds.

    In order at most `window_batches` batches and `window_bytes` bytes (one batch may exceed that
    alone). Live batches ahead of them wait for the backlog's acks, so only those without PUBACK
    count, up to `LIVE_BATCHES`; while the platform is silent they count as the others.
    """

    window_batches: int
    window_bytes: int
    resend_after_s: float
    connected: bool = False
    cursor: Place = NOTHING
    """Up to here all is published on this connection, or acknowledged."""
    acked: Place = NOTHING
    _ahead: list[tuple[Place, Place]] = field(default_factory=list)
    """First and last place of each run beyond the cursor that is published, rising."""
    _in_order: dict[Place, _InOrder] = field(default_factory=dict)
    _unconfirmed: dict[int, _Sent] = field(default_factory=dict)
    _receive_max: int = RECEIVE_MAX
    _progress_s: float = 0.0
    _broker_s: float = 0.0
    _silences: int = 0
    _answer_s: float = 0.0
    """How long the platform lately took for an ack."""

    def connect(self, now_s: float, receive_max: int = RECEIVE_MAX) -> None:
        """A new connection: what it carries is counted from the ack on.

        The broker takes at most `receive_max` publications without PUBACK.
        """
        self.connected = True
        self._receive_max = receive_max
        self._begin_again(now_s)

    def disconnect(self) -> None:
        """The connection is gone; nothing more may be published."""
        self.connected = False
        self.cursor = self.acked
        self._forget()

    def next(self, newest: Place) -> Place | None:
        """The place after which to look for the batch to publish now; None: nothing, or no room.

        `newest` is the last sealed batch.
        """
        if not self.connected or newest <= self.cursor:
            return None
        last = self._ahead[-1][1] if self._ahead else self.cursor
        if newest > last and self._behind(newest) and self._live_room():
            near = bool(self._ahead) and newest[1] - last[1] <= LIVE_BATCHES
            return last if near else (newest[0], newest[1] - 1)
        return self.cursor if self._room() else None

    def published(
        self, after: Place, place: Place, size: int, message_id: int, now_s: float
    ) -> None:
        """The batch at `place` (`size` bytes), found after what `next` said, went out as MQTT
        message `message_id`."""
        if not self.in_flight:
            self._progress_s = now_s
        if not self._unconfirmed:
            self._broker_s = now_s
        live = after != self.cursor
        self._unconfirmed[message_id] = _Sent(place, live)
        if not live:
            self._in_order[place] = _InOrder(size, now_s)
            self._move_to(place)
        elif self._ahead and self._ahead[-1][1] == after:
            self._ahead[-1] = (self._ahead[-1][0], place)
        else:
            self._ahead.append((place, place))

    def confirmed(self, message_id: int, now_s: float) -> None:
        """The broker took that message (PUBACK)."""
        self._broker_s = now_s
        sent = self._unconfirmed.pop(message_id, None)
        if sent is not None and not sent.live:
            self._progress_s = now_s  # on a slow line the platform's time begins here

    def moving(self, now_s: float) -> None:
        """Bytes are still on their way to the broker: the line is slow, not dead."""
        self._broker_s = now_s

    def acknowledged(self, place: Place, now_s: float) -> None:
        """The platform signed for everything up to `place`.

        A place that was acknowledged before is no progress: replayed acks must not put off the
        moment at which lost batches are offered again.
        """
        if place <= self.acked:
            return
        self.acked = place
        waits = [now_s - sent.sent_s for each, sent in self._in_order.items() if each <= place]
        self._answer_s = max([self._answer_s * ANSWER_DECAY, *waits])
        self._in_order = {each: sent for each, sent in self._in_order.items() if each > place}
        self._unconfirmed = {
            mid: sent for mid, sent in self._unconfirmed.items() if sent.place > place
        }
        self._move_to(max(self.cursor, place))
        self._progress_s = now_s
        self._silences = 0

    def silence(self, now_s: float) -> Silence:
        """What is due at `now_s`; after `OFFER_AGAIN` the cursor is back at the ack."""
        if not self.connected or not self.in_flight:
            return Silence.NONE
        if self._unconfirmed:
            dead = now_s - self._broker_s >= self.resend_after_s
            return Silence.RECONNECT if dead else Silence.NONE
        if now_s < self.deadline_s():
            return Silence.NONE
        self._silences += 1
        self._begin_again(now_s)
        return Silence.OFFER_AGAIN

    def deadline_s(self) -> float:
        """When silence becomes too long, while something is in flight."""
        longest_s = self.resend_after_s * SILENCE_FACTOR_MAX
        waited_s = self.resend_after_s * (1 << min(self._silences, 16))
        return self._progress_s + min(longest_s, max(waited_s, ANSWERS * self._answer_s))

    @property
    def in_flight(self) -> int:
        """Batches published on this connection and not acknowledged."""
        same = self.cursor[0] == self.acked[0]
        in_order = self.cursor[1] - self.acked[1] if same else len(self._in_order)
        return in_order + self._live_in_flight()

    def _live_in_flight(self) -> int:
        return sum(last[1] - first[1] + 1 for first, last in self._ahead)

    def _behind(self, newest: Place) -> bool:
        """True where a backlog lies before `newest`. Only the acknowledged epoch has one: the first
        batch of an epoch must be committed before the platform takes others of it."""
        same = newest[0] == self.cursor[0] == self.acked[0]
        return same and newest[1] - self.cursor[1] > LIVE_BATCHES

    def _live_room(self) -> bool:
        if self._silences and self._live_in_flight() >= LIVE_BATCHES:
            return False
        live = sum(sent.live for sent in self._unconfirmed.values())
        return live < LIVE_BATCHES and len(self._unconfirmed) < self._receive_max

    def _room(self) -> bool:
        """True where the next batch after the cursor may be published."""
        reserved = min(LIVE_BATCHES, self._receive_max // 4)
        if len(self._unconfirmed) >= self._receive_max - reserved:
            return False
        if len(self._in_order) >= self.window_batches:
            return False
        held = sum(sent.size for sent in self._in_order.values())
        return not self._in_order or held < self.window_bytes

    def _move_to(self, place: Place) -> None:
        """Everything up to `place` is published: take in the runs that follow it."""
        self.cursor = place
        while self._ahead and self._ahead[0][0] <= (self.cursor[0], self.cursor[1] + 1):
            self.cursor = max(self.cursor, self._ahead.pop(0)[1])

    def _begin_again(self, now_s: float) -> None:
        self.cursor = self.acked
        self._forget()
        self._progress_s = self._broker_s = now_s

    def _forget(self) -> None:
        self._ahead.clear()
        self._in_order.clear()
        self._unconfirmed.clear()


def place_of(head: ChainHead | None) -> Place:
    """Where `head` is in the order of batches."""
    return (head.epoch, head.seq) if head else NOTHING
