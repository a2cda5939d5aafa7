"""A soak: many devices, random faults from a printed seed all the time, each value counted.

usage: python -m acceptance.soak [--minutes 30] [--devices 50] [--seed N]. Exit code 1 where a value
was lost, doubled or wrong, a slot has neither reading nor gap, or the agent's memory grew.

Three lanes of faults run side by side: the devices', the broker's and the platform's, the
gateway's own. kill -9 falls into the first and the last tenth, so that one process lives long
enough between them to show a leak.
"""

import argparse
import contextlib
import heapq
import random
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from acceptance.little_disk import can_mount, little_disk
from acceptance.soak_faults import device_faults, gateway_faults, way_faults
from acceptance.soak_judge import Count, Tally, table
from acceptance.soak_slaves import FLOATS
from acceptance.soak_world import Devices, Soak, StreamPlatform, fields, make_site
from parts import server_folder
from tanzheng.ingest.broker import Broker

SHARED_UNITS = 5
DISK_MIB = 96
GROWTH_MAX, GROWTH_MIB_MAX = 0.10, 5.0
DRAIN_S = 120.0


def run_lanes(soak: Soak) -> None:
    """All lanes until the time is over; then each undoes what it did."""
    seeds = [(device_faults, number) for number in range(max(1, sum(soak.units) // 8))]
    lanes = [make(soak, random.Random(f"{soak.seed} {number}")) for make, number in seeds]
    lanes += [
        make(soak, random.Random(f"{soak.seed} {make.__name__}"))
        for make in (way_faults, gateway_faults)
    ]
    lanes.append(soak.sample())
    due = [(soak.begun_s, number) for number in range(len(lanes))]
    try:
        while due[0][0] < soak.begun_s + soak.seconds:
            at_s, number = due[0]
            time.sleep(max(0.0, at_s - time.monotonic()))
            wait_s = next(lanes[number])
            heapq.heapreplace(due, (time.monotonic() + wait_s, number))
    finally:
        for lane in lanes:
            lane.close()


def drain(soak: Soak) -> Count:
    """Silence, until all that was offered is stored, or `DRAIN_S` went by; then the judgement."""
    for device in range(sum(soak.units)):
        soak.devices.order("fault", device=device, fault="silent")
    deadline_s = time.monotonic() + DRAIN_S
    while True:
        time.sleep(2.0)
        count = soak.tally.count(soak.counts(), soak.devices.order("without_floats"))
        if not count.lost or time.monotonic() > deadline_s:
            break
    time.sleep(3.0)  # what comes twice comes now
    return soak.tally.count(soak.counts(), soak.devices.order("without_floats"))


def growth(samples: Sequence[float]) -> tuple[float, float]:
    """Median of the first and of the last quarter."""
    quarter = max(1, len(samples) // 4)
    return statistics.median(samples[:quarter]), statistics.median(samples[-quarter:])


def soaked(seconds: float, devices: int, seed: int, folder: Path, broker: Broker) -> bool:
    """Run it, print the table; whether it was clean."""
    shared = devices // (5 * SHARED_UNITS)
    units = [SHARED_UNITS] * shared + [1] * (devices - SHARED_UNITS * shared)
    tally = Tally(devices, fields(), int(time.time() * 1000))
    with contextlib.ExitStack() as stack:
        slaves = Devices(units)
        stack.callback(slaves.close)
        site = make_site(folder, broker, units, slaves.ports)
        disk = folder / "spool" if can_mount() else None
        if disk is not None:
            stack.enter_context(little_disk(disk, DISK_MIB))
        platform = stack.enter_context(StreamPlatform(broker.platform_url, tally))
        soak = Soak(seed, seconds, units, site, broker, platform, slaves, tally, site.start(), disk)
        stack.callback(soak.end)
        run_lanes(soak)
        return verdict(soak, drain(soak))


def verdict(soak: Soak, count: Count) -> bool:
    """Print what came of it."""
    longest = max(soak.lives, key=len)
    first, last = growth(longest)
    flat = last - first < max(GROWTH_MAX * first, GROWTH_MIB_MAX)
    facts = {
        "seed · 种子": str(soak.seed),
        "devices × values, s · 设备 × 值，秒": (
            f"{sum(soak.units)} × {1 + FLOATS}, {soak.seconds:.0f}"
        ),
        "agent's memory, MiB: min / median / max · 内存": (
            f"{min(longest):.1f} / {statistics.median(longest):.1f} / {max(longest):.1f}"
        ),
        "first quarter → last quarter of the longest life · 首末四分之一": (
            f"{first:.1f} → {last:.1f}"
        ),
        "batches · 批次": f"{soak.tally.batches:,}",
    }
    print(table(count, soak.faults, facts))
    for slots, points in Counter(map(tuple, soak.tally.holes().values())).most_common(20):
        print(f"unexplained at {slots} for {points} points")
    for text in soak.platform.refused:
        print(f"refused: {text}")
    clean = count.clean and flat and not soak.platform.refused and count.offered > 0
    print("clean" if clean else "NOT CLEAN" + ("" if flat else ": memory grew"))
    return clean


def lasting_port(seed: int) -> int:
    """A free port below those that connections get: nobody takes it while the broker is away."""
    for port in random.Random(seed).sample(range(20_000, 30_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("expected a free port from 20000 to 29999, got none of 100")


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="acceptance.soak")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--keep", type=Path, help="an empty folder for the log and the spool")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="tz-soak-"))
    folder.mkdir(exist_ok=True)
    with server_folder() as place, Broker(place, lasting_port(options.seed)) as broker:
        clean = soaked(options.minutes * 60, options.devices, options.seed, folder, broker)
    if clean and options.keep is None:
        shutil.rmtree(folder)
    else:
        print(f"log of the agent: {folder / 'agent.log'}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
