"""A folder of receipts (`*.cbor`) of the province's statements of confirmed emissions.

Names are free: a receipt is found by the statement in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tanzheng.core import receipt
from tanzheng.core.errors import TanzhengError
from tanzheng.core.statements.confirmed import ConfirmedEmissions
from tanzheng.feed import disk


@dataclass(frozen=True, slots=True)
class Paper:
    """A receipt, and what the statement in it says."""

    receipt: bytes
    confirmed: ConfirmedEmissions


class Shelf:
    """The files of `folder`, each read once as long as it does not change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, tuple[int, int]] = {}
        self._papers: dict[bytes, Paper] = {}
        self.problems: dict[str, str] = {}

    def refresh(self) -> None:
        """Read what is new; `problems` tells by name of files that are no such receipt."""
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if path.suffix != ".cbor" or path.name.startswith("."):
                continue
            stat = path.stat()
            state = (stat.st_mtime_ns, stat.st_size)
            if self._seen.get(path) != state:
                self._seen[path] = state
                self.problems.pop(path.name, None)
                self._read(path)

    def paper(self, statement: bytes) -> Paper | None:
        """The receipt of the statement with this digest, None where there is none."""
        return self._papers.get(statement)

    def _read(self, path: Path) -> None:
        try:
            raw = disk.read(path, receipt.RECEIPT_BYTES_MAX, "receipt")
            signed = receipt.decode(raw).statement
            self._papers[signed.digest] = Paper(raw, signed.of(ConfirmedEmissions))
        except TanzhengError as error:
            self.problems[path.name] = str(error)
