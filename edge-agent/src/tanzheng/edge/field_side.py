"""Everything on the side of the devices, made from a plan: lines, what they are given, counters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tanzheng.core.batch import Event
from tanzheng.core.errors import BadInput
from tanzheng.edge.abc import Line, Surroundings
from tanzheng.edge.counting import counters_of
from tanzheng.edge.drivers import make_lines
from tanzheng.edge.plan import Plan
from tanzheng.edge.room import Limits
from tanzheng.edge.sealer import SealPolicy
from tanzheng.edge.sealing import SealLimits
from tanzheng.edge.steps import Counter, Standing, Watch

FIXED = (
    "gateway", "interval_ms", "phase_ms", "key_path", "platform_key_path", "spool_path", "broker",
    "resend_after_s", "plant_time_socket", "ntp_server", "metrics_port", "clock_offset_ms_max",
)  # fmt: skip
"""What only a new process can take."""


@dataclass(frozen=True, slots=True)
class FieldSide:
    """The lines of a plan, not started yet; `counters` by point name."""

    plan: Plan
    lines: list[Line]
    counters: Mapping[str, Counter]


def make_field_side(
    plan: Plan,
    now_ms: Callable[[], int],
    note: Callable[[Event], None],
    ledger: Mapping[str, Standing],
) -> FieldSide:
    """`BadInput` where the plan cannot be read as it is. Connects to nothing."""
    counters = counters_of(plan.devices)
    index = {name: at for at, name in enumerate(plan.points)}
    watch = Watch(
        {index[name]: counter for name, counter in counters.items()},
        {index[name]: line for name, line in ledger.items() if name in counters},
    )
    around = Surroundings(now_ms, note, watch.suspect, plan.interval_ms, plan.phase_ms)
    return FieldSide(plan, make_lines(plan.placed(), around), counters)


def check_replaceable(old: Plan, new: Plan) -> None:
    """Return where a running agent can go over to `new`; else `BadInput` naming what it cannot."""
    for name in FIXED:
        if getattr(old, name) != getattr(new, name):
            raise BadInput(f"{name}: expected no change while the agent runs: restart it")


def room_limits(plan: Plan) -> Limits:
    """What the plan says of the spool's room."""
    return Limits(
        plan.spool_bytes_max, plan.disk_free_bytes_min, plan.spool_age_s_max,
        plan.spool_full_policy, plan.grids,
    )  # fmt: skip


def seal_limits(plan: Plan, counters: Mapping[str, Counter]) -> SealLimits:
    """What the plan says of batches."""
    policy = SealPolicy(plan.batch_slots_max, plan.batch_age_s_max)
    return SealLimits(policy, plan.interval_ms, counters, room_limits(plan).sealed_bytes_max)
