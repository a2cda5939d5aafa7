"""A development chain that looks like one of QBFT: a proxy turns each block into a sealed one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
import rlp  # type: ignore[import-untyped]

from evidence import keccak256
from tanzheng.core.evm import HEADER_FIELDS, encode_header
from tanzheng.core.qbft import EXTRA_DATA, MIX_HASH

if TYPE_CHECKING:
    from anchor.rpc_proxy import Answer
    from evidence import Validators


@dataclass
class QbftChain:
    """`change` is a proxy's: blocks, receipts and log entries as such a node gives them.

    A node's `hash` covers neither round nor seals, its `extraData` shows both (Besu's
    BftBlockHashing, QbftExtraDataCodec).
    """

    target: str
    validators: Validators
    hashes: dict[str, str] = field(default_factory=dict)

    def change(self, method: str, parameters: list[Any], answer: Answer) -> Answer:
        """The answer with every block and every hash of one turned."""
        result = answer.get("result")
        for each in result if isinstance(result, list) else [result]:
            if not isinstance(each, dict):
                continue
            if "mixHash" in each:
                each.update(self._block(each))
            elif each.get("blockHash") in self.hashes:
                each["blockHash"] = self.hashes[each["blockHash"]]
            elif each.get("blockHash"):
                each["blockHash"] = self._asked(each["blockNumber"])
            for log in each.get("logs", ()):
                log["blockHash"] = each["blockHash"]
        return answer

    def _asked(self, number: str) -> str:
        call: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber"}
        told = requests.post(self.target, json={**call, "params": [number, False]}, timeout=10)
        return str(self._block(told.json()["result"])["hash"])

    def _block(self, block: dict[str, Any]) -> dict[str, Any]:
        number = int(block["number"], 16)
        if number == 0:
            return block
        turned = {**block, "mixHash": f"0x{MIX_HASH.hex()}"}
        turned["extraData"] = f"0x{self._extra(block).hex()}"
        header = encode_header(turned)
        self.hashes[block["hash"]] = turned["hash"] = f"0x{keccak256(header).hex()}"
        return turned

    def _extra(self, block: dict[str, Any]) -> bytes:
        """`extraData` with the seals over this very header."""
        told = rlp.decode(encode_header({name: block.get(name) for name in HEADER_FIELDS}))
        told[EXTRA_DATA + 1] = MIX_HASH
        told[EXTRA_DATA] = self.validators.extra(self.validators.round)
        digest = keccak256(rlp.encode(told))
        keys = [self.validators.keys[n] for n in self.validators.sealing]
        seals = [key.sign_msg_hash(digest).to_bytes() for key in keys]
        return self.validators.extra(self.validators.round, seals)
