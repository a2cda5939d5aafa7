"""Several nodes of one chain: the first that answers leads, the others must agree with it.

One node may be silent, and is named then. Nothing is published, and no block is called final,
while two of them tell different things about what is final.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tanzheng.anchor.errors import AnchorInput, ChainRefused, ChainUnavailable, NodesDisagree
from tanzheng.anchor.node import REQUEST_S_MAX, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tanzheng.anchor.publication import Finality

SILENT_MAX = 1

T = TypeVar("T")


class Nodes:
    """The nodes at `urls`; asking one that is silent costs `timeout_s`, once."""

    def __init__(self, urls: Sequence[str], timeout_s: float = REQUEST_S_MAX) -> None:
        self._nodes = [Node(url, timeout_s) for url in urls]
        names = [node.name for node in self._nodes]
        for place, node in enumerate(self._nodes, 1):
            if names.count(node.name) > 1:
                node.name = f"{node.name} ({place})"
        self._silent: dict[str, str] = {}

    @property
    def lead(self) -> Node:
        """The first that has not been silent."""
        return self._answering()[0]

    def first(self, question: Callable[[Node], T]) -> T:
        """The answer of the first node that gives one; `ChainUnavailable` where none does."""
        while True:
            node = self.lead
            try:
                return question(node)
            except ChainUnavailable as error:
                if len(self._answering()) == 1:
                    raise
                self._silent[node.name] = str(error)

    def states(self) -> dict[str, str]:
        """Name → "" or what kept it from answering when it was last asked."""
        return {node.name: self._silent.get(node.name, "") for node in self._nodes}

    def survey(self, chain_id: int, finality: Finality) -> None:
        """Ask all of them anew; `NodesDisagree` where they do not tell of one chain.

        `ChainUnavailable` where more than one is silent, or the only one. `AnchorInput` where they
        agree on another chain than `chain_id`.
        """
        self._silent.clear()
        chains = dict(self._ask(self._nodes, lambda node: node.chain_id))
        if len(set(chains.values())) > 1:
            raise NodesDisagree(f"expected one chain id, got {_told(chains)}")
        if (found := next(iter(chains.values()))) != chain_id:
            raise AnchorInput(f"expected chain {chain_id} at {self.lead.name}, got {found}")
        if len(self._nodes) == 1:
            return
        final = dict(self._ask(self._answering(), finality.newest))
        common = min(final.values())
        hashes = dict(self._ask(self._answering(), lambda node: node.block_hash(common)))
        if len(set(hashes.values())) > 1:
            shown = {name: digest and digest.hex() for name, digest in hashes.items()}
            raise NodesDisagree(f"final block {common}: expected one hash, got {_told(shown)}")

    def others(self, question: Callable[[Node], T]) -> dict[str, T]:
        """What each node but the lead answers, by name; one that is silent is left out."""
        return dict(self._ask(self._answering()[1:], question))

    def _answering(self) -> list[Node]:
        return [node for node in self._nodes if node.name not in self._silent]

    def _ask(self, nodes: Sequence[Node], question: Callable[[Node], T]) -> Iterator[tuple[str, T]]:
        for node in nodes:
            try:
                yield node.name, question(node)
            except (ChainUnavailable, ChainRefused) as error:
                self._silent[node.name] = str(error)
                if len(self._silent) > SILENT_MAX or not self._answering():
                    raise


def _told(answers: dict[str, T]) -> str:
    return ", ".join(f"{answer} from {name}" for name, answer in answers.items())
