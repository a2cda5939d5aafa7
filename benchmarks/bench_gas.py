"""Gas of a batch and of a party's act, beside one bare storage slot and EAS, on the same anvil.

A checkpoint is published by one transaction however many statements it covers. The floor is a
contract of 5 bytes that stores the word it is called with under the block's number: no role, no
order, no size, no event. The Ethereum Attestation Service stores each record by itself.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eth_account import Account
from web3 import Web3

import eas
from measure import Measured
from tanzheng.anchor import emissions_contract
from tanzheng.anchor.calls import Mined, SignedTransaction, mined_in, send
from tanzheng.anchor.contract import CheckpointLog, deploy
from tanzheng.anchor.devchain import Anvil
from tanzheng.anchor.emissions_contract import Proof, VerifiedEmissions
from tanzheng.anchor.node import Node
from tanzheng.core import attestation as roles
from tanzheng.core.attestation import Act, Attestation
from tanzheng.core.checkpoint import NO_CHECKPOINT, Checkpoint
from tanzheng.core.hashing import sha256
from tanzheng.core.keys import SigningKey
from tanzheng.core.merkle import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from eth_account.signers.local import LocalAccount
    from eth_typing import ChecksumAddress

BATCH = "gas of a batch"
CALLS = 24
BATCH_GAS_MAX = 56_000
EAS_RECORDS = 100  # of one multiAttest: about what fits well in a block
LOG_LEAVES = 4096
LOG_INDEX = 2049
STATEMENT_BYTES = 800
SUBJECT = "E1/U1"
# PUSH0 CALLDATALOAD NUMBER SSTORE STOP
FLOOR_RUNTIME = bytes.fromhex("5f35435500")
# PUSH5 runtime, PUSH0 MSTORE, RETURN the last 5 bytes of that word.
FLOOR_CREATION = bytes.fromhex("64" + FLOOR_RUNTIME.hex() + "5f526005601bf3")


@dataclass(frozen=True)
class Payer:
    """An account with money on a node."""

    node: Node
    key: LocalAccount

    def mined(self, signed: SignedTransaction) -> Mined:
        """Where `signed` ended up; an error where it did not succeed."""
        send(self.node, signed.raw)
        while (found := mined_in(self.node, signed.hash)) is None:
            time.sleep(0.005)
        if not found.succeeded:
            raise RuntimeError(f"expected the call to succeed, got block {found.block_number}")
        return found

    def call(self, call: dict[str, Any]) -> SignedTransaction:
        """A transaction for `call`, with gas and fees that suffice for all of them."""
        fees = {"gas": 20_000_000, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0}
        nonce = self.node.web3.eth.get_transaction_count(self.key.address)
        chain = {"nonce": nonce, "chainId": self.node.chain_id}
        made = self.key.sign_transaction({**call, **fees, **chain})
        return SignedTransaction(bytes(made.raw_transaction), bytes(made.hash))

    def created(self, data: str) -> ChecksumAddress:
        """Address of the contract that `data` creates."""
        signed = self.call({"data": data})
        self.mined(signed)
        receipt = self.node.rpc("eth_getTransactionReceipt", "0x" + signed.hash.hex())
        return Web3.to_checksum_address(receipt["contractAddress"])


def run() -> list[Measured]:
    """Median gas of a batch and of the acts, each against what it is held to."""
    with Anvil() as anvil:
        payer = Payer(Node(anvil.url), Account.create())
        payer.node.rpc("anvil_setBalance", payer.key.address, hex(10**21))
        floor = _median(_floor(payer))
        batch = _median(_batch(payer))
        single, each = _eas(payer)
        report, act = _emissions(payer)
    return [
        Measured(BATCH, batch, "gas", "the limit of the design", BATCH_GAS_MAX),
        Measured(BATCH, batch, "gas", "one storage slot", floor),
        Measured(BATCH, batch, "gas", "EAS attest, one record", single),
        Measured(BATCH, batch, "gas", f"EAS, one of {EAS_RECORDS} records", each),
        Measured("gas of a report, proof included", report, "gas", "EAS attest", single),
        Measured("gas of a review, a verification", act, "gas", "EAS attest", single),
    ]


def _median(gas_of: Callable[[int], int]) -> float:
    return statistics.median(gas_of(i) for i in range(1, CALLS + 1))


def _batch(payer: Payer) -> Callable[[int], int]:
    address, block = deploy(
        payer.node, payer.key, sha256(b"log"), payer.key.address, payer.key.address
    )
    contract = CheckpointLog(payer.node, address, block)

    def publish(seq: int) -> int:
        head = sha256(b"checkpoint %d" % seq)
        return payer.mined(contract.sign_publish(payer.key, seq, seq, head)).gas_used

    return publish


def _floor(payer: Payer) -> Callable[[int], int]:
    address = payer.created("0x" + FLOOR_CREATION.hex())

    def store(seq: int) -> int:
        call = {"to": address, "data": "0x" + sha256(b"checkpoint %d" % seq).hex()}
        return payer.mined(payer.call(call)).gas_used

    return store


# ------------------------------------------------------------------ EAS


def _eas(payer: Payer) -> tuple[float, float]:
    """Gas of one record by itself, and of one in a batch; each is the digest of a statement."""
    web3, made = payer.node.web3, eas.artifact("SchemaRegistry")
    registry = web3.eth.contract(payer.created(made["bytecode"]), abi=made["abi"])
    service = eas.artifact("EAS")
    factory = web3.eth.contract(abi=service["abi"], bytecode=service["bytecode"])
    creation = factory.constructor(registry.address).data_in_transaction
    contract = web3.eth.contract(payer.created(creation), abi=service["abi"])
    terms = ("bytes32 statement", "0x" + "00" * 20, True)
    payer.mined(payer.call(_call(registry, "register", *terms)))
    packed = Web3.solidity_keccak(["string", "address", "bool"], list(terms))

    def record(number: int) -> tuple[Any, ...]:
        return ("0x" + "00" * 20, 0, True, bytes(32), sha256(b"statement %d" % number), 0)

    def attest(number: int) -> int:
        call = _call(contract, "attest", (packed, record(number)))
        return payer.mined(payer.call(call)).gas_used

    many = [record(1000 + number) for number in range(EAS_RECORDS)]
    batch = payer.mined(payer.call(_call(contract, "multiAttest", [(packed, many)])))
    return _median(attest), batch.gas_used / EAS_RECORDS


def _call(contract: Any, name: str, *arguments: Any) -> dict[str, Any]:
    return {"to": contract.address, "data": contract.encode_abi(name, args=list(arguments))}


# ------------------------------------------------------------------ verified emissions


def _emissions(payer: Payer) -> tuple[float, float]:
    """Gas of a report whose statement is one of 4,096 in the log, and of a further act."""
    proof = _anchored(payer)
    address, block = emissions_contract.deploy(payer.node, payer.key, payer.key.address)
    contract = VerifiedEmissions(payer.node, address, block)
    reporter, reviewer, verifier = (Account.create() for _ in range(3))
    for role, account in (
        (roles.LOG_ROLE, proof.log),
        (roles.reporter_role(SUBJECT), reporter.address),
        (roles.REVIEWER_ROLE, reviewer.address),
        (roles.VERIFIER_ROLE, verifier.address),
    ):
        payer.mined(contract.sign_grant(payer.key, role, account))
    statement, document = sha256(proof.statement), sha256(b"document")
    acts = ((Act.REPORT, reporter), (Act.REVIEW, reviewer), (Act.VERIFY, verifier))
    gas: dict[Act, list[int]] = {act: [] for act, _ in acts}
    for year in range(2001, 2001 + CALLS):
        made = Attestation(
            Act.REPORT, SUBJECT, year, 1, 0, 1_234_567, statement, document, 4_000_000_000
        )
        for sequence, (act, key) in enumerate(acts):
            attestation = replace(made, act=act, sequence=sequence)
            signature = contract.sign(key, attestation)
            given = proof if act is Act.REPORT else None
            signed = contract.sign_submission(payer.key, attestation, signature, given)
            gas[act].append(payer.mined(signed).gas_used)
    further = gas[Act.REVIEW] + gas[Act.VERIFY]
    return statistics.median(gas[Act.REPORT]), statistics.median(further)


def _anchored(payer: Payer) -> Proof:
    """A log of 4,096 statements with its checkpoint on the chain, and the proof of one."""
    log_id, account = sha256(b"log of reports"), payer.key.address
    address, block = deploy(payer.node, payer.key, log_id, account, account)
    tree = Tree()
    leaves = [b"%0*d" % (STATEMENT_BYTES, number) for number in range(LOG_LEAVES)]
    tree.extend(leaves)
    checkpoint = Checkpoint(
        chain_id=payer.node.chain_id,
        contract=bytes.fromhex(address[2:]),
        log_id=log_id,
        seq=1,
        size=tree.size,
        root_sha256=tree.root(),
        root_sm3=sha256(b"sm3"),
        heads_root=sha256(b"heads"),
        previous=NO_CHECKPOINT,
        t_ms=1_790_000_000_000,
    ).sign(SigningKey.from_seed(bytes(32)))
    contract = CheckpointLog(payer.node, address, block)
    payer.mined(contract.sign_publish(payer.key, 1, tree.size, checkpoint.digest))
    path = tuple(tree.inclusion(LOG_INDEX))
    return Proof(address, 1, checkpoint.raw, leaves[LOG_INDEX], LOG_INDEX, path)
