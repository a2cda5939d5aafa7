"""Proof that the operator of a log signed two histories, from two of its signed checkpoints alone.

Two signed checkpoints of one log contradict each other where they have one seq and say different
things, or where the later names another predecessor than the earlier, one seq before it. The proof
is CBOR [tag, older, newer] with both as they were signed: whoever has the operator's key checks it.
"""

from dataclasses import dataclass

from tanzheng.core import cbor, checkpoint, closed
from tanzheng.core.checkpoint import CHECKPOINT_BYTES_MAX, SignedCheckpoint, log_of
from tanzheng.core.errors import CheckFailed, EncodingError
from tanzheng.core.trust import Trust

TAG = "tanzheng/equivocation/v1"
EQUIVOCATION_BYTES_MAX = 2 * CHECKPOINT_BYTES_MAX + 64


class NoEquivocation(CheckFailed):
    """Two checkpoints that one honest log may have."""


@dataclass(frozen=True, slots=True)
class Equivocation:
    """Two checkpoints that contradict each other; `a` is the earlier one, or has the lesser bytes.

    The signatures are not checked yet.
    """

    a: SignedCheckpoint
    b: SignedCheckpoint

    @classmethod
    def of(cls, first: SignedCheckpoint, second: SignedCheckpoint) -> "Equivocation":
        """Return the proof from two checkpoints in any order; `NoEquivocation` where it is none."""
        a, b = sorted((first, second), key=lambda signed: (signed.checkpoint.seq, signed.raw))
        older, newer = a.checkpoint, b.checkpoint
        if log_of(older) != log_of(newer):
            raise NoEquivocation("expected two checkpoints of one log, got two logs")
        if newer.seq > older.seq + 1:
            raise NoEquivocation(
                f"expected one seq or two in a row, got {older.seq} and {newer.seq}: a consistency "
                "proof between the two says whether they contradict each other"
            )
        if newer.seq == older.seq and older == newer:
            raise NoEquivocation(f"expected two checkpoints of seq {older.seq}, got one twice")
        if newer.seq > older.seq and newer.previous == a.digest and newer.size > older.size:
            raise NoEquivocation(f"checkpoint {newer.seq} follows checkpoint {older.seq}")
        return cls(a, b)

    @property
    def what(self) -> str:
        """What the two say against each other."""
        older, newer = self.a.checkpoint, self.b.checkpoint
        if older.seq == newer.seq:
            return f"two checkpoints of seq {older.seq}"
        if newer.previous == self.a.digest:
            return f"checkpoint {newer.seq} is not larger than checkpoint {older.seq} before it"
        return f"checkpoint {newer.seq} follows another checkpoint {older.seq}"

    def verify(self, trust: Trust) -> None:
        """Return where the trusted operator signed both; `Untrusted` or `SignatureInvalid` else."""
        for signed in (self.a, self.b):
            trust.check_log(signed)

    def encode(self) -> bytes:
        """Return the one file form of this proof."""
        return cbor.dumps([TAG, self.a.raw, self.b.raw])

    @classmethod
    def decode(cls, data: bytes) -> "Equivocation":
        """Read a proof; `EncodingError` for another form, `NoEquivocation` where it proves none."""
        where = "equivocation"
        parts = closed.sequence(cbor.loads(data, where, EQUIVOCATION_BYTES_MAX), where, 3)
        if len(parts) != 3 or parts[0] != TAG:
            raise EncodingError(f"{where}: expected {TAG!r} and two checkpoints")
        raws = [closed.typed(part, bytes, where) for part in parts[1:]]
        proof = cls.of(*(checkpoint.open_signed(raw) for raw in raws))
        if proof.encode() != data:
            raise EncodingError(f"{where}: expected the earlier checkpoint first")
        return proof
