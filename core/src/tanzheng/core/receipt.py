"""The receipt: one closed byte string that a stranger verifies with the trust file alone.

    core     = CBOR {version, transparent, checkpoint, heads, evm}
    envelope = CBOR {version, core, attestations}

`transparent`: the signed statement with its RFC 9942 receipt; `checkpoint`: the signed checkpoint;
`heads` [seq, digest, index, count, path]: the subject's current statement in the heads tree;
`evm` {header, account, slot}: the block header's RLP and the two storage proofs, and where the
chain has them `seals` [round, signatures] of its validators. What can be
derived is not carried: the storage slot follows from the checkpoint's seq, the size from the
checkpoint, the subject from the statement, contract and chain from the trust file.

Attestations beside the core (a time stamp, a second chain, the witnesses' cosignatures of the
checkpoint) are opaque here and have verdicts of their own; a key that is not known is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tanzheng.core import cbor, checkpoint, closed, inclusion, statement
from tanzheng.core.errors import EncodingError
from tanzheng.core.evm import HEADER_BYTES_MAX, NODE_BYTES_MAX
from tanzheng.core.evm import PROOF_NODES_MAX as EVM_NODES_MAX
from tanzheng.core.heads import Head, Place
from tanzheng.core.ids import Subject
from tanzheng.core.merkle import PROOF_NODES_MAX
from tanzheng.core.qbft import VALIDATORS_MAX, Seals
from tanzheng.core.secp256k1 import SIGNATURE_BYTES

VERSION = 1
COSIGNATURES = "cosignatures"
RFC3161, OPENTIMESTAMPS = "rfc3161", "opentimestamps"
RECEIPT_BYTES_MAX = 2 << 20
ATTESTATIONS = (RFC3161, OPENTIMESTAMPS, "second_chain", COSIGNATURES)
ATTESTATION_BYTES_MAX = 64 << 10

_ENVELOPE_KEYS = ("version", "core", "attestations")
_EVM_KEYS = ("header", "account", "slot")
_CORE_KEYS = ("version", "transparent", "checkpoint", "heads", "evm")


@dataclass(frozen=True, slots=True)
class EvmProof:
    """Header RLP, account proof and slot proof (EIP-1186), nodes from the root down.

    `seals`: of the validators of a QBFT chain, None where the chain has none.
    """

    header: bytes
    account: tuple[bytes, ...]
    slot: tuple[bytes, ...]
    seals: Seals | None = None

    def encode(self) -> bytes:
        """Return the bytes of a file that keeps it by itself."""
        return cbor.dumps(_evm_fields(self))

    @classmethod
    def decode(cls, data: bytes) -> "EvmProof":
        """Read what `encode` wrote; `EncodingError` where it is nothing of that form."""
        return _evm(cbor.loads(data, "proof", RECEIPT_BYTES_MAX))


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt taken apart; nothing in it is trusted yet. See `receipt_check`."""

    statement: statement.SignedStatement
    inclusion: inclusion.Inclusion
    checkpoint: checkpoint.SignedCheckpoint
    head: Head
    place: Place
    evm: EvmProof
    attestations: Mapping[str, bytes] = field(default_factory=dict)
    core: bytes = field(default=b"", repr=False)


