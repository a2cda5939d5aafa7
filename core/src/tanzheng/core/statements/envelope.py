"""What statements of every kind have in common, and how they are signed and read.

COSE_Sign1; protected header: alg, kid, content type and CWT claims (RFC 9597) with the issuer and
the subject. The payload is deterministic CBOR with text keys: those of the envelope, beside them
those of the kind. A subject's statements are a chain of their own: `seq` from 1, `prev` the SHA-256
of the signed bytes before. A correction supersedes; it never replaces.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar

from tanzheng.core import cbor, closed, cose
from tanzheng.core.errors import EncodingError
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import identifier
from tanzheng.core.keys import Algorithm, SigningKey, VerifyKey
from tanzheng.core.merkle import leaf_hash
from tanzheng.core.statements import forms
from tanzheng.core.statements.forms import (
    About,
    Count,
    Digest,
    Identifier,
    Positive,
    Text,
    optional,
    record,
)
from tanzheng.core.statements.roles import Role

CONTENT_TYPE = "application/vnd.tanzheng.statement+cbor"
STATEMENT_BYTES_MAX = 1 << 20
WHERE = "statement"

CWT_CLAIMS, ISSUER, SUBJECT = 15, 1, 2  # RFC 9597 §2, RFC 8392 §4
_HEADER_KEYS = {cose.ALG, cose.CONTENT_TYPE, cose.KID, CWT_CLAIMS}

S = TypeVar("S", bound="Envelope")
S_co = TypeVar("S_co", bound="Envelope", covariant=True)


class WrongKind(EncodingError):
    """A statement in order, but of another kind than the one that is needed here."""


@dataclass(frozen=True, slots=True)
class Supersedes:
    """The correction of an earlier statement: its digest, a reason code, who approved."""

    digest: Digest
    reason: Identifier
    approver: Text


@dataclass(frozen=True, slots=True)
class BlockReference:
    """A recent block when the statement was made: the statement is not older than it."""

    number: Count
    hash: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """`issuer` names the signer; `prev` is None exactly where `seq` is 1.

    A kind adds its fields, each annotated with its form, and says what its payload's `type` is, how
    its subjects end (the word before the first dot), and by whom it is signed.
    """

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1
    SUBJECT_KIND: ClassVar[str]
    SIGNER: ClassVar[Role]

    issuer: str
    subject: About
    seq: Positive
    prev: Annotated[bytes | None, optional(forms.octets(32))]
    supersedes: Annotated[Supersedes | None, optional(record(Supersedes))]
    not_before: Annotated[BlockReference, record(BlockReference)]

    @property
    def signer(self) -> Role:
        """The role whose key must sign this."""
        return self.SIGNER

    def check(self) -> None:
        """Return where the fields fit together; `EncodingError` otherwise. Kinds say more."""

    def encode(self) -> bytes:
        """Return the payload; `EncodingError` where a field breaks the shape."""
        carried = forms.write_fields(forms.forms_of(type(self)), self)
        payload = cbor.dumps({"type": self.TYPE, "version": self.VERSION, **carried})
        if self.decode(payload, self.issuer) != self:  # before writing and after reading
            raise EncodingError(f"{WHERE}: expected fields that survive a round trip")
        return payload

    @classmethod
    def decode(cls, payload: bytes, issuer: str) -> Self:
        """Read a payload of this kind; `EncodingError` names the wrong field.

        The issuer stands in the header.
        """
        return cls.read(closed.mapping(cbor.loads(payload, WHERE), WHERE), issuer)

    @classmethod
    def read(cls, payload: Mapping[Any, Any], issuer: str) -> Self:
        """Read the map that a payload carries, see `decode`."""
        fields = forms.forms_of(cls)
        source = closed.record(payload, ("type", "version", *fields), WHERE)
        if source["type"] != cls.TYPE:
            raise EncodingError(f"{WHERE}.type: expected {cls.TYPE!r}, got {source['type']!r}")
        closed.version(source, cls.VERSION, WHERE)
        stated = cls(issuer=issuer, **forms.take_fields(fields, source, WHERE))
        stated.check_chain()
        stated.check_subject()
        stated.check()
        return stated

    def check_chain(self) -> None:
        """Return where `seq`, `prev` and `supersedes` fit together."""
        if (self.prev is None) != (self.seq == 1):
            raise EncodingError(f"{WHERE}.prev: expected it exactly from seq 2 on")
        if self.supersedes is not None and self.prev is None:
            raise EncodingError(f"{WHERE}.supersedes: expected nothing to supersede at seq 1")

    def check_subject(self) -> None:
        """Return where the subject is of this kind: no kind supersedes another's statements."""
        if self.subject.kind.partition(".")[0] != self.SUBJECT_KIND:
            raise EncodingError(
                f"{WHERE}.subject: expected the kind {self.SUBJECT_KIND}, got {self.subject}"
            )

    def sign(self, key: SigningKey) -> "Signed[Self]":
        """Return the statement signed."""
        claims = {CWT_CLAIMS: {ISSUER: self.issuer, SUBJECT: str(self.subject)}}
        raw = cose.sign1(self.encode(), key, CONTENT_TYPE, claims)
        return read_signed(raw, {self.TYPE: type(self)})


