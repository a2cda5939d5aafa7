"""The trust file: everything a verifier takes from somewhere other than the operator.

JSON, laid out for the eye (spaces and order are free), but closed: exact keys, no duplicates.

    {"version": 1, "chain_id": 31337, "contract": "0x…", "log_id": "…",
     "operator_keys": [{"kid": "…", "public_key": "…", "not_before_ms": 0, "not_after_ms": null}],
     "gateways": [{"id": "lg-gw1", "public_key": "…"}],
     "plants": [{"enterprise": "…", "sha256": "…"}],
     "blocks": [{"number": 5, "hash": "0x…", "time": 1700000000}],
     "witnesses": {"threshold": 2, "keys": [{"name": "…", "public_key": "…"}]},
     "signers": [{"name": "…", "role": "city", "kid": "…", "public_key": "…",
                  "not_before_ms": 0, "not_after_ms": null, "subjects": ["E1", "9137*"]}],
     "timestamp_authorities": [{"name": "…", "certificate": "…"}],
     "validators": [{"address": "0x…", "from_block": 0, "to_block": null}]}

`witnesses` may be left out: then nobody need have cosigned a checkpoint. So may `signers`: then
nobody but the operator may sign a statement; and `timestamp_authorities` (the stamping
certificates, DER): then no time stamp is asked for. A signer's `subjects` are the enterprises of
which it may speak (`jurisdiction`); without them it may speak of all. `validators` are those of a
QBFT chain: a block that two thirds of them sealed counts as one that was observed.
`log_id`, keys and digests are hexadecimal; `time` is the block's clock in seconds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tanzheng.core import closed, strict_json
from tanzheng.core.checkpoint import SignedCheckpoint, log_of
from tanzheng.core.errors import CheckFailed, EncodingError
from tanzheng.core.ids import identifier
from tanzheng.core.jurisdiction import Jurisdiction
from tanzheng.core.keys import KID_BYTES, VerifyKey
from tanzheng.core.qbft import ADDRESS_BYTES
from tanzheng.core.statements.roles import Role
from tanzheng.core.witness import WITNESSES_MAX, Witness, WitnessPolicy

VERSION = 1
TRUST_BYTES_MAX = 64 << 20
ITEMS_MAX = 1_000_000
AUTHORITIES_MAX = 64
CERTIFICATE_BYTES_MAX = 8192


class Untrusted(CheckFailed):
    """A key, block or plant that the trust file does not name, or not for that time."""


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """A key that may sign statements and checkpoints from `not_before_ms` to `not_after_ms`.

    Both instants belong to the span; `not_after_ms` None means no end yet.
    """

    public: VerifyKey
    not_before_ms: int
    not_after_ms: int | None

    def valid_at(self, t_ms: int) -> bool:
        """Say whether the key may sign at `t_ms`."""
        return self.not_before_ms <= t_ms and (
            self.not_after_ms is None or t_ms <= self.not_after_ms
        )


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs statements in a role beside the operator's; `key` as of an operator.

    `jurisdiction`: the plants of which it may speak, None for all.
    """

    name: str
    role: Role
    key: OperatorKey
    jurisdiction: Jurisdiction | None = None


@dataclass(frozen=True, slots=True)
class TrustedGateway:
    """A gateway and the key its batches must be signed with."""

    id: str
    public: VerifyKey


@dataclass(frozen=True, slots=True)
class TrustedPlant:
    """A plant file by its SHA-256."""

    enterprise: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class TrustedBlock:
    """A final block as the observer saw it; `time_s` is the chain's clock in seconds."""

    number: int
    hash: bytes
    time_s: int


