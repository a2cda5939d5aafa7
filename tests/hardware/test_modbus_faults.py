"""The simulator's server on a line, over TCP in RTU, with many units, and when things go wrong."""

import asyncio
import os
import struct
import time
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from tanzheng.hardware.errors import SimulatorError
from tanzheng.hardware.loader import load_profile
from tanzheng.hardware.modbus.codec import answer, crc16, requests_in
from tanzheng.hardware.modbus.faults import Faults, Refusal
from tanzheng.hardware.modbus.image import RegisterImage
from tanzheng.hardware.modbus.server import ModbusServer
from tanzheng.hardware.profile import Serial


class Shows:
    """All registers show one number."""

    registers_per_read_max = 125

    def __init__(self, number: int) -> None:
        self._word = number.to_bytes(2, "big")

    def registers(self, fc: int, addr: int, count: int) -> bytes | None:
        return self._word * count

    def bits(self, fc: int, addr: int, count: int) -> bytes | None:
        return None


def rtu(unit: int, addr: int = 0, count: int = 1, fc: int = 3) -> bytes:
    frame = struct.pack(">BBHH", unit, fc, addr, count)
    return frame + crc16(frame)


def tcp(unit: int, addr: int = 0, count: int = 1, transaction: int = 7) -> bytes:
    return struct.pack(">HHHBBHH", transaction, 0, 6, unit, 3, addr, count)


@asynccontextmanager
async def talk(server: ModbusServer) -> AsyncIterator["Wire"]:
    port = await server.listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Wire(reader, writer, port)
    writer.close()
    await server.close()


