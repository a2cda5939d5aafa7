"""A folder of receipts (`*.cbor`) and of disclosed figures (`*.json`, `tanzheng redact`).

Each statement that is to be given out needs both. Names are free: a receipt is found by the
statement in it, a disclosure by the manifest that the statement names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tanzheng.core import receipt
from tanzheng.core.disclosure import DISCLOSURE_BYTES_MAX, Disclosure
from tanzheng.core.errors import TanzhengError
from tanzheng.core.statement import Statement
from tanzheng.feed import disk


@dataclass(frozen=True, slots=True)
class Papers:
    """What goes with a statement."""

    receipt: bytes
    disclosure: Disclosure


class Shelf:
    """The files of `folder`, each read once as long as it does not change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, tuple[int, int]] = {}
        self._receipts: dict[bytes, tuple[bytes, bytes]] = {}
        self._disclosures: dict[bytes, Disclosure] = {}
        self.problems: dict[str, str] = {}

    def refresh(self) -> None:
        """Read what is new; `problems` names files that are neither, by name."""
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if path.suffix not in (".cbor", ".json") or path.name.startswith("."):
                continue
            stat = path.stat()
            state = (stat.st_mtime_ns, stat.st_size)
            if self._seen.get(path) != state:
                self._seen[path] = state
                self.problems.pop(path.name, None)
                self._read(path)

    def papers(self, statement: bytes) -> Papers | None:
        """Receipt and disclosure of the statement with this digest, None where one is missing."""
        raw, manifest = self._receipts.get(statement, (b"", b""))
        disclosure = self._disclosures.get(manifest)
        return Papers(raw, disclosure) if disclosure is not None else None

    def _read(self, path: Path) -> None:
        try:
            if path.suffix == ".json":
                disclosure = Disclosure.decode(disk.read(path, DISCLOSURE_BYTES_MAX, "disclosure"))
                self._disclosures[disclosure.manifest_sha256] = disclosure
            else:
                raw = disk.read(path, receipt.RECEIPT_BYTES_MAX, "receipt")
                stated = receipt.decode(raw).statement
                self._receipts[stated.digest] = (raw, stated.of(Statement).manifest_sha256)
        except TanzhengError as error:
            self.problems[path.name] = str(error)
