"""The observer: a verifier's own record of the blocks in which a log's contract advanced.

It asks a node over JSON-RPC (standard library only) for the contract's logs and for the header of
each block that has one, and recomputes the header's hash: a node can withhold a block from it, but
cannot make it record a header that does not exist under that hash.
"""

import json
import signal
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.core.evm import decode_header, encode_header
from tanzheng.core.hashing import keccak256
from tanzheng.core.ids import identifier
from tanzheng.core.jurisdiction import Jurisdiction
from tanzheng.core.keys import VerifyKey
from tanzheng.core.plant import PLANT_BYTES_MAX, Plant
from tanzheng.core.qbft import ADDRESS_BYTES
from tanzheng.core.statements.roles import Role
from tanzheng.core.trust import (
    OperatorKey,
    Signer,
    TimestampAuthority,
    Trust,
    TrustedBlock,
    TrustedGateway,
    TrustedPlant,
    TrustedValidator,
)
from tanzheng.core.witness import Witness, WitnessPolicy
from tanzheng.verifier.errors import NodeFault, NodeLied
from tanzheng.verifier.files import KEY_BYTES_MAX, read_file, replace

POLL_S = 0.5
RETRY_S = 2.0
TIMEOUT_S = 20.0
ANSWER_BYTES_MAX = 32 << 20
BLOCKS_PER_QUERY = 10_000
CERTIFICATE_FILE_BYTES_MAX = 64 << 10


@dataclass(frozen=True, slots=True)
class Anchors:
    """What is trusted beside the blocks: given by the verifier, not by the node."""

    contract: bytes
    log_id: bytes
    plant: TrustedPlant
    gateways: tuple[TrustedGateway, ...]
    operators: tuple[OperatorKey, ...]
    witnesses: WitnessPolicy | None = None
    signers: tuple[Signer, ...] = ()
    validators: tuple[TrustedValidator, ...] = ()
    authorities: tuple[TimestampAuthority, ...] = ()
    further: tuple[bytes, ...] = ()
    """Contracts whose blocks are recorded besides, such as VerifiedEmissions."""


def read_signers(given: Sequence[str]) -> tuple[Signer, ...]:
    """Who signs in which role, each `ROLE=KEY` or `ROLE:ENTERPRISE,PREFIX*=KEY`, named as the file.

    The enterprises are those that it may speak of; without them it may of all.
    """
    return tuple(map(_signer, given))


def _signer(given: str) -> Signer:
    left, _, name = given.partition("=")
    role, _, over = left.partition(":")
    path = Path(name)
    if role not in set(Role) - {Role.OPERATOR} or not name:
        raise BadInput(
            "--signer: expected city, province, verifier or recheck=KEY, or ROLE:ENTERPRISE,…=KEY, "
            f"got {given!r}"
        )
    plants = Jurisdiction.read(over.split(","), f"--signer {given}") if ":" in left else None
    return Signer(_name(path), Role(role), OperatorKey(_public_key(path), 0, None), plants)


def _name(path: Path) -> str:
    return identifier(path.name.partition(".")[0], str(path))


def read_witnesses(keys: Sequence[Path], threshold: int | None) -> WitnessPolicy | None:
    """The witnesses of these key files, named as the files; all of them needed by default."""
    if not keys and threshold is None:
        return None
    needed = len(keys) if threshold is None else threshold
    if not 1 <= needed <= len(keys):
        raise BadInput(f"--witnesses: expected from 1 to {len(keys)} of the keys, got {needed}")
    return WitnessPolicy(needed, tuple(map(Witness, map(_name, keys), map(_public_key, keys))))


def read_authorities(certificates: Sequence[Path]) -> tuple[TimestampAuthority, ...]:
    """Who may stamp time: the stamping certificate of each (PEM, DER), named as its file."""
    from tanzheng.verifier.timestamp import read_certificate

    def read(path: Path) -> TimestampAuthority:
        data = read_file(path, CERTIFICATE_FILE_BYTES_MAX, "certificate")
        return TimestampAuthority(_name(path), read_certificate(data, str(path)))

    return tuple(map(read, certificates))


