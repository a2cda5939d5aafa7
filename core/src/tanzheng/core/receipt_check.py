"""The checks of a receipt, point by point: what is proved, and what was not asked.

Every point stands by itself, so that one broken part is named and the rest still answered. What a
receipt proves against the trust file: who stated it, that the log holds it at one place, that it is
the current version as of one checkpoint, and between which blocks it came to be.
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial

from tanzheng.core.checkpoint import ConsistencyProof, SignedCheckpoint, check_extends
from tanzheng.core.errors import CheckFailed, TanzhengError
from tanzheng.core.evm import Header, decode_header, head_slot, slot_value, storage_root
from tanzheng.core.hashing import sha256
from tanzheng.core.heads import verify_current
from tanzheng.core.merkle import ProofInvalid, verify_inclusion
from tanzheng.core.opentimestamps import check_structure
from tanzheng.core.points import NotAskedError, Point, instant, point
from tanzheng.core.qbft import NotSealed, check_seals
from tanzheng.core.receipt import COSIGNATURES, OPENTIMESTAMPS, Receipt
from tanzheng.core.statements.keyring import Keyring, Logged
from tanzheng.core.statements.roles import Role
from tanzheng.core.trust import Trust, Untrusted
from tanzheng.core.witness import Cosignature, WitnessPolicy, check_witnessed, decode_all

CLOCK_SKEW_MS_MAX = 15_000
"""How far the operator's clock may run ahead of the chain's: the bound of Ethereum clients."""


class Superseded(CheckFailed):
    """The statement was the current one once; a later one took its place."""


class AnchorInvalid(CheckFailed):
    """Checkpoint, contract, chain and block do not fit together."""


def check_receipt(
    receipt: Receipt,
    trust: Trust,
    last: SignedCheckpoint | None = None,
    consistency: ConsistencyProof | None = None,
    cosignatures: Sequence[Cosignature] = (),
    keyring: Keyring | None = None,
) -> list[Point]:
    """Return the points of a receipt against the trust file.

    `last`: the verifier's own last checkpoint of this log, with the proof between the two (older or
    newer than the receipt's); without it "consistent" is not asked. `cosignatures`: of witnesses,
    beside those in the envelope; "witnessed" is asked where the trust file names witnesses.
    `keyring`: the trust file with the key events that the verifier knows of.
    """

    block = _Block(receipt, trust)
    checks: dict[str, Callable[[], str]] = {
        "included": lambda: _included(receipt),
        "signer": lambda: _signer(receipt, keyring or Keyring(trust), block.trusted),
        "current": lambda: _current(receipt),
        "consistent": lambda: _consistent(receipt, trust, last, consistency),
        "not_before": lambda: _not_before(receipt, trust, block.trusted),
        "not_after": lambda: _not_after(receipt, block.trusted),
        "anchor": lambda: _anchor(receipt, trust, block.trusted),
    }
    if receipt.evm.seals is not None or block.sealable:
        checks["sealed"] = lambda: block.sealed
    policy = trust.witnesses
    if policy is not None:
        checks["witnessed"] = lambda: _witnessed(receipt, policy, cosignatures)
    points = [point(key, check) for key, check in checks.items()]
    kinds = [kind for kind in receipt.attestations if kind != COSIGNATURES]  # `witnessed`
    return points + [point(kind, partial(_attestation, receipt, kind)) for kind in kinds]


def _attestation(receipt: Receipt, kind: str) -> str:
    """What is beside the core and needs more than the trust file: read, where its form is known."""
    data = receipt.attestations[kind]
    if kind == OPENTIMESTAMPS:
        ends = check_structure(data, sha256(receipt.core))
        raise NotAskedError(f"carried, not checked: of this core, ends in {ends}")
    raise NotAskedError(f"carried, not checked: {len(data)} B")


def logged(receipt: Receipt, trust: Trust) -> Logged:
    """Return where and by when the chain proves the receipt's statement, whoever signed it.

    It need not be the current one of its subject. The error of the point included, current, anchor
    or not_after where one does not hold; the log's own signatures are for `check_log_signed`.
    """
    header = _Block(receipt, trust).trusted
    _included(receipt)
    verify_current(receipt.head, receipt.place, receipt.checkpoint.checkpoint.heads_root)
    _anchor(receipt, trust, header)
    _not_after(receipt, header)
    return Logged(receipt.inclusion.index, header.time_s * 1000, receipt.statement)


def _included(receipt: Receipt) -> str:
    checkpoint, inclusion = receipt.checkpoint.checkpoint, receipt.inclusion
    if inclusion.size != checkpoint.size:
        raise ProofInvalid(
            f"inclusion: expected the checkpoint's size {checkpoint.size}, got {inclusion.size}"
        )
    verify_inclusion(
        receipt.statement.leaf_hash,
        inclusion.index,
        checkpoint.size,
        inclusion.path,
        checkpoint.root_sha256,
    )
    return f"leaf {inclusion.index} of {checkpoint.size}, checkpoint {checkpoint.seq}"


def check_log_signed(receipt: Receipt, keyring: Keyring, t_ms: int) -> None:
    """Return where keys of the log's operator, valid at `t_ms`, signed checkpoint and inclusion."""
    last, issuer = receipt.checkpoint.checkpoint.size - 1, receipt.statement.statement.issuer
    for signed in (receipt.checkpoint, receipt.inclusion):
        signed.verify(keyring.key(Role.OPERATOR, issuer, signed.kid, last, t_ms))


