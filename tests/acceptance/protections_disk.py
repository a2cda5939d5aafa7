"""What the agent tells of a spool without room, kept to itself. See `runner.py`."""

from dataclasses import replace
from typing import Any

from acceptance.switches import protection
from tanzheng.edge import room
from tanzheng.edge.acquisition import Acquisition
from tanzheng.edge.spool import dropping
from tanzheng.edge.spool.dropping import Remains


@protection("slots without room are told")
def full_in_silence() -> None:
    async def take_nothing(self: Acquisition, slot_ms: int) -> None:
        self._counters.slots_spool_full += 1

    Acquisition._take_nothing = take_nothing  # type: ignore[method-assign]
    Acquisition._refused = lambda *_: None  # type: ignore[method-assign]


@protection("what is dropped is told")
def dropped_in_silence() -> None:
    drop = dropping.drop

    def without_gaps(*arguments: Any) -> Remains:
        return replace(drop(*arguments), entries=())

    room.__dict__["drop"] = without_gaps
