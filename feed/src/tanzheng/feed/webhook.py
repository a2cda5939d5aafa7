"""The signature of a delivery: the operator's Ed25519 key over receiver, time and body. Pure.

    Tanzheng-Subscriber: NAME            for whom it is
    Tanzheng-Timestamp: 1790000000       seconds since 1970
    Tanzheng-Key: 16 bytes in hex        which key
    Tanzheng-Signature: base64           over "tanzheng/webhook/1 LF NAME LF TIMESTAMP LF" and body

The body is lines of the feed. A delivery can come twice: whoever books looks at each item's `seq`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tanzheng.core import base64_text
from tanzheng.core.errors import SignatureInvalid
from tanzheng.feed.errors import NotProved

if TYPE_CHECKING:
    from tanzheng.core.keys import SigningKey, VerifyKey

SUBSCRIBER, TIMESTAMP = "tanzheng-subscriber", "tanzheng-timestamp"
KEY, SIGNATURE = "tanzheng-key", "tanzheng-signature"
REPLAY_S_MAX = 300
SIGNATURE_BYTES = 64


def sign(key: SigningKey, subscriber: str, now_s: int, body: bytes) -> dict[str, str]:
    """The headers of a delivery."""
    signature = key.sign(_message(subscriber, str(now_s), body))
    return {
        SUBSCRIBER: subscriber,
        TIMESTAMP: str(now_s),
        KEY: key.public.kid.hex(),
        SIGNATURE: base64_text.encode(signature),
    }


def check(
    headers: Mapping[str, str], subscriber: str, body: bytes, key: VerifyKey, now_s: int
) -> None:
    """Return where the operator signed this delivery for `subscriber` a short time ago.

    `headers` by lower-case name. `NotProved` for another receiver or time, `SignatureInvalid`.
    """
    told = {name: headers.get(name, "") for name in (SUBSCRIBER, TIMESTAMP, KEY, SIGNATURE)}
    if told[SUBSCRIBER] != subscriber or told[KEY] != key.kid.hex():
        raise NotProved(
            f"webhook: expected one for {subscriber} by key {key.kid.hex()}, got one for "
            f"{told[SUBSCRIBER]!r:.80} by {told[KEY]!r:.80}"
        )
    stamp = told[TIMESTAMP]
    is_number = stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12
    if not is_number or abs(int(stamp) - now_s) > REPLAY_S_MAX:
        raise NotProved(f"webhook: expected a time within {REPLAY_S_MAX} s, got {stamp!r:.40}")
    signature = base64_text.decode(told[SIGNATURE], SIGNATURE_BYTES, "webhook signature")
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureInvalid(f"webhook: expected a signature of {SIGNATURE_BYTES} bytes")
    key.verify(signature, _message(subscriber, stamp, body))


def _message(subscriber: str, stamp: str, body: bytes) -> bytes:
    return f"tanzheng/webhook/1\n{subscriber}\n{stamp}\n".encode() + body
