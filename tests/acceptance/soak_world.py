"""What a soak runs: devices in their process, a platform that keeps nothing, the gateway."""

import json
import random
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acceptance.site import FIELD, PROFILE, Gateway, Site
from acceptance.slaves import Endpoint, Slave
from acceptance.soak_judge import Tally
from acceptance.soak_slaves import FLOATS
from edge.world import GATEWAY, Platform
from tanzheng.core.batch import SignedBatch
from tanzheng.core.fields import FIELDS
from tanzheng.ingest.broker import Broker

RESERVE_BYTES = 8 << 20
RSS_S = 10.0

Lane = Generator[float, None, None]
"""A course of faults; each yield is the seconds until it goes on. Closed, it undoes its own."""


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

    def end(self) -> None:
        """Kill the agent that runs now."""
        self.gateway.kill()

    def sample(self) -> Lane:
        """Resident memory, again and again."""
        while True:
            for line in Path(f"/proc/{self.gateway.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS"):
                    self.lives[-1].append(int(line.split()[1]) / 1024)
            yield min(RSS_S, self.seconds / 30)


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
