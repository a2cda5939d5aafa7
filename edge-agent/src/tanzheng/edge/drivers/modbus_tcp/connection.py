"""One owner for each TCP endpoint: it opens, asks one thing at a time, closes on any doubt.

Many devices take a single connection, and serial gateways answer one request at a time, so all
units behind an endpoint share one `Endpoint`. After a time-out or an answer to something else the
connection is closed: a late reply dies with it and is never taken for the next one.
"""

import asyncio
import time

from tanzheng.edge.backoff import Backoff
from tanzheng.edge.drivers.modbus_tcp.codec import (
    BadFrame,
    Frame,
    ModbusError,
    ReadRequest,
    WrongReply,
    decode_frame,
    encode_request,
    values_of,
)


class CommsError(ModbusError):
    """No answer came. `reason` tells which way it failed."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(f"expected an answer, got {reason}, at {where}")
        self.reason = reason


class _Link(asyncio.Protocol):
    """A connection with at most one request in flight."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._buffer = bytearray()
        self._answer: asyncio.Future[Frame] | None = None
        self.transport: asyncio.Transport | None = None
        self.used = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            decoded = decode_frame(self._buffer)
        except BadFrame as error:
            self._fail(error)
            return
        if decoded is None:
            return
        frame, used = decoded
        if used < len(self._buffer) or self._answer is None or self._answer.done():
            self._fail(BadFrame(f"expected one answer to one request, got more, at {self._where}"))
            return
        self._buffer.clear()
        self._answer.set_result(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._fail(CommsError("connection_lost", self._where))

    async def ask(self, data: bytes, timeout_s: float) -> Frame:
        loop = asyncio.get_running_loop()
        assert self.transport is not None
        self._answer = loop.create_future()
        timer = loop.call_later(timeout_s, self._fail, CommsError("comms_timeout", self._where))
        self.transport.write(data)
        try:
            return await self._answer
        finally:
            timer.cancel()
            self._answer = None
            self.used = True

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def _fail(self, error: ModbusError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.abort()


class Endpoint:
    """`host:port`, asked by one reader at a time. Raises `ModbusError` only."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._host, self._port, self._timeout_s = host, port, timeout_s
        self._where = f"{host}:{port}"
        self._lock = asyncio.Lock()
        self._link: _Link | None = None
        self._transaction = 0
        self._backoff = Backoff()
        self._refusal = "refused"

    async def read(self, request: ReadRequest) -> bytes:
        """The value bytes of `request` from an answer to exactly this call."""
        async with self._lock:
            link = await self._open()
            stale_possible = link.used
            try:
                return await self._exchange(link, request)
            except CommsError as error:
                if error.reason != "connection_lost" or not stale_possible:
                    raise
            # The peer closed a connection that had served before: once more on a fresh one.
            return await self._exchange(await self._open(), request)

    def close(self) -> None:
        """Drop the connection."""
        if self._link is not None:
            self._link.abort()
            self._link = None

    async def _exchange(self, link: _Link, request: ReadRequest) -> bytes:
        self._transaction = (self._transaction + 1) & 0xFFFF
        transaction = self._transaction
        try:
            frame = await link.ask(encode_request(transaction, request), self._timeout_s)
            return values_of(frame, transaction, request)
        except (BadFrame, WrongReply, CommsError, asyncio.CancelledError):
            self.close()
            raise

    async def _open(self) -> _Link:
        link = self._link
        if link is not None and link.transport is not None and not link.transport.is_closing():
            return link
        if not self._backoff.ready(time.monotonic()):
            raise CommsError(self._refusal, self._where)
        try:
            self._link = await self._connect()
        except CommsError as error:
            self._refusal = error.reason
            self._backoff.failed(time.monotonic())
            raise
        self._backoff.succeeded()
        return self._link

    async def _connect(self) -> _Link:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                _, link = await loop.create_connection(
                    lambda: _Link(self._where), self._host, self._port
                )
                return link
        except TimeoutError:
            raise CommsError("connect_timeout", self._where) from None
        except ConnectionRefusedError:
            raise CommsError("refused", self._where) from None
        except OSError:
            raise CommsError("unreachable", self._where) from None
