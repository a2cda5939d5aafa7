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
from dataclasses import dataclass
from typing import Any

from tanzheng.core import closed, strict_json
from tanzheng.core.checkpoint import SignedCheckpoint, log_of
from tanzheng.core.errors import EncodingError
from tanzheng.core.keys import VerifyKey
from tanzheng.core.trusted import (
    ITEMS_MAX,
    OperatorKey,
    Signer,
    TimestampAuthority,
    TrustedBlock,
    TrustedGateway,
    TrustedPlant,
    TrustedValidator,
    Untrusted,
    authorities_to_json,
    each_once,
    key_to_json,
    policy_to_json,
    prefixed,
    read_authorities,
    read_block,
    read_gateway,
    read_key,
    read_plant,
    read_policy,
    read_signers,
    read_validators,
    signer_to_json,
    validators_to_json,
)
from tanzheng.core.witness import WitnessPolicy

__all__ = [
    "OperatorKey",
    "Signer",
    "TimestampAuthority",
    "Trust",
    "TrustedBlock",
    "TrustedGateway",
    "TrustedPlant",
    "TrustedValidator",
    "Untrusted",
]
VERSION = 1
TRUST_BYTES_MAX = 64 << 20


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
        "operator_keys": [key_to_json(key) for key in trust.operator_keys],
        "gateways": [{"id": g.id, "public_key": g.public.raw.hex()} for g in trust.gateways],
        "plants": [{"enterprise": p.enterprise, "sha256": p.sha256.hex()} for p in trust.plants],
        "blocks": [
            {"number": block.number, "hash": f"0x{block.hash.hex()}", "time": block.time_s}
            for block in trust.blocks
        ],
        **({"witnesses": policy_to_json(trust.witnesses)} if trust.witnesses else {}),
        **({"signers": [signer_to_json(each) for each in trust.signers]} if trust.signers else {}),
        **authorities_to_json(trust.timestamp_authorities),
        **validators_to_json(trust.validators),
    }


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
        contract=prefixed(source["contract"], 20, f"{where}.contract"),
        log_id=closed.hexadecimal(source["log_id"], 32, f"{where}.log_id"),
        operator_keys=tuple(
            read_key(item, "trust.operator_keys") for item in lists["operator_keys"]
        ),
        gateways=tuple(read_gateway(item) for item in lists["gateways"]),
        plants=tuple(read_plant(item) for item in lists["plants"]),
        blocks=tuple(read_block(item) for item in lists["blocks"]),
        witnesses=read_policy(source["witnesses"]) if "witnesses" in told else None,
        signers=read_signers(source) if "signers" in told else (),
        timestamp_authorities=read_authorities(source) if "timestamp_authorities" in told else (),
        validators=read_validators(source) if "validators" in told else (),
    )
    _check_each_once(trust)
    return trust


def _check_each_once(trust: Trust) -> None:
    """Whoever signs a checkpoint is no witness of it, and nobody's key is another's."""
    own = [key.public.raw for key in trust.operator_keys]
    each_once(own, "trust.operator_keys")
    each_once([gateway.id for gateway in trust.gateways], "trust.gateways")
    each_once([block.number for block in trust.blocks], "trust.blocks")
    each_once([*own, *(each.key.public.raw for each in trust.signers)], "trust.signers")
    if trust.witnesses is not None:
        each_once([*own, *(w.public.raw for w in trust.witnesses.witnesses)], "trust.witnesses")