def encode(
    transparent: bytes,
    signed_checkpoint: bytes,
    head: Head,
    place: Place,
    evm: EvmProof,
    attestations: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return the envelope; checked by reading it back.

    `transparent`: `inclusion.attach(statement, receipt)`. `head`, `place`: of the statement's
    subject in the checkpoint's heads tree.
    """
    core = cbor.dumps(
        {
            "version": VERSION,
            "transparent": transparent,
            "checkpoint": signed_checkpoint,
            "heads": [head.seq, head.digest, place.index, place.count, list(place.path)],
            "evm": _evm_fields(evm),
        }
    )
    envelope = {"version": VERSION, "core": core, "attestations": dict(attestations or {})}
    data = cbor.dumps(envelope)
    if decode(data).head != head:
        raise EncodingError(f"receipt: expected the head of the statement's subject, got {head}")
    return data


def decode(data: bytes) -> Receipt:
    """Read an envelope and its core; `EncodingError` names the first part out of shape."""
    if len(data) > RECEIPT_BYTES_MAX:
        raise EncodingError(f"receipt: expected at most {RECEIPT_BYTES_MAX} bytes, got {len(data)}")
    envelope = closed.record(cbor.loads(data, "receipt"), _ENVELOPE_KEYS, "receipt")
    closed.version(envelope, VERSION, "receipt")
    attestations = _attestations(envelope["attestations"])
    core_bytes = closed.typed(envelope["core"], bytes, "receipt core")
    core = closed.record(cbor.loads(core_bytes, "receipt core"), _CORE_KEYS, "receipt core")
    closed.version(core, VERSION, "receipt core")
    parts = {
        key: closed.typed(core[key], bytes, f"receipt {key}")
        for key in ("transparent", "checkpoint")
    }
    signed_checkpoint = checkpoint.open_signed(parts["checkpoint"])
    bare, proof = inclusion.detach(parts["transparent"])
    signed_statement = statement.open_signed(bare)
    head, place = _heads(core["heads"], signed_statement.statement.subject)
    return Receipt(
        statement=signed_statement,
        inclusion=inclusion.decode(proof, signed_checkpoint.checkpoint.root_sha256),
        checkpoint=signed_checkpoint,
        head=head,
        place=place,
        evm=_evm(core["evm"]),
        attestations=attestations,
        core=core_bytes,
    )


def with_attestations(data: bytes, attestations: Mapping[str, bytes]) -> bytes:
    """Return the receipt with further attestations beside its core, which stays as it is."""
    found = decode(data)
    told = {**found.attestations, **attestations}
    again = cbor.dumps({"version": VERSION, "core": found.core, "attestations": told})
    decode(again)
    return again


def _attestations(value: object) -> dict[str, bytes]:
    where = "receipt.attestations"
    if not isinstance(value, Mapping) or not set(value) <= set(ATTESTATIONS):
        raise EncodingError(f"{where}: expected a map with keys among {ATTESTATIONS}")
    found = {kind: closed.typed(data, bytes, f"{where}.{kind}") for kind, data in value.items()}
    for kind, data in found.items():
        if len(data) > ATTESTATION_BYTES_MAX:
            raise EncodingError(f"{where}.{kind}: expected at most {ATTESTATION_BYTES_MAX} bytes")
    return found


def _heads(value: object, subject: Subject) -> tuple[Head, Place]:
    where = "receipt.heads"
    parts = closed.sequence(value, where, 5)
    if len(parts) != 5:
        raise EncodingError(f"{where}: expected [seq, digest, index, count, path]")
    numbers: Mapping[str, Any] = {"seq": parts[0], "index": parts[2], "count": parts[3]}
    seq = closed.integer(numbers, "seq", where, least=1)
    head = Head(subject, seq, closed.octets(parts[1], 32, f"{where}.digest"))
    path = tuple(
        closed.octets(node, 32, f"{where}.path")
        for node in closed.sequence(parts[4], f"{where}.path", PROOF_NODES_MAX)
    )
    index, count = (closed.integer(numbers, key, where) for key in ("index", "count"))
    return head, Place(index, count, path)


def _evm_fields(evm: EvmProof) -> dict[str, object]:
    fields: dict[str, object] = {"header": evm.header}
    fields |= {"account": list(evm.account), "slot": list(evm.slot)}
    if evm.seals is not None:
        fields["seals"] = [evm.seals.round, list(evm.seals.signatures)]
    return fields


def _evm(value: object) -> EvmProof:
    where = "receipt.evm"
    sealed = "seals" in closed.mapping(value, where)
    source = closed.record(value, (*_EVM_KEYS, "seals") if sealed else _EVM_KEYS, where)
    header = closed.typed(source["header"], bytes, f"{where}.header")
    account, slot = (_nodes(source[key], f"{where}.{key}") for key in ("account", "slot"))
    if len(header) > HEADER_BYTES_MAX:
        raise EncodingError(f"{where}.header: expected at most {HEADER_BYTES_MAX} bytes")
    return EvmProof(header, account, slot, _seals(source["seals"]) if sealed else None)


def _seals(value: object) -> Seals:
    where = "receipt.evm.seals"
    parts = closed.sequence(value, where, 2)
    if len(parts) != 2:
        raise EncodingError(f"{where}: expected [round, signatures]")
    number = closed.integer({"round": parts[0]}, "round", where)
    listed = closed.sequence(parts[1], where, VALIDATORS_MAX)
    return Seals(number, tuple(closed.octets(each, SIGNATURE_BYTES, where) for each in listed))


def _nodes(value: object, where: str) -> tuple[bytes, ...]:
    nodes = closed.sequence(value, where, EVM_NODES_MAX)
    if not all(isinstance(node, bytes) and len(node) <= NODE_BYTES_MAX for node in nodes):
        raise EncodingError(f"{where}: expected nodes of at most {NODE_BYTES_MAX} bytes")
    return tuple(nodes)
