"""What a witness signs over a checkpoint, and how many of them a verifier wants.

A cosignature is a COSE_Sign1 over CBOR [tag, SHA-256 of the signed checkpoint, seq, time]: it says
"this checkpoint extends the last one that I cosigned of this log". The cosignatures of a checkpoint
travel as one CBOR list, sorted by key id: as a file of the log, and beside a receipt's core.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tanzheng.core import cbor, closed, cose
from tanzheng.core.checkpoint import SignedCheckpoint
from tanzheng.core.errors import CheckFailed, EncodingError, SignatureInvalid
from tanzheng.core.keys import SigningKey, VerifyKey

CONTENT_TYPE = "application/vnd.tanzheng.cosignature+cbor"
TAG = "tanzheng/cosignature/v1"
WITNESSES_MAX = 64
COSIGNATURES_BYTES_MAX = 32 << 10


class WitnessesMissing(CheckFailed):
    """A checkpoint that fewer witnesses cosigned than the trust file wants."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness that a verifier trusts, and what to call it."""

    name: str
    public: VerifyKey


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """`threshold` of `witnesses` must have cosigned: k of n."""

    threshold: int
    witnesses: tuple[Witness, ...]


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A decoded cosignature; its signature is not checked yet. `t_ms`: the witness's clock."""

    raw: bytes
    checkpoint: bytes
    seq: int
    t_ms: int
    _message: cose.Sign1 = field(repr=False, compare=False)

    @property
    def kid(self) -> bytes:
        """The key id it claims to be signed with."""
        return self._message.kid

    def verify(self, signed: SignedCheckpoint, witness: VerifyKey) -> None:
        """Return where `witness` cosigned that very checkpoint; else `SignatureInvalid`."""
        if (self.checkpoint, self.seq) != (signed.digest, signed.checkpoint.seq):
            raise SignatureInvalid(
                f"cosignature {self.kid.hex()}: expected checkpoint {signed.checkpoint.seq}, "
                f"{signed.digest.hex()}; got {self.seq}, {self.checkpoint.hex()}"
            )
        self._message.verify(witness)


def cosign(signed: SignedCheckpoint, t_ms: int, key: SigningKey) -> bytes:
    """Return a witness's cosignature. Whether the log is consistent is the caller's to check."""
    payload = cbor.dumps([TAG, signed.digest, signed.checkpoint.seq, t_ms])
    return open_cosignature(cose.sign1(payload, key, CONTENT_TYPE)).raw


def open_cosignature(raw: bytes) -> Cosignature:
    """Read a cosignature: its form is checked, its signature not yet."""
    where = "cosignature"
    message = cose.decode1(raw, CONTENT_TYPE)
    if message.protected.keys() != {cose.ALG, cose.CONTENT_TYPE, cose.KID}:
        raise EncodingError(f"{where} header: expected exactly alg, content type and kid")
    parts = closed.sequence(cbor.loads(message.payload, where), where, 4)
    if len(parts) != 4 or parts[0] != TAG:
        raise EncodingError(f"{where}: expected {TAG!r}, digest, seq and time")
    numbers = {"seq": parts[2], "t_ms": parts[3]}
    return Cosignature(
        raw,
        closed.octets(parts[1], 32, f"{where}.checkpoint"),
        closed.integer(numbers, "seq", where, least=1),
        closed.integer(numbers, "t_ms", where),
        message,
    )


def encode_all(cosignatures: Sequence[Cosignature]) -> bytes:
    """Return the list of a checkpoint's cosignatures, one a key."""
    return cbor.dumps([each.raw for each in sorted(cosignatures, key=lambda each: each.kid)])


def decode_all(data: bytes) -> tuple[Cosignature, ...]:
    """Read such a list; `EncodingError` where a key comes twice or out of order."""
    where = "cosignatures"
    items = closed.sequence(cbor.loads(data, where, COSIGNATURES_BYTES_MAX), where, WITNESSES_MAX)
    found = tuple(open_cosignature(closed.typed(item, bytes, where)) for item in items)
    kids = [each.kid for each in found]
    if kids != sorted(set(kids)):
        raise EncodingError(f"{where}: expected each key once, sorted by key id")
    return found


def check_witnessed(
    signed: SignedCheckpoint, cosignatures: Sequence[Cosignature], policy: WitnessPolicy
) -> str:
    """Return who cosigned, where it is enough of them; else `WitnessesMissing`.

    Cosignatures by others do not count; a wrong one by a trusted key is `SignatureInvalid`.
    """
    names = []
    for witness in policy.witnesses:
        own = [each for each in cosignatures if each.kid == witness.public.kid]
        for each in own:
            each.verify(signed, witness.public)
        if own:
            names.append(witness.name)
    said = f"{len(names)} of {len(policy.witnesses)} witnesses ({', '.join(names) or 'none'})"
    where = f"checkpoint {signed.checkpoint.seq}"
    if len(names) < policy.threshold:
        raise WitnessesMissing(f"{where}: expected {policy.threshold} witnesses, got {said}")
    return f"{where}: {said}, {policy.threshold} needed"
