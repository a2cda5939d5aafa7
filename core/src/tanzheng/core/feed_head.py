"""The signed head of the registry feed: how far it goes, so that nothing is held back unseen.

{"head": {…}, "signature": "base64"}    canonical JSON; a detached COSE_Sign1 as for an item
"""

from dataclasses import dataclass, field
from typing import Any

from tanzheng.core import canonical_json, closed, cose, signed_json
from tanzheng.core.errors import EncodingError
from tanzheng.core.hashing import HASH_BYTES
from tanzheng.core.keys import SigningKey, VerifyKey

TYPE, VERSION = "tanzheng/feed-head", 1
CONTENT_TYPE = "application/vnd.tanzheng.feed-head+json"
HEAD_BYTES_MAX = 4096
_KEYS = ("type", "version", "chain_id", "contract", "seq", "digest", "block_number", "signed_ms")


@dataclass(frozen=True, slots=True)
class FeedHead:
    """`seq` and `digest` of the last item (0 and None before the first), as of `block_number`."""

    chain_id: int
    contract: bytes
    seq: int
    digest: bytes | None
    block_number: int
    signed_ms: int

    def sign(self, key: SigningKey) -> "SignedHead":
        """The head as it is served."""
        payload = canonical_json.dumps(_to_json(self))
        return open_head(signed_json.sign("head", payload, key, CONTENT_TYPE))


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The served bytes and what they say; not trusted before `verify` returned."""

    raw: bytes
    head: FeedHead
    _message: cose.Sign1 = field(repr=False, compare=False)

    @property
    def kid(self) -> bytes:
        """The key id it claims to be signed with."""
        return self._message.kid

    def verify(self, operator: VerifyKey) -> None:
        """Return where `operator` signed this; else `SignatureInvalid`."""
        self._message.verify(operator)


def open_head(raw: bytes) -> SignedHead:
    """Read a served head; `EncodingError` names the first field out of shape."""
    where = "feed head"
    head, _, message = signed_json.read(raw, "head", CONTENT_TYPE, HEAD_BYTES_MAX, where)
    return SignedHead(raw, _from_json(head), message)


def _to_json(head: FeedHead) -> dict[str, Any]:
    return {
        "type": TYPE,
        "version": VERSION,
        "chain_id": head.chain_id,
        "contract": head.contract.hex(),
        "seq": head.seq,
        "digest": head.digest.hex() if head.digest is not None else None,
        "block_number": head.block_number,
        "signed_ms": head.signed_ms,
    }


def _from_json(value: object) -> FeedHead:
    where = "feed head"
    source = closed.record(value, _KEYS, where)
    if source["type"] != TYPE:
        raise EncodingError(f"{where}.type: expected {TYPE!r}, got {source['type']!r}")
    closed.version(source, VERSION, where)
    digest, seq = source["digest"], closed.integer(source, "seq", where)
    if (digest is None) != (seq == 0):
        raise EncodingError(f"{where}.digest: expected it exactly from seq 1 on")
    return FeedHead(
        closed.integer(source, "chain_id", where, least=1),
        closed.hexadecimal(source["contract"], 20, f"{where}.contract"),
        seq,
        None if digest is None else closed.hexadecimal(digest, HASH_BYTES, f"{where}.digest"),
        closed.integer(source, "block_number", where),
        closed.integer(source, "signed_ms", where),
    )
