"""HJ 212 peers that mean harm, or are broken: nothing is held up, nothing piles up."""

import asyncio
import contextlib
import socket

import pytest

from edge.hj212_world import (
    MINUTE,
    NOW_MS,
    UPLOAD,
    VALUES,
    World,
    connected,
    exchange,
    logger_of,
    until,
)
from tanzheng.edge.drivers.hj212 import driver
from tanzheng.hardware.hj212.codec import build, frame
from tanzheng.hardware.hj212.simulator import DataLogger


async def test_a_byte_a_minute_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "FRAME_S_MAX", 0.1)
    async with World() as world, connected(world) as (reader, writer):
        for byte in build(UPLOAD)[:40]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.005)
        await until(lambda: world.line.status()["refused"])
        writer.write(b"\r\n" + build(UPLOAD))
        await reader.readuntil(b"\r\n")


async def test_who_only_sends_rubbish_is_put_out() -> None:
    async with World() as world:
        async with connected(world) as (reader, writer):
            writer.write(frame(UPLOAD.segment(), b"FFFF") * 60)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        async with connected(world) as (reader, writer):
            with contextlib.suppress(ConnectionError):
                writer.write(b"rubbish " * 200_000)
                await writer.drain()
                assert await reader.read() == b""
        await until(lambda: world.line.status()["connections"] == 0)
        assert world.line.status()["noise_bytes"] > 1 << 20


async def test_a_silent_connection_is_closed() -> None:
    world = World()
    world.line._idle_s = 0  # the schema allows no less than 10 s
    async with world, connected(world) as (reader, _):
        async with asyncio.timeout(2):
            assert await reader.read() == b""


async def test_strangers_make_room_for_loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "CONNECTIONS_MAX", 4)
    world = World()
    async with world, contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(connected(world))
        logger = await stack.enter_async_context(logger_of(world, DataLogger()))
        logger.measure("2011", NOW_MS - MINUTE, VALUES)
        await logger.idle()
        assert world.line.status()["connections"] <= 5
        assert world.line.status()["turned_away"] >= 6


async def test_a_peer_that_takes_no_answers_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "WRITE_S_MAX", 0.2)
    async with World() as world:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(peer, ("127.0.0.1", await world.port()))
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(20):
                while True:
                    await loop.sock_sendall(peer, build(UPLOAD) * 500)
        await until(lambda: world.line.status()["connections"] == 0)
        peer.close()


async def test_a_port_in_use_is_said_and_tried_again() -> None:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    async with World([{"port": port}]) as world:
        await until(lambda: "in use" in world.line.status()["problem"])
        taken.close()
        await until(lambda: not world.line.status()["problem"])
        assert b"CN=9014" in await exchange(world, UPLOAD)
