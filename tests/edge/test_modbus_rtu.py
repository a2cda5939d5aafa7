"""Modbus RTU on pseudo-terminals and over TCP: noise, echoes, late answers, a port that goes."""

import asyncio
import random
import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from pymodbus import FramerType
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import ModbusSerialServer

from edge.rounds import (
    Slave,
    World,
    floats,
    joined_ports,
    one_line,
    placed,
    read,
    serial_slave,
    tcp_server,
)
from tanzheng.edge.abc import Line, Placed
from tanzheng.edge.drivers.modbus.codec import with_crc
from tanzheng.hardware.profile import Profile

CEMS = "generic_cems_modbus"
FIELDS = ["co2_dry_percent", "o2_dry_percent", "run_state"]
VALUES = [3.5, 14.25, 1.0]
TABLE = {**floats(0, [3.5, 14.25]), **dict.fromkeys(range(4, 12), 0), 12: 1}
BAUD = 115_200


def on_port(path: str, unit: int = 1, first: int = 0, **link: Any) -> Placed:
    settings = {"baud": BAUD, "timeout_ms": 200, **link}
    return placed(
        CEMS, FIELDS, first, f"m{unit}", protocol="modbus_rtu", serial_port=path, unit_id=unit,
        **settings,
    )  # fmt: skip


def answers(*slaves: Slave) -> Callable[[bytes], Iterable[bytes]]:
    """All slaves of a bus hear each request."""
    return lambda request: [frame for slave in slaves if (frame := slave.rtu(request)) is not None]


async def test_against_pymodbus() -> None:
    """An independent slave at the other end of a cable."""
    registers = [0] * 4000
    registers[3059:3061] = struct.unpack(">2H", struct.pack(">f", 284_050.5))
    registers[3207:3211] = struct.unpack(">4H", struct.pack(">q", 211_345_000_123))
    make_block: Any = ModbusSequentialDataBlock  # pymodbus leaves it untyped
    context = ModbusServerContext(devices=ModbusDeviceContext(hr=make_block(1, registers)))
    async with joined_ports() as (theirs, ours):
        server: Any = ModbusSerialServer(context, framer=FramerType.RTU, port=theirs, baudrate=BAUD)
        await server.serve_forever(background=True)
        try:
            fields = ["active_energy_export_kwh", "active_power_kw"]
            link: dict[str, Any] = {"protocol": "modbus_rtu", "serial_port": ours, "baud": BAUD}
            line = one_line([placed("schneider_iem3000", fields, **link)])
            for _ in range(3):
                assert await read(line) == [211_345_000.123, 284_050.5]
            line.close()
        finally:
            await server.shutdown()


async def test_a_bus_with_a_dead_slave() -> None:
    slaves = [Slave(TABLE, unit=unit, alive=unit != 2) for unit in (1, 2, 3)]
    async with serial_slave(answers(*slaves)) as path:
        line = one_line([on_port(path, unit, 3 * (unit - 1)) for unit in (1, 2, 3)])
        took: list[float] = []
        for _ in range(5):
            begin = time.monotonic()
            found = await read(line)
            took.append(time.monotonic() - begin)
            assert found == [*VALUES, *["comms_timeout"] * 3, *VALUES]
        slaves[1].alive = True
        await asyncio.sleep(1.0)
        assert await read(line) == VALUES * 3
        line.close()
    assert max(took[2:]) < 0.1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda request, reply: [request, reply],  # the adapter hands our own bytes back
        lambda _request, reply: [b"\xff\x00\x7f", reply],  # noise before the frame
        lambda _request, reply: [bytes([1, 3, 26]), reply],  # a false beginning
        lambda _request, reply: [reply, b"\x00"],  # the driver of the bus is switched off late
        lambda _request, reply: [bytes([byte]) for byte in reply],
        lambda request, reply: [request[:5], request[5:] + reply[:7], reply[7:]],
        lambda _request, reply: [with_crc(b"\x02" + reply[1:-2]), reply],  # another unit first
    ],
)
@pytest.mark.parametrize("echo", [False, True])
async def test_what_comes_around_an_answer(
    spoil: Callable[[bytes, bytes], list[bytes]], echo: bool
) -> None:
    slave = Slave(TABLE)

    def answer(request: bytes) -> list[bytes]:
        reply = slave.rtu(request)
        assert reply is not None
        return spoil(request, reply)

    async with serial_slave(answer) as path:
        line = one_line([on_port(path, echo=echo)])
        for _ in range(4):
            assert await read(line) == VALUES
        line.close()


