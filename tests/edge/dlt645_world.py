"""What the DL/T 645 tests share: a plan of meters, a round of a line."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from parts import REPOSITORY
from tanzheng.core.batch import Event
from tanzheng.edge.abc import Line, Placed, Round, Surroundings
from tanzheng.edge.drivers.dlt645.codec import Damage, Frame, Parser
from tanzheng.edge.drivers.dlt645.driver import make_lines
from tanzheng.hardware.dlt645.bus import Bus
from tanzheng.hardware.dlt645.codec import checksum, shifted
from tanzheng.hardware.dlt645.meter import Faults, Meter
from tanzheng.hardware.loader import load_profile

DRIVER = REPOSITORY / "edge-agent/src/tanzheng/edge/drivers/dlt645"
METER = "000000000161"
ENERGY_DI = "00010000"
ENERGY, POWER = "active_energy_import_kwh", "active_power_kw"
VOLTAGES = tuple(f"voltage_l{phase}n_v" for phase in (1, 2, 3))
T0_MS = 1_790_000_040_000
MINUTE_MS = 60_000

Outcome = tuple[float, int] | str


@dataclass
class Around:
    """What the agent gives to a line, and what it was told."""

    t_ms: int = T0_MS
    events: list[Event] = field(default_factory=list)
    doubts: Callable[[int, float], bool] = lambda _index, _value: False

    def surroundings(self) -> Surroundings:
        return Surroundings(
            now_ms=lambda: self.t_ms,
            note=self.events.append,
            suspect=lambda index, value, _t_ms: self.doubts(index, value),
            interval_ms=MINUTE_MS,
            phase_ms=T0_MS % MINUTE_MS,
        )

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


def generic() -> dict[str, Any]:
    return load_profile("generic_dlt645").to_plan()


def with_points(*points: Mapping[str, Any]) -> dict[str, Any]:
    return generic() | {"points": [{"unit": "kWh", **point} for point in points]}


def placed(
    at: str | int,
    fields: Sequence[str] = (ENERGY,),
    *,
    first: int = 0,
    profile: Mapping[str, Any] | None = None,
    slow: tuple[str, ...] = (),
    slow_every: int = 10,
    **link: Any,
) -> Placed:
    """A meter on the port `at` (a path) or on the TCP port `at`."""
    where = {"serial_port": at} if isinstance(at, str) else {"host": "127.0.0.1", "port": at}
    settings = {"protocol": "dlt645", "address": METER, "ct": "1", "pt": "1", "timeout_ms": 200}
    settings |= {"baud": 115200}
    address = link.get("address", METER)
    return Placed(
        id=f"m{address[-3:]}",
        link=settings | where | link,
        profile=profile or generic(),
        fields=tuple(fields),
        first=first,
        interval_ms=MINUTE_MS,
        phase_ms=Around().surroundings().phase_ms,
        slow_fields=slow,
        slow_every=slow_every,
    )


def line_of(devices: Placed | Sequence[Placed], around: Around | None = None) -> Line:
    group = [devices] if isinstance(devices, Placed) else devices
    (line,) = make_lines(group, (around or Around()).surroundings())
    return line


async def a_round(line: Line, slot_ms: int = T0_MS) -> Round:
    finished: asyncio.Future[Round] = asyncio.get_running_loop().create_future()
    line.start(slot_ms, finished.set_result)
    async with asyncio.timeout(20):
        return await finished


def outcomes(found: Round) -> dict[int, Outcome]:
    """Point → (value, quality) or reason; each point once."""
    seen: dict[int, Outcome] = {}
    for index, outcome in _each(found):
        assert index not in seen
        seen[index] = outcome
    return dict(sorted(seen.items()))


def _each(found: Round) -> Iterator[tuple[int, Outcome]]:
    for take in found.takes:
        for index, value, quality in zip(take.points, take.values, take.quality, strict=True):
            yield index, (value, quality)
    for miss in found.misses:
        for index in miss.points:
            yield index, miss.reason


async def read_once(
    devices: Placed | Sequence[Placed], around: Around | None = None
) -> dict[int, Outcome]:
    line = line_of(devices, around)
    found = outcomes(await a_round(line))
    assert tuple(found) == line.due(T0_MS)
    line.close()
    return found


def case_folders() -> list[Path]:
    return sorted((DRIVER / "cases").iterdir())


def raw(control: int, data: bytes = b"", address: str = METER) -> bytes:
    """Any frame whatever, which the packages cannot make."""
    head = bytes([0x68, *bytes.fromhex(address)[::-1], 0x68, control, len(data)]) + shifted(data)
    return head + bytes([checksum(head), 0x16])


def parsed(data: bytes) -> list[Frame | Damage]:
    parser = Parser()
    return [*parser.feed(data), *parser.finish()]


def one(data: bytes) -> Frame:
    (frame,) = parsed(data)
    assert isinstance(frame, Frame)
    return frame


def meter(address: str = METER, **faults: object) -> Meter:
    number = Decimal
    return Meter(
        address,
        {
            ENERGY_DI: number("211345.67"),
            "02030000": number("-1.2345"),
            "0201FF00": (number("220.1"), number("220.2"), None),
            "02010100": number("220.1"),
            "02010200": number("220.2"),
            "02010300": number("220.3"),
            "02020100": number("12.345"),
            "02800002": number("49.98"),
            "01010000": number("3.5"),
        },
        faults=Faults(**faults),  # type: ignore[arg-type]
    )


class Site:
    """A bus that is served, and where."""

    def __init__(self) -> None:
        self.buses: list[Bus] = []

    async def serve(self, how: str, *meters: Meter, **options: object) -> tuple[Bus, str | int]:
        bus = Bus(meters, **options)  # type: ignore[arg-type]
        self.buses.append(bus)
        return bus, (bus.open_terminal() if how == "pty" else await bus.listen())
