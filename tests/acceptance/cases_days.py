"""Days without the platform, with as many values as they have, on injected plant time."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from acceptance.case import Scene, case
from acceptance.judge import Verdict
from acceptance.plant_hours import START_MS, PlantHours
from acceptance.soak_judge import Tally
from acceptance.soak_world import Devices, StreamPlatform, fields, make_site
from edge.world import wait_until

DEVICES = 20
INTERVAL_MS = 60_000
DAYS_SLOTS = 3 * 24 * 60
BEFORE, AFTER = 10, 5
BATCH_SLOTS = 60
PEAK_MIB_MAX = 100


class Days:
    """A gateway of 20 × 30 values a minute; the broker and the platform go for three days."""

    def __init__(self, scene: Scene, stack: contextlib.ExitStack) -> None:
        self.scene = scene
        self.devices = Devices([1] * DEVICES)
        stack.callback(self.devices.close)
        site = make_site(scene.folder, scene.broker, [1] * DEVICES, self.devices.ports)
        socket = scene.folder / "t"
        self.time = stack.enter_context(PlantHours(socket, INTERVAL_MS))
        site = replace(site, interval_ms=INTERVAL_MS)
        site.settings = {"batch_age_s_max": 1, "plant_time_socket": str(socket)}
        self.tally = Tally(DEVICES, fields(), START_MS, INTERVAL_MS)
        self.platform = stack.enter_context(StreamPlatform(scene.platform_url, self.tally))
        self.gateway = stack.enter_context(site.start(scene.without))

    def lost(self) -> int:
        """Values that the platform does not have yet."""
        return self.tally.count(self.devices.order("counts"), [[]] * DEVICES).lost

    def pass_slots(self, slots: int) -> None:
        """Let so many slots be taken."""
        self.time.allow(slots)
        wanted = self.time.taken + slots
        wait_until(lambda: self.time.taken >= wanted, f"{wanted} slots taken", 90)

    def peak_mib(self) -> float:
        """The most memory that the agent had."""
        status = Path(f"/proc/{self.gateway.pid}/status").read_text()
        (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(peak.split()[1]) / 1024


@contextlib.contextmanager
def three_days(scene: Scene) -> Iterator[Days]:
    with contextlib.ExitStack() as stack:
        days = Days(scene, stack)
        days.time.allow(BEFORE)
        wait_until(lambda: days.time.taken >= BEFORE and not days.lost(), "the first slots stored")
        time.sleep(0.5)  # the ack arrives: of an epoch never acknowledged nothing goes ahead
        days.platform.leave()
        scene.broker.kill()
        days.pass_slots(DAYS_SLOTS if scene.without is None else DAYS_SLOTS // 10)
        yield days


@case("broker away for three days", "消息代理离线三天", "what is not acknowledged stays on disk")
def broker_days(scene: Scene) -> Verdict:
    """All comes once, the newest first, and the agent's memory does not grow with the backlog."""
    with three_days(scene) as days:
        returned_ms = days.time.now_ms
        days.platform.newest_ms.clear()
        scene.broker.start()
        days.platform.come_back()
        days.pass_slots(AFTER)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not days.lost(), "everything stored", 5 if scene.without else 60)
        count = days.tally.count(days.devices.order("counts"), [[]] * DEVICES)
        peak_mib = days.peak_mib()
    verdict = Verdict(
        count.offered, count.stored, count.lost, count.duplicated, count.wrong, 0,
        count.gap_records, count.unexplained,
    )  # fmt: skip
    if scene.without is None:
        behind = (returned_ms - days.platform.newest_ms[0]) // INTERVAL_MS
        assert behind < BATCH_SLOTS, f"expected the newest first, got one {behind} slots older"
        assert peak_mib < PEAK_MIB_MAX, f"expected less memory, got {peak_mib} MiB"
    return verdict
