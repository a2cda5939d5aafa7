"""A thin JSON-RPC reader of an Ethereum node: what the collector asks for, nothing else.

A node is not believed where a hash can be computed: headers are read by `core.evm` and held
against the hash that the event names; storage is proved under them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tanzheng.core.errors import TanzhengError
from tanzheng.core.evm import Header, decode_header, encode_header
from tanzheng.feed.errors import FeedInput, NodeRefused, NodeUnavailable

REQUEST_S_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Finality:
    """A block is final where the node's tag says so, or with `confirmations` blocks above it."""

    confirmations: int
    tag: str | None = None

    @classmethod
    def parse(cls, text: str) -> Finality:
        """`finalized`, or a number of blocks (0 for QBFT, where a mined block is final)."""
        if text == "finalized":
            return cls(0, text)
        if not text.isdecimal() or len(text) > 6:
            raise FeedInput(f"--finality: expected `finalized` or a number, got {text!r}")
        return cls(int(text))


class Node:
    """One node over HTTP; each call answers within `REQUEST_S_MAX` or is `NodeUnavailable`."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise FeedInput(f"--rpc: expected http:// or https://, got {url!r}")
        self.url = url
        self._client = httpx.Client(timeout=REQUEST_S_MAX, trust_env=False)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def call(self, method: str, *params: object) -> Any:
        """The result of one call, as the node's JSON."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            reply = self._client.post(self.url, json=body).json()
        except (httpx.HTTPError, ValueError) as error:
            raise NodeUnavailable(
                f"{method}: expected an answer from {self.url}, got {type(error).__name__}"
            ) from error
        if not isinstance(reply, dict) or "result" not in reply:
            raise NodeRefused(f"{method}: expected a result, got {str(reply)[:200]}")
        return reply["result"]

    def chain_id(self) -> int:
        """The chain's own number (EIP-155)."""
        return self._number(self.call("eth_chainId"), "chain id")

    def newest_final(self, finality: Finality) -> int:
        """Number of the newest final block; -1 where there is none yet."""
        if finality.tag is None:
            head = self._number(self.call("eth_blockNumber"), "block number")
            return head - finality.confirmations
        block = self.call("eth_getBlockByNumber", finality.tag, False)
        if block is None:
            return -1
        if not isinstance(block, dict):
            raise NodeUnavailable(f"block: expected one, got {type(block).__name__}")
        return self._number(block.get("number"), "block number")

    def header(self, number: int) -> tuple[bytes, Header]:
        """RLP and content of the header of block `number` as the chain is now."""
        block = self.call("eth_getBlockByNumber", hex(number), False)
        try:
            raw = encode_header(block)
            return raw, decode_header(raw)
        except (TanzhengError, AttributeError) as error:
            raise NodeUnavailable(f"block {number}: expected its header, got {error}") from error

    def logs(self, contract: bytes, topic: bytes, first: int, last: int) -> list[Any]:
        """Entries of blocks `first` to `last`, in the chain's order."""
        query = {
            "address": f"0x{contract.hex()}",
            "topics": [f"0x{topic.hex()}"],
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }
        found = self.call("eth_getLogs", query)
        if not isinstance(found, list):
            raise NodeUnavailable(f"eth_getLogs: expected a list, got {type(found).__name__}")
        return found

    def storage(self, contract: bytes, slot: bytes, number: int) -> bytes:
        """The 32 bytes of a slot in the state of block `number`."""
        at = (f"0x{contract.hex()}", f"0x{slot.hex()}", hex(number))
        return self._number(self.call("eth_getStorageAt", *at), "slot").to_bytes(32, "big")

    def call_data(self, transaction: bytes, contract: bytes) -> bytes:
        """What a transaction gave to `contract`; empty where it called another one."""
        found = self.call("eth_getTransactionByHash", f"0x{transaction.hex()}")
        if not isinstance(found, dict):
            raise NodeUnavailable(f"expected transaction 0x{transaction.hex()}, got none")
        if found.get("to") != f"0x{contract.hex()}":
            return b""
        try:
            return bytes.fromhex(found["input"][2:])
        except (KeyError, TypeError, ValueError) as error:
            raise NodeUnavailable(f"transaction: expected its input, got {error!r}") from error

    def _number(self, value: object, what: str) -> int:
        try:
            return int(str(value), 16)
        except ValueError:
            raise NodeUnavailable(f"{what}: expected a hexadecimal number, got {value!r}") from None
