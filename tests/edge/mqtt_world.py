"""What an agent is to an MQTT source: a sink, a clock, lines; and a meter that publishes."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge.plant_broker import PlantBroker
from tanzheng.core.batch import Event
from tanzheng.core.errors import TanzhengError
from tanzheng.edge.abc import Placed, Round, Surroundings, Take
from tanzheng.edge.drivers.mqtt.driver import MqttLine, make_lines
from tanzheng.hardware.mqtt.simulator import Publisher

FIELDS = ("active_power_kw", "active_energy_export_kwh")
INTERVAL_MS = 1000
LINK = {"protocol": "mqtt", "client_id": "gw", "keepalive_s": 2}
TIMED = {"format": "json", "timestamp_path": "ts"}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def profile(**paths: str) -> dict[str, Any]:
    """A meter in W and kWh; `paths` p and e, `topic_p` and `topic_e`."""
    points: list[dict[str, Any]] = [
        {
            "id": "p",
            "unit": "kW",
            "field": FIELDS[0],
            "scale": "0.001",
            "path": paths.get("p", "P"),
        },
        {
            "id": "e",
            "unit": "kWh",
            "field": FIELDS[1],
            "counter": True,
            "path": paths.get("e", "E"),
        },
    ]
    for point in points:
        if topic := paths.get(f"topic_{point['id']}"):
            point["topic"] = topic
    return {
        "id": "meter", "vendor": "", "models": [], "kind": "meter", "protocol": "mqtt",
        "transport": ["mqtt"], "trust": "ours", "points": points,
    }  # fmt: skip


@dataclass
class Plant:
    """What an agent gives to a source and gets from it; `refuse` makes commits fail."""

    takes: list[Take] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    refuse: bool = False
    disk_s: float = 0.002
    lines: list[MqttLine] = field(default_factory=list)

    async def commit(self, takes: Sequence[Take], events: Sequence[Event] = ()) -> None:
        await asyncio.sleep(self.disk_s)
        if self.refuse:
            raise TanzhengError("the disk is full")
        self.takes += takes
        self.events += events

    def has(self, count: int) -> bool:
        return len(self.values) > count

    @property
    def values(self) -> list[tuple[int, int, float]]:
        """(point, t_ms, value) in the order of the commits."""
        return [
            (point, take.t_ms, value)
            for take in self.takes
            for point, value in zip(take.points, take.values, strict=True)
        ]

    def line(
        self, url: str, *links: dict[str, Any], shape: dict[str, Any] | None = None
    ) -> MqttLine:
        """A line with a device for each of `links`."""
        devices = [
            Placed(
                f"m{n}", {**LINK, "url": url, **link}, shape or profile(), FIELDS, 2 * n,
                INTERVAL_MS,
            )
            for n, link in enumerate(links)
        ]  # fmt: skip
        around = Surroundings(now_ms, self.events.append, lambda *_: False, INTERVAL_MS, 0)
        (line,) = make_lines(devices, around)
        assert isinstance(line, MqttLine)
        self.lines.append(line)
        return line

    @contextlib.asynccontextmanager
    async def running(self, line: MqttLine, seconds: float = 20) -> AsyncIterator[MqttLine]:
        """The line runs and is connected."""
        task = asyncio.create_task(line.run(self))
        try:
            await until(lambda: line.status()["connected"], "a connection", seconds)
            yield line
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"expected {what} within {seconds} s"
        await asyncio.sleep(0.01)


def misses(line: MqttLine, slot_ms: int) -> dict[str, tuple[int, ...]]:
    """Reason → points of what is given up at the slot of that instant."""
    found: list[Round] = []
    line.start(slot_ms - slot_ms % INTERVAL_MS, found.append)
    (one,) = found
    assert not one.takes
    reasons: dict[str, set[int]] = {}
    for miss in one.misses:
        reasons.setdefault(miss.reason, set()).update(miss.points)
    return {reason: tuple(sorted(points)) for reason, points in reasons.items()}


def message(t_ms: int, **values: Any) -> bytes:
    return json.dumps({"ts": t_ms, **values}).encode()


@contextlib.asynccontextmanager
async def publishing(broker: PlantBroker, client_id: str = "meter") -> AsyncIterator[Publisher]:
    publisher = await asyncio.to_thread(Publisher, broker.url, client_id)
    try:
        yield publisher
    finally:
        await asyncio.to_thread(publisher.leave)