def read_anchors(
    contract: str,
    log_id: str,
    plant: Path,
    gateway_keys: Sequence[Path],
    operators: Sequence[Path],
    witnesses: WitnessPolicy | None = None,
    signers: tuple[Signer, ...] = (),
) -> Anchors:
    """Read addresses and key files; `BadInput` names what has the wrong form."""
    raw = read_file(plant, PLANT_BYTES_MAX, "plant file")
    described = Plant.parse(raw, str(plant))
    if len(gateway_keys) != len(described.gateways):
        raise BadInput(
            f"--gateway-key: expected one for each of {[g.id for g in described.gateways]}, "
            f"got {len(gateway_keys)}"
        )
    return Anchors(
        contract=_hexadecimal(contract, 20, "--contract"),
        log_id=_hexadecimal(log_id, 32, "--log-id"),
        plant=TrustedPlant(described.enterprise, described.sha256),
        gateways=tuple(
            TrustedGateway(gateway.id, _public_key(path))
            for gateway, path in zip(described.gateways, gateway_keys, strict=True)
        ),
        operators=tuple(OperatorKey(_public_key(path), 0, None) for path in operators),
        witnesses=witnesses,
        signers=signers,
    )


def read_contracts(given: Sequence[str]) -> tuple[bytes, ...]:
    """Addresses of further contracts."""
    return tuple(_hexadecimal(each, ADDRESS_BYTES, "--also") for each in given)


def read_validators(given: Sequence[str]) -> tuple[TrustedValidator, ...]:
    """Who seals blocks, from the first one on."""
    addresses = (_hexadecimal(each, ADDRESS_BYTES, "--validator") for each in given)
    return tuple(TrustedValidator(each, 0, None) for each in addresses)


def run(
    rpc: str,
    anchors: Anchors,
    out: Path,
    confirmations: int,
    once: bool,
    say: Callable[[str], object],
) -> None:
    """Write the trust file now and after every advance, until SIGTERM or Ctrl-C.

    A node that is away is asked again; one that contradicts itself ends it with `NodeLied`.
    `say` is told of each write and of each outage.
    """
    signal.signal(signal.SIGTERM, _stop)
    observer = Observer(Node(rpc), anchors, confirmations)
    away = False
    while True:
        try:
            if observer.advance() or not out.exists():
                trust = observer.trust()
                replace(out, trust.encode(), "--out")
                blocks = ", ".join(str(block.number) for block in trust.blocks)
                say(f"{out}: blocks {blocks or 'none yet'}")
            away = False
        except NodeFault as fault:
            if once:
                raise
            if not away:
                say(f"waiting 等待: {fault}")
            away = True
            time.sleep(RETRY_S)
        if once:
            return
        time.sleep(POLL_S)


