"""The asyncio driver of the simulated meters: a pseudo-terminal or a TCP port they hang on."""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable, Sequence

from tanzheng.hardware.dlt645.codec import next_request
from tanzheng.hardware.dlt645.meter import Meter

READ_BYTES = 4096

Send = Callable[[bytes], None]


class Bus:
    """Meters on one pair of wires. `disturb` may change what is sent (noise); `heard` counts
    the requests, `functions` has the control codes that were asked so far, `connections` the
    clients that are there over TCP."""

    def __init__(
        self, meters: Sequence[Meter], disturb: Callable[[bytes], bytes] | None = None
    ) -> None:
        self.meters = list(meters)
        self.heard = 0
        self.functions: set[int] = set()
        self.disturb = disturb
        self.connections: set[asyncio.Transport] = set()
        self._closers: list[Callable[[], None]] = []

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Serve on TCP, as an RS-485 server does, and return the port (0 asks for a free one)."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), host, port)
        self._closers.append(server.close)
        number: int = server.sockets[0].getsockname()[1]
        return number

    @property
    def closed(self) -> bool:
        """Nothing is served."""
        return not self._closers

    def open_terminal(self) -> str:
        """Serve on a pseudo-terminal and return the path of its other end."""
        loop = asyncio.get_running_loop()
        master, slave = os.openpty()
        tty.setraw(master)
        os.set_blocking(master, False)
        buffer = bytearray()

        def send(data: bytes) -> None:
            with contextlib.suppress(OSError):  # the far end is gone or takes nothing
                os.write(master, data)

        def read() -> None:
            try:
                self.received(buffer, os.read(master, READ_BYTES), send)
            except OSError:
                loop.remove_reader(master)

        def close() -> None:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)

        loop.add_reader(master, read)
        self._closers.append(close)
        return os.ttyname(slave)

    def received(self, buffer: bytearray, data: bytes, send: Send) -> None:
        """Bytes came from the wires: the meters answer after their delays."""
        buffer += data
        loop = asyncio.get_running_loop()
        while (request := next_request(buffer)) is not None:
            self.heard += 1
            self.functions.add(request.function)
            for meter in self.meters:
                if answer := meter.answer(request):
                    answer = self.disturb(answer) if self.disturb else answer
                    loop.call_later(meter.faults.delay_s, send, answer)

    def close(self) -> None:
        """End everything that is served."""
        while self._closers:
            self._closers.pop()()
        for connection in self.connections:
            connection.abort()


class _Connection(asyncio.Protocol):
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._bus.connections.add(transport)
        if self._bus.closed:  # accepted just before
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._bus.received(self._buffer, data, self._send)

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._transport is not None
        self._bus.connections.discard(self._transport)

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
