"""The platform's signed acknowledgement: the only thing that lets a gateway free space.

It names the highest contiguous sequence that is committed to the database and the hash of that
batch. A forged one fails its signature, a replayed one names what is acknowledged already. `top`
tells of batches that came early, ahead of a hole: it frees nothing, but a gateway whose spool ends
below it knows that its spool is a copy from before, and signs nothing into places that are taken.
"""

from dataclasses import dataclass

from tanzheng.core import cbor, closed, cose
from tanzheng.core.errors import EncodingError
from tanzheng.core.ids import identifier
from tanzheng.core.keys import SigningKey, VerifyKey

CONTENT_TYPE = "application/vnd.tanzheng.ack+cbor"
ACK_BYTES_MAX = 1024
_KEYS = frozenset({"v", "gw", "epoch", "seq", "head", "t", "top"})


@dataclass(frozen=True, slots=True)
class Ack:
    """Committed up to (`epoch`, `seq`), whose signed batch hashes to `head`, at `t_ms`.

    `top`: the highest sequence of this epoch that is committed ahead of a hole; 0 without one.
    """

    gw: str
    epoch: int
    seq: int
    head: bytes
    t_ms: int
    top: int = 0


def sign_ack(ack: Ack, key: SigningKey) -> bytes:
    """The signed bytes of `ack`."""
    body = {
        "v": 1,
        "gw": ack.gw,
        "epoch": ack.epoch,
        "seq": ack.seq,
        "head": ack.head,
        "t": ack.t_ms,
        "top": ack.top,
    }
    return cose.sign1(cbor.dumps(body), key, CONTENT_TYPE)


def open_ack(raw: bytes, platform: VerifyKey) -> Ack:
    """The acknowledgement in `raw`.

    `EncodingError` where the form is wrong, `SignatureInvalid` where `platform` did not sign it.
    """
    if len(raw) > ACK_BYTES_MAX:
        raise EncodingError(f"ack: expected at most {ACK_BYTES_MAX} bytes, got {len(raw)}")
    message = cose.decode1(raw, CONTENT_TYPE)
    message.verify(platform)
    body = closed.record(cbor.loads(message.payload, "ack"), _KEYS, "ack")
    if closed.typed(body["v"], int, "ack v") != 1:
        raise EncodingError(f"ack: expected version 1, got {body['v']!r}")
    numbers = [closed.typed(body[key], int, f"ack {key}") for key in ("epoch", "seq", "t", "top")]
    head = closed.typed(body["head"], bytes, "ack head")
    if min(numbers) < 0 or len(head) != 32:
        raise EncodingError("ack: expected numbers from 0 and a head of 32 bytes")
    epoch, seq, t_ms, top = numbers
    return Ack(identifier(body["gw"], "ack gw"), epoch, seq, head, t_ms, top)
