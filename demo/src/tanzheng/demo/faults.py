"""The month itself: plant time runs, and at set places something breaks.

The broker is killed for at least 24 h of plant time and 2 s of real time; the agent is killed with
SIGKILL in the middle of its work and started again. Both are real processes.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import Progress, TaskID

from tanzheng.core.calendar import HOUR_MS
from tanzheng.demo.parts import Part
from tanzheng.ingest.broker import Broker

BROKER_CUT_AT = 0.25
AGENT_KILL_AT = 0.62
CUT_PLANT_MS = 24 * HOUR_MS
CUT_REAL_S = 2.0
AGENT_DOWN_S = 0.5
STALLED_S_MAX = 60.0
DRAIN_S_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Status:
    """What the simulator says of plant time."""

    now_ms: int
    start_ms: int
    end_ms: int
    taken_slots: int

    @property
    def share(self) -> float:
        return (self.now_ms - self.start_ms) / (self.end_ms - self.start_ms)


def read_status(path: Path) -> Status | None:
    """The simulator's last word, None before its first."""
    try:
        entry = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return Status(entry["now_ms"], entry["start_ms"], entry["end_ms"], entry["taken_slots"])


@dataclass(slots=True)
class FaultyMonth:
    """Follows plant time to the month's end and breaks things on the way."""

    status_file: Path
    agent: Part
    restart_agent: Callable[[], Part]
    broker: Broker
    progress: Progress
    others: tuple[Part, ...]
    notes: list[str] = field(default_factory=list)
    _cut: tuple[int, float] | None = None
    _done: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Return when the agent has ended because everything of the month is acknowledged."""
        task = self.progress.add_task("plant time 电厂时间", total=1.0, note="")
        moved, last = time.monotonic(), -1
        while self.agent.process.poll() is None:
            for part in self.others:
                part.check()
            status = read_status(self.status_file)
            if status is not None:
                if status.now_ms != last:
                    moved, last = time.monotonic(), status.now_ms
                self._show(task, status)
                self._break(status)
            limit = DRAIN_S_MAX if status is not None and status.share >= 1 else STALLED_S_MAX
            if time.monotonic() - moved > limit:
                raise self.agent.failed(f"expected plant time to move within {limit:.0f} s")
            time.sleep(0.05)
        if self.agent.process.returncode:
            raise self.agent.failed(f"expected exit code 0, got {self.agent.process.returncode}")
        self.progress.update(task, completed=1.0, note="all acknowledged 全部确认")

    def _show(self, task: TaskID, status: Status) -> None:
        days = (status.now_ms - status.start_ms) / (24 * HOUR_MS)
        note = f"day {days:4.1f} · {status.taken_slots:,} slots"
        if self._cut is not None:
            note += " · [red]broker down 断网[/red]"
        self.progress.update(task, completed=min(status.share, 1.0), note=note)

    def _break(self, status: Status) -> None:
        if status.share >= BROKER_CUT_AT and "cut" not in self._done:
            self._done.add("cut")
            self.broker.kill()
            self._cut = (status.now_ms, time.monotonic())
        elif self._cut is not None:
            self._mend(status, *self._cut)
        elif status.share >= AGENT_KILL_AT and "kill" not in self._done:
            self._done.add("kill")
            self.agent.kill()
            time.sleep(AGENT_DOWN_S)
            self.agent = self.restart_agent()
            self.notes.append("agent killed with SIGKILL and started again")

    def _mend(self, status: Status, cut_ms: int, cut_s: float) -> None:
        plant_ms, real_s = status.now_ms - cut_ms, time.monotonic() - cut_s
        if plant_ms >= CUT_PLANT_MS and real_s >= CUT_REAL_S:
            self.broker.start()
            self._cut = None
            self.notes.append(
                f"broker killed for {plant_ms / HOUR_MS:.0f} h of plant time, {real_s:.1f} s real"
            )

    def complete(self) -> bool:
        """True where every fault really happened."""
        return self._done == {"cut", "kill"} and self._cut is None
