"""What the agent counts since its start, and the status file that shows it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

STATUS_NAME = "agent-status.json"


@dataclass(slots=True)
class Counters:
    """Counts since start. Those named `ack_…` except `ack_accepted` freed nothing.

    `readings` were read in slots, `arrived` came from devices that send by themselves; `dropped`
    are readings that made room for newer ones, `slots_refused` slots that the disk did not take.
    """

    slots: int = 0
    readings: int = 0
    arrived: int = 0
    missed: int = 0
    slots_spool_full: int = 0
    slots_refused: int = 0
    dropped: int = 0
    events_dropped: int = 0
    source_restarts: int = 0
    records_taken: int = 0
    records_refused: int = 0
    reloads: int = 0
    reloads_refused: int = 0
    sealed: int = 0
    published: int = 0
    offered_again: int = 0
    connections: int = 0
    ack_accepted: int = 0
    ack_stale: int = 0
    ack_forged: int = 0
    ack_malformed: int = 0
    ack_foreign: int = 0
    ack_conflict: int = 0
    epochs_opened: int = 0
    missed_by_reason: dict[str, int] = field(default_factory=dict)

    def miss(self, reason: str, points: int) -> None:
        """Count points that were not read."""
        self.missed += points
        self.missed_by_reason[reason] = self.missed_by_reason.get(reason, 0) + points


def write_status(folder: Path, counters: Counters, extra: dict[str, Any]) -> None:
    """Overwrite the status file by rename. It is a view, not evidence: nothing is synced."""
    body = json.dumps({**extra, "counters": asdict(counters)})
    fresh = folder / f"{STATUS_NAME}.new"
    fresh.write_text(body, encoding="utf-8")
    fresh.rename(folder / STATUS_NAME)
