"""Questions to devices one after another, for people who commission them. Reads only.

The agent's own lines are built for speed and know the points of the plan; this asks for whatever
a person wants to see, over a connection of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from tanzheng.core.errors import TanzhengError
from tanzheng.edge.configuration.links import PORTS, serial_settings
from tanzheng.edge.drivers.dlt645.codec import Frame as MeterFrame
from tanzheng.edge.drivers.dlt645.codec import Parser, ReadAddress, ReadData, answer, outgoing
from tanzheng.edge.drivers.dlt645.errors import WrongReply as OtherMeter
from tanzheng.edge.drivers.modbus.codec import ReadRequest, decode_frame, find_rtu, values_of
from tanzheng.edge.serial_port import open_serial, silence_s

ANSWER_BYTES_MAX = 4096
"""Far more than one answer: what sends on is no device that was asked."""

T = TypeVar("T")


class AskError(TanzhengError):
    """A device gave no answer. `reason` is what the agent's gap record would say."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Conversation(asyncio.Protocol):
    """A connection with at most one question open."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._bytes = bytearray()
        self._look: Callable[[], None] | None = None
        self._answered: asyncio.Future[Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop opened it."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer or we closed it."""
        self._transport = None
        if self._answered is not None and not self._answered.done():
            error = AskError("connection_lost", "expected an answer, got the end of the connection")
            self._answered.set_exception(error)

    def data_received(self, data: bytes) -> None:
        """A piece of an answer, or what nobody asked for."""
        if self._look is not None and len(self._bytes) < ANSWER_BYTES_MAX:
            self._bytes += data
            self._look()

    async def ask(self, question: bytes, find: Callable[[bytes], T | None], timeout_s: float) -> T:
        """What `find` makes of the bytes since `question`, None being "not yet"; `AskError`.

        What `find` raises is raised.
        """
        if self._transport is None:
            raise AskError("connection_lost", "expected a connection, got its end")
        self._bytes.clear()
        answered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._answered, self._look = answered, lambda: self._try(find)
        self._transport.write(question)
        try:
            async with asyncio.timeout(timeout_s):
                return await answered
        except TimeoutError:
            text = f"expected an answer within {timeout_s * 1000:.0f} ms, got none"
            raise AskError("comms_timeout", text) from None
        finally:
            self._look = None

    def _try(self, find: Callable[[bytes], Any]) -> None:
        assert self._answered is not None
        if self._answered.done():
            return
        try:
            found = find(bytes(self._bytes))
        except TanzhengError as error:
            self._answered.set_exception(error)
        else:
            if found is not None:
                self._answered.set_result(found)

    def close(self) -> None:
        """Let the endpoint go."""
        if self._transport is not None:
            self._transport.close()


class ModbusAsker:
    """Asks Modbus devices behind one endpoint, in the framing of the link's protocol."""

    def __init__(self, conversation: Conversation, link: Mapping[str, Any]) -> None:
        self._conversation = conversation
        self._tcp = link["protocol"] == "modbus_tcp"
        settings = serial_settings(link)
        self._silence_s = silence_s(*settings) if settings else 0.0
        self._transaction = 0

    async def ask(self, request: ReadRequest, timeout_s: float) -> bytes:
        """The value bytes; `AskError`, or `ModbusError` where the device refused."""
        if not self._tcp:
            await asyncio.sleep(self._silence_s)
            return await self._conversation.ask(
                request.rtu, lambda data: find_rtu(data, request)[0], timeout_s
            )
        self._transaction = number = self._transaction % 0xFFFF + 1
        return await self._conversation.ask(
            number.to_bytes(2, "big") + request.tcp,
            lambda data: _tcp_values(data, number, request),
            timeout_s,
        )


class MeterAsker:
    """Asks DL/T 645 meters on one line."""

    def __init__(self, conversation: Conversation, link: Mapping[str, Any]) -> None:
        self._conversation = conversation
        self._wake_bytes = link.get("wake_bytes", 4)

    async def ask(self, request: ReadData | ReadAddress, timeout_s: float) -> bytes:
        """The value bytes of the first frame; `AskError`, or `Dlt645Error` where it is none."""
        question = outgoing(request, self._wake_bytes)
        return await self._conversation.ask(
            question, lambda data: _meter_values(data, request), timeout_s
        )


@asynccontextmanager
async def conversation_with(link: Mapping[str, Any]) -> AsyncIterator[Conversation]:
    """A connection to the endpoint of `link`; `AskError` or `SerialPortError` without one."""
    settings = serial_settings(link)
    if settings is not None:
        _, conversation = open_serial(str(link["serial_port"]), *settings, Conversation)
    else:
        conversation = await _connected(link)
    try:
        yield conversation
    finally:
        conversation.close()


async def _connected(link: Mapping[str, Any]) -> Conversation:
    host, port = str(link["host"]), int(link.get("port", PORTS.get(link["protocol"], 0)))
    loop = asyncio.get_running_loop()
    timeout_s = max(1.0, link.get("timeout_ms", 1000) / 1000)
    try:
        async with asyncio.timeout(timeout_s):
            _, conversation = await loop.create_connection(Conversation, host, port)
    except TimeoutError:
        text = f"expected a connection within {timeout_s:.1f} s, got none, at {host}:{port}"
        raise AskError("connect_timeout", text) from None
    except OSError as error:
        reason = "refused" if isinstance(error, ConnectionRefusedError) else "unreachable"
        text = f"expected a connection, got {error.strerror or error}, at {host}:{port}"
        raise AskError(reason, text) from None
    return conversation


def _tcp_values(data: bytes, number: int, request: ReadRequest) -> bytes | None:
    """The answer of that transaction number; a late one with another number is passed over."""
    while (decoded := decode_frame(data)) is not None:
        frame, used = decoded
        if frame.transaction == number:
            return values_of(frame, number, request)
        data = data[used:]
    return None


def _meter_values(data: bytes, request: ReadData | ReadAddress) -> bytes | None:
    """The answer in `data`; echoes and answers of other meters are passed over."""
    for found in Parser().feed(data):
        if isinstance(found, MeterFrame):
            try:
                return answer(found, request)
            except OtherMeter:
                continue
    return None
