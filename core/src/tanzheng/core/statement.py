"""The signed statement: one leaf of the log, what an operator answers for.

COSE_Sign1; protected header: alg, kid, content type and CWT claims (RFC 9597) with the issuer and
the subject. The payload is deterministic CBOR with text keys. A subject's statements are a chain of
their own: `seq` from 1, `prev` the SHA-256 of the signed bytes before. A correction supersedes; it
never replaces.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tanzheng.core import cbor, closed, cose
from tanzheng.core.errors import EncodingError
from tanzheng.core.hashing import sha256
from tanzheng.core.ids import Subject, identifier, pack_name
from tanzheng.core.keys import SigningKey, VerifyKey
from tanzheng.core.manifest import DataPack, GatewayChain
from tanzheng.core.merkle import leaf_hash

CONTENT_TYPE = "application/vnd.tanzheng.statement+cbor"
TYPE = "tanzheng.statement"
VERSION = 1
STATEMENT_BYTES_MAX = 1 << 20
GATEWAYS_MAX = 1024

CWT_CLAIMS, ISSUER, SUBJECT = 15, 1, 2  # RFC 9597 §2, RFC 8392 §4
_HEADER_KEYS = {cose.ALG, cose.CONTENT_TYPE, cose.KID, CWT_CLAIMS}
_KEYS = (
    *("type", "version", "subject", "start_ms", "end_ms", "seq", "prev", "supersedes"),
    *("manifest_sha256", "manifest_sm3", "parameters_root", "gateways"),
    *("standard", "rules", "software", "not_before"),
)


@dataclass(frozen=True, slots=True)
class Supersedes:
    """The correction of an earlier statement: its digest, a reason code, who approved."""

    digest: bytes
    reason: str
    approver: str


@dataclass(frozen=True, slots=True)
class BlockReference:
    """A recent block when the statement was made: the statement is not older than it."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Statement:
    """What is stated. `issuer` names the signer; `prev` is None exactly where `seq` is 1.

    `manifest_sha256`, `manifest_sm3`: of data/manifest.json, which binds the whole package.
    `parameters_root`: of the salted tree. `gateways`: batch-chain heads, sorted by gateway.
    """

    issuer: str
    subject: Subject
    start_ms: int
    end_ms: int
    seq: int
    prev: bytes | None
    supersedes: Supersedes | None
    manifest_sha256: bytes
    manifest_sm3: bytes
    parameters_root: bytes
    gateways: tuple[GatewayChain, ...]
    standard: DataPack
    rules: DataPack
    software: str
    not_before: BlockReference

    def encode(self) -> bytes:
        """Return the payload; `EncodingError` where a field breaks the shape."""
        payload = cbor.dumps(_to_map(self))
        if decode(payload, self.issuer) != self:  # before writing and after reading
            raise EncodingError("statement: expected fields that survive a round trip")
        return payload

    def sign(self, key: SigningKey) -> "SignedStatement":
        """Return the statement signed by the operator."""
        claims = {CWT_CLAIMS: {ISSUER: self.issuer, SUBJECT: str(self.subject)}}
        return open_signed(cose.sign1(self.encode(), key, CONTENT_TYPE, claims))


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """The signed bytes, which are the leaf of the log, with what they say."""

    raw: bytes
    statement: Statement
    _message: cose.Sign1 = field(repr=False, compare=False)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the signed bytes: what heads and later statements refer to."""
        return sha256(self.raw)

    @property
    def leaf_hash(self) -> bytes:
        """The digest of the leaf in the SHA-256 log."""
        return leaf_hash(self.raw)

    @property
    def kid(self) -> bytes:
        """The key id it claims to be signed with."""
        return self._message.kid

    def verify(self, operator: VerifyKey) -> None:
        """Return where `operator` signed this; else `SignatureInvalid`."""
        self._message.verify(operator)


def open_signed(raw: bytes) -> SignedStatement:
    """Read a signed statement: its form is checked, its signature not yet."""
    if len(raw) > STATEMENT_BYTES_MAX:
        raise EncodingError(
            f"statement: expected at most {STATEMENT_BYTES_MAX} bytes, got {len(raw)}"
        )
    message = cose.decode1(raw, CONTENT_TYPE)
    if message.protected.keys() != _HEADER_KEYS:
        raise EncodingError(f"statement header: expected exactly the labels {_HEADER_KEYS}")
    claims = message.protected[CWT_CLAIMS]
    if not isinstance(claims, Mapping) or claims.keys() != {ISSUER, SUBJECT}:
        raise EncodingError("statement header: expected the claims issuer and subject")
    statement = decode(message.payload, identifier(claims[ISSUER], "statement issuer"))
    if claims[SUBJECT] != str(statement.subject):
        raise EncodingError(
            f"statement header: expected the subject {statement.subject}, got {claims[SUBJECT]!r}"
        )
    return SignedStatement(raw, statement, message)


def decode(payload: bytes, issuer: str) -> Statement:
    """Read a payload; the issuer stands in the header. `EncodingError` names the wrong field."""
    where = "statement"
    source = closed.record(cbor.loads(payload, where), _KEYS, where)
    if source["type"] != TYPE:
        raise EncodingError(f"{where}.type: expected {TYPE!r}, got {source['type']!r}")
    closed.version(source, VERSION, where)
    statement = Statement(
        issuer=issuer,
        subject=Subject.parse(closed.text(source, "subject", where)),
        start_ms=closed.integer(source, "start_ms", where),
        end_ms=closed.integer(source, "end_ms", where),
        seq=closed.integer(source, "seq", where, least=1),
        prev=_optional_digest(source["prev"], f"{where}.prev"),
        supersedes=_supersedes(source["supersedes"]),
        manifest_sha256=closed.octets(source["manifest_sha256"], 32, f"{where}.manifest_sha256"),
        manifest_sm3=closed.octets(source["manifest_sm3"], 32, f"{where}.manifest_sm3"),
        parameters_root=closed.octets(source["parameters_root"], 32, f"{where}.parameters_root"),
        gateways=_gateways(closed.items(source, "gateways", where, GATEWAYS_MAX)),
        standard=_pack(source["standard"], f"{where}.standard"),
        rules=_pack(source["rules"], f"{where}.rules"),
        software=closed.text(source, "software", where),
        not_before=_block(source["not_before"]),
    )
    if (statement.prev is None) != (statement.seq == 1):
        raise EncodingError(f"{where}.prev: expected it exactly from seq 2 on")
    if statement.supersedes is not None and statement.prev is None:
        raise EncodingError(f"{where}.supersedes: expected nothing to supersede at seq 1")
    return statement


# ------------------------------------------------------------------ CBOR form


def _to_map(statement: Statement) -> dict[str, Any]:
    corrected = statement.supersedes
    return {
        "type": TYPE,
        "version": VERSION,
        "subject": str(statement.subject),
        "start_ms": statement.start_ms,
        "end_ms": statement.end_ms,
        "seq": statement.seq,
        "prev": statement.prev,
        "supersedes": corrected
        and {
            "digest": corrected.digest,
            "reason": corrected.reason,
            "approver": corrected.approver,
        },
        "manifest_sha256": statement.manifest_sha256,
        "manifest_sm3": statement.manifest_sm3,
        "parameters_root": statement.parameters_root,
        "gateways": [
            [chain.gw, chain.first_epoch, chain.first_seq, chain.epoch, chain.last_seq, chain.head]
            for chain in statement.gateways
        ],
        "standard": _pack_to_map(statement.standard),
        "rules": _pack_to_map(statement.rules),
        "software": statement.software,
        "not_before": {"number": statement.not_before.number, "hash": statement.not_before.hash},
    }


def _pack_to_map(pack: DataPack) -> dict[str, Any]:
    return {"name": pack.name, "version": pack.version, "sha256": pack.sha256}


def _pack(value: object, where: str) -> DataPack:
    source = closed.record(value, ("name", "version", "sha256"), where)
    name, version = (
        pack_name(source["name"], f"{where}.name"),
        closed.text(source, "version", where),
    )
    return DataPack(name, version, closed.octets(source["sha256"], 32, f"{where}.sha256"))


def _block(value: object) -> BlockReference:
    where = "statement.not_before"
    source = closed.record(value, ("number", "hash"), where)
    digest = closed.octets(source["hash"], 32, f"{where}.hash")
    return BlockReference(closed.integer(source, "number", where), digest)


def _supersedes(value: object) -> Supersedes | None:
    if value is None:
        return None
    where = "statement.supersedes"
    source = closed.record(value, ("digest", "reason", "approver"), where)
    return Supersedes(
        closed.octets(source["digest"], 32, f"{where}.digest"),
        identifier(source["reason"], f"{where}.reason"),
        closed.text(source, "approver", where),
    )


def _gateways(values: object) -> tuple[GatewayChain, ...]:
    chains = []
    for value in closed.sequence(values, "statement.gateways", GATEWAYS_MAX):
        where = "statement.gateways"
        parts = closed.sequence(value, where, 6)
        if len(parts) != 6:
            raise EncodingError(f"{where}: expected 6 parts a gateway, got {len(parts)}")
        numbers = [closed.integer({"number": n}, "number", where, least=1) for n in parts[1:5]]
        head = closed.octets(parts[5], 32, f"{where}.head")
        chains.append(
            GatewayChain(
                identifier(parts[0], where), numbers[0], numbers[1], numbers[2], numbers[3], head
            )
        )
    return tuple(chains)


def _optional_digest(value: object, where: str) -> bytes | None:
    return None if value is None else closed.octets(value, 32, where)
