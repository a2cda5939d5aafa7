"""What lies in the spool before it is sealed, and its bytes. Pure.

The bytes are private to one gateway's disk: CBOR lists with a kind first. They become evidence
only when a batch is signed over what they say.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from tanzheng.core import cbor, closed
from tanzheng.core.batch import Event
from tanzheng.core.errors import EncodingError
from tanzheng.edge.abc import Outcome

_SLOT, _GAP, _EVENT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class SlotEntry:
    """One slot: an outcome for each point of the point set, and one quality for what was read."""

    slot_ms: int
    quality: int
    outcomes: tuple[Outcome, ...]

    @property
    def last_ms(self) -> int:
        return self.slot_ms

    @property
    def readings(self) -> int:
        """How many points have a value."""
        return sum(isinstance(outcome, float) for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class GapEntry:
    """Slots from `from_ms` (inclusive) to `to_ms` (exclusive) in which no point was read."""

    from_ms: int
    to_ms: int
    interval_ms: int
    reason: str

    @property
    def last_ms(self) -> int:
        return self.to_ms - self.interval_ms


@dataclass(frozen=True, slots=True)
class EventEntry:
    """Something to be told in the next batch. It moves no slot: `last_ms` is 0."""

    event: Event

    @property
    def last_ms(self) -> int:
        return 0


Entry = SlotEntry | GapEntry | EventEntry


def encode_entry(entry: Entry) -> bytes:
    """The bytes of `entry`."""
    if isinstance(entry, SlotEntry):
        return _encode_slot(entry)
    if isinstance(entry, GapEntry):
        return cbor.dumps([_GAP, entry.from_ms, entry.to_ms, entry.interval_ms, entry.reason])
    event = entry.event
    return cbor.dumps([_EVENT, event.t_ms, event.kind, dict(event.detail)])


def decode_entry(data: bytes) -> Entry:
    """The entry in `data`; `EncodingError` where the disk gave back something else."""
    parts = closed.typed(cbor.loads(data, "spool entry"), list, "spool entry")
    try:
        kind, *rest = parts
        if kind == _SLOT:
            return _decode_slot(*rest)
        if kind == _GAP:
            return GapEntry(*rest)
        if kind == _EVENT:
            return EventEntry(Event(*rest))
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise EncodingError(f"spool entry: expected a known shape, got {error}") from error
    raise EncodingError(f"spool entry: expected kind 0 to 2, got {kind!r}")


def _encode_slot(entry: SlotEntry) -> bytes:
    values = array("d")
    missed: dict[str, list[int]] = {}
    for index, outcome in enumerate(entry.outcomes):
        if isinstance(outcome, str):
            values.append(math.nan)
            missed.setdefault(outcome, []).append(index)
        else:
            values.append(outcome)
    return cbor.dumps([_SLOT, entry.slot_ms, entry.quality, values.tobytes(), missed])


def _decode_slot(
    slot_ms: int, quality: int, values: bytes, missed: dict[str, Sequence[int]]
) -> SlotEntry:
    outcomes: list[Outcome] = list(array("d", values))
    for reason, indices in missed.items():
        for index in indices:
            outcomes[index] = reason
    return SlotEntry(slot_ms, quality, tuple(outcomes))
