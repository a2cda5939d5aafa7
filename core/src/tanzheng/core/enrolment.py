"""The signed re-enrolment: how a gateway comes back after a suspension, or changes its key.

A COSE_Sign1 of the platform operator's enrolment key. It names the head after which the gateway
goes on in a new epoch, and the key that signs from then on; what was signed before stays with the
key of its time. The documents of a gateway are a chain: each names the one before by its SHA-256.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from tanzheng.core import cbor, closed, cose
from tanzheng.core.batch import GENESIS, ChainHead
from tanzheng.core.errors import CheckFailed, EncodingError
from tanzheng.core.ids import identifier
from tanzheng.core.keys import SigningKey, VerifyKey

CONTENT_TYPE = "application/vnd.tanzheng.enrolment+cbor"
ENROLMENT_BYTES_MAX = 16_384
_KEYS = frozenset(
    {"v", "gw", "previous", "old_key", "new_key", "epoch", "seq", "head", "reason", "by", "t"}
)


class EnrolmentBroken(CheckFailed):
    """The re-enrolments of a gateway do not follow one another."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Gateway `gw` goes on after `head` in epoch `head.epoch` + 1, signed by `new_key`.

    `previous`: SHA-256 of the signed document before it, `GENESIS` for the first. `by` and
    `reason` are for people; `t_ms` is when it was signed.
    """

    gw: str
    previous: bytes
    old_key: VerifyKey
    new_key: VerifyKey
    head: ChainHead
    reason: str
    by: str
    t_ms: int

    @property
    def opens_epoch(self) -> int:
        """The first epoch that `new_key` signs."""
        return self.head.epoch + 1


@dataclass(frozen=True, slots=True)
class SignedEnrolment:
    """The signed bytes with what they say."""

    raw: bytes
    enrolment: Enrolment

    @property
    def digest(self) -> bytes:
        """What the next document of the gateway names as `previous`."""
        return sha256(self.raw).digest()


def sign_enrolment(enrolment: Enrolment, key: SigningKey) -> SignedEnrolment:
    """`enrolment` signed by the operator's enrolment key; `EncodingError` for what it refuses."""
    body = {
        "v": 1,
        "gw": enrolment.gw,
        "previous": enrolment.previous,
        "old_key": enrolment.old_key.raw,
        "new_key": enrolment.new_key.raw,
        "epoch": enrolment.head.epoch,
        "seq": enrolment.head.seq,
        "head": enrolment.head.digest,
        "reason": enrolment.reason,
        "by": enrolment.by,
        "t": enrolment.t_ms,
    }
    return open_enrolment(cose.sign1(cbor.dumps(body), key, CONTENT_TYPE), key.public)


def open_enrolment(raw: bytes, operator: VerifyKey) -> SignedEnrolment:
    """The re-enrolment in `raw`.

    `EncodingError` where the form is wrong, `SignatureInvalid` where `operator` did not sign it.
    """
    if len(raw) > ENROLMENT_BYTES_MAX:
        raise EncodingError(
            f"enrolment: expected at most {ENROLMENT_BYTES_MAX} bytes, got {len(raw)}"
        )
    message = cose.decode1(raw, CONTENT_TYPE)
    message.verify(operator)
    body = closed.record(cbor.loads(message.payload, "enrolment"), _KEYS, "enrolment")
    if closed.typed(body["v"], int, "enrolment v") != 1:
        raise EncodingError(f"enrolment: expected version 1, got {body['v']!r}")
    octets = {
        name: closed.octets(body[name], 32, f"enrolment {name}")
        for name in ("previous", "old_key", "new_key", "head")
    }
    texts = {name: closed.text(body, name, "enrolment") for name in ("reason", "by")}
    for name, text in texts.items():
        if not text.strip():
            raise EncodingError(f"enrolment {name}: expected a text, got none")
    head = ChainHead(
        closed.integer(body, "epoch", "enrolment", 1),
        closed.integer(body, "seq", "enrolment", 1),
        octets["head"],
    )
    enrolment = Enrolment(
        gw=identifier(body["gw"], "enrolment gw"),
        previous=octets["previous"],
        old_key=VerifyKey(octets["old_key"]),
        new_key=VerifyKey(octets["new_key"]),
        head=head,
        reason=texts["reason"],
        by=texts["by"],
        t_ms=closed.integer(body, "t", "enrolment"),
    )
    return SignedEnrolment(raw, enrolment)


def check_history(gw: str, history: Sequence[SignedEnrolment]) -> None:
    """Return where these are the re-enrolments of `gw`, the oldest first; `EnrolmentBroken` else.

    Each names the one before and the key it left, and none opens an epoch before that one's.
    """
    previous: SignedEnrolment | None = None
    for number, signed in enumerate(history, 1):
        found = signed.enrolment
        last = previous.enrolment if previous else None
        where = f"re-enrolment {number} of gateway {gw}"
        if found.gw != gw:
            raise EnrolmentBroken(f"{where}: expected this gateway, got {found.gw}")
        digest = previous.digest if previous else GENESIS
        if found.previous != digest:
            raise EnrolmentBroken(
                f"{where}: expected previous {digest.hex()}, got {found.previous.hex()}"
            )
        if last is not None and found.old_key != last.new_key:
            raise EnrolmentBroken(
                f"{where}: expected key {last.new_key.kid.hex()} to be left, "
                f"got {found.old_key.kid.hex()}"
            )
        if last is not None and found.opens_epoch < last.opens_epoch:
            raise EnrolmentBroken(
                f"{where}: expected an epoch from {last.opens_epoch}, got {found.opens_epoch}"
            )
        previous = signed
