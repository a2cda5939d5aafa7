"""What a message from a gateway is, and what can be said of it without knowing its history.

`examine` unpacks the message and checks form, signer, points and time: it costs the time and
needs no database. `chain.decide` then puts the batch into its place. What cannot be accepted goes
to quarantine with a `Reason`.

    message ─examine─▶ Refused                       → quarantine
                     └▶ Checked ─decide─▶ Accept     → stored, acknowledged
                                        ├▶ Early     → stored, acknowledged with its predecessors
                                        ├▶ Duplicate → acknowledged
                                        └▶ Refused   → quarantine
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from tanzheng.core import wire
from tanzheng.core.batch import Batch, SignedBatch
from tanzheng.core.errors import BadInput, SignatureInvalid
from tanzheng.core.topics import gateway_of
from tanzheng.ingest.enrolment import Gateway

# How far a gateway's clock may run ahead of ours. Behind is no fault: a spool may be months old.
AHEAD_MS_MAX = 5 * 60_000


class Reason(StrEnum):
    """Why a message is in quarantine; kept in the database."""

    TOPIC = "topic_unknown"
    GATEWAY = "gateway_unknown"
    OVERSIZE = "oversize"
    ZSTD = "zstd_invalid"
    ENCODING = "encoding_invalid"
    SIGNATURE = "signature_invalid"
    TOPIC_MISMATCH = "topic_mismatch"
    POINT = "point_unknown"
    FUTURE = "time_in_future"
    SKIPPED = "sequence_skipped"
    CHAIN = "chain_broken"
    EPOCH = "epoch_invalid"
    CLOSED = "epoch_closed"
    FORK = "sequence_forked"
    SUSPENDED = "gateway_suspended"
    FAULT = "ingest_fault"


@dataclass(frozen=True, slots=True)
class Message:
    """A publication as it came from the broker."""

    topic: str
    payload: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch of an enrolled gateway, signed by its key, with known points, not of the future."""

    message: Message
    batch: Batch
    kid: bytes
    digest: bytes
    size_bytes: int
    """Of the signed bytes. They are not kept: the message has them, a fifth as large."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Into quarantine. `digest` names the content, `gw` the enrolled gateway of the topic."""

    message: Message
    gw: str | None
    digest: bytes
    reason: Reason
    detail: str


def examine(message: Message, gateways: Mapping[str, Gateway]) -> Checked | Refused:
    """Everything that can be said about a message without knowing the gateway's history."""
    gw = gateway_of(message.topic)
    gateway = gateways.get(gw or "")
    digest = sha256(message.payload).digest()
    if gateway is None:
        reason = Reason.GATEWAY if gw else Reason.TOPIC
        detail = f"expected the batch topic of an enrolled gateway, got {message.topic!r}"
        return Refused(message, None, digest, reason, detail)
    try:
        raw = _unpack(message.payload)
        digest = sha256(raw).digest()
        signed = _check(raw, gateway, message.received_ms)
        return Checked(message, signed.batch, signed.kid, digest, len(raw))
    except _Refusal as refusal:
        return Refused(message, gateway.gw, digest, refusal.reason, refusal.detail)


def fault(message: Message, error: Exception) -> Refused:
    """A fault of ours, with a message that may be quite right: kept until we are mended."""
    detail = f"{type(error).__name__}: {error}".replace("\0", "")
    return Refused(message, None, sha256(message.payload).digest(), Reason.FAULT, detail)


def refuse(checked: Checked, reason: Reason, detail: str) -> Refused:
    """The refusal of a batch that is well made but has no place."""
    return Refused(checked.message, checked.batch.gw, checked.digest, reason, detail)


class _Refusal(Exception):
    """The way out of `examine`; never leaves this module."""

    def __init__(self, reason: Reason, detail: object) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = str(detail)


def _unpack(payload: bytes) -> bytes:
    try:
        return wire.unpack(payload)
    except wire.FrameTooLarge as error:
        raise _Refusal(Reason.OVERSIZE, error) from error
    except wire.FrameInvalid as error:
        raise _Refusal(Reason.ZSTD, error) from error


def _check(raw: bytes, gateway: Gateway, received_ms: int) -> SignedBatch:
    try:
        signed = gateway.open(raw)
    except BadInput as error:
        raise _Refusal(Reason.ENCODING, error) from error
    except SignatureInvalid as error:
        raise _Refusal(Reason.SIGNATURE, error) from error
    batch = signed.batch
    if batch.gw != gateway.gw:
        raise _Refusal(Reason.TOPIC_MISMATCH, f"expected gw {gateway.gw}, got {batch.gw}")
    if unknown := set(batch.points).difference(gateway.points):
        raise _Refusal(Reason.POINT, f"expected a point of the plant file, got {min(unknown)!r}")
    if (latest := _latest_ms(signed)) > received_ms + AHEAD_MS_MAX:
        raise _Refusal(
            Reason.FUTURE,
            f"expected instants up to {received_ms + AHEAD_MS_MAX} ms, got {latest} ms",
        )
    return signed


def _latest_ms(signed: SignedBatch) -> int:
    span = signed.batch.span_ms or (0, 0)
    return max([span[1], *(event.t_ms for event in signed.batch.events)])
