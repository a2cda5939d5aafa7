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
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acceptance.little_disk import can_mount, fill, little_disk
from acceptance.site import FIELD, PROFILE, Gateway, Site
from acceptance.slaves import Endpoint, Slave
from acceptance.soak_judge import Count, Tally, table
from acceptance.soak_slaves import FAULTS, FLOATS
from edge.world import GATEWAY, Platform
from parts import server_folder
from tanzheng.core.batch import SignedBatch
from tanzheng.core.fields import FIELDS
from tanzheng.ingest.broker import Broker

SHARED_UNITS = 5
DISK_MIB, RESERVE_BYTES = 96, 8 << 20
HOUR_MS = 3_600_000
RSS_S = 10.0
GROWTH_MAX, GROWTH_MIB_MAX = 0.10, 5.0
DRAIN_S = 120.0

Lane = Iterator[float]
"""A course of faults; each yield is how many seconds until it goes on. Closed, it undoes its own."""


class StreamPlatform(Platform):
    """The platform, which counts each batch and lets it go.

    `newest_ms` has the newest instant of the last arrivals, in their order.
    """

    def __init__(self, url: str, tally: Tally) -> None:
        super().__init__(url)
        self._tally = tally
        self.newest_ms: deque[int] = deque(maxlen=100)

    def _place(self, signed: SignedBatch) -> None:
        before, span_ms = len(self.stored), signed.batch.span_ms
        if span_ms is not None and len(self.newest_ms) < 100:
            self.newest_ms.append(span_ms[1])
        super()._place(signed)
        for each in self.stored[before:]:
            self._tally.take(each.batch)
        del self.stored[:-1]
        self.seen.clear()


