"""HJ 212 for tests: frames of the cases, a sink that can be slow or full, a line."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tanzheng.core.batch import Event
from tanzheng.core.errors import TanzhengError
from tanzheng.edge.abc import Placed, Round, Surroundings, Take
from tanzheng.edge.drivers import hj212
from tanzheng.edge.drivers.hj212.codec import Frame, parse
from tanzheng.edge.drivers.hj212.driver import Hj212Line, make_lines
from tanzheng.edge.drivers.hj212.splitter import Piece, Splitter
from tanzheng.hardware.hj212.codec import Upload, build
from tanzheng.hardware.hj212.simulator import DataLogger
from tanzheng.hardware.loader import load_profile

CASES = Path(hj212.__path__[0]) / "cases"
SAMPLES = (CASES / "public_samples/capture.txt").read_bytes()
SM4_KEY = b"0" * 16
MN = "010000A8900016F000169DC0"
NOW_MS = 1_788_235_260_000  # 2026-09-01T04:01:00Z, 12:01 in China
FIELDS = ("co2_dry_percent", "o2_dry_percent", "stack_flow_wet_m3_per_h")
VALUES = {"a05001-Rtd": "12.0", "a19001-Rtd": "6.5", "a00000-Rtd": "100.0"}
MINUTE = 60_000
UPLOAD = Upload(
    "2011",
    b"DataTime=20260901120000;a05001-Rtd=12.0,a05001-Flag=N",
    "20260901120000123",
    answer=True,
)


def sample_frames() -> list[bytes]:
    """The frames of the samples file, as they are on the wire."""
    lines = SAMPLES.split(b"\n")
    return [line + b"\r\n" for line in lines if line.startswith(b"##") and line[2:6].isdigit()]


def split(data: bytes, comments: bool = False) -> list[Piece]:
    """All frames of `data`, fed at once."""
    splitter = Splitter(comments)
    return splitter.feed(data) + splitter.flush()


def decode(data: bytes, key: bytes | None = None) -> list[Frame]:
    """All frames of `data`, read."""
    return [parse(piece, key) for piece in split(data)]


def placed(link: Mapping[str, Any], fields: Sequence[str] = FIELDS, first: int = 0) -> Placed:
    """A device of the generic profile; CO2 in percent unless `link` says otherwise."""
    settings = {
        "protocol": "hj212", "mode": "listen", "host": "127.0.0.1", "port": 0, "mn": MN,
        "units": {"a05001": "%"}, **link,
    }  # fmt: skip
    profile = load_profile("generic_hj212").to_plan()
    return Placed(f"cems{first}", settings, profile, tuple(fields), first, 60_000)


class SpoolIsFull(TanzhengError):
    """What a sink says that has no room."""


@dataclass
class MemorySink:
    """Keeps what is committed. `delay_s` before it is durable; `full`: nothing is."""

    delay_s: float = 0.0
    full: bool = False
    takes: list[Take] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    commits: int = 0
    begun: int = 0

    async def commit(self, takes: Sequence[Take], events: Sequence[Event] = ()) -> None:
        self.begun += 1
        if self.full:
            raise SpoolIsFull("expected room, got none")
        await asyncio.sleep(self.delay_s)
        self.takes += takes
        self.events += events
        self.commits += 1

    def values(self) -> dict[tuple[int, int], list[float]]:
        """(point, t_ms) → values, so that a duplicate shows."""
        found: dict[tuple[int, int], list[float]] = {}
        for take in self.takes:
            for point, value in zip(take.points, take.values, strict=True):
                found.setdefault((point, take.t_ms), []).append(value)
        return found


@dataclass
class World:
    """One line with its surroundings."""

    links: Sequence[Mapping[str, Any]] = ({},)
    sink: MemorySink = field(default_factory=MemorySink)
    notes: list[Event] = field(default_factory=list)
    now_ms: int = NOW_MS
    doubted: list[tuple[int, float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        around = Surroundings(lambda: self.now_ms, self.notes.append, self._suspect, 60_000, 0)
        devices = [placed(link, first=3 * at) for at, link in enumerate(self.links)]
        (line,) = make_lines(devices, around)
        assert isinstance(line, Hj212Line)
        self.line = line

    def _suspect(self, point: int, value: float, t_ms: int) -> bool:
        self.doubted.append((point, value, t_ms))
        return True

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.line.run(self.sink))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def port(self) -> int:
        """The port it listens on."""
        await until(lambda: self.line.port)
        return self.line.port

    def round(self, slot_ms: int) -> Round:
        """What the line says at the slot of that instant."""
        rounds: list[Round] = []
        self.line.start(slot_ms - slot_ms % 60_000, rounds.append)
        (only,) = rounds
        return only

    def device(self) -> Mapping[str, Any]:
        """The first device's part of the status."""
        found: Mapping[str, Any] = self.line.status()["devices"]["cems0"]
        return found


async def until(condition: Any, seconds: float = 5.0) -> None:
    """Wait for `condition`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def connected(
    world: World,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's reader and writer, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", await world.port())
    try:
        yield reader, writer
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def logger_of(world: World, logger: DataLogger) -> AsyncIterator[DataLogger]:
    """A logger that connects to the world's line."""
    task = asyncio.create_task(logger.connect("127.0.0.1", await world.port()))
    try:
        yield logger
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def exchange(world: World, upload: Upload) -> bytes:
    """Send one frame, read one answer."""
    async with connected(world) as (reader, writer):
        writer.write(build(upload))
        async with asyncio.timeout(5):
            line: bytes = await reader.readuntil(b"\r\n")
    return line
