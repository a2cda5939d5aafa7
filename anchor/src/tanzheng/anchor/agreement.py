"""What the other nodes say of one log, before it is published and before it is called final."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanzheng.anchor.contract import CheckpointLog
from tanzheng.anchor.errors import ChainUnavailable, NodesDisagree

if TYPE_CHECKING:
    from tanzheng.anchor.node import Node
    from tanzheng.anchor.nodes import Nodes
    from tanzheng.anchor.publication import Finality


class Agreement:
    """The nodes beside the leading one, asked about the contract at `address`."""

    def __init__(self, nodes: Nodes, address: str, finality: Finality) -> None:
        self._nodes = nodes
        self._address = address
        self._finality = finality

    def before_publishing(self, seq: int) -> None:
        """Return where no other node has a head at `seq`, as the leading one has none.

        `NodesDisagree` where it is final there, `ChainUnavailable` where the leading node may only
        be behind.
        """
        for name, (head, final) in self._nodes.others(lambda node: self._head(node, seq)).items():
            if head is None:
                continue
            if final:
                raise NodesDisagree(
                    f"checkpoint {seq}: expected nothing on the chain, as {self._nodes.lead.name} "
                    f"says, got {head.hex()} from {name}"
                )
            raise ChainUnavailable(
                f"expected {self._nodes.lead.name} as far as {name}, it is behind"
            )

    def final(self, seq: int, head: bytes, number: int, block_hash: bytes) -> bool:
        """Whether every other node that answers has that block final, with that head.

        False where one is behind. `NodesDisagree` where it has another block or another head.
        """
        hashes = self._nodes.others(lambda node: self._final_hash(node, number))
        for name, found in hashes.items():
            if found not in (None, block_hash):
                raise NodesDisagree(
                    f"checkpoint {seq}: expected final block {number} with hash "
                    f"{block_hash.hex()}, got {found and found.hex()} from {name}"
                )
        if None in hashes.values():
            return False
        for name, (found, _) in self._nodes.others(lambda node: self._head(node, seq)).items():
            if found != head:
                shown = found.hex() if found else "nothing"
                raise NodesDisagree(
                    f"checkpoint {seq}: expected {head.hex()} on the chain, got {shown} from {name}"
                )
        return True

    def _final_hash(self, node: Node, number: int) -> bytes | None:
        return node.block_hash(number) if self._finality.reached(node, number) else None

    def _head(self, node: Node, seq: int) -> tuple[bytes | None, bool]:
        """The head at `seq` there, and whether its block is final."""
        there = CheckpointLog(node, self._address)
        head = there.head_at(seq)
        if head is None:
            return None, False
        found = there.published_in(seq)
        final = found is not None and self._finality.reached(node, found[1].block_number)
        return head, final