def _signer(receipt: Receipt, keyring: Keyring, block: Header) -> str:
    """All three signatures, by keys valid at the time the chain proves, not the time claimed."""
    t_ms, stated = block.time_s * 1000, receipt.statement.statement
    keyring.check(Logged(receipt.inclusion.index, t_ms, receipt.statement))
    check_log_signed(receipt, keyring, t_ms)
    return f"{stated.issuer}, key {receipt.statement.kid.hex()}, at {instant(t_ms)}"


def _current(receipt: Receipt) -> str:
    checkpoint, stated = receipt.checkpoint.checkpoint, receipt.statement
    verify_current(receipt.head, receipt.place, checkpoint.heads_root)
    as_of = f"as of checkpoint {checkpoint.seq} ({instant(checkpoint.t_ms)})"
    if (receipt.head.seq, receipt.head.digest) != (stated.statement.seq, stated.digest):
        raise Superseded(
            f"superseded {as_of} by seq {receipt.head.seq}, {receipt.head.digest.hex()}"
        )
    return f"seq {stated.statement.seq} of {stated.statement.subject}, {as_of}"


def _consistent(
    receipt: Receipt,
    trust: Trust,
    last: SignedCheckpoint | None,
    consistency: ConsistencyProof | None,
) -> str:
    if last is None:
        raise NotAskedError("no last checkpoint given")
    last.verify(trust.operator(last.kid, last.checkpoint.t_ms))
    pair = [last.checkpoint, receipt.checkpoint.checkpoint]
    older, newer = sorted(pair, key=lambda checkpoint: checkpoint.seq)
    proof = consistency or ConsistencyProof(older.size, newer.size, ())
    if (proof.first, proof.second) != (older.size, newer.size):
        raise ProofInvalid(
            f"consistency: expected a proof from {older.size} to {newer.size}, "
            f"got one from {proof.first} to {proof.second}"
        )
    check_extends(older, newer, proof.path)
    return f"{older.size} → {newer.size} leaves, checkpoints {older.seq} → {newer.seq}"


def _not_before(receipt: Receipt, trust: Trust, anchored: Header) -> str:
    named = receipt.statement.statement.not_before
    try:
        block = trust.block(named.hash)
    except Untrusted:
        raise NotAskedError(f"block {named.number} was not observed") from None
    if block.number != named.number or block.number > anchored.number:
        raise AnchorInvalid(
            f"not before: expected a block up to {anchored.number}, "
            f"got {named.number} with the hash of {block.number}"
        )
    return f"{instant(block.time_s * 1000)}, block {block.number}"


