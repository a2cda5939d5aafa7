"""One gateway, a real process, between counting devices, a real broker and a platform."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from acceptance.case import NothingToJudge
from acceptance.judge import Verdict, judge
from acceptance.slaves import Endpoint, Slave, Slaves
from edge.world import (
    GATEWAY,
    Platform,
    Program,
    gap_slots,
    readings,
    wait_until,
    write_config,
)
from tanzheng.core.batch import Event
from tanzheng.edge.configuration.config import load_config
from tanzheng.edge.plan import Plan, save_plan

FIELD = "active_power_kw"
PROFILE = f"""id: counting
vendor: test
models: [none]
kind: energy meter
protocol: modbus
transport: [tcp]
fc: 3
order: big
trust: ours
source: [{{note: "counts its answers"}}]
points:
- {{id: count, addr: 0, type: u32, unit: kW, field: {FIELD}}}
"""
PLANT = f"""version = 1
enterprise = "TEST"
name = "counting"
name_zh = "计数"
utc_offset = "+08:00"
[[unit]]
id = "U1"
kind = "gas"
rated_capacity_mw = "1"
rated_capacity_source = "none"
[[gateway]]
id = "{GATEWAY}"
interval_s = 1
"""


@dataclass
class Site:
    """Devices `d1`, `d2` … in the order of endpoints and units; the first of `fields` counts.

    `interval_ms` may be less than the second that a plant file allows: tests are short.
    """

    folder: Path
    broker_url: str
    platform_url: str
    endpoints: Sequence[Endpoint]
    interval_ms: int = 200
    timeout_ms: int = 150
    settings: dict[str, object] = field(default_factory=dict)
    profile: str = PROFILE
    fields: tuple[str, ...] = (FIELD,)
    pushed: bool = False
    """True where devices send by themselves: they owe no slot."""

    @property
    def slaves(self) -> list[Slave]:
        return [slave for each in self.endpoints for slave in each.slaves.values()]

    def offered(self) -> dict[str, list[float]]:
        """What every device answered well, by point name."""
        return {
            f"d{number}/{self.fields[0]}": [float(each) for each in slave.answered]
            for number, slave in enumerate(self.slaves, 1)
        }

    def plan(self) -> Plan:
        """The configuration as the agent's commands would make it, at the test's pace."""
        (self.folder / "profiles").mkdir(exist_ok=True)
        (self.folder / "profiles/counting.yaml").write_text(self.profile)
        points = "".join(f'[[device.point]]\nfield = "{name}"\n' for name in self.fields)
        devices, plant = {}, [PLANT]
        places = [(each, unit) for each in self.endpoints for unit in each.slaves]
        for number, (endpoint, unit) in enumerate(places, 1):
            devices[f"d{number}"] = endpoint.link(unit, self.timeout_ms)
            plant.append(
                f'[[device]]\nid = "d{number}"\ngateway = "{GATEWAY}"\nunit = "U1"\n'
                f'profile = "counting"\n{points}'
            )
        (self.folder / "devices.json").write_text(json.dumps(devices))
        (self.folder / "plant.toml").write_text("".join(plant))
        settings = {"batch_age_s_max": 0.5, "profiles": "profiles", **self.settings}
        plan = load_config(write_config(self.folder, self.broker_url, **settings))
        return replace(
            plan,
            interval_ms=self.interval_ms,
            phase_ms=plan.phase_ms % self.interval_ms,
            devices=tuple(replace(each, interval_ms=self.interval_ms) for each in plan.devices),
        )

    def start(self, without: str | None = None) -> "Gateway":
        """The agent's process; `without`: one of its protections switched off."""
        path = self.folder / "plan.json"
        save_plan(self.plan(), path)
        if not self.clock.exists():
            self.set_clock()
        return Gateway(self.folder / "agent.log", path, self.clock, without)

    @property
    def clock(self) -> Path:
        """What `acceptance.runner` reads."""
        return self.folder / "clock.json"

    def set_clock(self, offset_ms: int = 0, synced: bool = True) -> None:
        """Set the gateway's wall clock, at once."""
        beside = self.clock.with_suffix(".new")
        beside.write_text(json.dumps({"offset_ms": offset_ms, "synced": synced}))
        beside.replace(self.clock)