@dataclass(frozen=True, slots=True)
class TrustedValidator:
    """An account that seals blocks of a QBFT chain, `from_block` to `to_block`, both included."""

    address: bytes
    from_block: int
    to_block: int | None


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """Who may stamp time (RFC 3161); `certificate` is the DER of the stamping one itself."""

    name: str
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Trust:
    """The content of TRUST.json; `contract` is 20 bytes, `log_id` 32."""

    chain_id: int
    contract: bytes
    log_id: bytes
    operator_keys: tuple[OperatorKey, ...]
    gateways: tuple[TrustedGateway, ...]
    plants: tuple[TrustedPlant, ...]
    blocks: tuple[TrustedBlock, ...]
    witnesses: WitnessPolicy | None = None
    signers: tuple[Signer, ...] = ()
    timestamp_authorities: tuple[TimestampAuthority, ...] = ()
    validators: tuple[TrustedValidator, ...] = ()

    def encode(self) -> bytes:
        """Return the JSON text, indented, checked by reading it back."""
        data = (json.dumps(_to_json(self), indent=2, ensure_ascii=False) + "\n").encode()
        if Trust.decode(data) != self:
            raise EncodingError("trust: expected fields that survive a round trip")
        return data

    @classmethod
    def decode(cls, data: bytes) -> "Trust":
        """Read TRUST.json; `EncodingError` names the first field out of shape."""
        return _from_json(strict_json.loads(data, "trust", TRUST_BYTES_MAX))

    def operator(self, kid: bytes, t_ms: int) -> VerifyKey:
        """Return the operator's key `kid`; `Untrusted` where it is unknown or not valid at t_ms."""
        for key in self.operator_keys:
            if key.public.kid == kid:
                if key.valid_at(t_ms):
                    return key.public
                raise Untrusted(f"operator key {kid.hex()}: expected it valid at {t_ms}, it is not")
        raise Untrusted(f"operator key: expected a trusted one, got {kid.hex()}")

    def check_log(self, signed: SignedCheckpoint) -> None:
        """Return where a checkpoint is of the trusted log and signed by its operator.

        `Untrusted` for another log or key, `SignatureInvalid`. The key must be valid at the time
        that the checkpoint claims; only a receipt's block proves one.
        """
        self.check_which_log(signed)
        signed.verify(self.operator(signed.kid, signed.checkpoint.t_ms))

    def check_which_log(self, signed: SignedCheckpoint) -> None:
        """Return where a checkpoint claims to be of the trusted log; else `Untrusted`."""
        if log_of(signed.checkpoint) != (self.chain_id, self.contract, self.log_id):
            raise Untrusted(
                f"checkpoint: expected one of log {self.log_id.hex()} on chain {self.chain_id}, "
                f"got {signed.checkpoint.log_id.hex()} on {signed.checkpoint.chain_id}"
            )

    def gateway(self, gw: str) -> VerifyKey:
        """Return the key of gateway `gw`; `Untrusted` where it has none."""
        for gateway in self.gateways:
            if gateway.id == gw:
                return gateway.public
        raise Untrusted(f"gateway: expected a trusted one, got {gw!r}")

    def block(self, digest: bytes) -> TrustedBlock:
        """Return the observed block with that hash; `Untrusted` where the observer saw none."""
        found = self.observed(digest)
        if found is None:
            raise Untrusted(f"block: expected an observed one, got 0x{digest.hex()}")
        return found

    def observed(self, digest: bytes) -> TrustedBlock | None:
        """Return the observed block with that hash, None where the observer saw none."""
        return next((block for block in self.blocks if block.hash == digest), None)

    def validators_at(self, number: int) -> frozenset[bytes]:
        """Return the addresses that may seal block `number`."""
        return frozenset(
            each.address
            for each in self.validators
            if each.from_block <= number and (each.to_block is None or number <= each.to_block)
        )

    def plant(self, enterprise: str, sha256: bytes) -> None:
        """Return where that plant file is trusted; else `Untrusted`."""
        if TrustedPlant(enterprise, sha256) not in self.plants:
            raise Untrusted(
                f"plant file: expected a trusted one of {enterprise}, got {sha256.hex()}"
            )


# ------------------------------------------------------------------ JSON form


def _to_json(trust: Trust) -> dict[str, Any]:
    return {
        "version": VERSION,
        "chain_id": trust.chain_id,
        "contract": f"0x{trust.contract.hex()}",
        "log_id": trust.log_id.hex(),
        "operator_keys": [_key_to_json(key) for key in trust.operator_keys],
        "gateways": [{"id": g.id, "public_key": g.public.raw.hex()} for g in trust.gateways],
        "plants": [{"enterprise": p.enterprise, "sha256": p.sha256.hex()} for p in trust.plants],
        "blocks": [
            {"number": block.number, "hash": f"0x{block.hash.hex()}", "time": block.time_s}
            for block in trust.blocks
        ],
        **({"witnesses": _policy_to_json(trust.witnesses)} if trust.witnesses else {}),
        **({"signers": [_signer_to_json(each) for each in trust.signers]} if trust.signers else {}),
        **_authorities_to_json(trust.timestamp_authorities),
        **_validators_to_json(trust.validators),
    }