def _not_after(receipt: Receipt, header: Header) -> str:
    claimed, proved = receipt.checkpoint.checkpoint.t_ms, header.time_s * 1000
    if claimed > proved + CLOCK_SKEW_MS_MAX:
        raise AnchorInvalid(
            f"not after: expected a checkpoint time up to {instant(proved)}, got {instant(claimed)}"
        )
    return f"{instant(proved)}, block {header.number}"


def _anchor(receipt: Receipt, trust: Trust, header: Header) -> str:
    checkpoint = receipt.checkpoint.checkpoint
    named = (checkpoint.chain_id, checkpoint.contract, checkpoint.log_id)
    if named != (trust.chain_id, trust.contract, trust.log_id):
        raise AnchorInvalid(
            f"anchor: expected chain {trust.chain_id}, contract 0x{trust.contract.hex()}, "
            f"log {trust.log_id.hex()}; got {named[0]}, 0x{named[1].hex()}, {named[2].hex()}"
        )
    root = storage_root(header.state_root, trust.contract, receipt.evm.account)
    stored = slot_value(root, head_slot(checkpoint.seq), receipt.evm.slot)
    if stored != receipt.checkpoint.digest:
        raise AnchorInvalid(
            f"anchor: expected head[{checkpoint.seq}] = {receipt.checkpoint.digest.hex()}, "
            f"got {stored.hex()}"
        )
    by = "the observer's record" if trust.observed(header.hash) else "its validators' seals"
    return (
        f"EVM chain {trust.chain_id}, contract 0x{trust.contract.hex()}, head[{checkpoint.seq}] "
        f"in block {header.number}; final by {by}"
    )


def _witnessed(receipt: Receipt, policy: WitnessPolicy, further: Sequence[Cosignature]) -> str:
    """k of n witnesses, by cosignatures from the envelope and from beside it."""
    carried = receipt.attestations.get(COSIGNATURES)
    found = (*further, *(decode_all(carried) if carried is not None else ()))
    return check_witnessed(receipt.checkpoint, found, policy)


class _Block:
    """The block of a receipt: hashed once, its seals recovered once, whatever asks for it."""

    def __init__(self, receipt: Receipt, trust: Trust) -> None:
        self._evm, self._trust = receipt.evm, trust

    @cached_property
    def header(self) -> Header:
        """What the receipt carries; nothing says yet that it is of the chain."""
        return decode_header(self._evm.header)

    @property
    def sealable(self) -> bool:
        """Whether seals belong beside the header, so that nobody can take them away."""
        try:
            return self.header.sealable
        except TanzhengError:
            return False  # the points that rest on the block say so

    @cached_property
    def sealed(self) -> str:
        """A quorum of the block's own validators, who must be those on trust where it names any."""
        if self._evm.seals is None:
            raise NotSealed("seals: expected those of the chain's validators, got none")
        number, trust = self.header.number, self._trust
        validators = check_seals(self._evm.header, self._evm.seals)
        whose = f"{len(self._evm.seals.signatures)} of {len(validators)} validators, block {number}"
        if not trust.validators:
            return f"{whose}; the trust file names none"
        if set(validators) != trust.validators_at(number):
            raise NotSealed(f"seals: expected the validators on trust, got {whose}")
        return whose

    @cached_property
    def trusted(self) -> Header:
        """The header, where the observer recorded it or validators on trust sealed it."""
        header, trust = self.header, self._trust
        if trust.validators and trust.observed(header.hash) is None:
            _ = self.sealed
            return header
        block = trust.block(header.hash)
        if (header.number, header.time_s) != (block.number, block.time_s):
            raise AnchorInvalid(
                f"block 0x{block.hash.hex()}: expected number {header.number} and time "
                f"{header.time_s} as in its header, got {block.number} and {block.time_s} on trust"
            )
        return header
