"""The driver against recorded exchanges, against pymodbus, and against bad devices."""

import asyncio
import contextlib
import json
import math
import struct
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import ModbusTcpServer

from edge.world import closed_port
from tanzheng.edge.drivers import modbus_tcp
from tanzheng.edge.drivers.modbus_tcp.connection import Endpoint
from tanzheng.edge.drivers.modbus_tcp.driver import ModbusDevice
from tanzheng.hardware.loader import load_profile
from tanzheng.ingest.broker import free_port

CASES = sorted((Path(modbus_tcp.__path__[0]) / "cases").iterdir())
CEMS = "generic_cems_modbus"
TIMEOUT_S = 0.5
CEMS_FIELDS = ["co2_dry_percent", "o2_dry_percent", "run_state"]
CEMS_REGISTERS = struct.pack(">2f16xH", 3.5, 14.25, 1)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def device_server(handler: Handler) -> AsyncIterator[int]:
    """A TCP server with `handler`; its port. Ends when every connection has ended."""
    connections: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
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


def cems(port: int, timeout_s: float = 5.0) -> ModbusDevice:
    endpoint = Endpoint("127.0.0.1", port, timeout_s)
    return ModbusDevice("cems", endpoint, 1, load_profile(CEMS), CEMS_FIELDS)


def cems_answer(request: bytes, transaction: bytes | None = None) -> bytes:
    """The right answer to a read of 13 registers from 0."""
    body = bytes([1, 3, len(CEMS_REGISTERS)]) + CEMS_REGISTERS
    return (transaction or request[:2]) + struct.pack(">HH", 0, len(body)) + body


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_recorded_exchange(case: Path) -> None:
    config = tomllib.loads((case / "config.toml").read_text())
    lines = (case / "capture.txt").read_text().splitlines()
    script = [line for line in lines if not line.startswith("#")]
    asked: list[str] = []

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in script:
            if line.startswith(">"):
                asked.append("> " + (await reader.readexactly(12)).hex(" "))
            elif line.startswith("<"):
                writer.write(bytes.fromhex(line[1:]))
        await reader.read()

    async with device_server(play) as port:
        endpoint = Endpoint("127.0.0.1", port, config["timeout_ms"] / 1000)
        profile = load_profile(config["profile"])
        device = ModbusDevice("case", endpoint, config["unit"], profile, config["fields"])
        outcomes = await device.read()
        device.close()
    assert list(outcomes) == json.loads((case / "expected.json").read_text())
    assert asked == [line for line in script if line.startswith(">")]


async def test_against_pymodbus() -> None:
    """An independent server: registers are 0-based on the wire, word order as the profile says."""
    registers = [0] * 4000
    registers[3059:3061] = struct.unpack(">2H", struct.pack(">f", 284_050.5))
    registers[3207:3211] = struct.unpack(">4H", struct.pack(">q", 211_345_000_123))
    make_block: Any = ModbusSequentialDataBlock  # pymodbus leaves it untyped
    context = ModbusServerContext(devices=ModbusDeviceContext(hr=make_block(1, registers)))
    port = free_port()
    server: Any = ModbusTcpServer(context, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        endpoint = Endpoint("127.0.0.1", port, 2.0)
        fields = ["active_energy_export_kwh", "active_power_kw"]
        device = ModbusDevice("m", endpoint, 1, load_profile("schneider_iem3000"), fields)
        assert list(await device.read()) == [211_345_000.123, 284_050.5]
        device.close()
    finally:
        await server.shutdown()


async def test_a_late_answer_is_never_taken() -> None:
    """The device answers every request one time-out too late: each read is a gap, none old."""
    connections = 0

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        request = await reader.readexactly(12)
        await asyncio.sleep(0.25)
        writer.write(cems_answer(request))
        await reader.read()

    async with device_server(late) as port:
        device = cems(port, timeout_s=0.1)
        assert list(await device.read()) == ["comms_timeout"] * 3
        assert list(await device.read()) == ["comms_timeout"] * 3
        assert connections == 2  # closed and opened again: nothing late can come through
        await asyncio.sleep(0.3)
        device.close()


async def test_an_answer_nobody_asked_for_closes_the_connection() -> None:
    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(12)
        writer.write(cems_answer(request))
        await asyncio.sleep(0.05)
        writer.write(cems_answer(request, transaction=b"\x00\x02"))  # the next one's number
        await reader.read()

    async with device_server(chatty) as port:
        device = cems(port)
        assert list(await device.read()) == [3.5, 14.25, 1.0]
        await asyncio.sleep(0.15)
        assert list(await device.read()) == [3.5, 14.25, 1.0]  # from a fresh connection
        device.close()


async def test_two_answers_in_one_segment_are_out_of_step() -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(12)
        writer.write(cems_answer(request) + cems_answer(request, transaction=b"\x00\x02"))
        second = await reader.read(12)
        assert second == b""

    async with device_server(twice) as port:
        device = cems(port)
        assert list(await device.read()) == ["bad_reply"] * 3
        device.close()


async def test_a_peer_that_closed_an_idle_connection_costs_nothing() -> None:
    async def one_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(cems_answer(await reader.readexactly(12)))
        await writer.drain()

    async with device_server(one_only) as port:
        device = cems(port)
        for _ in range(3):
            assert list(await device.read()) == [3.5, 14.25, 1.0]
        device.close()


async def test_a_peer_that_closes_in_the_middle() -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(12)
        writer.write(cems_answer(request)[:10])
        await writer.drain()

    async with device_server(hangs_up) as port:
        device = cems(port)
        assert list(await device.read()) == ["connection_lost"] * 3
        device.close()


async def test_nobody_listens() -> None:
    device = cems(await closed_port())
    assert list(await device.read()) == ["refused"] * 3


async def test_a_dead_device_delays_nobody_beyond_one_time_out() -> None:
    """Ten devices, one silent: a slot costs one time-out, later ones nothing while it is probed."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def healthy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(12):
            writer.write(cems_answer(request))

    async with device_server(silent) as dead, device_server(healthy) as good:
        devices = [cems(dead, TIMEOUT_S), *[cems(good) for _ in range(9)]]
        took = []
        for _ in range(4):
            begin = time.monotonic()
            outcomes = await asyncio.gather(*[device.read() for device in devices])
            took.append(time.monotonic() - begin)
            assert list(outcomes[0]) == ["comms_timeout"] * 3
            assert [list(each) for each in outcomes[1:]] == [[3.5, 14.25, 1.0]] * 9
        for device in devices:
            device.close()
    assert max(took) < TIMEOUT_S + 0.4
    assert max(took[2:]) < TIMEOUT_S  # two failures in a row: the next try is a second away


async def test_an_overflowing_value_is_not_available() -> None:
    """Infinity never leaves the driver: a value is finite or it is a gap."""

    async def infinite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(12)
        answer = bytearray(cems_answer(request))
        answer[9:13] = struct.pack(">f", math.inf)
        writer.write(answer)
        await reader.read()

    async with device_server(infinite) as port:
        device = cems(port)
        assert list(await device.read()) == ["not_available", 14.25, 1.0]
        device.close()
