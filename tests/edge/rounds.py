"""Rounds of a line for the tests of drivers, and Modbus slaves to read, good and bad ones."""

import asyncio
import contextlib
import os
import struct
import tty
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tanzheng.core.batch import Event
from tanzheng.core.quality import Quality
from tanzheng.edge.abc import Line, Placed, Round, Surroundings
from tanzheng.edge.drivers.modbus.codec import with_crc
from tanzheng.edge.drivers.modbus.driver import make_lines
from tanzheng.hardware.loader import load_profile
from tanzheng.hardware.profile import Profile

INTERVAL_MS = 1000
NOW_MS = 1_700_000_000_123

Outcome = float | str | tuple[float, Quality]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class World:
    """What the agent gives to a line, with its events kept. `leaps`: what `suspect` says."""

    events: list[Event] = field(default_factory=list)
    leaps: Callable[[int, float, int], bool] = lambda _point, _value, _t_ms: False

    def _suspect(self, point: int, value: float, t_ms: int) -> bool:
        """Looked up at each call: a test changes `leaps` while the line lives."""
        return self.leaps(point, value, t_ms)

    @property
    def kinds(self) -> list[str]:
        """The kinds of the events so far."""
        return [event.kind for event in self.events]

    def around(self) -> Surroundings:
        """For `make_lines`."""
        return Surroundings(
            now_ms=lambda: NOW_MS,
            note=self.events.append,
            suspect=self._suspect,
            interval_ms=INTERVAL_MS,
            phase_ms=0,
        )


@dataclass(frozen=True)
class Rhythm:
    """When a device is read."""

    interval_ms: int = INTERVAL_MS
    slow: tuple[str, ...] = ()
    slow_every: int = 10


def placed(
    profile: Profile | str,
    fields: Sequence[str],
    first: int = 0,
    name: str = "m",
    rhythm: Rhythm = Rhythm(),
    **link: Any,
) -> Placed:
    """A device for `make_lines`, Modbus TCP on this machine where `link` says nothing else."""
    shape = load_profile(profile) if isinstance(profile, str) else profile
    settings = {"protocol": "modbus_tcp", "unit_id": 1, **link}
    if settings["protocol"] != "modbus_rtu":
        settings = {"host": "127.0.0.1", **settings}
    plan = Profile.from_plan(shape.to_plan()).to_plan()
    return Placed(
        name, settings, plan, tuple(fields), first, rhythm.interval_ms, 0, rhythm.slow,
        rhythm.slow_every,
    )  # fmt: skip


def one_line(devices: Sequence[Placed], world: World | None = None) -> Line:
    """The only line of `devices`."""
    (line,) = make_lines(devices, (world or World()).around())
    return line


async def read(line: Line, slot_ms: int = INTERVAL_MS) -> list[Outcome]:
    """One round: for each due point its value, (value, quality) or the reason for none.

    Fails unless each due point came exactly once, finite, stamped with now.
    """
    due = line.due(slot_ms)
    done: asyncio.Future[Round] = asyncio.get_running_loop().create_future()
    line.start(slot_ms, done.set_result)
    found = outcomes(await asyncio.wait_for(done, 30))
    assert sorted(found) == sorted(due)
    return [found[point] for point in due]


def outcomes(result: Round) -> dict[int, Outcome]:
    """Point → outcome."""
    found: dict[int, Outcome] = {}
    for take in result.takes:
        assert take.t_ms == NOW_MS
        assert len(take.points) == len(take.values) == len(take.quality)
        for point, value, quality in zip(take.points, take.values, take.quality, strict=True):
            assert point not in found
            found[point] = value if quality == Quality.GOOD else (value, Quality(quality))
    for miss in result.misses:
        for point in miss.points:
            assert point not in found
            found[point] = miss.reason
    return found


@asynccontextmanager
async def tcp_server(handler: Handler) -> AsyncIterator[int]:
    """A TCP server with `handler`; its port. Ends when every connection has ended."""
    connections: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.wait_for(asyncio.gather(*filter(None, connections)), 5)


