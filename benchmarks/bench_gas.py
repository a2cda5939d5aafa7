"""Gas for a sealed statement against the floor: one fresh storage slot and nothing around it.

A checkpoint is published by one transaction however many statements it covers; here each covers
one more, the dearest case. The floor is a contract of 5 bytes that stores the word it is called
with under the block's number: no role, no order, no size, no event.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from eth_account import Account
from web3 import Web3

from measure import Measured
from tanzheng.anchor.calls import mined_in, send
from tanzheng.anchor.contract import CheckpointLog, deploy
from tanzheng.anchor.devchain import Anvil
from tanzheng.anchor.node import Node
from tanzheng.core.hashing import sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    from eth_account.signers.local import LocalAccount

CALLS = 24
# PUSH0 CALLDATALOAD NUMBER SSTORE STOP
FLOOR_RUNTIME = bytes.fromhex("5f35435500")
# PUSH5 runtime, PUSH0 MSTORE, RETURN the last 5 bytes of that word.
FLOOR_CREATION = bytes.fromhex("64" + FLOOR_RUNTIME.hex() + "5f526005601bf3")


def run() -> list[Measured]:
    """One row: median gas a statement, and its ratio to the median of the floor."""
    with Anvil() as anvil:
        node = Node(anvil.url)
        key: LocalAccount = Account.create()
        node.rpc("anvil_setBalance", key.address, hex(10**20))
        floor = _median(_floor(node, key))
        sealed = _median(_sealed(node, key))
    return [
        Measured("gas per statement", sealed, "gas", "one storage slot", floor),
    ]


def _median(gas_of: Callable[[int], int]) -> float:
    return statistics.median(gas_of(i) for i in range(1, CALLS + 1))


def _sealed(node: Node, key: LocalAccount) -> Callable[[int], int]:
    address, block = deploy(node, key, sha256(b"log"), key.address, key.address)
    contract = CheckpointLog(node, address, block)

    def publish(seq: int) -> int:
        signed = contract.sign_publish(key, seq, seq, sha256(b"checkpoint %d" % seq))
        return _gas_used(node, signed.raw, signed.hash)

    return publish


def _floor(node: Node, key: LocalAccount) -> Callable[[int], int]:
    creation = _signed(node, key, {"data": "0x" + FLOOR_CREATION.hex()})
    _gas_used(node, *creation)
    receipt = node.rpc("eth_getTransactionReceipt", "0x" + creation[1].hex())
    address = Web3.to_checksum_address(receipt["contractAddress"])

    def store(seq: int) -> int:
        call = {"to": address, "data": "0x" + sha256(b"checkpoint %d" % seq).hex()}
        return _gas_used(node, *_signed(node, key, call))

    return store


def _signed(node: Node, key: LocalAccount, call: dict[str, Any]) -> tuple[bytes, bytes]:
    fees = {"gas": 200_000, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0}
    nonce = node.web3.eth.get_transaction_count(key.address)
    made = key.sign_transaction({**call, **fees, "nonce": nonce, "chainId": node.chain_id})
    return bytes(made.raw_transaction), bytes(made.hash)


def _gas_used(node: Node, raw: bytes, transaction: bytes) -> int:
    send(node, raw)
    while (mined := mined_in(node, transaction)) is None:
        time.sleep(0.005)
    if not mined.succeeded:
        raise RuntimeError(f"expected the call to succeed, got block {mined.block_number}")
    return mined.gas_used
