"""The books held against the contract, on a node of the registry's own choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tanzheng.core.attestation import PackedFigure, Status, record_slot, version_slot
from tanzheng.feed.collector import BLOCKS_PER_QUERY
from tanzheng.feed.events import TOPIC, decode_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tanzheng.feed.rpc import Finality, Node

FIGURE = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that the books and the contract hold differently; tonnes that may be booked."""

    subject: str
    year: int
    books_t: int
    contract_t: int


def contract_state(
    node: Node, contract: bytes, since: int, finality: Finality
) -> tuple[int, dict[FIGURE, int]]:
    """The newest final block, and the confirmed tonnes in its state, from storage slots."""
    newest = node.newest_final(finality)
    figures = set[FIGURE]()
    for first in range(since, newest + 1, BLOCKS_PER_QUERY):
        last = min(newest, first + BLOCKS_PER_QUERY - 1)
        events = map(decode_log, node.logs(contract, TOPIC, first, last))
        figures |= {(event.subject, event.year) for event in events}
    found = {}
    for subject, year in sorted(figures):
        count = int.from_bytes(node.storage(contract, record_slot(subject, year), newest), "big")
        word = node.storage(contract, version_slot(subject, year, count, 1), newest)
        figure = PackedFigure.decode(word)
        if figure.status is Status.CONFIRMED:
            found[subject, year] = figure.tonnes
    return newest, found


def differences(books: Mapping[FIGURE, int], contract: Mapping[FIGURE, int]) -> list[Difference]:
    """Where the two differ; empty where the books are the contract's state."""
    return [
        Difference(*figure, books.get(figure, 0), contract.get(figure, 0))
        for figure in sorted({*books, *contract})
        if books.get(figure, 0) != contract.get(figure, 0)
    ]
