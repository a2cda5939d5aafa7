"""COSE receipts of inclusion (RFC 9942) and transparent statements (RFC 9943).

A receipt is a COSE_Sign1 whose detached payload is the log's root: protected header 395 names the
tree (1 = RFC9162_SHA256), unprotected header 396 carries the proof under -1. A statement with its
receipt in unprotected header 394 is a transparent statement; without that header it is, byte for
byte, the leaf of the log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tanzheng.core import cbor, closed, cose
from tanzheng.core.errors import EncodingError
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.merkle import PROOF_NODES_MAX

CONTENT_TYPE = "application/vnd.tanzheng.inclusion+cose"
RECEIPTS, TREE_ALGORITHM, PROOFS = 394, 395, 396
RFC9162_SHA256 = 1
INCLUSION_PROOFS = -1
RECEIPT_BYTES_MAX = 8192
_HEADER_KEYS = {cose.ALG, cose.CONTENT_TYPE, cose.KID, TREE_ALGORITHM}


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A decoded receipt. `size` is what it claims: the checkpoint decides."""

    size: int
    index: int
    path: tuple[bytes, ...]
    _message: cose.Sign1 = field(repr=False, compare=False)

    @property
    def kid(self) -> bytes:
        """The key id it claims to be signed with."""
        return self._message.kid

    def verify(self, operator: VerifyKey) -> None:
        """Return where `operator` signed the root; else `SignatureInvalid`."""
        self._message.verify(operator)


def sign(root: bytes, size: int, index: int, path: Sequence[bytes], key: SigningKey) -> bytes:
    """Return the receipt that leaf `index` lies in the tree `root` of `size` leaves."""
    proof = cbor.dumps([size, index, list(path)])
    protected = {TREE_ALGORITHM: RFC9162_SHA256}
    unprotected = {PROOFS: {INCLUSION_PROOFS: [proof]}}
    return cose.sign1(root, key, CONTENT_TYPE, protected, unprotected, detached=True)


def decode(raw: bytes, root: bytes) -> Inclusion:
    """Read a receipt for `root`: its form is checked, signature and path not yet."""
    where = "inclusion receipt"
    if len(raw) > RECEIPT_BYTES_MAX:
        raise EncodingError(f"{where}: expected at most {RECEIPT_BYTES_MAX} bytes, got {len(raw)}")
    message = cose.decode1(raw, CONTENT_TYPE, detached_payload=root, unprotected_allowed=True)
    header = message.protected
    if header.keys() != _HEADER_KEYS:
        raise EncodingError(f"{where}: expected the tree's algorithm and no further label")
    if closed.typed(header[TREE_ALGORITHM], int, where) != RFC9162_SHA256:
        raise EncodingError(f"{where}: expected the tree RFC9162_SHA256")
    proofs = _only(_only(message.unprotected, PROOFS, where), INCLUSION_PROOFS, where)
    listed = closed.sequence(proofs, where, 1)
    if len(listed) != 1:
        raise EncodingError(f"{where}: expected one inclusion proof, got {len(listed)}")
    return _proof(closed.typed(listed[0], bytes, where), message)


def attach(statement: bytes, receipt: bytes) -> bytes:
    """Return the transparent statement: the signed statement with its receipt in header 394."""
    protected, _, payload, signature = _parts(statement)
    return _assemble(protected, {RECEIPTS: [receipt]}, payload, signature)


def detach(transparent: bytes) -> tuple[bytes, bytes]:
    """Return the signed statement and its one receipt; `EncodingError` for another form."""
    where = "transparent statement"
    protected, unprotected, payload, signature = _parts(transparent)
    receipts = closed.sequence(_only(unprotected, RECEIPTS, where), where, 1)
    if len(receipts) != 1:
        raise EncodingError(f"{where}: expected one receipt, got {len(receipts)}")
    receipt = closed.typed(receipts[0], bytes, where)
    return _assemble(protected, {}, payload, signature), receipt


def _proof(data: bytes, message: cose.Sign1) -> Inclusion:
    where = "inclusion proof"
    parts = closed.sequence(cbor.loads(data, where), where, 3)
    if len(parts) != 3:
        raise EncodingError(f"{where}: expected [size, index, path]")
    numbers = {"size": parts[0], "index": parts[1]}
    path = closed.sequence(parts[2], where, PROOF_NODES_MAX)
    return Inclusion(
        closed.integer(numbers, "size", where, least=1),
        closed.integer(numbers, "index", where),
        tuple(closed.octets(node, 32, where) for node in path),
        message,
    )


def _only(value: object, label: int, where: str) -> object:
    """Return what stands under `label`, the one key allowed."""
    if not isinstance(value, Mapping) or list(value) != [label]:
        raise EncodingError(f"{where}: expected the header {label} alone")
    return value[label]


def _parts(raw: bytes) -> Sequence[Any]:
    where = "transparent statement"
    tag = cbor.loads(raw, where)
    if not isinstance(tag, cbor.Tag) or tag.tag != cose.SIGN1_TAG:
        raise EncodingError(f"{where}: expected a COSE_Sign1")
    parts = closed.sequence(tag.value, where, 4)
    if len(parts) != 4:
        raise EncodingError(f"{where}: expected 4 parts, got {len(parts)}")
    return parts


def _assemble(protected: object, unprotected: object, payload: object, signature: object) -> bytes:
    return cbor.dumps(cbor.Tag(cose.SIGN1_TAG, [protected, unprotected, payload, signature]))