class Gateway(Program):
    """The agent in a process of its own, by `acceptance.runner`."""

    def __init__(self, log: Path, plan: Path, clock: Path, without: str | None) -> None:
        self.log = log
        arguments = [str(plan), str(clock), *([without] if without else [])]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "acceptance.runner", *arguments],
                stdout=output,
                stderr=output,
                cwd=Path(__file__).parents[1],
            )


@dataclass
class Run:
    """A gateway at work, the platform that takes its batches, the thread of its devices."""

    site: Site
    gateway: Gateway
    platform: Platform
    slaves: Slaves
    without: str | None = None
    in_flight: dict[str, set[float]] = field(default_factory=dict)
    """What devices had answered in the moment of a kill: it may be stored or in a gap."""

    def more(self, answers: int, seconds: float = 30.0) -> None:
        """Wait until the last device has answered so many times more: slots went by."""
        slave = self.site.slaves[-1]
        wanted = len(slave.answered) + answers
        wait_until(lambda: len(slave.answered) >= wanted, f"{answers} answers more", seconds)

    def kill(self) -> None:
        """kill -9. A slot or two may be read and not yet durable."""
        self.gateway.kill()
        for point, numbers in self.site.offered().items():
            self.in_flight.setdefault(point, set()).update(numbers[-2:])

    def lost(self) -> int:
        """How many offered values the platform does not have yet."""
        return self._judged(0).lost

    def verdict(self, seconds: float = 8.0, quality: int | None = 0) -> Verdict:
        """Let the devices fall silent, wait until what they offered is stored, and judge.

        Where something stays away the verdict comes after `seconds` and says so; without a
        protection something is expected to, so less patience will do.
        """
        if self.without is not None:
            seconds = min(seconds, 5.0)
        for slave in self.site.slaves:
            slave.fault = lambda _slave, _asked: []
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self._judged(quality).lost, "every value offered", seconds)
        time.sleep(0.6)  # one more batch: what comes twice comes now
        return self._judged(quality)

    def verdict_so_far(self) -> Verdict:
        """The count at this moment."""
        return self._judged(0)

    def gap_slots(self, point: str) -> list[int]:
        """The slots of `point` that gap records name so far."""
        return [t_ms for name, t_ms, _ in gap_slots(self.platform.batches) if name == point]

    def events(self, kind: str) -> list[Event]:
        """What was told of that kind so far."""
        return [
            event for batch in self.platform.batches for event in batch.events if event.kind == kind
        ]

    def stored(self, point: str) -> list[float]:
        """The values of `point` that the platform has."""
        return [value for name, _, value in readings(self.platform.batches) if name == point]

    def _judged(self, quality: int | None) -> Verdict:
        offered = {
            point: [
                number
                for number in numbers
                if number not in self.in_flight.get(point, ()) or number in self.stored(point)
            ]
            for point, numbers in self.site.offered().items()
        }
        verdict = judge(offered, self.platform.batches, self.site.interval_ms, quality)
        return replace(verdict, unexplained=0) if self.site.pushed else verdict


@contextmanager
def running(site: Site, without: str | None = None) -> Iterator[Run]:
    """Devices, platform and agent while the block lasts.

    `NothingToJudge` where an agent without a protection does not get so far as to be judged.
    """
    try:
        with _at_work(site, without) as run:
            yield run
    except AssertionError as error:
        if without is None:
            raise
        raise NothingToJudge(str(error)) from error


@contextmanager
def _at_work(site: Site, without: str | None) -> Iterator[Run]:
    with (
        Slaves(site.endpoints) as slaves,
        Platform(site.platform_url) as platform,
        site.start(without) as gateway,
    ):
        run = Run(site, gateway, platform, slaves, without)
        try:
            yield run
        finally:
            run.gateway.kill()
