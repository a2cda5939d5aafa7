"""A disk that is full and has room again, and a spool that may not grow."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from acceptance.case import Scene, case
from acceptance.judge import Verdict
from acceptance.little_disk import fill, little_disk
from acceptance.site import Run, Site, running
from acceptance.slaves import Endpoint, Slave
from edge.world import gap_slots, wait_until
from tanzheng.edge.plan import Plan

DISK_MIB, RESERVE_BYTES = 16, 2 << 20
SPOOL_BYTES_MAX = 5000


@dataclass
class TightSite(Site):
    """A site whose spool may hold less than a configuration allows: tests are short."""

    policy: str = "keep_oldest"

    def plan(self) -> Plan:
        return replace(
            super().plan(), spool_bytes_max=SPOOL_BYTES_MAX, spool_full_policy=self.policy
        )


def endpoints() -> list[Endpoint]:
    return [Endpoint([Slave(1)]) for _ in range(3)]


def status(run: Run, counter: str) -> int:
    """What the agent's status file says of a counter of its own."""
    try:
        shown = json.loads((run.site.folder / "spool/agent-status.json").read_text())
    except (OSError, ValueError):
        return 0
    return int(shown["counters"][counter])


def told(run: Run, *reasons: str) -> int:
    """How many (point, slot) gap records name for one of `reasons`."""
    return sum(reason in reasons for _, _, reason in gap_slots(run.platform.batches))


@contextlib.contextmanager
def full(run: Run) -> Iterator[None]:
    """No byte is free while the block lasts: what is read in it may be in a gap."""
    before = {point: len(numbers) for point, numbers in run.site.offered().items()}
    ballast = run.site.folder / "spool/ballast"
    fill(ballast)
    try:
        yield
    finally:
        ballast.unlink()
        time.sleep(0.2)
        for point, numbers in run.site.offered().items():
            run.in_flight.setdefault(point, set()).update(numbers[before[point] - 1 :])


@case("disk full, and room again", "磁盘写满后恢复", "slots without room are told")
def disk_full(scene: Scene) -> Verdict:
    site = Site(
        scene.folder, scene.gateway_url, scene.platform_url, endpoints(),
        settings={"disk_free_bytes_min": RESERVE_BYTES},
    )  # fmt: skip
    with little_disk(scene.folder / "spool", DISK_MIB), running(site, scene.without) as run:
        run.more(6)
        with full(run):
            time.sleep(3.0)
        run.more(8)
        verdict = run.verdict()
        return verdict.with_wrong_quality(not told(run, "disk_full", "spool_full"))


def out_of_room(scene: Scene, policy: str, counter: str, least: int) -> tuple[Run, Verdict]:
    """The platform is away until the agent has counted `least`; then it is back."""
    site = TightSite(
        scene.folder, scene.gateway_url, scene.platform_url, endpoints(), policy=policy
    )
    with running(site, scene.without) as run:
        run.more(5)
        run.platform.leave()
        wait_until(lambda: status(run, counter) >= least, f"{least} {counter}")
        run.platform.come_back()
        run.more(8)
        return run, run.verdict(5)


@case("spool full, policy keep_oldest", "缓存已满，策略 keep_oldest", "slots without room are told")
def keep_oldest(scene: Scene) -> Verdict:
    """Nothing is asked for that could not be kept."""
    run, verdict = out_of_room(scene, "keep_oldest", "slots_spool_full", 10)
    return verdict.with_wrong_quality(not told(run, "spool_full"))


@case("spool full, policy keep_newest", "缓存已满，策略 keep_newest", "what is dropped is told")
def keep_newest(scene: Scene) -> Verdict:
    """Offered − stored is what the gap records of dropped readings name, to the value."""
    run, verdict = out_of_room(scene, "keep_newest", "dropped", 20)
    return verdict.with_lost(-told(run, "spool_dropped"))