@dataclass(frozen=True, slots=True)
class Signed(Generic[S_co]):
    """The signed bytes, which are the leaf of the log, with what they say."""

    raw: bytes
    statement: S_co
    _message: cose.Sign1 = field(repr=False, compare=False)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the signed bytes: what heads and later statements refer to."""
        return sha256(self.raw)

    @property
    def leaf_hash(self) -> bytes:
        """The digest of the leaf in the SHA-256 log."""
        return leaf_hash(self.raw)

    @property
    def kid(self) -> bytes:
        """The key id it claims to be signed with."""
        return self._message.kid

    @property
    def algorithm(self) -> Algorithm:
        """What it claims to be signed by."""
        return Algorithm(self._message.protected[cose.ALG])

    def of(self, kind: type[S]) -> S:
        """Return the statement where it is of `kind`; else `WrongKind`."""
        if not isinstance(self.statement, kind):
            raise WrongKind(f"statement: expected {kind.TYPE}, got {self.statement.TYPE}")
        return self.statement

    def verify(self, signer: VerifyKey) -> None:
        """Return where `signer` signed this; else `SignatureInvalid`."""
        self._message.verify(signer)


def read_signed(raw: bytes, kinds: Mapping[str, type[S]]) -> Signed[S]:
    """Read a signed statement of one of `kinds` by payload type; its signature is not checked."""
    if len(raw) > STATEMENT_BYTES_MAX:
        raise EncodingError(
            f"statement: expected at most {STATEMENT_BYTES_MAX} bytes, got {len(raw)}"
        )
    message = cose.decode1(raw, CONTENT_TYPE)
    if message.protected.keys() != _HEADER_KEYS:
        raise EncodingError(f"statement header: expected exactly the labels {_HEADER_KEYS}")
    claims = message.protected[CWT_CLAIMS]
    if not isinstance(claims, Mapping) or claims.keys() != {ISSUER, SUBJECT}:
        raise EncodingError("statement header: expected the claims issuer and subject")
    payload = closed.mapping(cbor.loads(message.payload, WHERE), WHERE)
    kind = kinds.get(str(payload.get("type")))
    if kind is None:
        raise EncodingError(
            f"{WHERE}.type: expected one of {[*kinds]}, got {payload.get('type')!r}"
        )
    statement = kind.read(payload, identifier(claims[ISSUER], "statement issuer"))
    if claims[SUBJECT] != str(statement.subject):
        raise EncodingError(
            f"statement header: expected the subject {statement.subject}, got {claims[SUBJECT]!r}"
        )
    return Signed(raw, statement, message)
