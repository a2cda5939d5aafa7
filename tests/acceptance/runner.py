"""The agent as the acceptance tests run it: `python -m acceptance.runner PLAN CLOCK [PROTECTION]`.

Its wall clock is the machine's plus what the file CLOCK says, so that a test can let it jump. With
PROTECTION one protection is switched off: a test that passes also without the protection it is
about would prove nothing. Each entry takes the smallest thing away that makes the protection what
it is. The product has no such switches.
"""

import importlib
import json
import sys
from pathlib import Path

from acceptance.switches import PROTECTIONS, put
from tanzheng.edge import agent
from tanzheng.edge.timekeeping.kernel_clock import KernelState, MachineTime


def inject_clock(path: Path) -> None:
    """A wall clock that is `offset_ms` off, and a kernel that says `synced`, by the file."""
    true_wall_ms = MachineTime.wall_ms

    def wall_ms(self: MachineTime) -> float:
        return true_wall_ms(self) + float(json.loads(path.read_text())["offset_ms"])

    def kernel(_self: MachineTime) -> KernelState:
        return KernelState(bool(json.loads(path.read_text())["synced"]), 0)

    put(MachineTime, "wall_ms", wall_ms)
    put(MachineTime, "kernel", kernel)


def main(plan: str, clock: str, without: str | None = None) -> int:
    """Run the agent until it ends; its exit code."""
    inject_clock(Path(clock))
    if without is not None:
        for module in Path(__file__).parent.glob("protections_*.py"):
            importlib.import_module(f"acceptance.{module.stem}")
        PROTECTIONS[without]()
    return agent.main([plan])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
