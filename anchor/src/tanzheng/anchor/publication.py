"""From a checkpoint's hash to a final block: the states of one publication.

    prepared ──▶ sent ──▶ mined ──▶ final
        ▲         │ ▲       │
        └─────────┘ └───────┘

`prepared`: the signed transaction is on disk, nothing was sent. `sent`: the node took it. `mined`:
a block holds it. `final`: the chain's finality policy is met and the block read again then has the
same hash. A reorganisation takes `mined` back to `sent`; a transaction that the chain forgot takes
`sent` back to `prepared`, where it is signed anew.

A transaction that lies in no block for too long is replaced by one of the same nonce that offers
more: `sent` goes back to `prepared`, and the record keeps which one it replaces.

Sending twice is safe at every step: the contract accepts sequence n once, and only after n - 1
(compare-and-swap), so the worst that a lost record can cost is a reverted transaction.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tanzheng.anchor.calls import next_nonce, send
from tanzheng.anchor.errors import (
    AnchorInput,
    ChainRefused,
    ContractReverted,
    NotFinal,
    SequenceTaken,
)
from tanzheng.anchor.fees import Fee, FeePolicy, Market, offer, replacement
from tanzheng.core.statement import BlockReference
from tanzheng.files import durable

if TYPE_CHECKING:
    from tanzheng.anchor.agreement import Agreement
    from tanzheng.anchor.calls import Mined
    from tanzheng.anchor.contract import CheckpointLog
    from tanzheng.anchor.node import Node
    from tanzheng.anchor.signers import Signer

POLL_S = 0.1
POLL_S_MAX = 5.0


class State(StrEnum):
    PREPARED = "prepared"
    SENT = "sent"
    MINED = "mined"
    FINAL = "final"


MOVES = MappingProxyType(
    {
        State.PREPARED: frozenset({State.SENT}),
        State.SENT: frozenset({State.MINED, State.PREPARED}),
        State.MINED: frozenset({State.FINAL, State.SENT}),
        State.FINAL: frozenset(),
    }
)


@dataclass(frozen=True, slots=True)
class Finality:
    """When a block counts as final, as the chain's operator sets it.

    `tag` names a block that the node calls final (`finalized`); without it a block is final once
    `confirmations` blocks lie above it: 0 for QBFT, where a mined block is final at once.
    """

    confirmations: int
    tag: str | None = None

    def reached(self, node: Node, number: int) -> bool:
        """True if block `number` is final by this policy now."""
        return self.newest(node) >= number

    def block(self, node: Node) -> BlockReference:
        """The newest final block."""
        number = self.newest(node)
        return BlockReference(number, bytes.fromhex(node.block(number)["hash"][2:]))

    def newest(self, node: Node) -> int:
        """Number of the newest final block; 0, the first block, where none is yet."""
        if self.tag is not None:
            return node.block_number(self.tag)
        return max(node.block_number("latest") - self.confirmations, 0)


@dataclass(frozen=True, slots=True)
class Publication:
    """Where the publication of one checkpoint stands; hashes and `raw` are lower-case hex.

    `nonce` and the fees (wei a gas) are those of `raw`; `replaces` is a transaction of that nonce
    that was sent before. All are None in the records of version 0.1.
    """

    seq: int
    size: int
    head: str
    state: State
    raw: str
    transaction: str
    block_number: int | None = None
    block_hash: str | None = None
    gas_used: int | None = None
    nonce: int | None = None
    fee_wei: int | None = None
    priority_fee_wei: int | None = None
    replaces: str | None = None

    def to(self, state: State, mined: Mined | None = None) -> Publication:
        """The next record; only moves of the table are made."""
        assert state in MOVES[self.state], f"{self.state} → {state}"
        return replace(
            self,
            state=state,
            block_number=mined.block_number if mined else None,
            block_hash=mined.block_hash.hex() if mined else None,
            gas_used=mined.gas_used if mined else None,
        )

    @classmethod
    def read(cls, folder: Path, seq: int) -> Publication | None:
        """The record of checkpoint `seq` in `folder`, None before `prepared`."""
        path = folder / _name(seq)
        if not path.exists():
            return None
        stored: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return cls(**{**stored, "state": State(stored["state"])})

    def write(self, folder: Path) -> None:
        """Put the record on disk in the place of the one before."""
        durable.overwrite(folder / _name(self.seq), json.dumps(asdict(self), indent=1).encode())

    @property
    def mined(self) -> tuple[int, bytes]:
        """Number and hash of the block, from `mined` on."""
        assert self.block_number is not None
        assert self.block_hash is not None
        return self.block_number, bytes.fromhex(self.block_hash)


class Publisher:
    """Drives publications of one contract; every state is on disk before the next step.

    `on_state` hears of each state reached (progress of the command line). `agreement` asks other
    nodes before anything is published or called final.
    """

    def __init__(
        self,
        contract: CheckpointLog,
        key: Signer,
        finality: Finality,
        folder: Path,
        on_state: Callable[[Publication], None] = lambda _: None,
        fees: FeePolicy = FeePolicy(),  # noqa: B008 - it is frozen
        agreement: Agreement | None = None,
    ) -> None:
        self.contract = contract
        self._fees = fees
        self._agreement = agreement
        self._sent_s = 0.0
        self._key = key
        self._finality = finality
        self._folder = folder
        self._on_state = on_state

    def publish(self, seq: int, size: int, head: bytes, timeout_s: float) -> Publication:
        """Bring checkpoint `seq` to `final`, from wherever an earlier run left it.

        `NotFinal` after `timeout_s`, `ChainUnavailable` if the node is silent: call again.
        `SequenceTaken` if the chain holds another head there; `ContractReverted` by name.
        """
        self._sent_s = time.monotonic()
        deadline, pause_s = self._sent_s + timeout_s, POLL_S
        record = Publication.read(self._folder, seq) or self._keep(self._prepare(seq, size, head))
        if (record.size, record.head) != (size, head.hex()):
            raise AnchorInput(f"checkpoint {seq}: expected the head under way, got another one")
        while record.state is not State.FINAL:
            if time.monotonic() > deadline:
                raise NotFinal(
                    f"checkpoint {seq}: expected it final within {timeout_s:g} s, "
                    f"got {record.state} in transaction {record.transaction}"
                )
            following = self._step(record)
            if following is None:
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.1, POLL_S_MAX)
            else:
                record, pause_s = self._keep(following), POLL_S
        return record

    def _step(self, record: Publication) -> Publication | None:
        """The next record, or None where there is nothing to do but wait."""
        if record.state is State.PREPARED:
            return self._send(record)
        if record.state is State.SENT:
            return self._look_for(record)
        return self._settle(record)

    # ---------------------------------------------------------------- one function a state

    def _prepare(self, seq: int, size: int, head: bytes) -> Publication:
        published = self._published(seq, head)
        if published is not None:
            # The record was lost, the chain has the head: no second transaction.
            return Publication(seq, size, head.hex(), State.SENT, "", published[0].hex())
        if self._agreement is not None:
            self._agreement.before_publishing(seq)
        fee = offer(Market.at(self.contract.node), self._fees)
        nonce = next_nonce(self.contract.node, self._key.address)
        try:
            return self._signed(seq, size, head, fee, nonce)
        except ContractReverted:
            self._published(seq, head)  # another sealer may have been quicker: says so by name
            raise

    def _signed(self, seq: int, size: int, head: bytes, fee: Fee, nonce: int) -> Publication:
        signed = self.contract.sign_publish(self._key, seq, size, head, fee, nonce)
        return Publication(
            seq,
            size,
            head.hex(),
            State.PREPARED,
            signed.raw.hex(),
            signed.hash.hex(),
            nonce=nonce,
            fee_wei=fee.wei,
            priority_fee_wei=fee.priority_wei,
        )

    def _send(self, record: Publication) -> Publication:
        self._sent_s = time.monotonic()
        try:
            send(self.contract.node, bytes.fromhex(record.raw))
        except ChainRefused:
            # It may have been sent before the record could be written: "already known", "nonce
            # too low". Only a transaction that nobody knows is signed anew, on disk before sent.
            if self._known(record.transaction) or self._published(record.seq, _head(record)):
                return record.to(State.SENT)
            if record.replaces is not None and self._known(record.replaces):
                return replace(record, transaction=record.replaces).to(State.SENT)
            record = self._keep(self._prepare(record.seq, record.size, _head(record)))
            if record.state is State.SENT:
                return record
            send(self.contract.node, bytes.fromhex(record.raw))
        return record.to(State.SENT)

    def _look_for(self, record: Publication) -> Publication | None:
        mined = self.contract.receipt(bytes.fromhex(record.transaction))
        if mined is not None and mined.succeeded:
            return record.to(State.MINED, mined)
        published = self._published(record.seq, _head(record))
        if published is not None:
            found = replace(record, transaction=published[0].hex())
            return found.to(State.MINED, published[1])
        if mined is None and self._known(record.transaction):
            return self._outbid(record)
        # Failed, or forgotten by the chain: signing anew names the contract's objection, if any.
        fresh = self._prepare(record.seq, record.size, _head(record))
        return fresh if fresh.state is State.PREPARED else None

    def _outbid(self, record: Publication) -> Publication | None:
        """A transaction of the same nonce that offers more, where this one has waited too long."""
        if time.monotonic() - self._sent_s < self._fees.bump_after_s:
            return None
        if record.nonce is None or record.fee_wei is None:
            return None  # of version 0.1, or found on the chain
        self._sent_s = time.monotonic()
        before = Fee(record.fee_wei, record.priority_fee_wei)
        fee = replacement(before, Market.at(self.contract.node), self._fees)
        if fee == before:
            return None
        fresh = self._signed(record.seq, record.size, _head(record), fee, record.nonce)
        return replace(fresh, replaces=record.transaction)

    def _settle(self, record: Publication) -> Publication | None:
        number, block_hash = record.mined
        if self.contract.node.block_hash(number) != block_hash:
            return record.to(State.SENT)
        if not self._finality.reached(self.contract.node, number):
            return None
        # Read again: the block may have been replaced while the policy was being asked.
        mined = self.contract.receipt(bytes.fromhex(record.transaction))
        if mined is None or mined.block_hash != block_hash:
            return record.to(State.SENT)
        if self._agreement is not None and not self._agreement.final(
            record.seq, _head(record), number, block_hash
        ):
            return None
        return record.to(State.FINAL, mined)

    # ---------------------------------------------------------------- what the chain knows

    def _published(self, seq: int, head: bytes) -> tuple[bytes, Mined] | None:
        there = self.contract.head_at(seq)
        if there is None:
            return None
        if there != head:
            raise SequenceTaken(
                f"checkpoint {seq}: expected {head.hex()} or nothing on the chain, "
                f"got {there.hex()}"
            )
        return self.contract.published_in(seq)

    def _known(self, transaction: str) -> bool:
        return bool(self.contract.node.rpc("eth_getTransactionByHash", "0x" + transaction))

    def _keep(self, record: Publication) -> Publication:
        record.write(self._folder)
        self._on_state(record)
        return record


def _head(record: Publication) -> bytes:
    return bytes.fromhex(record.head)


def _name(seq: int) -> str:
    return f"{seq:06d}.json"
