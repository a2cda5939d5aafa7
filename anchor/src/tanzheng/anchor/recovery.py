"""What an anchor folder can do on days that should not come: docs/catastrophe.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eth_utils.address import is_address

from tanzheng.anchor import keyfile
from tanzheng.anchor.calls import Mined, sent
from tanzheng.anchor.errors import AnchorInput, DiskRefused, SequenceTaken
from tanzheng.anchor.publication import State
from tanzheng.anchor.service import AnchorFolder, read_file
from tanzheng.core.hashing import sha256
from tanzheng.core.receipt import decode
from tanzheng.files import durable

if TYPE_CHECKING:
    from pathlib import Path

    from tanzheng.core.checkpoint import SignedCheckpoint
    from tanzheng.core.ids import Subject


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The end of a log: its last final checkpoint, the SHA-256 of a receipt with it, what waits.

    `waiting`: subjects of statements that no final checkpoint covers; they are sealed anew.
    """

    last: SignedCheckpoint
    receipt_sha256: bytes
    waiting: tuple[Subject, ...]


class Recovery(AnchorFolder):
    """An anchor folder whose chain, contract, key or end is to be seen to."""

    def reopen(self) -> list[int]:
        """Take back the finality of checkpoints that the chain no longer has; returns their seqs.

        They are published again as they are. `SequenceTaken` where another has their place.
        """
        undone = []
        with durable.disk(self._folder, DiskRefused), self._publications.lock():
            contract = self._contract()
            for signed in self._store.checkpoints():
                seq, record = (
                    signed.checkpoint.seq,
                    self._publications.record(signed.checkpoint.seq),
                )
                if record is None or record.state is not State.FINAL:
                    continue
                if (there := contract.head_at(seq)) not in (None, signed.digest):
                    raise SequenceTaken(
                        f"checkpoint {seq}: expected {record.head} or nothing on the chain, "
                        f"got {there and there.hex()}"
                    )
                number, block_hash = record.mined
                if there is None or contract.node.block_hash(number) != block_hash:
                    self._publications.undo(seq)
                    undone.append(seq)
        return undone

    def rotate(self, owner_key: Path, sealer: str) -> Mined:
        """Make `sealer` (an address) the account that may publish; the contract's owner signs."""
        if not is_address(sealer):
            raise AnchorInput(f"expected an address of 20 bytes in hexadecimal, got {sealer!r}")
        contract, owner = self._contract(), keyfile.load(owner_key)
        return sent(contract.node, contract.rotate_sealer(owner, sealer), "rotation of the sealer")

    def predecessor(self, receipt: Path) -> Predecessor:
        """How this log ends, for the one that goes on from it; `receipt` has its last checkpoint.

        `AnchorInput` where the receipt is of another checkpoint than the last final one.
        """
        contents, raw = self._store.read(), read_file(receipt)
        last = self._publications.last_final(contents.checkpoints)
        if last is None or decode(raw).checkpoint.digest != last.digest:
            seq = last.checkpoint.seq if last else "none"
            raise AnchorInput(f"{receipt}: expected a receipt of the last final checkpoint, {seq}")
        size = last.checkpoint.size
        waiting = [contents.files.statement(index) for index in range(size, contents.size)]
        return Predecessor(last, sha256(raw), tuple(each.statement.subject for each in waiting))
