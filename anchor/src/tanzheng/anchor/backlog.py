"""What is in the log and not yet final on the chain, and the records and proofs of what is.

publications/000001.json   the record of checkpoint 1 (`publication`)
publications/000001.proof  header and storage proof of its head, taken when it became final:
                           a node forgets old states, a receipt may be made years later
publications/lock          held by the one process that publishes
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tanzheng.anchor.errors import LogBusy
from tanzheng.anchor.publication import Publication, State
from tanzheng.core.receipt import EvmProof
from tanzheng.files import durable
from tanzheng.files.lock import alone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from tanzheng.core.checkpoint import SignedCheckpoint

SIGNED = "signed"
UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for the chain.

    `statements` are in the log and in no final checkpoint. `checkpoints` are (seq, state), oldest
    first; the state is `signed` where nothing was prepared yet. `since_ms`: the clock of the oldest
    of them, None without one.
    """

    statements: int
    checkpoints: tuple[tuple[int, str], ...]
    since_ms: int | None

    @property
    def empty(self) -> bool:
        """Whether everything in the log is final."""
        return not self.statements and not self.checkpoints


class Publications:
    """The folder of records, proofs and lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lock(self) -> AbstractContextManager[None]:
        """Be the only one who publishes; `LogBusy` where another process does."""
        durable.make_folder(self.folder)
        return alone(self.folder / "lock", LogBusy)

    def record(self, seq: int) -> Publication | None:
        """How far checkpoint `seq` has come, None before anything was prepared."""
        return Publication.read(self.folder, seq)

    def open(self, checkpoints: Sequence[SignedCheckpoint]) -> list[SignedCheckpoint]:
        """Those that are not final, in their order."""
        return [signed for signed in checkpoints if not self._final(signed)]

    def last_final(self, checkpoints: Sequence[SignedCheckpoint]) -> SignedCheckpoint | None:
        """The last one that is final, None without one."""
        return next(filter(self._final, reversed(checkpoints)), None)

    def backlog(self, checkpoints: Sequence[SignedCheckpoint], size: int) -> Backlog:
        """What of a log of `size` statements is not final, by the records on disk."""
        waiting, final = self.open(checkpoints), self.last_final(checkpoints)
        states = []
        for signed in waiting:
            record = self.record(signed.checkpoint.seq)
            states.append((signed.checkpoint.seq, str(record.state) if record else SIGNED))
        return Backlog(
            statements=size - (final.checkpoint.size if final else 0),
            checkpoints=tuple(states),
            since_ms=waiting[0].checkpoint.t_ms if waiting else None,
        )

    def proof(self, seq: int) -> EvmProof | None:
        """The proof that was kept for checkpoint `seq`, None where it was not."""
        data = durable.reader(self.folder)(_proof(seq))
        return None if data is None else EvmProof.decode(data)

    def keep_proof(self, seq: int, proof: EvmProof) -> None:
        """Keep the proof of checkpoint `seq`."""
        durable.overwrite(self.folder / _proof(seq), proof.encode())

    def undo(self, seq: int) -> None:
        """Take record and proof of checkpoint `seq` aside: it is to be published again."""
        aside = self.folder / UNDONE
        durable.make_folder(aside)
        for name in (_proof(seq), f"{seq:06d}.json"):  # the record last: it says `final`
            if (data := durable.reader(self.folder)(name)) is not None:
                durable.overwrite(aside / name, data)
                durable.remove(self.folder / name)

    def _final(self, signed: SignedCheckpoint) -> bool:
        record = self.record(signed.checkpoint.seq)
        return record is not None and record.state is State.FINAL


def _proof(seq: int) -> str:
    return f"{seq:06d}.proof"