class Devices:
    """The process of `soak_slaves`."""

    def __init__(self, units: Sequence[int]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "acceptance.soak_slaves", *map(str, units)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        self.ports: list[int] = self._answer()

    def order(self, do: str, **what: object) -> Any:
        """One order and its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@dataclass
class Soak:
    """What runs, and what happened so far."""

    seed: int
    seconds: float
    units: Sequence[int]
    site: Site
    broker: Broker
    platform: StreamPlatform
    devices: Devices
    tally: Tally
    gateway: Gateway
    disk: Path | None
    faults: Counter[str] = field(default_factory=Counter)
    lives: list[list[float]] = field(default_factory=lambda: [[]])
    """Resident memory of each agent process in MiB, a sample at a time."""
    begun_s: float = field(default_factory=time.monotonic)

    @property
    def passed(self) -> float:
        """Part of the time that went by."""
        return (time.monotonic() - self.begun_s) / self.seconds

    def lasts(self, chance: random.Random, most_s: float) -> float:
        """How long a fault lasts: in a short soak less."""
        return chance.uniform(0.5, min(most_s, self.seconds / 8))

    def tell(self, kind: str, detail: str = "") -> None:
        """A fault begins."""
        self.faults[kind] += 1
        print(f"{time.monotonic() - self.begun_s:8.1f} s  {kind} {detail}", flush=True)

    def counts(self) -> list[int]:
        """What each device has offered."""
        return list(self.devices.order("counts"))

    def sample(self) -> Lane:
        """Resident memory, again and again."""
        while True:
            for line in Path(f"/proc/{self.gateway.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS"):
                    self.lives[-1].append(int(line.split()[1]) / 1024)
            yield min(RSS_S, self.seconds / 30)


def device_faults(soak: Soak, chance: random.Random) -> Lane:
    """One device after the other is silent, late, someone else, busy, broken, NaN, or cut off."""
    while True:
        yield chance.uniform(0.2, 6.0)
        kind = chance.choice([*FAULTS, "cut"])
        device = chance.randrange(sum(soak.units))
        endpoint = chance.randrange(len(soak.units))
        soak.tell(f"device {kind}", f"e{endpoint}" if kind == "cut" else f"d{device + 1}")
        if kind == "cut":
            soak.devices.order("cut", endpoint=endpoint)
        else:
            soak.devices.order("fault", device=device, fault=kind)
        try:
            yield soak.lasts(chance, 12.0)
        finally:
            if kind == "cut":
                soak.devices.order("listen", endpoint=endpoint)
            else:
                soak.devices.order("fault", device=device, fault=None)


def way_faults(soak: Soak, chance: random.Random) -> Lane:
    """The broker and the platform go away, one at a time."""
    kinds: dict[str, Callable[[Soak], contextlib.AbstractContextManager[None]]] = {
        "broker killed": broker_killed,
        "broker frozen": broker_frozen,
        "broker frozen, then killed": broker_frozen_and_killed,
        "broker restarted": broker_restarted,
        "platform silent": platform_silent,
        "platform away": platform_away,
    }
    while True:
        yield chance.uniform(1.0, 10.0)
        kind = chance.choice(list(kinds))
        soak.tell(kind)
        with kinds[kind](soak):
            yield soak.lasts(chance, 20.0)


@contextlib.contextmanager
def broker_killed(soak: Soak) -> Iterator[None]:
    soak.broker.kill()
    try:
        yield
    finally:
        soak.broker.start()


@contextlib.contextmanager
def broker_restarted(soak: Soak) -> Iterator[None]:
    soak.broker.stop()
    try:
        yield
    finally:
        soak.broker.start()


@contextlib.contextmanager
def broker_frozen(soak: Soak) -> Iterator[None]:
    soak.broker.pause()
    try:
        yield
    finally:
        soak.broker.resume()


@contextlib.contextmanager
def broker_frozen_and_killed(soak: Soak) -> Iterator[None]:
    soak.broker.pause()
    try:
        yield
    finally:
        soak.broker.resume()
        soak.broker.kill()
        soak.broker.start()


@contextlib.contextmanager
def platform_silent(soak: Soak) -> Iterator[None]:
    soak.platform.answering = False
    try:
        yield
    finally:
        soak.platform.answering = True


@contextlib.contextmanager
def platform_away(soak: Soak) -> Iterator[None]:
    soak.platform.leave()
    try:
        yield
    finally:
        soak.platform.come_back()


def gateway_faults(soak: Soak, chance: random.Random) -> Lane:
    """The agent is killed or reloaded, its clock jumps, its disk fills up, one at a time."""
    while True:
        yield soak.lasts(chance, 20.0)
        kinds = ["reload", "clock", *(["disk full"] if soak.disk else [])]
        kind = "kill -9" if not 0.1 < soak.passed < 0.9 else chance.choice(kinds)
        if kind == "kill -9":
            soak.tell(kind)
            kill(soak)
        elif kind == "reload":
            soak.tell(kind)
            os.kill(soak.gateway.pid, signal.SIGHUP)
        elif kind == "clock":
            offset_ms = chance.choice([-HOUR_MS, HOUR_MS])
            soak.tell("clock ±1 h", f"{offset_ms} ms")
            with clock_off(soak, offset_ms):
                yield soak.lasts(chance, 20.0)
            yield 1.0
        else:
            soak.tell(kind)
            with disk_full(soak):
                yield soak.lasts(chance, 10.0)


def kill(soak: Soak) -> None:
    """What was read and not yet durable may be in a gap: a count or two of each device."""
    soak.gateway.kill()
    after = soak.counts()
    soak.tally.excuses.append(([at - 1 for at in after], after))
    soak.gateway = soak.site.start()
    soak.lives.append([])


@contextlib.contextmanager
def clock_off(soak: Soak, offset_ms: int) -> Iterator[None]:
    begun_ms = time.time() * 1000
    soak.tally.jumps.append((begun_ms, float("inf")))
    soak.site.set_clock(offset_ms, synced=False)
    try:
        yield
    finally:
        soak.site.set_clock()
        soak.tally.jumps[-1] = (begun_ms, time.time() * 1000)


@contextlib.contextmanager
def disk_full(soak: Soak) -> Iterator[None]:
    """What devices offer while no byte is free may be in a gap."""
    assert soak.disk is not None
    before, ballast = soak.counts(), soak.disk / "ballast"
    fill(ballast)
    far = [1 << 40] * len(before)
    soak.tally.excuses.append((before, far))
    try:
        yield
    finally:
        ballast.unlink()
        time.sleep(0.2)
        soak.tally.excuses[-1] = (before, [at + 1 for at in soak.counts()])


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
            lane.close()  # type: ignore[attr-defined]


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


def fields() -> tuple[str, ...]:
    """The count's field and 29 others."""
    gauges = [each.name for each in FIELDS.values() if each.kind == "gauge" and each.name != FIELD]
    return (FIELD, *gauges[:FLOATS])


def make_site(folder: Path, broker: Broker, units: Sequence[int], ports: Sequence[int]) -> Site:
    """A gateway with those endpoints, which listen already."""
    endpoints = [Endpoint([Slave(unit + 1) for unit in range(count)]) for count in units]
    for endpoint, port in zip(endpoints, ports, strict=True):
        endpoint.port = port
    rows = "".join(
        f"- {{id: f{number}, addr: {2 * number}, type: f32, unit: '{FIELDS[name].unit}', "
        f"field: {name}}}\n"
        for number, name in enumerate(fields())
        if number
    )
    settings: dict[str, object] = {"batch_age_s_max": 2, "disk_free_bytes_min": RESERVE_BYTES}
    return Site(
        folder, broker.gateway_url(GATEWAY), broker.platform_url, endpoints, interval_ms=1000,
        timeout_ms=2000, settings=settings, profile=PROFILE + rows, fields=fields(),
    )  # fmt: skip


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
        soak = Soak(
            seed, seconds, units, site, broker, platform, slaves, tally, site.start(), disk
        )
        stack.callback(lambda: soak.gateway.kill())
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
    with server_folder() as place, Broker(place) as broker:
        clean = soaked(options.minutes * 60, options.devices, options.seed, folder, broker)
    if clean and options.keep is None:
        shutil.rmtree(folder)
    else:
        print(f"log of the agent: {folder / 'agent.log'}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
