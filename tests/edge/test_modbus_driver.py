"""Modbus TCP against pymodbus's own server, and against bad devices and bad networks."""

import asyncio
import math
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import ModbusTcpServer

from edge.rounds import (
    INTERVAL_MS,
    Slave,
    World,
    floats,
    one_line,
    placed,
    read,
    tcp_server,
    tcp_slaves,
)
from edge.world import closed_port
from tanzheng.core.errors import BadInput
from tanzheng.edge.abc import Line
from tanzheng.edge.drivers.modbus.driver import make_lines
from tanzheng.ingest.broker import free_port

CEMS = "generic_cems_modbus"
TIMEOUT_MS = 300
CEMS_FIELDS = ["co2_dry_percent", "o2_dry_percent", "run_state"]
CEMS_REGISTERS = struct.pack(">2f16xH", 3.5, 14.25, 1)
CEMS_VALUES = [3.5, 14.25, 1.0]
# What a device with those registers holds, for `Slave`.
CEMS_TABLE = {at: int.from_bytes(CEMS_REGISTERS[2 * at : 2 * at + 2]) for at in range(13)}


def cems(port: int, timeout_ms: int = 5000, unit: int = 1) -> Line:
    return one_line([placed(CEMS, CEMS_FIELDS, port=port, timeout_ms=timeout_ms, unit_id=unit)])


def cems_answer(request: bytes, transaction: bytes | None = None) -> bytes:
    """The right answer to a read of the 13 registers from 0, or of fewer."""
    values = CEMS_REGISTERS[: 2 * int.from_bytes(request[10:12])]
    body = bytes([1, 3, len(values)]) + values
    return (transaction or request[:2]) + struct.pack(">HH", 0, len(body)) + body


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
        fields = ["active_energy_export_kwh", "active_power_kw"]
        line = one_line([placed("schneider_iem3000", fields, port=port)])
        for _ in range(3):
            assert await read(line) == [211_345_000.123, 284_050.5]
        line.close()
    finally:
        await server.shutdown()


async def test_a_late_answer_is_never_taken() -> None:
    """The device answers every request one time-out too late: each round is a gap, none old."""
    connections = 0

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        request = await reader.readexactly(12)
        await asyncio.sleep(0.25)
        writer.write(cems_answer(request))
        await reader.read()

    async with tcp_server(late) as port:
        line = cems(port, timeout_ms=100)
        assert await read(line) == ["comms_timeout"] * 3
        assert await read(line) == ["comms_timeout"] * 3
        assert connections == 2  # closed and opened again: nothing late can come through
        await asyncio.sleep(0.3)
        line.close()


async def test_an_answer_nobody_asked_for_closes_the_connection() -> None:
    async def chatty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(12)
        writer.write(cems_answer(request))
        await asyncio.sleep(0.05)
        writer.write(cems_answer(request, transaction=b"\x00\x02"))  # the next one's number
        await reader.read()

    async with tcp_server(chatty) as port:
        line = cems(port)
        assert await read(line) == CEMS_VALUES
        await asyncio.sleep(0.15)
        assert await read(line) == CEMS_VALUES  # from a fresh connection
        assert line.status()["connections"] == 2
        assert line.status()["stray_bytes"] == len(cems_answer(bytes(11) + b"\x0d"))
        line.close()


async def test_two_answers_in_one_segment_are_out_of_step() -> None:
    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(12)
        writer.write(cems_answer(request) + cems_answer(request, transaction=b"\x00\x02"))
        assert await reader.read(12) == b""

    async with tcp_server(twice) as port:
        line = cems(port)
        assert await read(line) == ["bad_reply"] * 3
        line.close()


async def test_an_answer_byte_by_byte() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            for byte in cems_answer(await reader.readexactly(12)):
                writer.write(bytes([byte]))
                await asyncio.sleep(0.001)
        await reader.read()

    async with tcp_server(slow) as port:
        line = cems(port)
        assert await read(line) == CEMS_VALUES
        assert await read(line) == CEMS_VALUES
        line.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: answer[:6] + b"\x02" + answer[7:],  # another unit
        lambda answer: answer[:7] + b"\x04" + answer[8:],  # another function
        lambda answer: b"\xff\xff" + answer[2:],  # another transaction
        lambda answer: answer[:2] + b"\x00\x01" + answer[4:],  # another protocol
        lambda answer: answer[:5] + b"\x07\x01\x03\x04" + answer[9:13],  # shorter than asked
        lambda answer: answer[:8] + b"\x19" + answer[9:],  # a byte count that is not the length
    ],
)
async def test_an_answer_to_something_else(spoil: Callable[[bytes], bytes]) -> None:
    async def wrong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(spoil(cems_answer(await reader.readexactly(12))))
        await reader.read()

    async with tcp_server(wrong) as port:
        line = cems(port)
        assert await read(line) == ["bad_reply"] * 3
        line.close()


async def test_a_peer_that_closed_an_idle_connection_costs_nothing() -> None:
    async def one_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(cems_answer(await reader.readexactly(12)))
        await writer.drain()

    async with tcp_server(one_only) as port:
        line = cems(port)
        for _ in range(5):
            assert await read(line) == CEMS_VALUES
        line.close()


async def test_a_peer_that_closes_in_the_middle() -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(cems_answer(await reader.readexactly(12))[:10])
        await writer.drain()

    async with tcp_server(hangs_up) as port:
        line = cems(port)
        assert await read(line) == ["connection_lost"] * 3
        line.close()


