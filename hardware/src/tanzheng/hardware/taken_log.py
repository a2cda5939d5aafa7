"""`taken.jsonl`: the simulator's own list of slots taken, the judge of what may not be lost."""

import json
from pathlib import Path
from typing import IO

from tanzheng.hardware.errors import SimulatorError
from tanzheng.hardware.plant_time import Taken


class TakenLog:
    """Appends one line a slot; slots only ever go up, so none is logged twice.

    `last_ms` and `slots` count what the file held before, too. A line torn by a crash is cut off.
    """

    def __init__(self, path: Path) -> None:
        self.last_ms: int | None = None
        self.slots = 0
        self._path = path
        if path.exists():
            self._read_back()
        self._stream: IO[str] = path.open("a", encoding="utf-8")

    def append(self, taken: Taken) -> None:
        """Log a slot; `SimulatorError` where it was logged before."""
        if self.last_ms is not None and taken.slot_ms <= self.last_ms:
            raise SimulatorError(f"expected a slot after {self.last_ms}, got {taken.slot_ms}")
        line = {"slot_ms": taken.slot_ms, "readings": taken.readings, "missed": taken.missed}
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()
        self.last_ms = taken.slot_ms
        self.slots += 1

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _read_back(self) -> None:
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            self._path.write_bytes(whole)
        lines = whole.splitlines()
        self.slots = len(lines)
        if lines:
            self.last_ms = int(json.loads(lines[-1])["slot_ms"])
