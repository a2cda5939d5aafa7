"""Ed25519 keys. A key id (kid) is the first 16 bytes of SHA-256 of the raw public key."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from tanzheng.core.errors import BadInput, SignatureInvalid

KID_BYTES = 16


@dataclass(frozen=True)
class VerifyKey:
    """The public half: 32 raw bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise BadInput(f"public key: expected 32 bytes of Ed25519, got {len(self.raw)}")

    @cached_property
    def kid(self) -> bytes:
        """16 bytes that name this key."""
        return sha256(self.raw).digest()[:KID_BYTES]

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)

    def verify(self, signature: bytes, data: bytes) -> None:
        """Return where `signature` is this key's over `data`; else `SignatureInvalid`."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            raise SignatureInvalid(f"signature is not of key {self.kid.hex()}") from None

    def to_pem(self) -> bytes:
        """SubjectPublicKeyInfo, PEM."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @classmethod
    def from_pem(cls, pem: bytes, where: str = "public key") -> "VerifyKey":
        """The Ed25519 key of a PEM text; `BadInput` naming `where` for anything else."""
        try:
            key = serialization.load_pem_public_key(pem)
        except Exception as error:  # the parser raises several libraries' errors
            raise BadInput(f"{where}: expected a PEM public key, got {error}") from error
        if not isinstance(key, Ed25519PublicKey):
            raise BadInput(f"{where}: expected Ed25519, got {type(key).__name__}")
        return cls(key.public_bytes_raw())


@dataclass(frozen=True, repr=False)
class SigningKey:
    """The private half. Never printed: its repr shows the key id only."""

    _key: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.public.kid.hex()})"

    @cached_property
    def public(self) -> VerifyKey:
        return VerifyKey(self._key.public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        """64 bytes of Ed25519 signature (RFC 8032) over `data`."""
        return self._key.sign(data)

    def to_pem(self) -> bytes:
        """PKCS8 without encryption: write it with mode 0600."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @classmethod
    def generate(cls) -> "SigningKey":
        """A new key from the system's generator: for enrolment, never called by pure code."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> "SigningKey":
        """The key of a 32-byte seed (RFC 8032)."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes, where: str = "private key") -> "SigningKey":
        """The Ed25519 key of a PEM text; `BadInput` naming `where`, never the text."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except Exception:  # noqa: BLE001 – the parser's messages may quote the secret
            raise BadInput(f"{where}: expected an unencrypted PEM private key") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise BadInput(f"{where}: expected Ed25519, got {type(key).__name__}")
        return cls(key)
