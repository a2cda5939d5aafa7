"""The asyncio driver of the codec: one endpoint or serial port, any number of units behind it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tanzheng.hardware.modbus.codec import (
    NO_SUCH_TARGET,
    RTU_BYTES_MAX,
    FrameError,
    Framing,
    Registers,
    Request,
    answer,
    answer_pdu,
    exception_pdu,
    requests_in,
)
from tanzheng.hardware.modbus.faults import Faults
from tanzheng.hardware.modbus.serial_port import SerialPort
from tanzheng.hardware.profile import Serial


class ModbusServer:
    """Devices (by unit id; a single one is unit 1) that answer over TCP or over a serial line.

    `framing` "rtu" over TCP is what a transparent serial server does. `answered` counts the reads
    that got their values, by unit. Without `faults` every request is answered at once. `close` ends
    the connections, too.
    """

    def __init__(
        self,
        devices: Registers | Mapping[int, Registers],
        framing: Framing = "tcp",
        faults: Faults | None = None,
    ) -> None:
        self.devices = devices if isinstance(devices, Mapping) else {1: devices}
        self.framing: Framing = framing
        self.faults = faults
        self.answered: Counter[int] = Counter()
        self.connections: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None
        self._serial: SerialPort | None = None

    @property
    def closed(self) -> bool:
        """Nothing listens: also not for a connection that was accepted just before `close`."""
        return self._server is None

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen and return the port (0 asks for a free one)."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port)
        listening: int = self._server.sockets[0].getsockname()[1]
        return listening

    def serve_serial(self, path: Path, line: Serial | None = None) -> None:
        """Answer on the serial port (or pseudo-terminal) `path`, in RTU; `line` sets its speed.

        `SimulatorError` where it cannot be opened.
        """
        self.framing = "rtu"
        conversation: Conversation | None = None

        def received(data: bytes) -> None:
            assert conversation is not None
            conversation.received(data)

        self._serial = SerialPort(path, line, received)
        # On a wire nothing is ever closed: whoever loses the thread waits for silence.
        conversation = Conversation(self, self._serial.write, lambda: None)

    async def close(self) -> None:
        """Stop answering and cut every connection."""
        if self._serial is not None:
            self._serial.close()
            self._serial = None
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            for transport in tuple(self.connections):
                transport.abort()
            await server.wait_closed()

    def count(self, request: Request) -> None:
        """A read of `request.unit` got its values."""
        self.answered[request.unit] += 1


class Conversation:
    """The bytes of one connection or line in, the replies out through `write`."""

    def __init__(
        self, server: ModbusServer, write: Callable[[bytes], None], end: Callable[[], None]
    ) -> None:
        self._server, self._write, self._end = server, write, end
        self._rest = b""
        self._replies = 0

    def received(self, data: bytes) -> None:
        """Answer what is whole in all that came."""
        server = self._server
        data = self._rest + data
        try:
            if server.faults is None:
                replies, used = answer(server.framing, server.devices, data, server.count)
                if replies:
                    self._write(replies)
            else:
                requests, used = requests_in(server.framing, data)
                for request in requests:
                    self._answer_with(server.faults, request)
        except FrameError:
            self._end()
            return
        self._rest = data[used:][-RTU_BYTES_MAX * 2 :]

    def _answer_with(self, faults: Faults, request: Request) -> None:
        device = self._server.devices.get(request.unit)
        if faults.swallows(request) or (device is None and self._server.framing == "rtu"):
            return
        if device is None:
            pdu = exception_pdu(request, NO_SUCH_TARGET)
        else:
            pdu = answer_pdu(device, request)
        delay_s = faults.delays_s.get(request.unit, 0.0)
        frame = faults.spoil(self._server.framing, request, pdu)
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._reply, frame, request)
        else:
            self._reply(frame, request)

    def _reply(self, frame: bytes, request: Request) -> None:
        self._write(frame)
        self._replies += 1
        function = frame[7 if self._server.framing == "tcp" else 1]
        if function == request.pdu[0]:
            self._server.count(request)
        faults = self._server.faults
        if faults is not None and faults.close_after == self._replies:
            self._end()


class _Connection(asyncio.Protocol):
    def __init__(self, server: ModbusServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._conversation: Conversation | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # `close` sends what is written first; only then the connection ends.
        self._conversation = Conversation(self._server, transport.write, transport.close)
        faults, connections = self._server.faults, self._server.connections
        most = None if faults is None else faults.connections_max
        full = most is not None and len(connections) >= most
        if full or self._server.closed:
            transport.abort()
            return
        connections.add(transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        assert self._conversation is not None
        if not self._transport.is_closing():
            self._conversation.received(data)

    def pause_writing(self) -> None:
        """A client that does not take its replies is cut off: nothing piles up for it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._transport is not None
        self._server.connections.discard(self._transport)
