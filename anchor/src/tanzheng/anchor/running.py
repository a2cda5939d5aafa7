"""The process behind `tanzheng anchor run`: says what it does, and writes the metrics."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from tanzheng.anchor import metrics, runner
from tanzheng.anchor.service import AnchorFolder

if TYPE_CHECKING:
    from pathlib import Path

    from tanzheng.anchor.backlog import Backlog
    from tanzheng.anchor.publication import Publication
    from tanzheng.anchor.runner import Retries
    from tanzheng.core.errors import TanzhengError


class Running:
    """One log that is brought to the chain; a line on stdout for each thing that happens."""

    def __init__(
        self, folder: Path, operator_key: Path, rpc: str | None, metrics: Path | None, as_json: bool
    ) -> None:
        self._opened = AnchorFolder(folder, rpc, lambda what: self._say("mended", detail=what))
        self._operator_key = operator_key
        self._metrics = metrics
        self._as_json = as_json
        self._waiting: Backlog | None = None

    def run(self, once: bool) -> None:
        """Until it is told to stop, or with `once` until nothing waits."""
        runner.run(self, self._failed, self._tried, once)

    def backlog(self) -> Backlog:
        """What waits now."""
        return self._opened.backlog()

    def drain(self) -> None:
        """Bring it to `final`."""
        self._opened.drain(self._operator_key, self._reached)

    def _reached(self, record: Publication) -> None:
        self._say(str(record.state), checkpoint=record.seq, transaction=record.transaction)

    def _failed(self, error: TanzhengError, delay_s: float) -> None:
        self._say("failed", error=str(error), retry_in_s=delay_s)

    def _tried(self, backlog: Backlog, retries: Retries) -> None:
        if backlog != self._waiting:
            self._waiting = backlog
            waiting = len(backlog.checkpoints)
            self._say("waiting", statements=backlog.statements, checkpoints=waiting)
        if self._metrics is not None:
            nodes = {name: not problem for name, problem in self._opened.node_states().items()}
            metrics.write(self._metrics, backlog, retries, nodes, _now_ms())

    def _say(self, event: str, **fields: object) -> None:
        if self._as_json:
            line = json.dumps({"t_ms": _now_ms(), "event": event, **fields}, ensure_ascii=False)
        else:
            shown = ", ".join(f"{key} {value}" for key, value in fields.items())
            line = f"{LABELS[event]}: {shown}"
        print(line, file=sys.stdout, flush=True)


LABELS = {
    "prepared": "prepared 已准备",
    "sent": "sent 已发送",
    "mined": "mined 已出块",
    "final": "final 已终局",
    "failed": "failed, again later 失败，稍后重试",
    "waiting": "not final yet 待上链",
    "mended": "mended 已修复",
}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
