"""What the agent shows of itself: in the status file, and to Prometheus."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tanzheng.edge.agent import Agent


def agent_state(agent: "Agent") -> dict[str, Any]:
    """The agent's present state; what the keys mean is said in `metrics.py`."""
    spool, counters, clock = agent.spool, agent.counters, agent.clock.state()
    return {
        "pid": os.getpid(),
        "plan_digest": agent.plan_digest,
        "reload_error": agent.reload_error,
        "connected": agent.uplink.connected,
        "synced": agent.uplink.synced,
        "in_flight": agent.uplink.in_flight,
        "now_ms": agent.clock.now_ms(),
        "spool_full": agent.room.full,
        "slot_lateness_ms": agent.acquisition.lateness_ms,
        "counters": asdict(counters),
        "missed_by_reason": dict(counters.missed_by_reason),
        "lines": agent.acquisition.rounds.status(),
        "spool": {
            "bytes": spool.bytes_used,
            "unsealed": spool.unsealed,
            "batches": spool.batches,
            "oldest_ms": agent.room.oldest_ms,
            "dropped": counters.dropped,
        },
        "clock": {
            "source": clock.source,
            "synchronised": clock.synced,
            "offset_ms": clock.offset_us / 1000,
        },
    }
