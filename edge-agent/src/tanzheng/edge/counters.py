"""What the agent counts since its start, and the status file that shows it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

STATUS_NAME = "agent-status.json"


@dataclass(slots=True)
class Counters:
    """Counts since start. Those named `ack_…` except `ack_accepted` freed nothing."""

    slots: int = 0
    readings: int = 0
    missed: int = 0
    slots_spool_full: int = 0
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


def write_status(folder: Path, counters: Counters, extra: dict[str, Any]) -> None:
    """Overwrite the status file by rename. It is a view, not evidence: nothing is synced."""
    body = json.dumps({**extra, "counters": asdict(counters)})
    fresh = folder / f"{STATUS_NAME}.new"
    fresh.write_text(body, encoding="utf-8")
    fresh.rename(folder / STATUS_NAME)
