"""Parts of a feed item: the event it rests on, the parties' acts, the contract's storage."""

from dataclasses import dataclass, field
from typing import Any

from tanzheng.core import base64_text, closed
from tanzheng.core.attestation import Act, Attestation, PackedFigure, version_slot
from tanzheng.core.errors import BadInput, EncodingError
from tanzheng.core.evm import (
    HEADER_BYTES_MAX,
    NODE_BYTES_MAX,
    PROOF_NODES_MAX,
    Header,
    decode_header,
    slot_value,
    storage_root,
)
from tanzheng.core.hashing import HASH_BYTES

ACTS_MAX = 5
SIGNATURE_BYTES, ADDRESS_BYTES = 65, 20
SLOTS = 6
"""Words of a version in VerifiedEmissions.sol; the last one, the disputer, may be empty."""


_ACT_KEYS = (
    *("act", "version", "sequence", "tonnes", "statement", "document", "signer"),
    *("deadline", "signature"),
)


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """The log entry that changed the figure; `time_s` is its block's clock in seconds."""

    block_number: int
    block_hash: bytes
    time_s: int
    transaction: bytes
    log_index: int

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "block_number": self.block_number,
            "block_hash": self.block_hash.hex(),
            "time_s": self.time_s,
            "transaction": self.transaction.hex(),
            "log_index": self.log_index,
        }

    @classmethod
    def from_json(cls, value: object) -> "FeedEvent":
        """Read the JSON form; `EncodingError` names the field."""
        where = "feed item.event"
        keys = ("block_number", "block_hash", "time_s", "transaction", "log_index")
        source = closed.record(value, keys, where)
        return cls(
            closed.integer(source, "block_number", where),
            closed.hexadecimal(source["block_hash"], HASH_BYTES, f"{where}.block_hash"),
            closed.integer(source, "time_s", where),
            closed.hexadecimal(source["transaction"], HASH_BYTES, f"{where}.transaction"),
            closed.integer(source, "log_index", where),
        )


@dataclass(frozen=True, slots=True)
class FeedAct:
    """An act as its event tells, with the signature where the transaction shows it.

    `deadline` and `signature` stand together: a wrapper contract that hands an act in hides both.
    Then the contract's storage alone shows who stands for the figure.
    """

    act: Act
    version: int
    sequence: int
    tonnes: int
    statement: bytes
    document: bytes
    signer: bytes
    deadline: int | None
    signature: bytes | None = field(repr=False)

    def attestation(self, subject: str, year: int) -> Attestation:
        """What the party signed; `BadInput` where the deadline is not known."""
        if self.deadline is None:
            raise BadInput(f"{self.act}: expected a signature, the transaction does not show it")
        figure = (self.version, self.sequence, self.tonnes, self.statement, self.document)
        return Attestation(self.act, subject, year, *figure, self.deadline)

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "act": self.act.value,
            "version": self.version,
            "sequence": self.sequence,
            "tonnes": self.tonnes,
            "statement": self.statement.hex(),
            "document": self.document.hex(),
            "signer": self.signer.hex(),
            "deadline": self.deadline,
            "signature": self.signature.hex() if self.signature is not None else None,
        }

    @classmethod
    def from_json(cls, value: object) -> "FeedAct":
        """Read the JSON form; `EncodingError` names the field."""
        where = "feed item.acts"
        source = closed.record(value, _ACT_KEYS, where)
        if source["act"] not in list(Act):
            raise EncodingError(f"{where}.act: expected one of {[*Act]}, got {source['act']!r}")
        deadline, signature = source["deadline"], source["signature"]
        if (deadline is None) != (signature is None):
            raise EncodingError(f"{where}: expected deadline and signature together")
        return cls(
            Act(source["act"]),
            closed.integer(source, "version", where, least=1),
            closed.integer(source, "sequence", where),
            closed.integer(source, "tonnes", where),
            closed.hexadecimal(source["statement"], HASH_BYTES, f"{where}.statement"),
            closed.hexadecimal(source["document"], HASH_BYTES, f"{where}.document"),
            closed.hexadecimal(source["signer"], ADDRESS_BYTES, f"{where}.signer"),
            None if deadline is None else closed.integer(source, "deadline", where),
            _optional_octets(signature, SIGNATURE_BYTES, f"{where}.signature"),
        )


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """What the contract holds of a version; `signers` of report, review, verify and confirm."""

    statement: bytes
    figure: PackedFigure
    signers: tuple[bytes, bytes, bytes, bytes]
    disputer: bytes | None


@dataclass(frozen=True, slots=True)
class FigureProof:
    """Header RLP, account proof and the slots' proofs of a version (EIP-1186), roots first.

    Five slots, six where somebody ever disputed: an empty one cannot be proved present.
    """

    header: bytes
    account: tuple[bytes, ...]
    slots: tuple[tuple[bytes, ...], ...]

    def stored(
        self, contract: bytes, subject: str, year: int, version: int
    ) -> tuple[Header, StoredVersion]:
        """The header and what its state holds; `ProofInvalid`, `EncodingError` where it does not.

        Whether that block is one of the chain, the caller must know.
        """
        header = decode_header(self.header)
        root = storage_root(header.state_root, contract, self.account)
        words = [
            slot_value(root, version_slot(subject, year, version, place), nodes)
            for place, nodes in enumerate(self.slots)
        ]
        figure = PackedFigure.decode(words[1])
        reviewer, verifier, confirmer = (word[12:] for word in words[2:5])
        disputer = words[5][12:] if len(words) == SLOTS else None
        signers = (figure.reporter, reviewer, verifier, confirmer)
        return header, StoredVersion(words[0], figure, signers, disputer)

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "header": base64_text.encode(self.header),
            "account": [base64_text.encode(node) for node in self.account],
            "slots": [[base64_text.encode(node) for node in nodes] for nodes in self.slots],
        }

    @classmethod
    def from_json(cls, value: object) -> "FigureProof":
        """Read the JSON form; `EncodingError` names the field."""
        where = "feed item.proof"
        source = closed.record(value, ("header", "account", "slots"), where)
        slots = closed.items(source, "slots", where, SLOTS)
        if len(slots) < SLOTS - 1:
            raise EncodingError(f"{where}.slots: expected {SLOTS - 1} or {SLOTS}, got {len(slots)}")
        return cls(
            base64_text.decode(source["header"], HEADER_BYTES_MAX, f"{where}.header"),
            _nodes(source["account"], f"{where}.account"),
            tuple(_nodes(nodes, f"{where}.slots") for nodes in slots),
        )


def _nodes(value: object, where: str) -> tuple[bytes, ...]:
    nodes = closed.sequence(value, where, PROOF_NODES_MAX)
    return tuple(base64_text.decode(node, NODE_BYTES_MAX, where) for node in nodes)


def _optional_octets(value: object, count: int, where: str) -> bytes | None:
    return None if value is None else closed.hexadecimal(value, count, where)
