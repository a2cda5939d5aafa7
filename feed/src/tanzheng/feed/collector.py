"""The producer: final events of the contract become signed items in the outbox, each once.

Nothing but the outbox is kept: after a start the contract's events are folded anew and held
against the items given out, figure by figure. What is missing behind them is appended. Events of
blocks that are not final yet are not read at all, so a reorganisation of these changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tanzheng.core.attestation import Domain, version_slot
from tanzheng.core.errors import TanzhengError
from tanzheng.core.feed import STORED, FeedItem
from tanzheng.core.feed_head import FeedHead
from tanzheng.core.feed_parts import SLOTS, FeedAct, FeedEvent, FigureProof
from tanzheng.feed import disk
from tanzheng.feed.confirmed import check_confirmed
from tanzheng.feed.errors import (
    ChainChanged,
    FeedInput,
    NodeRefused,
    NodeUnavailable,
    NotProved,
)
from tanzheng.feed.events import TOPIC, Attested, decode_log, signed_part
from tanzheng.feed.figures import Change, Figures
from tanzheng.feed.outbox import FIGURE, HEAD

if TYPE_CHECKING:
    from tanzheng.core.evm import Header
    from tanzheng.core.keys import SigningKey
    from tanzheng.feed.outbox import Outbox
    from tanzheng.feed.rpc import Finality, Node
    from tanzheng.feed.shelf import Paper, Shelf

BLOCKS_PER_QUERY = 5_000


@dataclass(frozen=True, slots=True)
class Source:
    """The contract and when its blocks are final; `since`: the block of its deployment."""

    node: Node
    contract: bytes
    chain_id: int
    since: int
    finality: Finality


class Collector:
    """Appends to `outbox`, whose lock the caller holds; `now_ms` is asked once an item."""

    def __init__(
        self,
        source: Source,
        outbox: Outbox,
        shelf: Shelf,
        key: SigningKey,
        now_ms: Callable[[], int],
    ) -> None:
        domain = Domain(source.chain_id, source.contract)
        if outbox.domain not in (None, domain):
            raise FeedInput(
                f"expected the contract and chain of the outbox in {outbox.folder}, got "
                f"0x{source.contract.hex()} on {source.chain_id}"
            )
        self._source, self._outbox, self._shelf = source, outbox, shelf
        self._key, self._now_ms = key, now_ms
        self.waiting: list[str] = []
        self.problems: dict[str, str] = shelf.problems
        self._changes: list[Change] = []
        self._last: Header | None = None
        self._restart()

    def advance(self) -> int:
        """Read what became final and append what it brings; number of items appended.

        `waiting` then names the figures of which the province's statement is not on the shelf yet,
        or says something else.
        """
        self._read_events()
        self._shelf.refresh()
        before, self.waiting = self._outbox.seq, []
        behind = set[tuple[str, int]]()
        for change in self._changes:
            figure = (change.subject, change.year)
            given = self._outbox.figures.get(figure, [])
            if change.index < len(given) or figure in behind:
                continue
            paper = self._shelf.paper(change.confirmation.act.document)
            why = self._hand_out(change, paper) if paper is not None else ""
            if why is not None:
                behind.add(figure)
                self.waiting.append(f"{change.subject} {change.year}{why}")
        self._changes = [change for change in self._changes if not self._is_given(change)]
        self._sign_head()
        return self._outbox.seq - before

    # ---------------------------------------------------------------- the chain

    def _restart(self) -> None:
        self._figures, self._next, self._is_checked = Figures(), self._source.since, False
        self._last, self._changes = None, []

    def _read_events(self) -> None:
        source = self._source
        newest = source.node.newest_final(source.finality)
        if self._last is not None and self._is_other(self._last):
            self._restart()  # deeper than final: every item is held against the chain as it is
        while self._next <= newest:
            end = min(newest, self._next + BLOCKS_PER_QUERY - 1)
            header = source.node.header(end)[1]
            self._fold(source.node.logs(source.contract, TOPIC, self._next, end))
            self._last, self._next = header, end + 1
        if not self._is_checked:
            self._check_given()
            self._is_checked = True

    def _fold(self, entries: list[Any]) -> None:
        events = [decode_log(entry) for entry in entries]
        try:
            found = [change for event in events if (change := self._figures.add(event))]
        except NodeUnavailable:  # some are folded in, some not
            self._restart()
            raise
        self._changes += found

    def _is_other(self, header: Header) -> bool:
        return self._source.node.header(header.number)[1].hash != header.hash

    def _check_given(self) -> None:
        """Return where each item given out follows from the chain; `ChainChanged` names one."""
        found: dict[tuple[str, int], list[Change]] = {}
        for change in self._changes:
            found.setdefault((change.subject, change.year), []).append(change)
        for figure, given in self._outbox.figures.items():
            known = [_figure_of(change) for change in found.get(figure, [])]
            if known[: len(given)] != given:
                raise ChainChanged(
                    f"{figure[0]} {figure[1]}: expected the {len(given)} changes that were given "
                    f"out, the chain has others ({len(known)})"
                )

    def _is_given(self, change: Change) -> bool:
        given = self._outbox.figures.get((change.subject, change.year), [])
        return change.index < len(given)

    # ---------------------------------------------------------------- the item

    def _hand_out(self, change: Change, paper: Paper) -> str | None:
        """Append an item; or why it is held back: what was given out is never changed."""
        item = self._item(change, paper)
        try:
            check_confirmed(item, paper.confirmed)
        except NotProved as error:
            return f": {error}"
        self._outbox.append(item.sign(self._key))
        return None

    def _item(self, change: Change, paper: Paper) -> FeedItem:
        source, event, figure = self._source, change.event, change.acts[0].act
        raw, header = source.node.header(event.block_number)
        if header.hash != event.block_hash:
            raise NodeUnavailable(f"block {event.block_number}: expected the block of the event")
        item = FeedItem(
            chain_id=source.chain_id,
            contract=source.contract,
            seq=self._outbox.seq + 1,
            prev=self._outbox.digest,
            signed_ms=self._now_ms(),
            subject=change.subject,
            year=change.year,
            figure_version=change.figure_version,
            status=change.status,
            tonnes=figure.tonnes,
            statement=figure.statement,
            event=FeedEvent(
                event.block_number,
                event.block_hash,
                header.time_s,
                event.transaction,
                event.log_index,
            ),
            acts=tuple(map(self._with_signature, change.acts)),
            units=paper.confirmed.units,
            receipt=paper.receipt,
            proof=None,
        )
        return replace(item, proof=self._proof(item, raw))

    def _with_signature(self, event: Attested) -> FeedAct:
        data = self._source.node.call_data(event.transaction, self._source.contract)
        found = signed_part(data, event.act, event.subject, event.year)
        if found is None:
            return event.act
        return replace(event.act, deadline=found[0], signature=found[1])

    def _proof(self, item: FeedItem, header: bytes) -> FigureProof | None:
        """The version's storage after the event; None where the node has pruned it.

        None also where a later act of the same block has changed it again.
        """
        contract, figure = item.contract, (item.subject, item.year, item.figure_version)
        keys = [f"0x{version_slot(*figure, place).hex()}" for place in range(SLOTS)]
        at = hex(item.event.block_number)
        try:
            answer = self._source.node.call("eth_getProof", f"0x{contract.hex()}", keys, at)
            slots = [entry for entry in answer["storageProof"] if int(entry["value"], 16)]
            proof = FigureProof(
                header,
                _nodes(answer["accountProof"]),
                tuple(_nodes(entry["proof"]) for entry in slots),
            )
            stored = proof.stored(contract, *figure)[1]
        except NodeRefused:
            return None
        except (KeyError, TypeError, ValueError, IndexError, TanzhengError) as error:
            if isinstance(error, NodeUnavailable):
                raise
            raise NodeUnavailable(f"eth_getProof: expected storage proofs, got {error}") from error
        return proof if stored.figure.status is STORED[item.status] else None

    def _sign_head(self) -> None:
        outbox, source = self._outbox, self._source
        number = self._last.number if self._last is not None else 0
        head = FeedHead(
            source.chain_id, source.contract, outbox.seq, outbox.digest, number, self._now_ms()
        )
        disk.overwrite(outbox.folder / HEAD, head.sign(self._key).raw)


def _figure_of(change: Change) -> FIGURE:
    figure = change.acts[0].act
    sequences = tuple(event.act.sequence for event in change.acts)
    return change.figure_version, change.status.value, figure.tonnes, figure.statement, sequences


def _nodes(texts: Any) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text[2:]) for text in texts)
