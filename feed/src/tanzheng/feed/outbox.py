"""The outbox: every item that was ever given out, one line each, in a file that only grows.

`items.ndjson` is the truth; what is kept of it in memory is an index. The collector alone appends,
under a lock; a line that a kill left half written was never given out, and is cut. Servers and
pushers read the same file and see a line once it is whole.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tanzheng.core.errors import EncodingError
from tanzheng.core.feed import FeedItem, SignedItem, open_line
from tanzheng.feed import disk
from tanzheng.feed.errors import OutboxDamaged
from tanzheng.files import durable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tanzheng.core.attestation import Domain

ITEMS, HEAD, LOCK = "items.ndjson", "head.json", "collector.lock"
FIGURE = tuple[int, str, int, bytes, tuple[int, ...]]


def figure_of(item: FeedItem) -> FIGURE:
    """What an item says of its figure, wherever on the chain that stands."""
    sequences = tuple(act.sequence for act in item.acts)
    return item.figure_version, item.status.value, item.tonnes, item.statement, sequences


@dataclass(frozen=True, slots=True)
class Page:
    """Whole lines, each with its line feed, up to item `last`; empty where there are none."""

    data: bytes
    last: int


class Outbox:
    """The items in `folder`; `refresh` takes in what was appended since."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ITEMS
        self.folder = folder
        self._ends = [0]
        self.digest: bytes | None = None
        self.domain: Domain | None = None
        self.figures: dict[tuple[str, int], list[FIGURE]] = {}

    @property
    def seq(self) -> int:
        """Sequence of the last item, 0 before the first."""
        return len(self._ends) - 1

    def lock(self) -> AbstractContextManager[None]:
        """Keep other collectors out."""
        return disk.locked(self.folder / LOCK)

    def refresh(self) -> bool:
        """Read what is new; say whether there was something. `OutboxDamaged` names the item."""
        before = self.seq
        if not self.path.exists():
            return False
        with self.path.open("rb") as file:
            file.seek(self._ends[-1])
            for line in file:
                if line.endswith(b"\n"):
                    self._take(line)
        return self.seq > before

    def repair(self) -> int:
        """Cut what a killed collector left of its last line; bytes that were cut."""
        durable.remove_unfinished(self.folder, HEAD)
        self.refresh()
        left = self.path.stat().st_size - self._ends[-1] if self.path.exists() else 0
        if left:
            durable.truncate(self.path, self._ends[-1])
        return left

    def append(self, signed: SignedItem) -> None:
        """Add the next item durably; the caller holds the lock."""
        assert (signed.item.seq, signed.item.prev) == (self.seq + 1, self.digest)
        disk.append(self.path, signed.line + b"\n", self._ends[-1])
        self._take(signed.line + b"\n")

    def page(self, after: int, count_max: int, bytes_max: int) -> Page:
        """Items after sequence `after`: at most `count_max`, and one at least of `bytes_max`."""
        start = self._ends[min(after, self.seq)]
        last = min(after + count_max, self.seq)
        while last > after + 1 and self._ends[last] - start > bytes_max:
            last -= 1
        if last <= after:
            return Page(b"", after)
        with self.path.open("rb") as file:
            data = os.pread(file.fileno(), self._ends[last] - start, start)
        return Page(data, last)

    def _take(self, line: bytes) -> None:
        try:
            signed = open_line(line[:-1])
        except EncodingError as error:
            raise OutboxDamaged(f"{self.path}: item {self.seq + 1}: {error}") from error
        item = signed.item
        if (item.seq, item.prev) != (self.seq + 1, self.digest):
            raise OutboxDamaged(
                f"{self.path}: expected item {self.seq + 1} after the one before it, got {item.seq}"
            )
        if self.domain not in (None, item.domain):
            raise OutboxDamaged(f"{self.path}: item {item.seq}: expected the contract of item 1")
        self._ends.append(self._ends[-1] + len(line))
        self.domain = item.domain
        self.digest = signed.digest
        self.figures.setdefault((item.subject, item.year), []).append(figure_of(item))
