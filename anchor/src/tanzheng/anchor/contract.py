"""The CheckpointLog contract: deployment, reading, and the transaction that publishes a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from web3 import Web3

from tanzheng.anchor import calls
from tanzheng.anchor.calls import DeployedContract, Mined, SignedTransaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tanzheng.anchor.fees import Fee
    from tanzheng.anchor.node import Node
    from tanzheng.anchor.signers import Signer


@dataclass(frozen=True, slots=True)
class Latest:
    """The contract's cursor: last sequence, leaves covered, SHA-256 of the checkpoint."""

    seq: int
    size: int
    head: bytes


class CheckpointLog(DeployedContract):
    """The contract at `address` on `node`; it was deployed in block `since`."""

    name = "CheckpointLog"

    # ---------------------------------------------------------------- reading

    def log_id(self) -> bytes:
        """The immutable id of the log this contract anchors (32 bytes)."""
        return bytes(self._call("logId"))

    def sealer(self) -> str:
        """Address of the account that may publish."""
        return str(self._call("currentSealer"))

    def admin(self) -> str:
        """Address of the account that may rotate the sealer."""
        return str(self._call("defaultAdmin"))

    def latest(self) -> Latest:
        """The cursor; seq 0 before the first checkpoint."""
        seq, size, head = self._call("latest")
        return Latest(int(seq), int(size), bytes(head))

    def head_at(self, seq: int) -> bytes | None:
        """SHA-256 of checkpoint `seq`; None where it was not published."""
        head = bytes(self._call("headAt", seq))
        return head if any(head) else None

    def verify_inclusion(
        self, seq: int, checkpoint: bytes, leaf: bytes, index: int, path: Sequence[bytes]
    ) -> None:
        """Return where the chain finds `leaf` at `index` of the log at checkpoint `seq`.

        `checkpoint` and `leaf` are the signed bytes. `ContractReverted` names what is wrong.
        """
        self._call("verifyInclusion", seq, checkpoint, leaf, index, list(path))

    def published_in(self, seq: int) -> tuple[bytes, Mined] | None:
        """Transaction hash and place of the publication of `seq`, from the event; else None."""
        event = self._contract.events.CheckpointPublished()
        with self.node.errors("eth_getLogs"):
            found = list(event.get_logs(from_block=self._since, argument_filters={"seq": seq}))
        if not found:
            return None
        transaction = bytes(found[-1]["transactionHash"])
        mined = self.receipt(transaction)
        return (transaction, mined) if mined else None

    # ---------------------------------------------------------------- writing

    def sign_publish(
        self,
        key: Signer,
        seq: int,
        size: int,
        head: bytes,
        fee: Fee | None = None,
        nonce: int | None = None,
    ) -> SignedTransaction:
        """The signed call `publish(seq, size, head)`; nothing is sent.

        `ContractReverted` names the contract's objection: the gas estimate runs the call.
        """
        what = f"publish of checkpoint {seq}"
        return self._sign(key, what, "publish", seq, size, head, fee=fee, nonce=nonce)

    def rotate_sealer(self, key: Signer, account: str) -> SignedTransaction:
        """The admin's signed call that makes `account` the sealer; nothing is sent."""
        sealer = Web3.to_checksum_address(account)
        return self._sign(key, "rotation of the sealer", "rotateSealer", sealer)


def deploy(node: Node, key: Signer, log_id: bytes, admin: str, sealer: str) -> tuple[str, int]:
    """Deploy the contract and wait until it is mined; returns its address and block number."""
    return calls.deploy(node, key, CheckpointLog.name, log_id, calls.ADMIN_DELAY_S, admin, sealer)
