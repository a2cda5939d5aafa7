"""A new plan for the agent that runs: the file, SIGHUP, and a wait until its status says so."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tanzheng.core.errors import TanzhengError
from tanzheng.edge.plan import PLAN_NAME, Plan, save_plan
from tanzheng.edge.status import agent_status
from tanzheng.edge.swap import as_owner_of

TAKEN_S_MAX: Final = 30.0
POLL_S: Final = 0.1


class ReloadError(TanzhengError):
    """The running agent did not take a new plan."""


def hand_over(plan: Plan, seconds: float = TAKEN_S_MAX) -> None:
    """Return when the agent of the plan's spool says that it runs with `plan`; `ReloadError`."""
    spool = Path(plan.spool_path)
    as_owner_of(spool)
    pid = _running(spool)
    before = agent_status(spool)
    save_plan(plan, spool / PLAN_NAME)
    os.kill(pid, signal.SIGHUP)
    deadline = time.monotonic() + seconds
    while not _taken(plan, before, found := agent_status(spool)):
        refused = found.get("reload_error")
        if refused and refused != before.get("reload_error"):
            raise ReloadError(f"expected the agent to take the plan, got: {refused}")
        if time.monotonic() > deadline or not is_agent(pid):
            raise ReloadError(f"expected the agent {pid} to take the plan within {seconds:.0f} s")
        time.sleep(POLL_S)


def _taken(plan: Plan, before: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """An unchanged plan counts as taken only when the agent has counted one more reload."""
    return found.get("plan_digest") == plan.digest and _reloads(found) > _reloads(before)


def _reloads(status: Mapping[str, Any]) -> int:
    return int(status.get("counters", {}).get("reloads", 0))


def _running(spool: Path) -> int:
    """The process id in the status file, if it is an agent's: no stranger gets a signal."""
    found: Any = agent_status(spool).get("pid")
    if not isinstance(found, int) or not is_agent(found):
        raise ReloadError(f"expected a running agent, got none, for the spool {spool}")
    return found


def is_agent(pid: int) -> bool:
    """True where a process of that id runs and is an agent."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"tanzheng.edge.agent" in words
