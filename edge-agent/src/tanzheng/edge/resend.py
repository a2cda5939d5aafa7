"""What to publish next, and what the platform's ack means: the uplink's session as a pure object.

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
    if place <= _place(acked):
        return Verdict.STALE
    if place > _place(head):
        return Verdict.AHEAD
    return Verdict.FREES if own_digest == ack.head else Verdict.CONFLICT


class Silence(Enum):
    """What to do about a platform that does not answer."""

    NONE = auto()
    OFFER_AGAIN = auto()
    RECONNECT = auto()


@dataclass(slots=True)
class Session:
    """The window of batches that are published and not acknowledged. Times are monotonic seconds.

    At most `window_batches` batches and `window_bytes` bytes (one batch may exceed that alone).
    """

    window_batches: int
    window_bytes: int
    resend_after_s: float
    connected: bool = False
    cursor: Place = NOTHING
    """The last batch published on this connection, or the acknowledged one."""
    acked: Place = NOTHING
    _sizes: dict[Place, int] = field(default_factory=dict)
    _unconfirmed: dict[int, Place] = field(default_factory=dict)
    _progress_s: float = 0.0
    _silences: int = 0

    def connect(self, now_s: float) -> None:
        """A new connection: what it carries is counted from the ack on."""
        self.connected = True
        self._begin_again(now_s)

    def disconnect(self) -> None:
        """The connection is gone; nothing more may be published."""
        self.connected = False
        self._sizes.clear()
        self._unconfirmed.clear()

    def room(self) -> bool:
        """True where the next batch after `cursor` may be published."""
        if not self.connected or len(self._sizes) >= self.window_batches:
            return False
        return not self._sizes or sum(self._sizes.values()) < self.window_bytes

    def published(self, place: Place, size: int, message_id: int, now_s: float) -> None:
        """The batch at `place` (`size` bytes) went out as MQTT message `message_id`."""
        if not self._sizes:
            self._progress_s = now_s
        self._sizes[place] = size
        self._unconfirmed[message_id] = place
        self.cursor = place

    def confirmed(self, message_id: int) -> None:
        """The broker took that message (PUBACK)."""
        self._unconfirmed.pop(message_id, None)

    def acknowledged(self, place: Place, now_s: float) -> None:
        """The platform signed for everything up to `place`.

        A place that was acknowledged before is no progress: replayed acks must not put off the
        moment at which lost batches are offered again.
        """
        if place <= self.acked:
            return
        self.acked = place
        self.cursor = max(self.cursor, place)
        self._sizes = {each: size for each, size in self._sizes.items() if each > place}
        self._unconfirmed = {mid: each for mid, each in self._unconfirmed.items() if each > place}
        self._progress_s = now_s
        self._silences = 0

    def silence(self, now_s: float) -> Silence:
        """What is due at `now_s`; after `OFFER_AGAIN` the cursor is back at the ack."""
        if not self.connected or not self._sizes or now_s < self.deadline_s():
            return Silence.NONE
        if self._unconfirmed:
            return Silence.RECONNECT
        self._silences += 1
        self._begin_again(now_s)
        return Silence.OFFER_AGAIN

    def deadline_s(self) -> float:
        """When silence becomes too long, while something is in flight."""
        factor = min(1 << self._silences, SILENCE_FACTOR_MAX)
        return self._progress_s + self.resend_after_s * factor

    @property
    def in_flight(self) -> int:
        """Batches published and not acknowledged."""
        return len(self._sizes)

    def _begin_again(self, now_s: float) -> None:
        self.cursor = self.acked
        self._sizes.clear()
        self._unconfirmed.clear()
        self._progress_s = now_s


def _place(head: ChainHead | None) -> Place:
    return (head.epoch, head.seq) if head else NOTHING
