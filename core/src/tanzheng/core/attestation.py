"""What a party signs for a year's emissions, and where the chain keeps it.

The counterpart of contracts/src/VerifiedEmissions.sol, pure: EIP-712 typed data and digest, role
identifiers, storage slots for `eth_getProof`. `Act` and `Status` are in the contract's order.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from tanzheng.core.closed import INTEGER_MAX
from tanzheng.core.errors import BadInput, EncodingError
from tanzheng.core.hashing import HASH_BYTES, keccak256
from tanzheng.core.ids import identifier

DOMAIN_NAME, DOMAIN_VERSION = "Tanzheng VerifiedEmissions", "1"
RECORDS_SLOT = 5
"""Storage position of the mapping subject → year → record in VerifiedEmissions.sol."""


class Act(StrEnum):
    """What a party does by its signature; the value is the text that is signed."""

    REPORT = "reported"
    REVIEW = "reviewed"
    VERIFY = "verified"
    CONFIRM = "confirmed"
    DISPUTE = "disputed"
    UPHOLD = "upheld"
    CORRECT = "corrected"


class Status(StrEnum):
    """What a version of a figure has come to; only a confirmed one may be booked."""

    NONE = "none"
    REPORTED = "reported"
    REVIEWED = "reviewed"
    VERIFIED = "verified"
    CONFIRMED = "confirmed"
    DISPUTED = "disputed"
    CORRECTED = "corrected"


ACTS, STATUSES = tuple(Act), tuple(Status)
REVIEWER_ROLE = keccak256(b"tanzheng.reviewer")
VERIFIER_ROLE = keccak256(b"tanzheng.verifier")
CONFIRMER_ROLE = keccak256(b"tanzheng.confirmer")
DISPUTER_ROLE = keccak256(b"tanzheng.disputer")
LOG_ROLE = keccak256(b"tanzheng.log")

_DOMAIN_FIELDS = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_FIELDS = (
    ("act", "string"),
    ("subject", "string"),
    ("year", "uint16"),
    ("version", "uint32"),
    ("sequence", "uint16"),
    ("tonnes", "uint64"),
    ("statement", "bytes32"),
    ("document", "bytes32"),
    ("deadline", "uint64"),
)
_UINT_MAX = {"uint16": (1 << 16) - 1, "uint32": (1 << 32) - 1, "uint64": INTEGER_MAX}


def _type_text(name: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    return f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})".encode()


ATTESTATION_TYPE = _type_text("Attestation", _FIELDS)
_TYPE_HASH = keccak256(ATTESTATION_TYPE)
_DOMAIN_TYPE_HASH = keccak256(_type_text("EIP712Domain", _DOMAIN_FIELDS))


@dataclass(frozen=True, slots=True)
class Domain:
    """One contract on one chain: a signature for it is none for another (EIP-712, EIP-155)."""

    chain_id: int
    contract: bytes

    def __post_init__(self) -> None:
        if self.chain_id < 1 or len(self.contract) != 20:
            raise BadInput(
                f"domain: expected a chain id from 1 and an address of 20 bytes, "
                f"got {self.chain_id} and {self.contract.hex()}"
            )

    def separator(self) -> bytes:
        """The domain's hash, 32 bytes."""
        return keccak256(
            _DOMAIN_TYPE_HASH
            + keccak256(DOMAIN_NAME.encode())
            + keccak256(DOMAIN_VERSION.encode())
            + _word(self.chain_id)
            + self.contract.rjust(32, b"\0")
        )


