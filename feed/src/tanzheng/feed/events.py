"""Log entries and transactions of VerifiedEmissions, decoded: bytes in, records out.

The counterpart of contracts/src/VerifiedEmissions.sol; a test holds it against the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from tanzheng.core.attestation import ACTS, STATUSES, Act, Status
from tanzheng.core.closed import INTEGER_MAX
from tanzheng.core.feed_parts import SIGNATURE_BYTES, FeedAct
from tanzheng.core.hashing import keccak256
from tanzheng.feed.errors import NodeUnavailable

_ATTESTATION = "(uint8,string,uint16,uint32,uint16,uint64,bytes32,bytes32,uint64)"
_PROOF = "(address,uint48,bytes,bytes,uint256,bytes32[])"
TOPIC = keccak256(
    b"Attested(bytes32,uint16,uint8,string,uint32,uint16,uint8,uint64,bytes32,bytes32,address)"
)
_DATA = ("string", "uint32", "uint16", "uint8", "uint64", "bytes32", "bytes32", "address")
_CALLS = {
    keccak256(f"attest({_ATTESTATION},bytes)".encode())[:4]: (_ATTESTATION, "bytes"),
    keccak256(f"report({_ATTESTATION},bytes,{_PROOF})".encode())[:4]: (
        _ATTESTATION,
        "bytes",
        _PROOF,
    ),
}


@dataclass(frozen=True, slots=True)
class Attested:
    """One event: an act, the status it led to, and where on the chain it stands."""

    subject: str
    year: int
    act: FeedAct
    status: Status
    block_number: int
    block_hash: bytes
    transaction: bytes
    log_index: int


def decode_log(entry: Mapping[str, Any]) -> Attested:
    """Read an entry of `eth_getLogs`; the signature is not in it (`with_signature`)."""
    try:
        topics = [bytes.fromhex(topic[2:]) for topic in entry["topics"]]
        values = decode(_DATA, bytes.fromhex(entry["data"][2:]))
        subject, version, sequence, status, tonnes, statement, document, signer = values
        act = FeedAct(
            ACTS[int.from_bytes(topics[3], "big")],
            version,
            sequence,
            tonnes,
            statement,
            document,
            bytes.fromhex(signer[2:]),
            None,
            None,
        )
        return Attested(
            subject,
            int.from_bytes(topics[2], "big"),
            act,
            STATUSES[status],
            int(entry["blockNumber"], 16),
            bytes.fromhex(entry["blockHash"][2:]),
            bytes.fromhex(entry["transactionHash"][2:]),
            int(entry["logIndex"], 16),
        )
    except (KeyError, IndexError, TypeError, ValueError, DecodingError) as error:
        raise NodeUnavailable(f"log: expected an event Attested, got {error!r}") from error


def signed_part(data: bytes, act: FeedAct, subject: str, year: int) -> tuple[int, bytes] | None:
    """Deadline and signature of `act` in a transaction's data; None where another call made it."""
    kinds = _CALLS.get(data[:4])
    if kinds is None:
        return None
    try:
        message, signature, *_ = decode(kinds, data[4:])
    except (DecodingError, ValueError):
        return None
    figure = (act.version, act.sequence, act.tonnes, act.statement, act.document)
    if message[:8] != (list(Act).index(act.act), subject, year, *figure):
        return None
    deadline = int(message[8])
    if len(signature) != SIGNATURE_BYTES or deadline > INTEGER_MAX:
        return None
    return deadline, signature