def _key_to_json(key: OperatorKey) -> dict[str, Any]:
    return {
        "kid": key.public.kid.hex(),
        "public_key": key.public.raw.hex(),
        "not_before_ms": key.not_before_ms,
        "not_after_ms": key.not_after_ms,
    }


def _signer_to_json(signer: Signer) -> dict[str, Any]:
    over = signer.jurisdiction
    return {
        "name": signer.name,
        "role": str(signer.role),
        **_key_to_json(signer.key),
        **({"subjects": [*over.enterprises]} if over is not None else {}),
    }


def _authorities_to_json(authorities: Sequence[TimestampAuthority]) -> dict[str, Any]:
    told = [{"name": each.name, "certificate": each.certificate.hex()} for each in authorities]
    return {"timestamp_authorities": told} if told else {}


def _validators_to_json(validators: Sequence[TrustedValidator]) -> dict[str, Any]:
    told = [
        {
            "address": f"0x{each.address.hex()}",
            "from_block": each.from_block,
            "to_block": each.to_block,
        }
        for each in validators
    ]
    return {"validators": told} if told else {}


def _policy_to_json(policy: WitnessPolicy) -> dict[str, Any]:
    keys = [{"name": w.name, "public_key": w.public.raw.hex()} for w in policy.witnesses]
    return {"threshold": policy.threshold, "keys": keys}


def _from_json(value: object) -> Trust:
    where = "trust"
    keys = "version chain_id contract log_id operator_keys gateways plants blocks"
    optional = ("witnesses", "signers", "timestamp_authorities", "validators")
    told = [key for key in optional if key in closed.mapping(value, where)]
    source = closed.record(value, [*keys.split(), *told], where)
    closed.version(source, VERSION, where)
    lists = {
        key: closed.items(source, key, where, ITEMS_MAX)
        for key in ("operator_keys", "gateways", "plants", "blocks")
    }
    trust = Trust(
        chain_id=closed.integer(source, "chain_id", where, least=1),
        contract=_prefixed(source["contract"], 20, f"{where}.contract"),
        log_id=closed.hexadecimal(source["log_id"], 32, f"{where}.log_id"),
        operator_keys=tuple(
            _operator_key(item, "trust.operator_keys") for item in lists["operator_keys"]
        ),
        gateways=tuple(_gateway(item) for item in lists["gateways"]),
        plants=tuple(_plant(item) for item in lists["plants"]),
        blocks=tuple(_block(item) for item in lists["blocks"]),
        witnesses=_policy(source["witnesses"]) if "witnesses" in told else None,
        signers=_signers(source) if "signers" in told else (),
        timestamp_authorities=_authorities(source) if "timestamp_authorities" in told else (),
        validators=_validators(source) if "validators" in told else (),
    )
    _check_each_once(trust)
    return trust


def _check_each_once(trust: Trust) -> None:
    """Whoever signs a checkpoint is no witness of it, and nobody's key is another's."""
    own = [key.public.raw for key in trust.operator_keys]
    _each_once(own, "trust.operator_keys")
    _each_once([gateway.id for gateway in trust.gateways], "trust.gateways")
    _each_once([block.number for block in trust.blocks], "trust.blocks")
    _each_once([*own, *(each.key.public.raw for each in trust.signers)], "trust.signers")
    if trust.witnesses is not None:
        _each_once([*own, *(w.public.raw for w in trust.witnesses.witnesses)], "trust.witnesses")


def _signers(trust: closed.Record) -> tuple[Signer, ...]:
    where = "trust.signers"
    signers = tuple(map(_signer, closed.items(trust, "signers", where, ITEMS_MAX)))
    if not signers:
        raise EncodingError(f"{where}: expected an entry where the key is there, got none")
    return signers


def _signer(value: object) -> Signer:
    where = "trust.signers"
    source = dict(closed.mapping(value, where))
    name, role = source.pop("name", None), source.pop("role", None)
    if role not in set(Role) - {Role.OPERATOR}:
        raise EncodingError(f"{where}.role: expected one beside the operator's, got {role!r}")
    over = None
    if "subjects" in source:
        over = Jurisdiction.read(source.pop("subjects"), f"{where}.subjects")
    name = identifier(name, f"{where}.name")
    return Signer(name, Role(role), _operator_key(source, where), over)