class Node:
    """A JSON-RPC node, as far as the observer needs one."""

    def __init__(self, url: str) -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise BadInput(f"--rpc: expected http:// or https://, got {url!r}")
        self.url = url

    def call(self, method: str, *params: object) -> Any:
        """The result of one call; `NodeFault` where there is none."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self.url, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                reply = json.loads(answer.read(ANSWER_BYTES_MAX))
        except (OSError, ValueError, RecursionError) as error:
            raise NodeFault(f"{self.url}: {method}: expected an answer, got {error}") from error
        if not isinstance(reply, dict) or reply.get("result") is None:
            raise NodeFault(f"{self.url}: {method}: expected a result, got {str(reply)[:200]}")
        return reply["result"]

    def number(self, method: str) -> int:
        """The result of a call that gives a number."""
        return _number(self.call(method), method)


class Observer:
    """Follows one contract; `advance` asks for what is new, `trust` is what is known by then."""

    def __init__(self, node: Node, anchors: Anchors, confirmations: int) -> None:
        self._node, self._anchors, self._confirmations = node, anchors, confirmations
        self._chain_id = 0
        self._next = 0
        self._blocks: dict[int, TrustedBlock] = {}

    def trust(self) -> Trust:
        """The trust file as of now."""
        anchors = self._anchors
        return Trust(
            chain_id=self._chain_id,
            contract=anchors.contract,
            log_id=anchors.log_id,
            operator_keys=anchors.operators,
            gateways=anchors.gateways,
            plants=(anchors.plant,),
            blocks=tuple(self._blocks[number] for number in sorted(self._blocks)),
            witnesses=anchors.witnesses,
            signers=anchors.signers,
            validators=anchors.validators,
            timestamp_authorities=anchors.authorities,
        )

    def advance(self) -> bool:
        """Record the final blocks with an event of the contracts; say whether there were any."""
        if not self._chain_id:
            self._check_contract()
        last = self._node.number("eth_blockNumber") - self._confirmations
        before = len(self._blocks)
        while self._next <= last:
            end = min(last, self._next + BLOCKS_PER_QUERY - 1)
            for number, digest in self._events(self._next, end):
                self._blocks[number] = self._block(number, digest)
            self._next = end + 1
        return len(self._blocks) > before

    def _check_contract(self) -> None:
        """The contract at that address speaks for that log."""
        chain_id = self._node.number("eth_chainId")
        call = {
            "to": f"0x{self._anchors.contract.hex()}",
            "data": f"0x{keccak256(b'logId()')[:4].hex()}",
        }
        found = self._node.call("eth_call", call, "latest")
        if found != f"0x{self._anchors.log_id.hex()}":
            raise BadInput(
                f"--log-id: expected the contract's own, {found}, got {self._anchors.log_id.hex()}"
            )
        self._chain_id = chain_id

    def _events(self, first: int, last: int) -> list[tuple[int, bytes]]:
        """Number and hash of the blocks with an event, each once."""
        watched = (self._anchors.contract, *self._anchors.further)
        query = {
            "address": [f"0x{contract.hex()}" for contract in watched],
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }
        try:
            found = {
                (_number(log["blockNumber"], "log"), bytes.fromhex(log["blockHash"][2:]))
                for log in self._node.call("eth_getLogs", query)
            }
        except (KeyError, TypeError, ValueError) as error:
            raise NodeLied(f"{self._node.url}: expected logs with block hashes") from error
        if len({number for number, _ in found}) != len(found):
            raise NodeLied(f"{self._node.url}: expected one hash for each block, got two")
        return sorted(found)

    def _block(self, number: int, digest: bytes) -> TrustedBlock:
        """The block of a log, after recomputing its hash from its header."""
        block = self._node.call("eth_getBlockByNumber", hex(number), False)
        try:
            header = decode_header(encode_header(block))
        except (TanzhengError, AttributeError) as error:
            raise NodeLied(f"{self._node.url}: block {number}: {error}") from error
        if (header.number, header.hash) != (number, digest):
            raise NodeLied(
                f"{self._node.url}: block {number}: expected a header with hash {digest.hex()}, "
                f"got block {header.number} with {header.hash.hex()}"
            )
        return TrustedBlock(number, digest, header.time_s)


def _public_key(path: Path) -> VerifyKey:
    return VerifyKey.from_pem(read_file(path, KEY_BYTES_MAX, "public key"), str(path))


def _hexadecimal(text: str, count: int, what: str) -> bytes:
    digits = text.removeprefix("0x")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) != count or len(digits) != 2 * count:
        raise BadInput(f"{what}: expected {count} bytes in hexadecimal, got {text!r}")
    return value


def _number(value: object, what: str) -> int:
    try:
        return int(str(value), 16)
    except ValueError:
        raise NodeLied(f"{what}: expected a hexadecimal number, got {str(value)[:40]!r}") from None


def _stop(number: int, frame: object) -> None:
    raise SystemExit(0)
