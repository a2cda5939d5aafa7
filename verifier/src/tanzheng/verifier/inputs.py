"""What `tanzheng verify` is handed, read and taken apart before anything is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tanzheng.core import checkpoint, receipt, witness
from tanzheng.core.checkpoint import ConsistencyProof, SignedCheckpoint
from tanzheng.core.receipt import Receipt
from tanzheng.core.statement import Statement
from tanzheng.core.trust import TRUST_BYTES_MAX, Trust
from tanzheng.core.witness import Cosignature
from tanzheng.verifier.errors import Unreadable
from tanzheng.verifier.files import read_file, read_package

CONSISTENCY_BYTES_MAX = 4096
DOCUMENT_BYTES_MAX = 256 << 20
SIGN1 = b"\xd2"  # how every COSE_Sign1 begins: tag 18


@dataclass(frozen=True, slots=True)
class Inputs:
    """A receipt and the trust file; the package's files by path and the others only if given.

    Only a month's statement has a package. `events`: receipts of key events.
    """

    receipt: Receipt
    files: Mapping[str, bytes] | None
    trust: Trust
    last: SignedCheckpoint | None
    consistency: ConsistencyProof | None
    cosignatures: tuple[Cosignature, ...]
    events: tuple[Receipt, ...]
    documents: Mapping[str, bytes]


def read_inputs(
    receipt_path: Path,
    package: Path | None,
    trust: Path,
    last_checkpoint: Path | None,
    consistency: Path | None,
    cosignatures: Sequence[Path] = (),
    events: Sequence[Path] = (),
    documents: Sequence[Path] = (),
) -> Inputs:
    """Read and decode all files; `BadInput` names the first that is not what it should be."""
    if consistency is not None and last_checkpoint is None:
        raise Unreadable("--consistency: expected --last-checkpoint as well")
    last = proof = None
    if last_checkpoint is not None:
        last = read_checkpoint(last_checkpoint)
    if consistency is not None:
        raw = read_file(consistency, CONSISTENCY_BYTES_MAX, "consistency proof")
        proof = ConsistencyProof.decode(raw)
    found = read_receipt(receipt_path)
    if package is not None and not isinstance(found.statement.statement, Statement):
        kind = found.statement.statement.TYPE
        raise Unreadable(f"--package: expected a month's statement with it, got a {kind}")
    return Inputs(
        found,
        None if package is None else read_package(package),
        read_trust(trust),
        last,
        proof,
        tuple(each for path in cosignatures for each in read_cosignatures(path)),
        tuple(map(read_receipt, events)),
        {str(path): read_file(path, DOCUMENT_BYTES_MAX, "document") for path in documents},
    )


def read_receipt(path: Path) -> Receipt:
    """A receipt, taken apart."""
    return receipt.decode(read_file(path, receipt.RECEIPT_BYTES_MAX, "receipt"))


def read_trust(path: Path) -> Trust:
    """The trust file."""
    return Trust.decode(read_file(path, TRUST_BYTES_MAX, "trust file"))


def read_cosignatures(path: Path) -> tuple[Cosignature, ...]:
    """One cosignature, or the list of a checkpoint's as the log keeps it."""
    raw = read_file(path, witness.COSIGNATURES_BYTES_MAX, "cosignatures")
    if raw[:1] == SIGN1:
        return (witness.open_cosignature(raw),)
    return witness.decode_all(raw)


def read_checkpoint(path: Path) -> SignedCheckpoint:
    """A signed checkpoint, by itself or in the receipt that it was seen with."""
    raw = read_file(path, receipt.RECEIPT_BYTES_MAX, "checkpoint")
    if raw[:1] == SIGN1:
        return checkpoint.open_signed(raw)
    return receipt.decode(raw).checkpoint
