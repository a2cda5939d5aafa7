"""Connections of a pool with both ends in the test's hands, and what they leave open."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tanzheng.edge.socket_pool import SocketPool


@dataclass
class Ear(asyncio.Protocol):
    """Keeps what it hears; `on_data` is called after that."""

    heard: bytearray = field(default_factory=bytearray)
    ends: list[Exception | None] = field(default_factory=list)
    made: int = 0
    calls: int = 0
    on_data: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made += 1

    def data_received(self, data: bytes) -> None:
        self.calls += 1
        self.heard += data
        self.on_data()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ends.append(exc)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.001)


@asynccontextmanager
async def opened(
    pool: SocketPool, server: socket.socket
) -> AsyncIterator[tuple[asyncio.Transport, Ear, socket.socket]]:
    """A connection of `pool`, who hears it, and its far end (which blocks)."""
    transport, ear = await pool.create_connection(Ear, *server.getsockname())
    far, _ = server.accept()
    try:
        with far:
            yield transport, ear, far
    finally:
        transport.abort()
        await asyncio.sleep(0)


def descriptors() -> list[str]:
    """What the numbers of this process stand for."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(link.readlink()))
    return found


def epolls() -> int:
    return descriptors().count("anon_inode:[eventpoll]")