@dataclass(frozen=True, slots=True)
class Attestation:
    """One act on one version of a figure.

    `subject` is ENTERPRISE/UNIT; `sequence` the number of acts on subject and year before;
    `tonnes` of CO2 equivalent, whole. `statement`: SHA-256 of the signed statement; `document`: of
    what the party bases its act on. The signature is void after `deadline`, seconds since 1970.
    """

    act: Act
    subject: str
    year: int
    version: int
    sequence: int
    tonnes: int
    statement: bytes
    document: bytes
    deadline: int

    def __post_init__(self) -> None:
        check_subject(self.subject)
        for name, kind in _FIELDS:
            if kind in _UINT_MAX:
                _check_integer(name, getattr(self, name), _UINT_MAX[kind])
        if self.version == 0:
            raise BadInput("attestation version: expected a number from 1, got 0")
        for name, digest in (("statement", self.statement), ("document", self.document)):
            if len(digest) != HASH_BYTES or not any(digest):
                raise BadInput(f"attestation {name}: expected a digest of 32 bytes, not zero")

    def digest(self, domain: Domain) -> bytes:
        """What the party's key signs: keccak256(0x1901 ‖ separator ‖ struct hash), EIP-712."""
        encoded = b"".join(_encoded(getattr(self, name), kind) for name, kind in _FIELDS)
        return keccak256(b"\x19\x01" + domain.separator() + keccak256(_TYPE_HASH + encoded))

    def typed_data(self, domain: Domain) -> dict[str, Any]:
        """The JSON that a wallet shows and signs (`eth_signTypedData_v4`)."""
        return {
            "types": {
                "EIP712Domain": _members(_DOMAIN_FIELDS),
                "Attestation": _members(_FIELDS),
            },
            "primaryType": "Attestation",
            "domain": {
                "name": DOMAIN_NAME,
                "version": DOMAIN_VERSION,
                "chainId": domain.chain_id,
                "verifyingContract": f"0x{domain.contract.hex()}",
            },
            "message": {
                name: f"0x{value.hex()}" if isinstance(value, bytes) else value
                for name, value in asdict(self).items()
            },
        }


def _check_integer(name: str, value: object, most: int) -> None:
    if type(value) is not int or not 0 <= value <= most:
        raise BadInput(f"attestation {name}: expected an integer from 0 to {most}, got {value!r}")


def check_subject(subject: str) -> None:
    """Return where `subject` is ENTERPRISE/UNIT of two identifiers; else `BadInput`."""
    parts = subject.split("/")
    if len(parts) != 2:
        raise BadInput(f"subject: expected ENTERPRISE/UNIT, got {subject!r}")
    for part, what in zip(parts, ("enterprise", "unit"), strict=True):
        identifier(part, f"subject {what}")


def reporter_role(subject: str) -> bytes:
    """The role that may report for `subject`: keccak256(abi.encode("tanzheng.reporter", hash))."""
    text = b"tanzheng.reporter"
    head = _word(64) + keccak256(subject.encode())
    return keccak256(head + _word(len(text)) + text.ljust(32, b"\0"))


# ------------------------------------------------------------------ storage


def record_slot(subject: str, year: int) -> bytes:
    """The slot that holds the number of versions of a figure."""
    outer = keccak256(keccak256(subject.encode()) + _word(RECORDS_SLOT))
    return keccak256(_word(year) + outer)


def version_slot(subject: str, year: int, version: int, place: int) -> bytes:
    """Slot `place` (0 … 5) of a version: statement, packed figure, then the other signers."""
    versions = int.from_bytes(record_slot(subject, year), "big") + 1
    first = int.from_bytes(keccak256(_word(version) + _word(versions)), "big")
    return _word((first + place) % (1 << 256))


@dataclass(frozen=True, slots=True)
class PackedFigure:
    """Slot 1 of a version: who reported how many tonnes, and what has become of it."""

    reporter: bytes
    tonnes: int
    status: Status
    disputed_from: Status
    sequence: int

    @classmethod
    def decode(cls, word: bytes) -> "PackedFigure":
        """Read the 32 bytes of the slot; `EncodingError` for a status that does not exist."""
        if len(word) != 32 or max(word[2], word[3]) >= len(STATUSES):
            raise EncodingError(f"figure slot: expected two known statuses, got {word.hex()}")
        return cls(
            reporter=word[12:],
            tonnes=int.from_bytes(word[4:12], "big"),
            status=STATUSES[word[3]],
            disputed_from=STATUSES[word[2]],
            sequence=int.from_bytes(word[:2], "big"),
        )


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _encoded(value: Any, kind: str) -> bytes:
    """One member of a struct as `encodeData` of EIP-712 says."""
    if kind == "string":
        return keccak256(value.encode())
    return value if kind == "bytes32" else _word(value)


def _members(fields: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]
