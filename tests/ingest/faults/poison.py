"""Messages that must not get in, and cost no good one: each with the reason it must be given."""

import copy
from collections.abc import Iterator
from typing import Any

import zstandard

from ingest.boxes import Box
from ingest.zoo import ZOO
from tanzheng.core import cbor, cose
from tanzheng.core.batch import CONTENT_TYPE, encode
from tanzheng.ingest.decide import Reason

BEFORE_THE_CHAIN = {
    Reason.SIGNATURE, Reason.ZSTD, Reason.OVERSIZE, Reason.ENCODING, Reason.TOPIC_MISMATCH,
    Reason.POINT,
}  # fmt: skip
"""What is refused by its bytes alone. A flaw of place, signed by the gateway's own key, would be
a fork, which suspends the gateway, and rightly."""
GIB = 1 << 30
BLOCK = bytes(1 << 20)


def zoo(box: Box) -> Iterator[tuple[bytes, Reason]]:
    """Payloads of the zoo, made by a twin of `box`, which stays as it is."""
    for flawed, reason in ZOO.items():
        if reason in BEFORE_THE_CHAIN:
            yield flawed(Box(box.gw, box.key, box.points)).payload, reason


def wrong_types(box: Box) -> Iterator[tuple[bytes, Reason]]:
    """Properly signed batches in which one field is of another type."""
    body = cbor.loads(encode(Box(box.gw, box.key, box.points).batch()), "batch")
    others: tuple[Any, ...] = (None, True, -1, 1.0, 1.5, "text", b"bytes", [], {}, [[]], 1 << 63)
    for name in body:
        for other in others:
            if type(other) is type(body[name]):
                continue
            changed: dict[str, Any] = copy.copy(body) | {name: other}
            raw = cose.sign1(cbor.dumps(changed), box.key, CONTENT_TYPE)
            yield zstandard.compress(raw), Reason.ENCODING


def bombs() -> Iterator[tuple[bytes, Reason]]:
    """Some ten kB that unpack to 1 GB: one says so, one says nothing, one says 1 kB."""
    honest, silent = (
        b"".join(_compressed(GIB, zstandard.ZstdCompressor().compressobj(size)))
        for size in (GIB, -1)
    )
    yield honest, Reason.OVERSIZE
    yield silent, Reason.ZSTD
    yield _lying(honest), Reason.ZSTD


def _compressed(size: int, into: Any) -> Iterator[bytes]:
    for _ in range(size // len(BLOCK)):
        yield into.compress(BLOCK)
    yield into.flush()


def _lying(frame: bytes) -> bytes:
    """The frame's own statement of its size (RFC 8878, 3.1.1.1) replaced by 1 kB."""
    stated = GIB.to_bytes(4, "little")
    assert frame.count(stated, 0, 18) == 1
    return frame.replace(stated, (1024).to_bytes(4, "little"), 1)
