"""The simulator's Modbus server against pymodbus' client and against hostile bytes."""

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient

from tanzheng.hardware.modbus.codec import FrameError, answer
from tanzheng.hardware.modbus.server import ModbusServer


class Ramp:
    """Holding registers 0 to 199 show their address, coils 0 to 99 are 1 where odd."""

    registers_per_read_max = 100

    def registers(self, fc: int, addr: int, count: int) -> bytes | None:
        if fc != 3 or addr + count > 200:
            return None
        return b"".join(at.to_bytes(2, "big") for at in range(addr, addr + count))

    def bits(self, fc: int, addr: int, count: int) -> bytes | None:
        if fc != 1 or addr + count > 100:
            return None
        bits = sum((at % 2) << place for place, at in enumerate(range(addr, addr + count)))
        return bits.to_bytes((count + 7) // 8, "little")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = ModbusServer(Ramp())
    yield await server.listen()
    await server.close()


@pytest.fixture
async def client(port: int) -> AsyncIterator[AsyncModbusTcpClient]:
    made = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0)
    await made.connect()
    yield made
    made.close()


async def test_registers(client: AsyncModbusTcpClient) -> None:
    reply = await client.read_holding_registers(17, count=100, device_id=1)
    assert reply.registers == list(range(17, 117))


async def test_bits(client: AsyncModbusTcpClient) -> None:
    reply = await client.read_coils(3, count=10, device_id=1)
    assert reply.bits[:10] == [at % 2 == 1 for at in range(3, 13)]


async def test_exceptions(client: AsyncModbusTcpClient) -> None:
    for reply, code in (
        (await client.write_register(3, 1, device_id=1), 1),
        (await client.read_holding_registers(199, count=2, device_id=1), 2),
        (await client.read_input_registers(0, count=1, device_id=1), 2),
        (await client.read_discrete_inputs(0, count=1, device_id=1), 2),
        (await client.read_holding_registers(0, count=101, device_id=1), 3),
        (await client.read_holding_registers(0, count=1, device_id=9), 11),
    ):
        assert reply.isError()
        assert reply.exception_code == code


def request(addr: int, count: int, transaction: int = 7, unit: int = 1) -> bytes:
    return struct.pack(">HHHBBHH", transaction, 0, 6, unit, 3, addr, count)


def test_requests_in_one_segment_are_answered_in_one() -> None:
    data = request(1, 1, 1) + request(2, 1, 2) + request(3, 1, 3)[:5]
    reply, used = answer("tcp", {1: Ramp()}, data)
    assert used == 24
    assert [struct.unpack_from(">HHHBBBH", reply, at)[-1] for at in (0, 11)] == [1, 2]


@given(cut=st.integers(0, 24))
def test_a_cut_anywhere_changes_nothing(cut: int) -> None:
    data = request(5, 2) + request(9, 1)
    whole, _ = answer("tcp", {1: Ramp()}, data)
    first, used = answer("tcp", {1: Ramp()}, data[:cut])
    second, _ = answer("tcp", {1: Ramp()}, data[used:])
    assert first + second == whole


@given(st.binary(max_size=300))
def test_any_bytes_give_replies_or_the_named_error(data: bytes) -> None:
    try:
        _, used = answer("tcp", {1: Ramp()}, data)
    except FrameError:
        return
    assert 0 <= used <= len(data)


def test_count_zero_and_a_short_request_are_illegal_values() -> None:
    for pdu in (bytes([3, 0, 0, 0, 0]), bytes([3, 0, 0])):
        data = struct.pack(">HHHB", 7, 0, len(pdu) + 1, 1) + pdu
        assert answer("tcp", {1: Ramp()}, data)[0][-2:] == bytes([0x83, 3])


async def test_garbage_ends_the_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
