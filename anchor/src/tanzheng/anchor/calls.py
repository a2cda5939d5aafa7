"""What the clients of all contracts share: artifacts, transactions, refusals by their names."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from eth_abi.abi import decode
from web3 import Web3
from web3.exceptions import ContractLogicError

from tanzheng.anchor.errors import ChainRefused, ContractReverted, NotFinal
from tanzheng.anchor.fees import FeePolicy, Market, offer
from tanzheng.core.hashing import keccak256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eth_typing import ChecksumAddress
    from web3.types import TxParams

    from tanzheng.anchor.fees import Fee
    from tanzheng.anchor.node import Node
    from tanzheng.anchor.signers import Signer

MINED_S_MAX = 60.0
POLL_S = 0.1
GAS_MARGIN = (6, 5)
"""A block later the same call may cost a little more than the estimate."""
ADMIN_DELAY_S = 2 * 86_400
"""Between the two steps of a handover of a contract's admin; the admin may change it."""


@cache
def artifact(name: str) -> dict[str, Any]:
    """ABI, bytecode and storage layout as compiled from contracts/ (a test proves them fresh)."""
    text = files("tanzheng.anchor").joinpath("artifacts", f"{name}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Raw bytes ready to send, and the hash they will have on the chain."""

    raw: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Mined:
    """Where a transaction ended up."""

    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int


class DeployedContract:
    """The contract of artifact `name` at `address` on `node`; it was deployed in block `since`."""

    name: str

    def __init__(self, node: Node, address: str, since: int = 0) -> None:
        self.node = node
        self._since = since
        self.address: ChecksumAddress = Web3.to_checksum_address(address)
        self._contract = node.web3.eth.contract(
            address=self.address, abi=artifact(self.name)["abi"]
        )

    def receipt(self, transaction: bytes) -> Mined | None:
        """Where `transaction` was mined, on the chain as it is now; None if it is not."""
        return mined_in(self.node, transaction)

    def _call(self, name: str, *arguments: Any) -> Any:
        with self._reverts(name):
            return self._contract.get_function_by_name(name)(*arguments).call()

    def _sign(
        self,
        key: Signer,
        what: str,
        name: str,
        *arguments: Any,
        fee: Fee | None = None,
        nonce: int | None = None,
    ) -> SignedTransaction:
        """The signed call; nothing is sent. `ContractReverted`: the gas estimate runs the call.

        Without `fee` and `nonce`: what the node asks now, and the account's next.
        """
        call = self._contract.get_function_by_name(name)(*arguments)
        given = _sender(self.node, key, fee, nonce)
        with self._reverts(what):
            gas = call.estimate_gas({"from": key.address})
            given["gas"] = gas * GAS_MARGIN[0] // GAS_MARGIN[1]
            return _signed(key, dict(call.build_transaction(given)))

    @contextmanager
    def _reverts(self, what: str) -> Iterator[None]:
        with self.node.errors(what):
            try:
                yield
            except ContractLogicError as error:
                raise _named(error, what) from error


def deploy(node: Node, key: Signer, name: str, *arguments: Any) -> tuple[str, int]:
    """Deploy the contract `name` and wait until it is mined; returns address and block number."""
    made = artifact(name)
    factory = node.web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    with node.errors("deployment"):
        call = factory.constructor(*arguments)
        signed = _signed(key, dict(call.build_transaction(_sender(node, key))))
    send(node, signed.raw)
    found = _waited(node, signed.hash, "deployment")
    return Web3.to_checksum_address(found["contractAddress"]), int(found["blockNumber"], 16)


def send(node: Node, raw: bytes) -> None:
    """Hand a signed transaction to the node; `ChainRefused` says why it was not taken."""
    node.rpc("eth_sendRawTransaction", "0x" + raw.hex())


def sent(node: Node, signed: SignedTransaction, what: str) -> Mined:
    """Send it and wait for its block; `NotFinal` after a minute, `ChainRefused` if it failed."""
    send(node, signed.raw)
    return _mined(_waited(node, signed.hash, what))


def mined_in(node: Node, transaction: bytes) -> Mined | None:
    """Where `transaction` was mined on the chain as it is now; None if it is not."""
    found = _receipt(node, transaction)
    return None if found is None else _mined(found)


def _mined(found: Mapping[str, Any]) -> Mined:
    return Mined(
        int(found["blockNumber"], 16),
        bytes.fromhex(found["blockHash"][2:]),
        int(found["status"], 16) == 1,
        int(found["gasUsed"], 16),
    )


def _waited(node: Node, transaction: bytes, what: str) -> dict[str, Any]:
    deadline = time.monotonic() + MINED_S_MAX
    while (found := _receipt(node, transaction)) is None:
        if time.monotonic() > deadline:
            raise NotFinal(f"{what}: expected it mined within {MINED_S_MAX:g} s")
        time.sleep(POLL_S)
    if int(found["status"], 16) != 1:
        raise ChainRefused(f"{what}: expected success, got status {found['status']}")
    return found


def _receipt(node: Node, transaction: bytes) -> dict[str, Any] | None:
    found = node.rpc("eth_getTransactionReceipt", "0x" + transaction.hex())
    return found if isinstance(found, dict) else None


def next_nonce(node: Node, address: ChecksumAddress) -> int:
    """The account's next nonce, behind what it has in the node's pool already."""
    return int(node.rpc("eth_getTransactionCount", address, "pending"), 16)


def used_nonces(node: Node, address: ChecksumAddress) -> int:
    """How many transactions of the account are in blocks."""
    return int(node.rpc("eth_getTransactionCount", address, "latest"), 16)


def _sender(node: Node, key: Signer, fee: Fee | None = None, nonce: int | None = None) -> TxParams:
    offered = fee or offer(Market.at(node), FeePolicy())
    given: dict[str, Any] = {
        "from": key.address,
        "nonce": next_nonce(node, key.address) if nonce is None else nonce,
        "chainId": node.chain_id,
        **offered.fields(),
    }
    return cast("TxParams", given)


def _signed(key: Signer, transaction: Mapping[str, Any]) -> SignedTransaction:
    signed = key.sign_transaction(dict(transaction))
    return SignedTransaction(bytes(signed.raw_transaction), bytes(signed.hash))


# -------------------------------------------------------------------- errors by name


@cache
def _errors() -> dict[bytes, tuple[str, list[str]]]:
    """Selector (4 bytes) → name and argument types of each error; contracts call each other."""
    table = {}
    for item in artifact("CheckpointLog")["abi"] + artifact("VerifiedEmissions")["abi"]:
        if item["type"] == "error":
            types = [argument["type"] for argument in item["inputs"]]
            selector = keccak256(f"{item['name']}({','.join(types)})".encode())[:4]
            table[selector] = (str(item["name"]), types)
    return table


def _named(error: ContractLogicError, what: str) -> ContractReverted:
    data = error.data if isinstance(error.data, str) else ""
    try:
        raw = bytes.fromhex(data.removeprefix("0x"))
    except ValueError:
        raw = b""
    if raw[:4] in _errors():
        name, types = _errors()[raw[:4]]
        return ContractReverted(name, decode(types, raw[4:]), what)
    return ContractReverted(str(error.message), (), what)
