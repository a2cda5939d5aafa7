"""The batch: what a gateway signs, what the platform stores, what a verifier recomputes from.

A batch is a COSE_Sign1 whose payload is deterministic CBOR. Readings lie in columns (RFC 8746
typed arrays), point after point: `n[i]` readings of `points[i]`. `prev` is the SHA-256 of the
whole signed batch before it, so the batches of a gateway are one chain from the first boot;
`epoch` opens anew where a gateway has lost the end of its chain. A reading is one point at one
grid instant and its value is finite; an instant without a reading is a gap record with a reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Any

from tanzheng.core import cbor, closed, columns, cose
from tanzheng.core.columns import SPAN_MS_MAX, Column, PackedColumns
from tanzheng.core.errors import (
    ChainBroken,
    EncodingError,
    EpochInvalid,
    SequenceRepeated,
    SequenceSkipped,
    SignatureInvalid,
)
from tanzheng.core.ids import identifier
from tanzheng.core.keys import SigningKey, VerifyKey

__all__ = [
    "BATCH_BYTES_MAX", "CONTENT_TYPE", "GAPS_MAX", "GENESIS", "POINTS_MAX", "READINGS_MAX",
    "SPAN_MS_MAX", "VERSION", "Batch", "ChainHead", "ClockState", "Column", "Event", "Gap",
    "SignedBatch", "check_successor", "decode", "encode", "open_signed", "open_verified", "sign",
]  # fmt: skip

CONTENT_TYPE = "application/vnd.tanzheng.batch+cbor"
VERSION = 1
GENESIS = bytes(32)
"""`prev` of the very first batch of a gateway."""

BATCH_BYTES_MAX = 4 << 20
POINTS_MAX = 4096
READINGS_MAX = 200_000
GAPS_MAX = 10_000

_UINT8, _UINT32_LE, _FLOAT64_LE = 64, 70, 86  # RFC 8746 §2.1
_KEYS = frozenset(
    {"v", "gw", "epoch", "seq", "prev", "made", "clock", "points", "n", "t0", "t", "x", "q",
     "gaps", "events"}
)  # fmt: skip
_GAP_KEYS = frozenset({"points", "from", "to", "every", "reason"})
_EVENT_KEYS = frozenset({"t", "kind", "detail"})
_CLOCK_KEYS = frozenset({"source", "synced", "offset_us"})


@dataclass(frozen=True, slots=True)
class Gap:
    """Instants that no reading fills: from `from_ms` to before `to_ms`, each `interval_ms`.

    `points` are indices into the batch's points, rising.
    """

    points: tuple[int, ...]
    from_ms: int
    to_ms: int
    interval_ms: int
    reason: str

    @property
    def slots(self) -> range:
        """The missing instants."""
        return range(self.from_ms, self.to_ms, self.interval_ms)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to the gateway or a device: config change, epoch opened, device swap."""

    t_ms: int
    kind: str
    detail: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class ClockState:
    """Where the gateway's time comes from, whether it is synchronised, its last known offset."""

    source: str
    synced: bool
    offset_us: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """One signed step of a gateway's chain. `columns[i]` belongs to `points[i]`."""

    gw: str
    epoch: int
    seq: int
    prev: bytes
    made_ms: int
    clock: ClockState
    points: tuple[str, ...]
    columns: Sequence[Column]
    gaps: tuple[Gap, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def readings(self) -> int:
        """Number of readings in all columns."""
        if isinstance(self.columns, PackedColumns):
            return len(self.columns.packed.quality)
        return sum([len(column.t_ms) for column in self.columns])

    @property
    def span_ms(self) -> tuple[int, int] | None:
        """First and last instant of a reading or a gap; None for a batch of events only."""
        spans = [(gap.from_ms, gap.slots[-1]) for gap in self.gaps]
        if isinstance(self.columns, PackedColumns):
            spans += [self.columns.span_ms] if self.columns.span_ms else []
        else:
            instants = {id(column.t_ms): column.t_ms for column in self.columns}.values()
            spans += [(times[0], times[-1]) for times in instants if times]
        if not spans:
            return None
        first, last = zip(*spans, strict=True)
        return min(first), max(last)


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """The signed bytes with what they say. `digest` is the `prev` of the next batch."""

    raw: bytes
    batch: Batch
    _message: cose.Sign1 = field(repr=False)

    @property
    def digest(self) -> bytes:
        return sha256(self.raw).digest()

    @property
    def kid(self) -> bytes:
        """The key id it claims to be signed with."""
        return self._message.kid

    @property
    def head(self) -> "ChainHead":
        return ChainHead(self.batch.epoch, self.batch.seq, self.digest)

    def verify(self, gateway: VerifyKey) -> None:
        """Return where `gateway` signed this; else `SignatureInvalid`."""
        self._message.verify(gateway)


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last batch of a chain: its place and the SHA-256 of its signed bytes."""

    epoch: int
    seq: int
    digest: bytes


def check_successor(head: ChainHead | None, batch: Batch) -> None:
    """Return where `batch` comes right after `head` (None: nothing yet); else a `SequenceError`.

    Legal: the next sequence of the epoch, or sequence 1 of the next epoch; either way with
    `prev` = digest of the head.
    """
    place = f"{batch.gw} epoch {batch.epoch} seq {batch.seq}"
    expected = (head.epoch, head.seq + 1) if head else (1, 1)
    if (batch.epoch, batch.seq) != expected:
        _refuse_place(head, batch, f"expected epoch {expected[0]} seq {expected[1]}, got {place}")
    digest = head.digest if head else GENESIS
    if batch.prev != digest:
        raise ChainBroken(f"{place}: expected prev {digest.hex()}, got {batch.prev.hex()}")


def _refuse_place(head: ChainHead | None, batch: Batch, message: str) -> None:
    epoch = head.epoch if head else 1
    if batch.epoch == epoch + 1 and head is not None:
        if batch.seq == 1:
            return
        raise SequenceSkipped(message)
    if batch.epoch > epoch:
        raise EpochInvalid(message)
    if head is not None and (batch.epoch, batch.seq) <= (head.epoch, head.seq):
        raise SequenceRepeated(message)
    raise SequenceSkipped(message)


def sign(batch: Batch, key: SigningKey) -> SignedBatch:
    """`batch` signed by the gateway. Its columns are checked as they are written, all else is
    read back."""
    payload = encode(batch)
    _decode(payload, batch.columns)
    raw = cose.sign1(payload, key, CONTENT_TYPE)
    if len(raw) > BATCH_BYTES_MAX:
        raise EncodingError(f"batch: expected at most {BATCH_BYTES_MAX} bytes, got {len(raw)}")
    return SignedBatch(raw, batch, cose.decode1(raw, CONTENT_TYPE))


def open_signed(raw: bytes) -> SignedBatch:
    """The batch in `raw`: its form is checked, its signature not yet.

    `EncodingError` for any other bytes.
    """
    if len(raw) > BATCH_BYTES_MAX:
        raise EncodingError(f"batch: expected at most {BATCH_BYTES_MAX} bytes, got {len(raw)}")
    message = cose.decode1(raw, CONTENT_TYPE)
    return SignedBatch(raw, decode(message.payload), message)


def open_verified(raw: bytes, keys: Iterable[VerifyKey]) -> SignedBatch:
    """The batch in `raw`, signed by one of `keys`: nothing of it is read before that is known.

    `EncodingError` for bytes that are no batch, `SignatureInvalid`.
    """
    if len(raw) > BATCH_BYTES_MAX:
        raise EncodingError(f"batch: expected at most {BATCH_BYTES_MAX} bytes, got {len(raw)}")
    message = cose.decode1(raw, CONTENT_TYPE)
    for key in keys:
        if key.kid == message.kid:
            message.verify(key)
            break
    else:
        raise SignatureInvalid(f"expected a key of the gateway, got {message.kid.hex()}")
    return SignedBatch(raw, decode(message.payload), message)


def encode(batch: Batch) -> bytes:
    """The payload of `batch`; `EncodingError` where its columns are not what `Column` says, or
    span more than 49 days."""
    readings = columns.pack(batch.columns)
    body = {
        "v": VERSION,
        "gw": batch.gw,
        "epoch": batch.epoch,
        "seq": batch.seq,
        "prev": batch.prev,
        "made": batch.made_ms,
        "clock": {
            "source": batch.clock.source,
            "synced": batch.clock.synced,
            "offset_us": batch.clock.offset_us,
        },
        "points": list(batch.points),
        "n": readings.counts,
        "t0": readings.t0,
        "t": cbor.Tag(_UINT32_LE, readings.offsets),
        "x": cbor.Tag(_FLOAT64_LE, readings.values),
        "q": cbor.Tag(_UINT8, readings.quality),
        "gaps": [_encode_gap(gap) for gap in batch.gaps],
        "events": [
            {"t": event.t_ms, "kind": event.kind, "detail": dict(event.detail)}
            for event in batch.events
        ],
    }
    return cbor.dumps(body)


def decode(payload: bytes) -> Batch:
    """The batch in `payload`; `EncodingError` or `BadInput` naming the field that is wrong."""
    return _decode(payload, None)


def _decode(payload: bytes, known: Sequence[Column] | None) -> Batch:
    """The same; columns that are `known` to be those of `payload` are not read again."""
    body = closed.record(cbor.loads(payload, "batch"), _KEYS, "batch")
    if closed.typed(body["v"], int, "batch v") != VERSION:
        raise EncodingError(f"batch: expected version {VERSION}, got {body['v']!r}")
    points = _points(_items(body["points"], POINTS_MAX, "points"))
    prev = closed.typed(body["prev"], bytes, "batch prev")
    if len(prev) != 32:
        raise EncodingError(f"batch prev: expected 32 bytes, got {len(prev)}")
    return Batch(
        gw=identifier(body["gw"], "batch gw"),
        epoch=_number(body["epoch"], "epoch", 1),
        seq=_number(body["seq"], "seq", 1),
        prev=prev,
        made_ms=_number(body["made"], "made"),
        clock=_clock(body["clock"]),
        points=points,
        columns=_columns(body, len(points)) if known is None else known,
        gaps=tuple(_gap(gap, len(points)) for gap in _items(body["gaps"], GAPS_MAX, "gaps")),
        events=tuple(_event(event) for event in _items(body["events"], GAPS_MAX, "events")),
    )


def _columns(body: Mapping[str, Any], points: int) -> PackedColumns:
    counts = list(_items(body["n"], POINTS_MAX, "n"))
    if {*map(type, counts)} - {int} or min(counts, default=0) < 0:
        counts = [_number(count, "n") for count in counts]  # which names the one that is wrong
    total = sum(counts)
    if len(counts) != points or total > READINGS_MAX:
        raise EncodingError(
            f"batch n: expected {points} counts with a sum up to {READINGS_MAX}, "
            f"got {len(counts)} with {total}"
        )
    return PackedColumns(
        columns.Packed(
            counts,
            _number(body["t0"], "t0"),
            _typed_array(body["t"], _UINT32_LE, 4 * total, "t"),
            _typed_array(body["x"], _FLOAT64_LE, 8 * total, "x"),
            _typed_array(body["q"], _UINT8, total, "q"),
        )
    )


def _typed_array(value: Any, tag: int, size: int, name: str) -> bytes:
    if not isinstance(value, cbor.Tag) or value.tag != tag or not isinstance(value.value, bytes):
        raise EncodingError(f"batch {name}: expected an RFC 8746 array with tag {tag}")
    if len(value.value) != size:
        raise EncodingError(f"batch {name}: expected {size} bytes, got {len(value.value)}")
    return value.value


def _encode_gap(gap: Gap) -> dict[str, Any]:
    return {
        "points": list(gap.points),
        "from": gap.from_ms,
        "to": gap.to_ms,
        "every": gap.interval_ms,
        "reason": gap.reason,
    }


def _gap(value: Any, points: int) -> Gap:
    body = closed.record(value, _GAP_KEYS, "batch gap")
    indices = tuple(
        _number(item, "gap points") for item in _items(body["points"], POINTS_MAX, "gap")
    )
    if not indices or indices[-1] >= points or any(b <= a for a, b in pairwise(indices)):
        raise EncodingError("batch gap: expected rising indices of the batch's points")
    begin, end = _number(body["from"], "gap from"), _number(body["to"], "gap to")
    every = _number(body["every"], "gap every", 1)
    if not begin < end <= begin + SPAN_MS_MAX * 1000:
        raise EncodingError(f"batch gap: expected from < to, got {begin} and {end}")
    return Gap(indices, begin, end, every, identifier(body["reason"], "gap reason"))


def _event(value: Any) -> Event:
    body = closed.record(value, _EVENT_KEYS, "batch event")
    detail = closed.mapping(body["detail"], "event detail")
    for key, item in detail.items():
        if not isinstance(key, str) or not isinstance(item, (str, int)):
            raise EncodingError("event detail: expected text keys with text or whole numbers")
    return Event(_number(body["t"], "event t"), identifier(body["kind"], "event kind"), detail)


def _clock(value: Any) -> ClockState:
    body = closed.record(value, _CLOCK_KEYS, "batch clock")
    offset = closed.typed(body["offset_us"], int, "clock offset_us")
    synced = closed.typed(body["synced"], bool, "clock synced")
    return ClockState(identifier(body["source"], "clock source"), synced, offset)


def _items(value: Any, count_max: int, name: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)) or len(value) > count_max:
        raise EncodingError(f"batch {name}: expected a list of at most {count_max}")
    return value


def _number(value: Any, name: str, least: int = 0) -> int:
    number = closed.typed(value, int, f"batch {name}")
    if not least <= number < 2**53:
        raise EncodingError(f"batch {name}: expected a number from {least}, got {number}")
    return number


def _points(items: Sequence[Any]) -> tuple[str, ...]:
    try:
        return _checked_points(tuple(items))
    except TypeError:  # a list or map among them, which the cache cannot look up
        raise EncodingError("batch points: expected texts") from None


@lru_cache(maxsize=256)  # a gateway's point set is the same in every batch
def _checked_points(names: tuple[object, ...]) -> tuple[str, ...]:
    texts = tuple(closed.typed(name, str, "batch point") for name in names)
    for name in texts:
        device, _, quantity = name.partition("/")
        identifier(device, "batch point device")
        identifier(quantity, "batch point field")
    if len(set(texts)) != len(texts):
        raise EncodingError("batch points: expected each point once")
    return texts
