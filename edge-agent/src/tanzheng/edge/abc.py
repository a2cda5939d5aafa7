"""What the agent asks of the parts that read, and what it offers them, whatever the protocol.

A *line* owns one endpoint: a TCP address, a serial port, a listening socket, a broker. Everything
behind it is read through it and by nobody else. At each slot the acquisition starts a round on
every line that is idle; a line that is still busy misses that slot for its own points only.
Points are indices into `Plan.points`, which are the columns of every batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from tanzheng.core.batch import ClockState, Event
from tanzheng.edge.timekeeping.scheduler import Grid

if TYPE_CHECKING:
    from array import array

    from tanzheng.edge.owed import OwedSlots


SLOW_EVERY = 10
"""Where no field is slow: what a device tells of itself, its ratios, is read so often."""


# Takes and rounds are made tens of thousands of times a second: a frozen dataclass costs 1.2 µs
# more each (measured), an eighth of a request. Nobody changes one.
@dataclass(slots=True)
class Take:
    """Values of some points that were sampled at one instant, equally long.

    `t_ms` (UTC) is the moment the reply arrived, or the device's own time stamp. `values` are
    finite, in the dictionary's unit; `quality` has a `core.quality.Quality` code for each.
    """

    t_ms: int
    points: tuple[int, ...]
    values: "array[float]"
    quality: bytes


@dataclass(frozen=True, slots=True)
class Miss:
    """Points that gave no value for a slot, and why (an identifier: `comms_timeout` …).

    `slots` None: for the slot of the round. What sends by itself is judged later than that.
    """

    points: tuple[int, ...]
    reason: str
    slots: range | None = None


@dataclass(slots=True)
class Round:
    """What came of one line at one slot: each due point is in one take or in one miss."""

    takes: Sequence[Take] = ()
    misses: Sequence[Miss] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """One device of the plan, and the index of its first point; `fields[i]` is point `first + i`.

    `link` is checked against the `link.schema.json` of the driver that its `protocol` names,
    `profile` is `Profile.to_plan()`. Its slots are counted in `interval_ms` from `phase_ms`, which
    lies within an hour: that of a longer interval is right, too. `slow_fields` belong to every
    `slow_every`-th of its slots only.
    """

    id: str
    link: Mapping[str, Any]
    profile: Mapping[str, Any]
    fields: tuple[str, ...]
    first: int
    interval_ms: int
    phase_ms: int = 0
    slow_fields: tuple[str, ...] = ()
    slow_every: int = SLOW_EVERY

    @property
    def grid(self) -> Grid:
        """Its own slots."""
        return Grid(self.interval_ms, self.phase_ms % self.interval_ms)

    @property
    def slow_grid(self) -> Grid:
        """The slots of its slow fields."""
        interval_ms = self.slow_every * self.interval_ms
        return Grid(interval_ms, self.phase_ms % interval_ms)

    def has_slot(self, slot_ms: int) -> bool:
        """Whether a slot of the gateway is one of the device's."""
        return (slot_ms - self.phase_ms) % self.interval_ms == 0

    def is_slow(self, slot_ms: int) -> bool:
        """Whether it is one at which everything is read, slow fields and ratios too."""
        return (slot_ms - self.phase_ms) % (self.slow_every * self.interval_ms) == 0


class Line(Protocol):
    """One endpoint with the devices behind it. Nothing here raises for what a peer does."""

    @property
    def name(self) -> str:
        """The endpoint, for logs and metrics: `192.0.2.1:502`, `/dev/ttyS1`, `hj212 :9212`."""
        ...

    def due(self, slot_ms: int) -> tuple[int, ...]:
        """The points that this slot is for: those whose interval has come round."""
        ...

    def start(self, slot_ms: int, finished: Callable[[Round], None]) -> None:
        """Begin a round. `finished` is called exactly once, in the event loop, perhaps at once.

        Called again only after that.
        """
        ...

    def status(self) -> Mapping[str, Any]:
        """For people: per device, is it answering, last reason, successes and failures so far."""
        ...

    def close(self) -> None:
        """Let the endpoint go. A round under way is finished here and now, with what it has read
        so far. The line is not used afterwards."""
        ...


class Sink(Protocol):
    """Where a line puts what arrives by itself, outside of any round."""

    async def commit(self, takes: Sequence[Take], events: Sequence[Event] = ()) -> None:
        """Return when all of it is durable; only then may the sender be told so.

        `SpoolFull` where there is no room: say nothing to the sender, it keeps what it has.
        """
        ...


class Source(Line, Protocol):
    """A line whose devices send by themselves. Its rounds have misses only, for slots gone by."""

    @property
    def owed(self) -> Sequence["OwedSlots"]:
        """The account of each device."""
        ...

    async def run(self, sink: Sink) -> None:
        """Receive until cancelled; a peer that fails is tried again, never raised."""
        ...


def is_source(line: Line) -> TypeGuard[Source]:
    """Whether `line` receives by itself."""
    return hasattr(line, "run")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the agent gives to every line.

    `now_ms` is plant time; `note` puts an event into the next entry of the spool; `suspect` says
    of a counter's value (point, value, t_ms) whether it steps back or leaps, so that it should be
    read again before it is believed; `interval_ms` and `phase_ms` are the gateway's grid.
    """

    now_ms: Callable[[], int]
    note: Callable[[Event], None]
    suspect: Callable[[int, float, int], bool]
    interval_ms: int
    phase_ms: int


class Clock(Protocol):
    """Where slots come from. Time-outs, retries and keep-alives never use it: they are real."""

    @property
    def waits(self) -> bool:
        """True where time stands still until a slot is done: then no slot has a deadline."""
        ...

    @property
    def ahead(self) -> int:
        """Where time waits: so many slots may be read before the first of them is durable."""
        ...

    async def start(self, durable_ms: int | None) -> int:
        """Begin; the instant (UTC ms) after which the first slot may lie is returned.

        `durable_ms` is the newest slot in the spool, None for an empty one.
        """
        ...

    async def next_slot(self) -> int | None:
        """Wait for the next slot (UTC ms); None where time has come to its end."""
        ...

    def done(self, slot_ms: int, readings: int, missed: int) -> None:
        """The slot is durable with that many readings and points not read. Told in their order."""
        ...

    def now_ms(self) -> int:
        """This clock's present instant, UTC ms."""
        ...

    def state(self) -> ClockState:
        """Source, synchronisation and offset, for the batch header."""
        ...

    def synced_at(self, t_ms: int) -> bool:
        """Whether the clock was to be trusted at that instant, which lies a few slots back at most:
        what was read before it stepped may be handed in afterwards."""
        ...

    def close(self) -> None:
        """Let go of the source of time."""
        ...