async def test_an_echo_that_looks_like_an_answer() -> None:
    """19 coils at address 0x0300: request and answer have the same head, length and check."""
    slave = Slave(bits={0x0300 + at: at == 18 for at in range(19)})
    async with serial_slave(lambda request: [request, slave.rtu(request) or b""]) as path:
        request = bytes.fromhex("01 01 03 00 00 13")
        assert len(with_crc(request)) == len(slave.rtu(with_crc(request)) or b"")
        for echo in (True, False):
            line = one_line([_coils(path, echo)])
            assert await read(line) == [0.0, 1.0]
            line.close()


def _coils(path: str, echo: bool) -> Placed:
    points: list[dict[str, Any]] = [
        {"id": "a", "addr": 0x0300, "fc": 1, "type": "bit", "unit": "1", "field": "run_state"},
        {"id": "b", "addr": 0x0312, "fc": 1, "type": "bit", "unit": "1", "field": "o2_dry_percent"},
    ]
    points += [
        {"id": f"c{at}", "addr": 0x0300 + at, "fc": 1, "type": "bit", "unit": "1"}
        for at in range(1, 18)
    ]
    head: dict[str, Any] = {
        "id": "c",
        "vendor": "",
        "models": [],
        "kind": "",
        "trust": "",
        "transport": [],
    }
    shape = Profile.from_plan({**head, "points": points})
    fields = ["run_state", "o2_dry_percent"]
    return placed(
        shape, fields, protocol="modbus_rtu", serial_port=path, baud=BAUD, echo=echo, timeout_ms=200
    )


async def test_two_answers_glued_are_out_of_step() -> None:
    slave = Slave(TABLE)
    async with serial_slave(lambda request: [(slave.rtu(request) or b"") * 2]) as path:
        line = one_line([on_port(path)])
        assert await read(line) == ["bad_reply"] * 3
        line.close()


class Counting(Slave):
    """Its answers are numbered: the value of a read tells which request it answers."""

    def __init__(self) -> None:
        super().__init__(TABLE)
        self.number = 0

    def pdu(self, unit: int, request: bytes) -> bytes | None:
        self.number += 1
        self.registers = {**TABLE, **floats(0, [float(self.number), 14.25])}
        return super().pdu(unit, request)


@pytest.mark.parametrize("transport", ["modbus_rtu", "modbus_rtu_over_tcp"])
async def test_a_slave_that_answers_after_the_time_out(transport: str) -> None:
    """RTU answers have no number. Each comes 1.3 time-outs late, so it meets the next request:
    either that is not its answer, or the value is of the request that was asked now."""
    slave, delay_s = Counting(), 0.13

    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            request = await reader.readexactly(8)
            loop.call_later(delay_s, writer.write, slave.rtu(request) or b"")

    async def watch(line: Line) -> None:
        for _ in range(4):
            asked = slave.number
            found = await read(line)
            if isinstance(found[0], float):
                assert found[0] > asked
            else:
                assert set(found) <= {"comms_timeout", "bad_reply"}
        line.close()
        await asyncio.sleep(2 * delay_s)

    if transport == "modbus_rtu_over_tcp":
        async with tcp_server(over_tcp) as port:
            link: dict[str, Any] = {"protocol": transport, "port": port, "timeout_ms": 100}
            await watch(one_line([placed(CEMS, FIELDS, **link)]))
        return
    pending: list[Callable[[bytes], None]] = []

    def answer(request: bytes) -> None:
        reply = slave.rtu(request) or b""
        asyncio.get_running_loop().call_later(delay_s, lambda: pending[0](reply))

    async with serial_slave(answer, pending) as path:
        await watch(one_line([on_port(path, timeout_ms=100)]))