async def test_a_peer_that_serves_one_connection_only() -> None:
    """It closes a second one at once: all devices behind it share the first."""
    busy = False
    slaves = [Slave(CEMS_TABLE, unit=unit) for unit in range(1, 4)]

    async def one_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal busy
        assert not busy
        busy = True
        await tcp_slaves(*slaves)(reader, writer)

    async with tcp_server(one_only) as port:
        devices = [
            placed(CEMS, CEMS_FIELDS, 3 * at, f"m{at}", port=port, unit_id=at + 1)
            for at in range(3)
        ]
        line = one_line(devices)
        for _ in range(5):
            assert await read(line) == CEMS_VALUES * 3
        assert line.status()["connections"] == 1
        line.close()


async def test_nobody_listens() -> None:
    line = cems(await closed_port())
    for _ in range(3):
        assert await read(line) == ["refused"] * 3
    line.close()


async def test_a_dead_device_behind_a_gateway_costs_one_time_out() -> None:
    """One of ten is silent: a slot is longer by one time-out, later ones by nothing while it is
    left alone; the nine others are read in each."""
    slaves = [Slave(CEMS_TABLE, unit=unit, alive=unit != 4) for unit in range(1, 11)]
    async with tcp_server(tcp_slaves(*slaves)) as port:
        devices = [
            placed(
                CEMS,
                CEMS_FIELDS,
                3 * at,
                f"m{at}",
                port=port,
                unit_id=at + 1,
                timeout_ms=TIMEOUT_MS,
            )
            for at in range(10)
        ]
        line = one_line(devices)
        took: list[float] = []
        for _ in range(8):
            begin = time.monotonic()
            found = await read(line)
            took.append(time.monotonic() - begin)
            assert found[:9] + found[12:] == CEMS_VALUES * 9
            assert found[9:12] == ["comms_timeout"] * 3
        slaves[3].alive = True
        await asyncio.sleep(1.0)  # the back-off of a device that failed twice
        assert await read(line) == CEMS_VALUES * 10
        line.close()
    assert all(TIMEOUT_MS / 1000 <= each < TIMEOUT_MS / 1000 + 0.2 for each in took[:2])
    assert max(took[2:]) < 0.1


async def test_a_dead_endpoint_delays_no_other() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(silent) as dead, tcp_server(tcp_slaves(Slave(CEMS_TABLE))) as good:
        lines = [cems(dead, TIMEOUT_MS), cems(good, TIMEOUT_MS)]
        took: list[float] = []

        async def timed(line: Line) -> list[Any]:
            begin = time.monotonic()
            found = await read(line)
            if line is lines[1]:
                took.append(time.monotonic() - begin)
            return found

        for _ in range(4):
            first, second = await asyncio.gather(*map(timed, lines))
            assert (first, second) == (["comms_timeout"] * 3, CEMS_VALUES)
        for line in lines:
            line.close()
    assert max(took) < 0.1


async def test_a_loop_that_was_held_up_hears_the_answer_that_is_there() -> None:
    """Busy for longer than the time-out (a slow disk): the answer has arrived meanwhile."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            while request := connection.recv(12):
                time.sleep(0.02)
                connection.sendall(cems_answer(request))

    thread = threading.Thread(target=serve)
    thread.start()
    line = cems(listening.getsockname()[1], timeout_ms=60)
    assert await read(line) == CEMS_VALUES
    for _ in range(5):
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        line.start(INTERVAL_MS, done.set_result)
        await asyncio.sleep(0.005)
        time.sleep(0.1)  # noqa: ASYNC251
        assert not (await done).misses
    line.close()
    await asyncio.to_thread(thread.join)
    listening.close()


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
async def test_what_is_not_finite_is_not_available(value: float) -> None:
    """It never leaves the driver: a value is finite or it is a gap."""
    slave = Slave({**CEMS_TABLE, **floats(0, [value])})
    async with tcp_server(tcp_slaves(slave)) as port:
        line = cems(port)
        assert await read(line) == ["not_available", 14.25, 1.0]
        line.close()


async def test_pauses_are_kept() -> None:
    times: list[float] = []
    slaves = [Slave(CEMS_TABLE, unit=unit) for unit in (1, 2)]
    serve = tcp_slaves(*slaves)

    async def timed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        times.append(time.monotonic())
        await serve(reader, writer)

    async with tcp_server(timed) as port:
        devices = [
            placed(
                CEMS, CEMS_FIELDS, 3 * at, f"m{at}",
                port=port, unit_id=at + 1, pause_ms=60, connect_pause_ms=80,
            )
            for at in range(2)
        ]  # fmt: skip
        line = one_line(devices)
        assert await read(line) == CEMS_VALUES * 2
        assert time.monotonic() - times[0] >= 0.08 + 0.06
        line.close()


def test_devices_behind_one_endpoint_agree_on_it() -> None:
    world = World()
    tcp = placed(CEMS, CEMS_FIELDS, port=502)
    rtu = placed(CEMS, CEMS_FIELDS, name="n", port=502, protocol="modbus_rtu_over_tcp")
    with pytest.raises(BadInput, match="at device n"):
        make_lines([tcp, rtu], world.around())
    ports: dict[str, Any] = {"protocol": "modbus_rtu", "serial_port": "/dev/ttyS1"}
    slow = placed(CEMS, CEMS_FIELDS, **ports, baud=2400)
    fast = placed(CEMS, CEMS_FIELDS, name="n", **ports, baud=9600)
    with pytest.raises(BadInput, match="at device n"):
        make_lines([slow, fast], world.around())


def test_a_lean_import() -> None:
    """A gateway without serial ports loads neither the serial library nor YAML nor a schema."""
    code = (
        "import sys; import tanzheng.edge.drivers.modbus.driver; "
        "print([name for name in ('yaml', 'jsonschema', 'serial', 'tomllib', 'typer', 'rich', "
        "'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