def _operator_key(value: object, where: str) -> OperatorKey:
    source = closed.record(value, ("kid", "public_key", "not_before_ms", "not_after_ms"), where)
    public = VerifyKey.from_hex(source["public_key"], f"{where}.public_key")
    if closed.hexadecimal(source["kid"], KID_BYTES, f"{where}.kid") != public.kid:
        raise EncodingError(f"{where}.kid: expected {public.kid.hex()}, the key's own")
    end = source["not_after_ms"]
    not_after_ms = None if end is None else closed.integer(source, "not_after_ms", where)
    return OperatorKey(public, closed.integer(source, "not_before_ms", where), not_after_ms)


def _gateway(value: object) -> TrustedGateway:
    where = "trust.gateways"
    source = closed.record(value, ("id", "public_key"), where)
    public = VerifyKey.from_hex(source["public_key"], f"{where}.public_key")
    return TrustedGateway(identifier(source["id"], f"{where}.id"), public)


def _plant(value: object) -> TrustedPlant:
    where = "trust.plants"
    source = closed.record(value, ("enterprise", "sha256"), where)
    digest = closed.hexadecimal(source["sha256"], 32, f"{where}.sha256")
    return TrustedPlant(identifier(source["enterprise"], f"{where}.enterprise"), digest)


def _block(value: object) -> TrustedBlock:
    where = "trust.blocks"
    source = closed.record(value, ("number", "hash", "time"), where)
    return TrustedBlock(
        closed.integer(source, "number", where),
        _prefixed(source["hash"], 32, f"{where}.hash"),
        closed.integer(source, "time", where),
    )


def _policy(value: object) -> WitnessPolicy:
    where = "trust.witnesses"
    source = closed.record(value, ("threshold", "keys"), where)
    witnesses = tuple(map(_witness, closed.items(source, "keys", where, WITNESSES_MAX)))
    _each_once([each.public.raw for each in witnesses], f"{where}.keys")
    _each_once([each.name for each in witnesses], f"{where}.keys")
    threshold = closed.integer(source, "threshold", where, least=1)
    if threshold > len(witnesses):
        raise EncodingError(f"{where}.threshold: expected at most {len(witnesses)} keys")
    return WitnessPolicy(threshold, witnesses)


def _authorities(trust: closed.Record) -> tuple[TimestampAuthority, ...]:
    where = "trust.timestamp_authorities"
    listed = closed.items(trust, "timestamp_authorities", "trust", AUTHORITIES_MAX)
    authorities = tuple(map(_authority, listed))
    if not authorities:
        raise EncodingError(f"{where}: expected an entry where the key is there, got none")
    _each_once([each.certificate for each in authorities], where)
    return authorities


def _authority(value: object) -> TimestampAuthority:
    where = "trust.timestamp_authorities"
    source = closed.record(value, ("name", "certificate"), where)
    text = closed.typed(source["certificate"], str, f"{where}.certificate")
    octets = min(len(text) // 2, CERTIFICATE_BYTES_MAX)
    certificate = closed.hexadecimal(text, octets, f"{where}.certificate")
    return TimestampAuthority(identifier(source["name"], f"{where}.name"), certificate)


def _validators(trust: closed.Record) -> tuple[TrustedValidator, ...]:
    where = "trust.validators"
    validators = tuple(map(_validator, closed.items(trust, "validators", "trust", ITEMS_MAX)))
    if not validators:
        raise EncodingError(f"{where}: expected an entry where the key is there, got none")
    _each_once([(each.address, each.from_block) for each in validators], where)
    return validators


def _validator(value: object) -> TrustedValidator:
    where = "trust.validators"
    source = closed.record(value, ("address", "from_block", "to_block"), where)
    first = closed.integer(source, "from_block", where)
    last = source["to_block"]
    return TrustedValidator(
        _prefixed(source["address"], ADDRESS_BYTES, f"{where}.address"),
        first,
        None if last is None else closed.integer(source, "to_block", where, least=first),
    )


def _witness(value: object) -> Witness:
    where = "trust.witnesses.keys"
    source = closed.record(value, ("name", "public_key"), where)
    public = VerifyKey.from_hex(source["public_key"], f"{where}.public_key")
    return Witness(identifier(source["name"], f"{where}.name"), public)


def _prefixed(value: object, count: int, where: str) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise EncodingError(f"{where}: expected 0x and {2 * count} hexadecimal digits")
    return closed.hexadecimal(value[2:], count, where)


def _each_once(values: Sequence[object], where: str) -> None:
    if len(set(values)) != len(values):
        raise EncodingError(f"{where}: expected each entry once")
