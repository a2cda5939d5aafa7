"""Clocks that jump, and days that pass."""

from acceptance.case import Scene, case
from acceptance.judge import Verdict
from acceptance.site import Run, Site, running
from acceptance.slaves import Endpoint, Slave

HOUR_MS = 3_600_000


def site_of(scene: Scene) -> Site:
    return Site(
        scene.folder, scene.gateway_url, scene.platform_url, [Endpoint([Slave(1), Slave(2)])]
    )


def jump(scene: Scene, offset_ms: int, synced: bool) -> tuple[Run, Verdict]:
    """The clock jumps after eight slots; twelve later it is judged."""
    site = site_of(scene)
    with running(site, scene.without) as run:
        run.more(8)
        site.set_clock(offset_ms, synced)
        run.more(12)
        return run, run.verdict(quality=None)


def uncertain(run: Run) -> int:
    """Readings marked as of an uncertain clock."""
    return sum(
        quality == 1
        for batch in run.platform.batches
        for column in batch.columns
        for quality in column.quality
    )


def steps(run: Run) -> int:
    return sum(
        event.kind == "clock_step" for batch in run.platform.batches for event in batch.events
    )


@case("wall clock an hour ahead", "时钟前跳一小时", "a steady time scale")
def hour_ahead(scene: Scene) -> Verdict:
    run, verdict = jump(scene, HOUR_MS, synced=False)
    return verdict.with_wrong_quality(uncertain(run) < 12 or steps(run) != 1)


@case("wall clock an hour back", "时钟后跳一小时", "a steady time scale")
def hour_back(scene: Scene) -> Verdict:
    run, verdict = jump(scene, -HOUR_MS, synced=False)
    return verdict.with_wrong_quality(uncertain(run) < 12 or steps(run) != 1)


@case(
    "wall clock set right by an hour, synchronised",
    "时钟经同步校正一小时",
    "a leap is a gap record",
)
def hour_adopted(scene: Scene) -> Verdict:
    _, verdict = jump(scene, HOUR_MS, synced=True)
    return verdict.with_lost(not verdict.gap_records)