class Wire:
    """A connection that hears what comes within a moment."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        self._reader, self._writer, self.port = reader, writer, port

    async def say(self, data: bytes, wait_s: float = 0.2) -> bytes:
        self._writer.write(data)
        try:
            return await asyncio.wait_for(self._reader.read(4096), wait_s)
        except TimeoutError:
            return b""


def test_crc_of_the_standard() -> None:
    """MODBUS over Serial Line V1.02, appendix B: 02 07 gives 41 12 on the wire."""
    assert crc16(b"\x02\x07") == b"\x41\x12"


async def test_many_units_behind_one_endpoint_are_counted_apart() -> None:
    server = ModbusServer({unit: Shows(unit) for unit in (1, 17, 247)})
    client = AsyncModbusTcpClient("127.0.0.1", port=await server.listen(), timeout=5, retries=0)
    await client.connect()
    for unit in (1, 17, 247, 17):
        reply = await client.read_input_registers(9, count=3, device_id=unit)
        assert reply.registers == [unit] * 3
    assert (await client.read_holding_registers(0, count=1, device_id=5)).exception_code == 11
    assert server.answered == {1: 1, 17: 2, 247: 1}
    client.close()
    await server.close()


async def test_rtu_over_tcp_by_pymodbus() -> None:
    server = ModbusServer({3: Shows(33)}, "rtu")
    client = AsyncModbusTcpClient(
        "127.0.0.1", port=await server.listen(), framer=FramerType.RTU, timeout=5, retries=0
    )
    await client.connect()
    for count in (1, 125):
        reply = await client.read_holding_registers(0, count=count, device_id=3)
        assert reply.registers == [33] * count
    assert (await client.write_register(0, 1, device_id=3)).exception_code == 1
    client.close()
    await server.close()


async def test_a_unit_that_is_not_on_the_line_is_silent() -> None:
    async with talk(ModbusServer({3: Shows(33)}, "rtu")) as wire:
        assert await wire.say(rtu(4), 0.1) == b""
        assert await wire.say(rtu(3)) == b"\x03\x03\x02\0\x21" + crc16(b"\x03\x03\x02\0\x21")


@given(noise=st.binary(max_size=20), cut=st.integers(0, 8))
def test_a_request_behind_noise_is_answered(noise: bytes, cut: int) -> None:
    """And one that comes in pieces; noise that begins a frame by chance is left to chance."""
    data = noise + rtu(3)
    ends = range(4, len(data) + 1)
    pieces = (data[start:end] for start in range(len(noise)) for end in ends if end > start + 3)
    assume(not any(crc16(piece[:-2]) == piece[-2:] for piece in pieces))
    requests, used = requests_in("rtu", data)
    assert (requests[-1].unit, used) == (3, len(data))
    first, used = answer("rtu", {3: Shows(1)}, rtu(3)[:cut])
    assert (first, used) == ((b"", 0) if cut < 8 else (first, 8))


@given(st.binary(max_size=600))
def test_any_bytes_on_a_line_are_passed_over(data: bytes) -> None:
    _, used = answer("rtu", {3: Shows(1)}, data)
    assert 0 <= used <= len(data)


@pytest.fixture
def line() -> Iterator[tuple[int, Path]]:
    """One end of a pseudo-terminal, and the path of the other."""
    ours, theirs = os.openpty()
    tty.setraw(ours)
    yield ours, Path(os.ttyname(theirs))
    os.close(ours)
    os.close(theirs)


async def test_on_a_serial_port(line: tuple[int, Path]) -> None:
    handle, path = line
    image = RegisterImage(load_profile("eastron_sdm630"))
    image.set(load_profile("eastron_sdm630").point("frequency"), 50)
    server = ModbusServer({9: image})
    server.serve_serial(path, Serial(9600, "E", 1))
    reply = b""
    os.write(handle, b"\xff" + rtu(9, 70, 2, fc=4))
    while len(reply) < 9:
        reply += await asyncio.to_thread(os.read, handle, 64)
    assert reply[:-2] == b"\x09\x04\x04" + struct.pack(">f", 50)
    assert reply[-2:] == crc16(reply[:-2])
    assert server.answered == {9: 1}
    await server.close()


async def test_a_port_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(SimulatorError, match="expected a serial port"):
            ModbusServer(Shows(1)).serve_serial(path)


async def test_a_speed_that_no_port_has_is_named(line: tuple[int, Path]) -> None:
    with pytest.raises(SimulatorError, match="9601"):
        ModbusServer(Shows(1)).serve_serial(line[1], Serial(9601, "N", 1))


async def test_silence_and_the_line_mended() -> None:
    faults = Faults(silent={2}, silent_above=40)
    server = ModbusServer({1: Shows(1), 2: Shows(2)}, faults=faults)
    async with talk(server) as wire:
        assert await wire.say(tcp(2), 0.1) == b""
        assert await wire.say(tcp(1, count=41), 0.1) == b""
        assert len(await wire.say(tcp(1, count=40))) == 89
        faults.silent.clear()
        assert await wire.say(tcp(2)) == bytes.fromhex("0007 0000 0005 02 03 02 0002")
    assert server.answered == {1: 1, 2: 1}


async def test_delay_is_of_one_unit_only() -> None:
    server = ModbusServer({1: Shows(1), 2: Shows(2)}, faults=Faults(delays_s={2: 0.15}))
    async with talk(server) as wire:
        start = time.monotonic()
        assert (await wire.say(tcp(2) + tcp(1)))[6] == 1
        assert (await wire.say(b"", 1.0))[6] == 2
        assert time.monotonic() - start >= 0.15


async def test_a_wrong_unit_in_the_reply() -> None:
    async with talk(ModbusServer({2: Shows(2)}, faults=Faults(wrong_unit={2}))) as wire:
        assert (await wire.say(tcp(2)))[6] == 3


async def test_refused_ranges() -> None:
    faults = Faults(refusals=[Refusal(10, 12), Refusal(20, 20, code=6, unit=2)])
    server = ModbusServer({1: Shows(1), 2: Shows(2)}, faults=faults)
    async with talk(server) as wire:
        for unit, addr, count, code in ((1, 8, 2, 0), (1, 8, 3, 2), (1, 12, 1, 2), (1, 13, 9, 0),
                                        (2, 20, 1, 6)):  # fmt: skip
            reply = await wire.say(tcp(unit, addr, count))
            assert (reply[7], reply[8]) == ((0x83, code) if code else (3, 2 * count))
    assert server.answered == {1: 2}


async def test_noise_spoils_its_share_of_replies_and_the_same_ones_again() -> None:
    spoilt: list[list[int]] = []
    for _ in range(2):
        async with talk(ModbusServer({3: Shows(3)}, "rtu", Faults(noise=0.1, seed=5))) as wire:
            replies = [await wire.say(rtu(3)) for _ in range(100)]
        spoilt.append([n for n, data in enumerate(replies) if crc16(data[:-2]) != data[-2:]])
    assert spoilt[0] == spoilt[1]
    assert 3 <= len(spoilt[0]) <= 25


async def test_connections_that_end_and_connections_too_many() -> None:
    server = ModbusServer({1: Shows(1)}, faults=Faults(close_after=2, connections_max=1))
    async with talk(server) as wire:
        assert len(await wire.say(tcp(1))) == 11
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        reply = await wire.say(tcp(1) + tcp(1))
        assert len(reply) == 11
        assert await wire.say(b"", 1.0) == b""
        assert not server.connections
