"""The checkpoint: the state of one log at one sequence, signed by its operator.

The payload is the CBOR array [tag, chain id, contract, log id, seq, size, root-sha256, root-sm3,
heads-root, previous checkpoint hash, time]. The chain stores SHA-256 of the *signed* bytes, so that
chain, contract, log, sequence, size and both roots are bound by one slot: a bare root there would
leave the size free.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field

from tanzheng.core import cbor, closed, cose
from tanzheng.core.errors import EncodingError
from tanzheng.core.hashing import sha256
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.merkle import PROOF_NODES_MAX, ProofInvalid, verify_consistency

CONTENT_TYPE = "application/vnd.tanzheng.checkpoint+cbor"
TAG = "tanzheng/checkpoint/v1"
CHECKPOINT_BYTES_MAX = 4096
NO_CHECKPOINT = bytes(32)
"""`previous` of the first checkpoint of a log."""

_NAMES = (
    *("chain_id", "contract", "log_id", "seq", "size", "root_sha256", "root_sm3"),
    *("heads_root", "previous", "t_ms"),
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`contract` has 20 bytes, `log_id`, roots and `previous` have 32; `seq` counts from 1.

    `t_ms` is the operator's clock; the chain's clock bounds it from above.
    """

    chain_id: int
    contract: bytes
    log_id: bytes
    seq: int
    size: int
    root_sha256: bytes
    root_sm3: bytes
    heads_root: bytes
    previous: bytes
    t_ms: int

    def sign(self, key: SigningKey) -> "SignedCheckpoint":
        """Return the checkpoint signed by the operator; checked by reading it back."""
        signed = open_signed(cose.sign1(cbor.dumps([TAG, *astuple(self)]), key, CONTENT_TYPE))
        if signed.checkpoint != self:
            raise EncodingError("checkpoint: expected fields that survive a round trip")
        return signed


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """The signed bytes with what they say."""

    raw: bytes
    checkpoint: Checkpoint
    _message: cose.Sign1 = field(repr=False, compare=False)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the signed bytes: `head[seq]` on the chain, `previous` of the next."""
        return sha256(self.raw)

    @property
    def kid(self) -> bytes:
        """The key id it claims to be signed with."""
        return self._message.kid

    def verify(self, operator: VerifyKey) -> None:
        """Return where `operator` signed this; else `SignatureInvalid`."""
        self._message.verify(operator)


def open_signed(raw: bytes) -> SignedCheckpoint:
    """Read a signed checkpoint: its form is checked, its signature not yet."""
    if len(raw) > CHECKPOINT_BYTES_MAX:
        raise EncodingError(
            f"checkpoint: expected at most {CHECKPOINT_BYTES_MAX} bytes, got {len(raw)}"
        )
    message = cose.decode1(raw, CONTENT_TYPE)
    if message.protected.keys() != {cose.ALG, cose.CONTENT_TYPE, cose.KID}:
        raise EncodingError("checkpoint header: expected exactly alg, content type and kid")
    return SignedCheckpoint(raw, _decode(message.payload), message)


def _decode(payload: bytes) -> Checkpoint:
    where = "checkpoint"
    parts = closed.sequence(cbor.loads(payload, where), where, len(_NAMES) + 1)
    if len(parts) != len(_NAMES) + 1 or parts[0] != TAG:
        raise EncodingError(f"{where}: expected {TAG!r} and {len(_NAMES)} parts")
    source = dict(zip(_NAMES, parts[1:], strict=True))
    digests = ("log_id", "root_sha256", "root_sm3", "heads_root", "previous")
    octets = {name: closed.octets(source[name], 32, f"{where}.{name}") for name in digests}
    checkpoint = Checkpoint(
        chain_id=closed.integer(source, "chain_id", where, least=1),
        contract=closed.octets(source["contract"], 20, f"{where}.contract"),
        seq=closed.integer(source, "seq", where, least=1),
        size=closed.integer(source, "size", where, least=1),
        t_ms=closed.integer(source, "t_ms", where),
        **octets,
    )
    if (checkpoint.previous == NO_CHECKPOINT) != (checkpoint.seq == 1):
        raise EncodingError(f"{where}.previous: expected a digest exactly from seq 2 on")
    return checkpoint


# ------------------------------------------------------------------ between two checkpoints


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The RFC 9162 path from the tree of `first` leaves to that of `second`."""

    first: int
    second: int
    path: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the file form: CBOR [first, second, path]."""
        return cbor.dumps([self.first, self.second, list(self.path)])

    @classmethod
    def decode(cls, data: bytes) -> "ConsistencyProof":
        """Read the file form; `EncodingError` where it is another."""
        where = "consistency proof"
        parts = closed.sequence(cbor.loads(data, where, bytes_max=4096), where, 3)
        if len(parts) != 3:
            raise EncodingError(f"{where}: expected [first, second, path]")
        sizes = {"first": parts[0], "second": parts[1]}
        path = closed.sequence(parts[2], where, PROOF_NODES_MAX)
        return cls(
            closed.integer(sizes, "first", where, least=1),
            closed.integer(sizes, "second", where, least=1),
            tuple(closed.octets(node, 32, where) for node in path),
        )


def log_of(point: Checkpoint) -> tuple[int, bytes, bytes]:
    """Return chain id, contract and log id: which log a checkpoint is of."""
    return point.chain_id, point.contract, point.log_id


def check_extends(older: Checkpoint, newer: Checkpoint, path: Sequence[bytes]) -> None:
    """Return where `newer` is a later state of the same log; else `ProofInvalid`.

    Two different checkpoints of one sequence prove equivocation, and are named so.
    """
    if log_of(older) != log_of(newer):
        raise ProofInvalid("checkpoints: expected two of one log, got two logs")
    if older.seq == newer.seq and older != newer:
        raise ProofInvalid(f"checkpoints: expected one of seq {older.seq}, got two (equivocation)")
    if older.seq > newer.seq:
        raise ProofInvalid(f"checkpoints: expected a seq from {older.seq}, got {newer.seq}")
    verify_consistency(older.size, newer.size, path, older.root_sha256, newer.root_sha256)