async def test_one_percent_of_the_bytes_are_damaged() -> None:
    """No wrong value, whatever the noise; after it, everything as before."""
    draw, slave, noisy = random.Random(7), Slave(TABLE), [True]

    def answer(request: bytes) -> list[bytes]:
        reply = bytearray(slave.rtu(request) or b"")
        if noisy[0]:
            for at in range(len(reply)):
                if draw.random() < 0.01:
                    reply[at] ^= 1 << draw.randrange(8)
        return [bytes(reply)]

    async with serial_slave(answer) as path:
        line = one_line([on_port(path, timeout_ms=40)])
        good = 0
        for _ in range(150):
            found = await read(line)
            good += found == VALUES
            assert found == VALUES or set(found) <= {"bad_reply", "comms_timeout"}
        assert good > 75
        noisy[0] = False
        await asyncio.sleep(1.1)
        assert await read(line) == VALUES
        line.close()


async def test_random_bytes_for_answers() -> None:
    """Neither an error nor a value; the buffer stays bounded."""
    draw = random.Random(11)
    async with serial_slave(lambda _request: [draw.randbytes(draw.randrange(700))]) as path:
        line = one_line([on_port(path, timeout_ms=30)])
        for _ in range(20):
            found = await read(line)
            assert set(found) <= {"bad_reply", "comms_timeout", "line_not_silent"}
        line.close()


async def test_a_port_that_goes_and_comes_back_under_another_name(tmp_path: Path) -> None:
    """The link under by-id leads to the new node; what is there says who it is first."""
    world, name = World(), tmp_path / "by-id"
    first, second = Slave(TABLE), Slave(TABLE)
    link: dict[str, Any] = {"timeout_ms": 100}
    async with serial_slave(answers(first)) as path:
        name.symlink_to(path)
        line = one_line([on_port(str(name), **link)], world)
        assert await read(line) == VALUES
        name.unlink()
    await asyncio.sleep(0.02)  # the node is gone: EIO
    assert line.status()["open"] is False
    for _ in range(3):
        assert await read(line) == ["port_missing"] * 3
    async with serial_slave(answers(second)) as path:
        name.symlink_to(path)
        await asyncio.sleep(1.1)
        assert await read(line) == VALUES
        line.close()
    assert len(second.asked) == 1


async def test_a_port_that_somebody_else_has() -> None:
    async with serial_slave(answers(Slave(TABLE))) as path:
        first, second = one_line([on_port(path)]), one_line([on_port(path)])
        assert await read(first) == VALUES
        assert await read(second) == ["port_busy"] * 3
        first.close()
        second.close()


async def test_a_serial_server_that_keeps_its_connection_through_time_outs() -> None:
    """One missing reply does not cut off all other devices behind it."""
    slaves = [Slave(TABLE, unit=unit, alive=unit != 2) for unit in (1, 2)]

    async def bridge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await reader.readexactly(8)
            for slave in slaves:
                writer.write(slave.rtu(request) or b"")

    async with tcp_server(bridge) as port:
        link: dict[str, Any] = {"protocol": "modbus_rtu_over_tcp", "port": port, "timeout_ms": 60}
        devices = [
            placed(CEMS, FIELDS, 3 * at, f"m{at}", unit_id=at + 1, **link) for at in range(2)
        ]
        line = one_line(devices)
        for _ in range(4):
            assert await read(line) == [*VALUES, *["comms_timeout"] * 3]
        assert line.status()["connections"] == 1
        line.close()
