"""A meter swap, checked against the plan and handed to the agent through the spool's inbox."""

import os
import pwd
import time
from datetime import datetime
from pathlib import Path

from tanzheng.core.errors import BadInput
from tanzheng.edge.inbox import MeterSwap, hand_in
from tanzheng.edge.plan import Plan
from tanzheng.hardware.profile import Profile


def write_swap(plan: Plan, swap: MeterSwap) -> Path:
    """The file of the record; `BadInput` where the plan has no such counter."""
    if swap.point not in plan.points:
        raise BadInput(f"expected a point of ({', '.join(plan.points)}), got {swap.point!r}")
    device = next(each for each in plan.devices if each.id == swap.device)
    if not Profile.from_plan(device.profile).field_point(swap.field).counter:
        raise BadInput(f"expected a counter, got {swap.point!r}, which is none")
    if swap.t_ms > time.time_ns() // 1_000_000:
        raise BadInput("expected an instant that has passed, got one to come, at --at")
    spool = Path(plan.spool_path)
    as_owner_of(spool)
    return hand_in(spool, swap)


def instant_ms(text: str) -> int:
    """`2026-11-21T08:00:00+08:00` as UTC ms, "" as now; `BadInput` without a zone."""
    if not text:
        return time.time_ns() // 1_000_000
    try:
        instant: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise BadInput(f"expected an instant with its zone, got {text!r}, at --at")
    return round(instant.timestamp() * 1000)


def as_owner_of(spool: Path) -> None:
    """`BadInput` for anybody but the agent's own user, who could not read what they write."""
    if not spool.is_dir():
        raise BadInput(f"expected the spool of an agent that has run, got none, at {spool}")
    owner = spool.stat().st_uid
    if owner != os.geteuid():
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise BadInput(f"expected the agent's user, got another: run it with sudo -u {name}")
