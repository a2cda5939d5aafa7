"""A devchain with the contract on it, and the faults that a chain can have."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eth_account import Account

from tanzheng.anchor.calls import Mined, send
from tanzheng.anchor.contract import CheckpointLog, deploy
from tanzheng.anchor.node import Node

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from tanzheng.anchor.devchain import Anvil

LOG_ID = bytes(range(32))


@dataclass(frozen=True)
class Deployed:
    """One anvil with one contract: `sealer` may publish, `owner` may rotate."""

    anvil: Anvil
    node: Node
    sealer: LocalAccount
    owner: LocalAccount
    contract: CheckpointLog

    def rpc(self, method: str, *parameters: object) -> object:
        return self.node.rpc(method, *parameters)

    def publish(self, seq: int, size: int, head: bytes) -> Mined:
        """Publish without a record, and wait for the block."""
        signed = self.contract.sign_publish(self.sealer, seq, size, head)
        send(self.node, signed.raw)
        while (mined := self.contract.receipt(signed.hash)) is None:
            time.sleep(0.01)
        return mined

    def mine(self, blocks: int) -> None:
        self.rpc("anvil_mine", hex(blocks))


def funded(node: Node, seed: int) -> LocalAccount:
    """A test account that can pay; the same key for the same seed."""
    account: LocalAccount = Account.from_key(seed.to_bytes(32, "big"))
    node.rpc("anvil_setBalance", account.address, hex(10**20))
    return account


def deployed(anvil: Anvil) -> Deployed:
    node = Node(anvil.url, timeout_s=2.0)
    sealer, owner = funded(node, 1), funded(node, 2)
    address, block = deploy(node, sealer, LOG_ID, owner.address, sealer.address)
    return Deployed(anvil, node, sealer, owner, CheckpointLog(node, address, block))
