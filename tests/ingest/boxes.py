"""A gateway in memory that signs whatever a test wants, and the platform's files about it."""

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import zstandard

from tanzheng.core.batch import GENESIS, Batch, ClockState, Column, Event, Gap, SignedBatch, sign
from tanzheng.core.keys import SigningKey
from tanzheng.core.plant import Plant
from tanzheng.core.topics import batch_topic
from tanzheng.ingest.decide import Message, examine
from tanzheng.ingest.enrolment import Gateway
from tanzheng.ingest.writer import Outcome, Writer

PLATFORM = SigningKey.from_seed(b"platform".ljust(32, b"."))
START_MS = 1_530_428_400_000  # 2018-07-01 00:00 at UTC−07:00
NOW_MS = START_MS + 60 * 86_400_000
INTERVAL_MS = 60_000
POINTS = ("meter/active_energy_export_kwh", "meter/active_power_kw", "gas/gas_volume_nm3")

PLANT_TOML = """\
version = 1
enterprise = "TEST-1"
name = "Test plant"
name_zh = "测试电厂"
utc_offset = "-07:00"

[[unit]]
id = "U1"
kind = "gas"
rated_capacity_mw = "300"
rated_capacity_source = "assumed"

[[gateway]]
id = "gw1"
interval_s = 60

[[gateway]]
id = "gw2"
interval_s = 60
"""

DEVICE_TOML = """
[[device]]
id = "{device}"
gateway = "{gw}"
unit = "U1"
profile = "any"
{points}
"""


def plant_toml() -> str:
    """Two gateways with the same three points each (names differ by device)."""
    text = PLANT_TOML
    for gw, suffix in (("gw1", ""), ("gw2", "2")):
        devices: dict[str, list[str]] = {}
        for point in POINTS:
            device, _, name = point.partition("/")
            devices.setdefault(device, []).append(f'[[device.point]]\nfield = "{name}"')
        for device, points in devices.items():
            text += DEVICE_TOML.format(device=device + suffix, gw=gw, points="\n".join(points))
    return text


@dataclass
class Box:
    """One gateway: makes the next batch of its chain; `Box.forget` is a disk from a backup."""

    gw: str = "gw1"
    key: SigningKey = field(default_factory=SigningKey.generate)
    points: tuple[str, ...] = POINTS
    signed: list[SignedBatch] = field(default_factory=list)
    epoch: int = 1
    seq: int = 0
    prev: bytes = GENESIS
    t_ms: int = START_MS

    def batch(self, slots: int = 10, **changes: Any) -> Batch:
        """The next batch, not yet signed: `slots` readings of each point, values by position."""
        times = array("q", range(self.t_ms, self.t_ms + slots * INTERVAL_MS, INTERVAL_MS))
        values = random.Random(self.t_ms)
        columns = tuple(
            Column(times, array("d", [values.uniform(0, 1e6) for _ in times]), bytes(slots))
            for _ in self.points
        )
        clock = ClockState("test", synced=True)
        made = Batch(
            self.gw, self.epoch, self.seq + 1, self.prev, self.t_ms, clock, self.points, columns
        )
        return replace(made, **changes)

    def next(self, slots: int = 10, **changes: Any) -> SignedBatch:
        """Sign the next batch and go on from it."""
        signed = sign(self.batch(slots, **changes), self.key)
        self.epoch, self.seq, self.prev = signed.batch.epoch, signed.batch.seq, signed.digest
        self.t_ms += slots * INTERVAL_MS
        self.signed.append(signed)
        return signed

    def chain(self, batches: int, slots: int = 10) -> list[SignedBatch]:
        """The next batches."""
        return [self.next(slots) for _ in range(batches)]

    def with_gap(self, slots: int = 10) -> SignedBatch:
        """The next batch, that also says why the first two points miss the hour before."""
        gap = Gap((0, 1), self.t_ms - 3_600_000, self.t_ms, INTERVAL_MS, "agent_down")
        event = Event(self.t_ms, "config_changed", {"what": "中文\0", "count": 2})
        return self.next(slots, gaps=(gap,), events=(event,))


def wire(signed: SignedBatch | bytes) -> bytes:
    """A batch as it is published."""
    return zstandard.compress(signed if isinstance(signed, bytes) else signed.raw)


def message(signed: SignedBatch | bytes, gw: str = "gw1", now_ms: int = NOW_MS) -> Message:
    """The publication of a batch by `gw`."""
    return Message(batch_topic(gw), wire(signed), now_ms)


def put(writer: Writer, messages: Sequence[Message]) -> Outcome:
    """What the service does with a group, without the broker."""
    return writer.write([examine(item, writer.gateways) for item in messages])


def enrolled(*boxes: Box) -> dict[str, Gateway]:
    """What the platform knows about gateways."""
    plant = Plant.parse(plant_toml().encode())
    return {
        box.gw: Gateway(
            box.gw,
            box.key.public,
            tuple(point.name for point in plant.points_of_gateway(box.gw)),
            plant.zone,
        )
        for box in boxes
    }


def second_box() -> Box:
    """The gateway gw2."""
    return Box("gw2", points=tuple(p.replace("/", "2/") for p in POINTS))


def write_files(folder: Path, *boxes: Box) -> Path:
    """GATEWAYS.toml with plant and keys, and the platform's key; path of GATEWAYS.toml."""
    (folder / "plant.toml").write_text(plant_toml())
    (folder / "platform.pem").write_bytes(PLATFORM.to_pem())
    text = "version = 1\n"
    for box in boxes:
        (folder / f"{box.gw}.pub.pem").write_bytes(box.key.public.to_pem())
        text += (
            f'\n[[gateway]]\nid = "{box.gw}"\nplant = "plant.toml"\n'
            f'public_key = "{box.gw}.pub.pem"\n'
        )
    (folder / "gateways.toml").write_text(text)
    return folder / "gateways.toml"
