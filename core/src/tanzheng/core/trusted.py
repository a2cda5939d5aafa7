"""What a trust file lists: keys, plants, blocks, validators, authorities; each with its JSON form.

See `trust` for the file as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tanzheng.core import closed
from tanzheng.core.errors import CheckFailed, EncodingError
from tanzheng.core.ids import identifier
from tanzheng.core.jurisdiction import Jurisdiction
from tanzheng.core.keys import KID_BYTES, VerifyKey
from tanzheng.core.qbft import ADDRESS_BYTES
from tanzheng.core.statements.roles import Role
from tanzheng.core.witness import WITNESSES_MAX, Witness, WitnessPolicy

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


# ------------------------------------------------------------------ JSON form


def key_to_json(key: OperatorKey) -> dict[str, Any]:
    """The JSON form of a key and its span."""
    return {
        "kid": key.public.kid.hex(),
        "public_key": key.public.raw.hex(),
        "not_before_ms": key.not_before_ms,
        "not_after_ms": key.not_after_ms,
    }


def signer_to_json(signer: Signer) -> dict[str, Any]:
    """The JSON form of a signer."""
    over = signer.jurisdiction
    return {
        "name": signer.name,
        "role": str(signer.role),
        **key_to_json(signer.key),
        **({"subjects": [*over.enterprises]} if over is not None else {}),
    }


def authorities_to_json(authorities: Sequence[TimestampAuthority]) -> dict[str, Any]:
    """The key of the list, where there is one."""
    told = [{"name": each.name, "certificate": each.certificate.hex()} for each in authorities]
    return {"timestamp_authorities": told} if told else {}


def validators_to_json(validators: Sequence[TrustedValidator]) -> dict[str, Any]:
    """The key of the list, where there is one."""
    told = [
        {
            "address": f"0x{each.address.hex()}",
            "from_block": each.from_block,
            "to_block": each.to_block,
        }
        for each in validators
    ]
    return {"validators": told} if told else {}


def policy_to_json(policy: WitnessPolicy) -> dict[str, Any]:
    """The JSON form of the witnesses."""
    keys = [{"name": w.name, "public_key": w.public.raw.hex()} for w in policy.witnesses]
    return {"threshold": policy.threshold, "keys": keys}


def read_signers(trust: closed.Record) -> tuple[Signer, ...]:
    """Read `signers`; `BadInput` names what is wrong."""
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
    return Signer(name, Role(role), read_key(source, where), over)


def read_key(value: object, where: str) -> OperatorKey:
    """Read a key and its span."""
    source = closed.record(value, ("kid", "public_key", "not_before_ms", "not_after_ms"), where)
    public = VerifyKey.from_hex(source["public_key"], f"{where}.public_key")
    if closed.hexadecimal(source["kid"], KID_BYTES, f"{where}.kid") != public.kid:
        raise EncodingError(f"{where}.kid: expected {public.kid.hex()}, the key's own")
    end = source["not_after_ms"]
    not_after_ms = None if end is None else closed.integer(source, "not_after_ms", where)
    return OperatorKey(public, closed.integer(source, "not_before_ms", where), not_after_ms)


def read_gateway(value: object) -> TrustedGateway:
    """Read an entry of `gateways`."""
    where = "trust.gateways"
    source = closed.record(value, ("id", "public_key"), where)
    public = VerifyKey.from_hex(source["public_key"], f"{where}.public_key")
    return TrustedGateway(identifier(source["id"], f"{where}.id"), public)


def read_plant(value: object) -> TrustedPlant:
    """Read an entry of `plants`."""
    where = "trust.plants"
    source = closed.record(value, ("enterprise", "sha256"), where)
    digest = closed.hexadecimal(source["sha256"], 32, f"{where}.sha256")
    return TrustedPlant(identifier(source["enterprise"], f"{where}.enterprise"), digest)


def read_block(value: object) -> TrustedBlock:
    """Read an entry of `blocks`."""
    where = "trust.blocks"
    source = closed.record(value, ("number", "hash", "time"), where)
    return TrustedBlock(
        closed.integer(source, "number", where),
        prefixed(source["hash"], 32, f"{where}.hash"),
        closed.integer(source, "time", where),
    )


def read_policy(value: object) -> WitnessPolicy:
    """Read `witnesses`."""
    where = "trust.witnesses"
    source = closed.record(value, ("threshold", "keys"), where)
    witnesses = tuple(map(_witness, closed.items(source, "keys", where, WITNESSES_MAX)))
    each_once([each.public.raw for each in witnesses], f"{where}.keys")
    each_once([each.name for each in witnesses], f"{where}.keys")
    threshold = closed.integer(source, "threshold", where, least=1)
    if threshold > len(witnesses):
        raise EncodingError(f"{where}.threshold: expected at most {len(witnesses)} keys")
    return WitnessPolicy(threshold, witnesses)


def read_authorities(trust: closed.Record) -> tuple[TimestampAuthority, ...]:
    """Read `timestamp_authorities`."""
    where = "trust.timestamp_authorities"
    listed = closed.items(trust, "timestamp_authorities", "trust", AUTHORITIES_MAX)
    authorities = tuple(map(_authority, listed))
    if not authorities:
        raise EncodingError(f"{where}: expected an entry where the key is there, got none")
    each_once([each.certificate for each in authorities], where)
    return authorities


def _authority(value: object) -> TimestampAuthority:
    where = "trust.timestamp_authorities"
    source = closed.record(value, ("name", "certificate"), where)
    text = closed.typed(source["certificate"], str, f"{where}.certificate")
    octets = min(len(text) // 2, CERTIFICATE_BYTES_MAX)
    certificate = closed.hexadecimal(text, octets, f"{where}.certificate")
    return TimestampAuthority(identifier(source["name"], f"{where}.name"), certificate)


def read_validators(trust: closed.Record) -> tuple[TrustedValidator, ...]:
    """Read `validators`."""
    where = "trust.validators"
    validators = tuple(map(_validator, closed.items(trust, "validators", "trust", ITEMS_MAX)))
    if not validators:
        raise EncodingError(f"{where}: expected an entry where the key is there, got none")
    each_once([(each.address, each.from_block) for each in validators], where)
    return validators


def _validator(value: object) -> TrustedValidator:
    where = "trust.validators"
    source = closed.record(value, ("address", "from_block", "to_block"), where)
    first = closed.integer(source, "from_block", where)
    last = source["to_block"]
    return TrustedValidator(
        prefixed(source["address"], ADDRESS_BYTES, f"{where}.address"),
        first,
        None if last is None else closed.integer(source, "to_block", where, least=first),
    )


def _witness(value: object) -> Witness:
    where = "trust.witnesses.keys"
    source = closed.record(value, ("name", "public_key"), where)
    public = VerifyKey.from_hex(source["public_key"], f"{where}.public_key")
    return Witness(identifier(source["name"], f"{where}.name"), public)


def prefixed(value: object, count: int, where: str) -> bytes:
    """Read 0x and so many bytes in hexadecimal."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise EncodingError(f"{where}: expected 0x and {2 * count} hexadecimal digits")
    return closed.hexadecimal(value[2:], count, where)


def each_once(values: Sequence[object], where: str) -> None:
    """`EncodingError` where one of the values is there twice."""
    if len(set(values)) != len(values):
        raise EncodingError(f"{where}: expected each entry once")
