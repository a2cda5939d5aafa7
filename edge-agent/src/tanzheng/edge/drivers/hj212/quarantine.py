"""Frames that were refused: counted always, kept within bounds, never believed."""

import json
import os
from collections import Counter, OrderedDict, deque
from pathlib import Path
from typing import Any, Final

FILE_BYTES_MAX: Final = 512 << 10
"""Of one file; the one before it is kept, so that a folder holds twice this."""
RECENT_MAX: Final = 16
STRANGERS_MAX: Final = 32
_HEX_MAX: Final = 4096


class Quarantine:
    """Refused frames of one endpoint. `folder` None: only the newest are remembered, in memory."""

    def __init__(self, name: str, folder: str | None) -> None:
        self.reasons: Counter[str] = Counter()
        self.strangers: OrderedDict[str, int] = OrderedDict()
        """MN that no device of the plan has → frames from it."""
        self.recent: deque[tuple[int, str, str]] = deque(maxlen=RECENT_MAX)
        """(when, reason, peer)"""
        self.disk_errors = 0
        self._path = None if folder is None else Path(folder) / f"hj212-{name}.jsonl"

    def keep(self, t_ms: int, reason: str, peer: str, mn: str | None, raw: bytes) -> None:
        """Note one frame."""
        self.reasons[reason] += 1
        self.recent.append((t_ms, reason, peer))
        if reason == "unknown_mn" and mn:
            self.strangers[mn[:40]] = self.strangers.pop(mn[:40], 0) + 1
            if len(self.strangers) > STRANGERS_MAX:
                self.strangers.popitem(last=False)
        if self._path is not None:
            line = {"t_ms": t_ms, "reason": reason, "peer": peer, "hex": raw[:_HEX_MAX].hex()}
            self._write(json.dumps(line) + "\n")

    def status(self) -> dict[str, Any]:
        """For people."""
        return {
            "refused": dict(self.reasons),
            "unknown_mn": dict(self.strangers),
            "recent": [list(item) for item in self.recent],
            "disk_errors": self.disk_errors,
        }

    def _write(self, line: str) -> None:
        """Raw frames hold passwords: the file is its owner's only."""
        assert self._path is not None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            descriptor = os.open(self._path, flags, 0o600)
            with os.fdopen(descriptor, "a", encoding="ascii") as file:
                if file.tell() + len(line) > FILE_BYTES_MAX:
                    self._path.replace(self._path.with_suffix(".old.jsonl"))
                file.write(line)
        except OSError:
            self.disk_errors += 1
