"""What `tanzheng verify` is handed, read and taken apart before anything is checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tanzheng.core import checkpoint, receipt
from tanzheng.core.checkpoint import ConsistencyProof, SignedCheckpoint
from tanzheng.core.receipt import Receipt
from tanzheng.core.trust import TRUST_BYTES_MAX, Trust
from tanzheng.verifier.errors import Unreadable
from tanzheng.verifier.files import read_file, read_package

CONSISTENCY_BYTES_MAX = 4096
SIGN1 = b"\xd2"  # how every COSE_Sign1 begins: tag 18


@dataclass(frozen=True, slots=True)
class Inputs:
    """A receipt, the package's files by path, the trust file; the last two only if asked for."""

    receipt: Receipt
    files: Mapping[str, bytes]
    trust: Trust
    last: SignedCheckpoint | None
    consistency: ConsistencyProof | None


def read_inputs(
    receipt_path: Path,
    package: Path,
    trust: Path,
    last_checkpoint: Path | None,
    consistency: Path | None,
) -> Inputs:
    """Read and decode all files; `BadInput` names the first that is not what it should be."""
    if consistency is not None and last_checkpoint is None:
        raise Unreadable("--consistency: expected --last-checkpoint as well")
    last = proof = None
    if last_checkpoint is not None:
        last = _checkpoint(last_checkpoint)
    if consistency is not None:
        raw = read_file(consistency, CONSISTENCY_BYTES_MAX, "consistency proof")
        proof = ConsistencyProof.decode(raw)
    return Inputs(
        receipt.decode(read_file(receipt_path, receipt.RECEIPT_BYTES_MAX, "receipt")),
        read_package(package),
        Trust.decode(read_file(trust, TRUST_BYTES_MAX, "trust file")),
        last,
        proof,
    )


def _checkpoint(path: Path) -> SignedCheckpoint:
    """A signed checkpoint, by itself or in the receipt that it was seen with."""
    raw = read_file(path, receipt.RECEIPT_BYTES_MAX, "last checkpoint")
    if raw[:1] == SIGN1:
        return checkpoint.open_signed(raw)
    return receipt.decode(raw).checkpoint
