"""Keys that sign: Ed25519 (EdDSA) and P-256 (ES256). A key says by its form which one it is.

A key id (kid) is the first 16 bytes of SHA-256 of the raw public key: the 32 bytes of RFC 8032 for
Ed25519; for P-256 the compressed point, 02 or 03 and x, 33 bytes (SEC 1 v2, §2.3.3), the one of its
encodings that is as short as it is unambiguous.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from hashlib import sha256
from typing import TypeGuard

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from tanzheng.core.errors import BadInput, EncodingError, SignatureInvalid

KID_BYTES = 16
SIGNATURE_BYTES = 64
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # SEC 2 §2.4.2

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey
PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey


class Algorithm(IntEnum):
    """COSE algorithm numbers (RFC 9053 §2.1, §2.2)."""

    ES256 = -7
    EDDSA = -8


RAW_BYTES = {32: Algorithm.EDDSA, 33: Algorithm.ES256}


@dataclass(frozen=True)
class VerifyKey:
    """The public half: 32 raw bytes of Ed25519, or 33 of a compressed P-256 point."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) not in RAW_BYTES:
            raise BadInput(
                f"public key: expected 32 bytes of Ed25519 or 33 of P-256, got {len(self.raw)}"
            )
        if self.algorithm is Algorithm.ES256:
            try:
                _ = self._key
            except ValueError:
                raise BadInput("public key: expected a point of P-256, got none") from None

    @property
    def algorithm(self) -> Algorithm:
        """What it verifies."""
        return RAW_BYTES[len(self.raw)]

    @cached_property
    def kid(self) -> bytes:
        """16 bytes that name this key."""
        return sha256(self.raw).digest()[:KID_BYTES]

    @cached_property
    def _key(self) -> PublicKey:
        if self.algorithm is Algorithm.EDDSA:
            return Ed25519PublicKey.from_public_bytes(self.raw)
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), self.raw)

    def verify(self, signature: bytes, data: bytes) -> None:
        """Return where `signature` is this key's over `data`; else `SignatureInvalid`."""
        try:
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, data)
            else:
                self._key.verify(_der(signature), data, ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise SignatureInvalid(f"signature is not of key {self.kid.hex()}") from None

    def to_pem(self) -> bytes:
        """SubjectPublicKeyInfo, PEM."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @classmethod
    def from_pem(cls, pem: bytes, where: str = "public key") -> "VerifyKey":
        """The Ed25519 or P-256 key of a PEM text; `BadInput` naming `where` for anything else."""
        try:
            key = serialization.load_pem_public_key(pem)
        except Exception as error:  # the parser raises several libraries' errors
            raise BadInput(f"{where}: expected a PEM public key, got {error}") from error
        if not _is_ours(key):
            raise BadInput(f"{where}: expected Ed25519 or P-256, got {type(key).__name__}")
        return cls(_raw(key))

    @classmethod
    def from_hex(cls, value: object, where: str) -> "VerifyKey":
        """The key whose raw bytes are written in lower-case hexadecimal; else `EncodingError`."""
        try:
            raw = bytes.fromhex(value) if isinstance(value, str) else b""
            if raw.hex() == value:
                return cls(raw)
        except (ValueError, BadInput):
            pass
        shown = repr(value)[:80]
        raise EncodingError(
            f"{where}: expected 32 or 33 bytes of a key in hexadecimal, got {shown}"
        )


@dataclass(frozen=True, repr=False)
class SigningKey:
    """The private half. Never printed: its repr shows the key id only."""

    _key: PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.public.kid.hex()})"

    @cached_property
    def public(self) -> VerifyKey:
        return VerifyKey(_raw(self._key.public_key()))

    def sign(self, data: bytes) -> bytes:
        """64 bytes over `data`: RFC 8032, or r ‖ s of ECDSA (RFC 9053 §2.1); equal for equal data.

        ECDSA takes its nonce from key and data (RFC 6979) and the smaller of s and n - s.
        """
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(data)
        r, s = decode_dss_signature(
            self._key.sign(data, ECDSA(hashes.SHA256(), deterministic_signing=True))
        )
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")

    def to_pem(self) -> bytes:
        """PKCS8 without encryption: write it with mode 0600."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.EDDSA) -> "SigningKey":
        """A new key from the system's generator: for enrolment, never called by pure code."""
        if algorithm is Algorithm.ES256:
            return cls(generate_private_key(SECP256R1()))
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> "SigningKey":
        """The Ed25519 key of a 32-byte seed (RFC 8032)."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes, where: str = "private key") -> "SigningKey":
        """The Ed25519 or P-256 key of a PEM text; `BadInput` naming `where`, never the text."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except Exception:  # noqa: BLE001 – the parser's messages may quote the secret
            raise BadInput(f"{where}: expected an unencrypted PEM private key") from None
        if not isinstance(key, PrivateKey) or not _is_ours(key.public_key()):
            raise BadInput(f"{where}: expected Ed25519 or P-256, got {type(key).__name__}")
        return cls(key)


def _is_ours(key: object) -> TypeGuard[PublicKey]:
    if isinstance(key, EllipticCurvePublicKey):
        return isinstance(key.curve, SECP256R1)
    return isinstance(key, Ed25519PublicKey)


def _raw(key: PublicKey) -> bytes:
    if isinstance(key, Ed25519PublicKey):
        return key.public_bytes_raw()
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


def _der(signature: bytes) -> bytes:
    """What the library takes for r ‖ s; InvalidSignature where s is the larger of the two.

    (r, n - s) is as valid as (r, s), so anyone could give signed bytes another hash.
    """
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
    if len(signature) != SIGNATURE_BYTES or s > P256_ORDER // 2:
        raise InvalidSignature
    return encode_dss_signature(r, s)
