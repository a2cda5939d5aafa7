"""The asyncio driver of the codec: one listening socket for one simulated device."""

import asyncio

from tanzheng.hardware.modbus.codec import FrameError, Registers, answer


class _Connection(asyncio.Protocol):
    def __init__(self, server: "ModbusServer") -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        data = self._rest + data
        try:
            reply, used = answer(self._server.device, self._server.unit_id, data)
        except FrameError:
            self._transport.abort()
            return
        self._rest = data[used:]
        if reply:
            self._transport.write(reply)

    def pause_writing(self) -> None:
        """A client that does not take its replies is cut off: nothing piles up for it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._transport is not None
        self._server.connections.discard(self._transport)


class ModbusServer:
    """A device that answers on a TCP port of its own.

    `close` ends the connections, too.
    """

    def __init__(self, device: Registers, unit_id: int = 1) -> None:
        self.device = device
        self.unit_id = unit_id
        self.connections: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen and return the port (0 asks for a free one)."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port)
        listening: int = self._server.sockets[0].getsockname()[1]
        return listening

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
            for transport in tuple(self.connections):
                transport.abort()
            await self._server.wait_closed()
            self._server = None
