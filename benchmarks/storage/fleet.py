"""Plants of 200 points each: their files, their signed batches, and rows of past days.

The values are counters and gauges as meters give them, with two decimals; every plant and day has
others. Past days are rows alone: nobody reads their batches here.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zstandard

from tanzheng.core.batch import GENESIS, Batch, ClockState, Column, SignedBatch, sign
from tanzheng.core.keys import SigningKey
from tanzheng.ingest import rows
from tanzheng.ingest.rows import COPY_ROW, DAY_MS, POSTGRES_EPOCH_MS, SIZES

PLANTS = 6
POINTS = 200
HISTORY_DAYS = 31
HISTORY_INTERVAL_MS = 60_000
LIVE_INTERVAL_MS = 20_000  # as much in a day as 18 plants at 1 min
SLOTS = 60  # of a batch
START_MS = 1_788_220_800_000  # 2026-09-01, UTC
LIVE_MS = START_MS + HISTORY_DAYS * DAY_MS
PLATFORM = SigningKey.from_seed(b"platform".ljust(32, b"."))

PLANT = """\
version = 1
enterprise = "BENCH-{n}"
name = "Plant {n}"
name_zh = "电厂{n}"
utc_offset = "+00:00"

[[unit]]
id = "U1"
kind = "gas"
rated_capacity_mw = "300"
rated_capacity_source = "assumed"

[[gateway]]
id = "{gw}"
interval_s = {interval_s}
"""
DEVICE = """
[[device]]
id = "m{n}"
gateway = "{gw}"
unit = "U1"
profile = "any"
[[device.point]]
field = "active_power_kw"
"""
GATEWAY = """
[[gateway]]
id = "{gw}"
plant = "{gw}.toml"
public_key = "{gw}.pub.pem"
"""


@dataclass
class Plant:
    """One plant with one gateway, which makes the next batch of its chain."""

    number: int
    seq: int = 0
    prev: bytes = GENESIS
    key: SigningKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = SigningKey.from_seed(f"plant {self.number}".encode().ljust(32, b"."))

    @property
    def gw(self) -> str:
        return f"gw{self.number}"

    @property
    def points(self) -> tuple[str, ...]:
        return tuple(f"m{n}/active_power_kw" for n in range(POINTS))

    def write(self, folder: Path) -> None:
        """Its plant file and public key."""
        text = PLANT.format(n=self.number, gw=self.gw, interval_s=LIVE_INTERVAL_MS // 1000)
        text += "".join(DEVICE.format(n=n, gw=self.gw) for n in range(POINTS))
        (folder / f"{self.gw}.toml").write_text(text)
        (folder / f"{self.gw}.pub.pem").write_bytes(self.key.public.to_pem())

    def next_batch(self, start_ms: int) -> SignedBatch:
        """Sixty slots of every point from `start_ms` on."""
        random = np.random.default_rng([self.number, start_ms // 1000])
        values = np.round(random.normal(250, 20, (POINTS, 1)) + random.normal(0, 1, SLOTS), 2)
        end_ms = start_ms + SLOTS * LIVE_INTERVAL_MS
        times = array("q", range(start_ms, end_ms, LIVE_INTERVAL_MS))
        good = bytes(SLOTS)
        columns = tuple(Column(times, array("d", row.tobytes()), good) for row in values)
        self.seq += 1
        clock = ClockState("bench", synced=True)
        batch = Batch(self.gw, 1, self.seq, self.prev, end_ms, clock, self.points, columns)
        signed = sign(batch, self.key)
        self.prev = signed.digest
        return signed


@dataclass
class Fleet:
    """All plants; `folder` has their files, the platform's key and gateways.toml."""

    folder: Path
    plants: list[Plant] = field(default_factory=lambda: [Plant(n) for n in range(PLANTS)])

    def write(self) -> Path:
        """Write the files; the path of gateways.toml."""
        for plant in self.plants:
            plant.write(self.folder)
        (self.folder / "platform.pem").write_bytes(PLATFORM.to_pem())
        path = self.folder / "gateways.toml"
        told = "".join(GATEWAY.format(gw=plant.gw) for plant in self.plants)
        path.write_text(f"version = 1\n{told}")
        return path

    def day(self, number: int) -> list[tuple[Plant, SignedBatch, bytes]]:
        """The batches of live day `number`, in the order of time, packed as they are sent."""
        start = LIVE_MS + number * DAY_MS
        packer = zstandard.ZstdCompressor(level=3)
        return [
            (plant, signed, packer.compress(signed.raw))
            for at in range(start, start + DAY_MS, SLOTS * LIVE_INTERVAL_MS)
            for plant in self.plants
            for signed in (plant.next_batch(at),)
        ]


def history(point_ids: npt.NDArray[np.int32]) -> Iterator[memoryview]:
    """COPY rows of the past days, a piece a day, in the order in which batches bring them."""
    per_hour = rows.DAY_MS // HISTORY_INTERVAL_MS // 24
    packed = np.empty(24 * len(point_ids) * per_hour, COPY_ROW)
    packed["fields"] = len(SIZES)
    for name, size in SIZES.items():
        packed[f"{name}_bytes"] = size
    shaped = packed.reshape(24, len(point_ids), per_hour)
    shaped["point_id"] = point_ids[None, :, None]
    packed["quality"], packed["batch_id"] = 0, 0
    offsets = np.arange(24 * per_hour).reshape(24, 1, per_hour) * HISTORY_INTERVAL_MS
    random = np.random.default_rng(1)
    for day in range(HISTORY_DAYS):
        shaped["t"] = (offsets + START_MS + day * DAY_MS - POSTGRES_EPOCH_MS) * 1000
        packed["value"] = np.round(random.normal(250, 20, len(packed)), 2)
        yield packed.view(np.uint8).data
