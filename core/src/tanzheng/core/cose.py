"""COSE_Sign1 (RFC 9052 §4.2) with EdDSA or ES256, the only signature format of Tanzheng.

The protected header holds alg (1), content type (3) and kid (4), and what the caller adds. The
unprotected header is empty unless the caller's format says otherwise (RFC 9942 receipts), because
nothing there is signed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tanzheng.core import cbor, closed
from tanzheng.core.errors import EncodingError, SignatureInvalid
from tanzheng.core.keys import KID_BYTES, SIGNATURE_BYTES, Algorithm, SigningKey, VerifyKey

ALG, CONTENT_TYPE, KID = 1, 3, 4
SIGN1_TAG = 18
ALGORITHMS = frozenset(Algorithm)

# Payloads of a megabyte are joined, not encoded: that copies them once, not three times.
_LIST_OF_4 = b"\x84"
_SIGN1_HEAD = b"\xd2" + _LIST_OF_4
"""How every tagged COSE_Sign1 begins."""
_TO_BE_SIGNED_HEAD = _LIST_OF_4 + cbor.dumps("Signature1")


@dataclass(frozen=True, slots=True)
class Sign1:
    """A decoded COSE_Sign1. Nothing in it is trusted before `verify` returned."""

    protected_bytes: bytes
    protected: Mapping[Any, Any]
    unprotected: Mapping[Any, Any]
    payload: bytes
    signature: bytes = field(repr=False)

    @property
    def kid(self) -> bytes:
        return bytes(self.protected[KID])

    @property
    def content_type(self) -> str:
        return str(self.protected[CONTENT_TYPE])

    def verify(self, public: VerifyKey) -> None:
        """Return where `public` signed this; else `SignatureInvalid`."""
        if self.kid != public.kid:
            raise SignatureInvalid(
                f"expected a signature of key {public.kid.hex()}, got one of {self.kid.hex()}"
            )
        if self.protected[ALG] != public.algorithm:
            raise SignatureInvalid(
                f"expected alg {public.algorithm} of key {public.kid.hex()}, "
                f"got {self.protected[ALG]}"
            )
        public.verify(self.signature, _to_be_signed(self.protected_bytes, self.payload))


def sign1(
    payload: bytes,
    key: SigningKey,
    content_type: str,
    extra_protected: Mapping[int, Any] | None = None,
    unprotected: Mapping[int, Any] | None = None,
    detached: bool = False,
) -> bytes:
    """The tagged COSE_Sign1 of `payload`; with `detached` the payload is signed but not carried."""
    protected = cbor.dumps(
        {
            ALG: int(key.public.algorithm),
            CONTENT_TYPE: content_type,
            KID: key.public.kid,
            **(extra_protected or {}),
        }
    )
    signature = key.sign(_to_be_signed(protected, payload))
    carried = (cbor.dumps(None),) if detached else (cbor.bytes_head(len(payload)), payload)
    return b"".join(
        (_SIGN1_HEAD, cbor.dumps(protected), cbor.dumps(dict(unprotected or {})), *carried,
         cbor.dumps(signature))
    )  # fmt: skip


def decode1(
    data: bytes,
    content_type: str,
    detached_payload: bytes | None = None,
    unprotected_allowed: bool = False,
) -> Sign1:
    """The parts of a COSE_Sign1 of `content_type`; `EncodingError` where the form is wrong.

    `detached_payload` is given exactly where the format carries none. The signature is not
    checked here: call `Sign1.verify`.
    """
    what = f"COSE_Sign1 {content_type}"
    tag = closed.typed(cbor.loads(data, what), cbor.Tag, what)
    if tag.tag != SIGN1_TAG or not isinstance(tag.value, (list, tuple)) or len(tag.value) != 4:
        raise EncodingError(f"{what}: expected tag 18 with 4 parts, got tag {tag.tag}")
    protected_bytes, unprotected, payload, signature = tag.value
    protected = _protected(
        closed.typed(protected_bytes, bytes, f"{what} header"), content_type, what
    )
    closed.mapping(unprotected, f"{what} unprotected header")
    if unprotected and not unprotected_allowed:
        raise EncodingError(f"{what}: expected an empty unprotected header")
    if detached_payload is not None and payload is not None:
        raise EncodingError(f"{what}: expected a detached payload, got one inside")
    carried = payload if detached_payload is None else detached_payload
    body = closed.typed(carried, bytes, f"{what} payload")
    if len(closed.typed(signature, bytes, f"{what} signature")) != SIGNATURE_BYTES:
        raise EncodingError(f"{what}: expected a signature of 64 bytes, got {len(signature)}")
    return Sign1(protected_bytes, protected, unprotected, body, signature)


def _protected(data: bytes, content_type: str, what: str) -> dict[Any, Any]:
    header = closed.typed(cbor.loads(data, f"{what} header"), dict, f"{what} header")
    algorithm = header.get(ALG)
    known = type(algorithm) is int and algorithm in ALGORITHMS
    if not known or header.get(CONTENT_TYPE) != content_type:
        raise EncodingError(
            f"{what}: expected EdDSA or ES256 and that content type, "
            f"got alg {algorithm!r}, content type {header.get(CONTENT_TYPE)!r}"
        )
    kid = header.get(KID)
    if not isinstance(kid, bytes) or len(kid) != KID_BYTES:
        raise EncodingError(f"{what}: expected a key id of {KID_BYTES} bytes")
    return header


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    return b"".join(
        (_TO_BE_SIGNED_HEAD, cbor.dumps(protected), cbor.dumps(b""), cbor.bytes_head(len(payload)),
         payload)
    )  # fmt: skip