@dataclass
class Slave:
    """A device as the standard describes it, with the faults that a test gives it.

    `registers` and `bits` (fc 1, 2) are what it has; anything else is exception 2. `most` is the
    longest read it takes, `refuses` what it does with a longer one: an exception code, or silence
    for 0. `asked` counts (fc, addr, count).
    """

    registers: Mapping[int, int] = field(default_factory=dict)
    bits: Mapping[int, bool] = field(default_factory=dict)
    most: int = 125
    refuses: int = 3
    unit: int = 1
    alive: bool = True
    asked: list[tuple[int, int, int]] = field(default_factory=list)

    def pdu(self, unit: int, request: bytes) -> bytes | None:
        """The answer to the request PDU, None for silence."""
        if unit != self.unit or not self.alive:
            return None
        fc, addr, count = struct.unpack(">BHH", request)
        self.asked.append((fc, addr, count))
        if count > self.most:
            return bytes([fc | 0x80, self.refuses]) if self.refuses else None
        wanted = range(addr, addr + count)
        table: Mapping[int, int] = self.bits if fc <= 2 else self.registers
        if any(at not in table for at in wanted):
            return bytes([fc | 0x80, 2])
        if fc <= 2:
            packed = sum(bool(table[at]) << index for index, at in enumerate(wanted))
            data = packed.to_bytes((count + 7) // 8, "little")
        else:
            data = b"".join(table[at].to_bytes(2, "big") for at in wanted)
        return bytes([fc, len(data)]) + data

    def rtu(self, frame: bytes) -> bytes | None:
        """The RTU frame that answers `frame`."""
        pdu = self.pdu(frame[0], frame[1:-2])
        return None if pdu is None else with_crc(bytes([frame[0]]) + pdu)


def floats(first: int, values: Iterable[float]) -> dict[int, int]:
    """Registers from `first` on that hold float32 `values`, big endian."""
    data = b"".join(struct.pack(">f", value) for value in values)
    return {first + at: int.from_bytes(data[2 * at : 2 * at + 2]) for at in range(len(data) // 2)}


def tcp_slaves(*slaves: Slave) -> Handler:
    """Slaves behind one Modbus TCP gateway, one request after another."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(7)
            transaction, _, length, unit = struct.unpack(">HHHB", head)
            request = await reader.readexactly(length - 1)
            for slave in slaves:
                if (pdu := slave.pdu(unit, request)) is not None:
                    writer.write(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)

    return serve


@asynccontextmanager
async def serial_slave(
    answer: Callable[[bytes], Iterable[bytes] | None],
    later: list[Callable[[bytes], None]] | None = None,
) -> AsyncIterator[str]:
    """A pseudo-terminal with a slave at its other end; the path of the port.

    `answer` gets each 8-byte request, and says the pieces to write (None: silence). `later` gets a
    function that writes at any time.
    """
    master, port = os.openpty()
    tty.setraw(master)
    tty.setraw(port)
    os.set_blocking(master, False)
    loop = asyncio.get_running_loop()
    pending = bytearray()

    def write(data: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(master, data)

    def readable() -> None:
        with contextlib.suppress(OSError):
            pending.extend(os.read(master, 4096))
        while len(pending) >= 8:
            request = bytes(pending[:8])
            del pending[:8]
            for piece in answer(request) or ():
                write(piece)

    if later is not None:
        later.append(write)
    loop.add_reader(master, readable)
    try:
        yield os.ttyname(port)
    finally:
        loop.remove_reader(master)
        os.close(port)
        os.close(master)


@asynccontextmanager
async def joined_ports() -> AsyncIterator[tuple[str, str]]:
    """The paths of two serial ports with a cable between them."""
    pairs = [os.openpty(), os.openpty()]
    loop = asyncio.get_running_loop()

    def join(source: int, target: int) -> None:
        with contextlib.suppress(OSError):
            os.write(target, os.read(source, 4096))

    for (master, port), (other, _) in zip(pairs, reversed(pairs), strict=True):
        tty.setraw(port)
        tty.setraw(master)
        os.set_blocking(master, False)
        loop.add_reader(master, join, master, other)
    try:
        yield os.ttyname(pairs[0][1]), os.ttyname(pairs[1][1])
    finally:
        for master, port in pairs:
            loop.remove_reader(master)
            os.close(port)
            os.close(master)
