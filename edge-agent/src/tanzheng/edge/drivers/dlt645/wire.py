"""One owner of a serial port or of a connection to an RS-485 server: one question at a time.

An answer counts only with the address, the function, the identifier and the frame number that were
asked for. Anything else on the wire (a late answer, another master's traffic, noise) is counted and
passed over; what had come before a question is thrown away.
"""

import asyncio
import time
from collections.abc import Callable

from tanzheng.edge.backoff import Backoff
from tanzheng.edge.drivers.dlt645.codec import (
    Damage,
    Frame,
    Parser,
    ReadData,
    ReadFollowing,
    Request,
    answer,
    outgoing,
)
from tanzheng.edge.drivers.dlt645.errors import Dlt645Error, TooManyFrames, WrongReply
from tanzheng.edge.drivers.dlt645.settings import PortSettings

GAP_S = 0.5
"""Longest silence between two bytes of one frame (DL/T 645-2007 §5.5)."""
FRAME_BYTES_MAX = 228  # the longest frame and 16 wake-up bytes
FRAMES_MAX = 32
"""Frames of one answer: 6 kB, far beyond any block."""
SILENCES_MAX = 2
"""So many time-outs in a row without one byte, and a TCP connection is made anew."""


class CommsError(Dlt645Error):
    """No answer came. `reason` tells which way it failed."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(f"expected an answer, got {reason}, at {where}")
        self.reason = reason


class _Link(asyncio.Protocol):
    """The bytes of one open port; `listen` has them while a question is open, `unasked` else."""

    def __init__(self, unasked: Callable[[bytes], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self.listen: Callable[[bytes], None] | None = None
        self.lost: Callable[[], None] | None = None
        self._unasked = unasked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        (self.listen or self._unasked)(data)

    def pause_writing(self) -> None:
        """A server that takes no bytes is given up: nothing piles up for it."""
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.lost is not None:
            self.lost()


class _Question:
    """One request on its way: bytes in, the answer's data or an error out, within its time."""

    def __init__(self, link: _Link, request: Request, where: str, byte_s: float) -> None:
        self._link, self._request, self._where, self._byte_s = link, request, where, byte_s
        self._loop = asyncio.get_running_loop()
        self._result: asyncio.Future[tuple[Frame, bytes]] = self._loop.create_future()
        self._parser = Parser()
        self._damage: Damage | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_s = 0.0
        self.bytes_heard = 0
        self.strangers: set[str] = set()
        self.passed_over = 0

    async def ask(self, wake_bytes: int, timeout_s: float) -> tuple[Frame, bytes]:
        """The frame that answers, and its data."""
        data = outgoing(self._request, wake_bytes)
        transport = self._link.transport
        if transport is None:
            raise CommsError("connection_lost", self._where)
        sent_s = self._loop.time() + len(data) * self._byte_s
        self._last_s = sent_s + timeout_s + FRAME_BYTES_MAX * self._byte_s + GAP_S
        self._link.listen, self._link.lost = self._heard, self._lost
        self._timer = self._loop.call_at(sent_s + timeout_s, self._timed_out)
        transport.write(data)
        try:
            return await self._result
        finally:
            self._link.listen = self._link.lost = None
            self._timer.cancel()

    def _heard(self, data: bytes) -> None:
        if self._result.done():
            return
        self.bytes_heard += len(data)
        self._judge(self._parser.feed(data))
        if self._parser.held and not self._result.done() and self._timer is not None:
            self._timer.cancel()
            until_s = max(self._timer.when(), self._loop.time() + GAP_S)
            self._timer = self._loop.call_at(min(until_s, self._last_s), self._timed_out)

    def _judge(self, items: list[Frame | Damage]) -> None:
        for item in items:
            if isinstance(item, Damage):
                self._damage = item
                continue
            try:
                data = answer(item, self._request)
            except WrongReply:
                self._pass_over(item)
            except Dlt645Error as error:
                self._fail(error)
                return
            else:
                self._result.set_result((item, data))
                return

    def _pass_over(self, frame: Frame) -> None:
        self.passed_over += 1
        if frame.is_reply and frame.address != self._request.address and len(self.strangers) < 8:
            self.strangers.add(frame.address)

    def _timed_out(self) -> None:
        if not self._result.done():
            self._judge(self._parser.finish())
        silence = CommsError("comms_timeout", self._where)
        self._fail(self._damage.error if self._damage else silence)

    def _lost(self) -> None:
        self._fail(CommsError("connection_lost", self._where))

    def _fail(self, error: Dlt645Error) -> None:
        if not self._result.done():
            self._result.set_exception(error)


class Wire:
    """The port or connection, opened when it is needed and again after a fault, with back-off."""

    def __init__(self, settings: PortSettings) -> None:
        self.settings = settings
        self.passed_over = 0
        self.unasked_bytes = 0
        self.strangers: set[str] = set()
        self._link: _Link | None = None
        self._backoff = Backoff()
        self._refusal = "port_unusable"
        self._silences = 0
        self._byte_s = (1 + 8 + (settings.parity != "N") + settings.stop) / settings.baud

    @property
    def refusal(self) -> str | None:
        """Why the port is not even tried now; None where it is."""
        if self._open_link() is not None or self._backoff.ready(time.monotonic()):
            return None
        return self._refusal

    async def read(self, address: str, di: str, wake_bytes: int, timeout_s: float) -> bytes:
        """All value bytes of `di`, from as many frames as the meter cuts them into."""
        self.strangers = set()
        frame, data = await self._ask(ReadData(address, di), wake_bytes, timeout_s)
        number = 0
        while frame.more:
            number += 1
            if number >= FRAMES_MAX:
                raise TooManyFrames(f"expected at most {FRAMES_MAX} frames, at {address} {di}")
            request = ReadFollowing(address, di, number)
            frame, more = await self._ask(request, wake_bytes, timeout_s)
            data += more
        return data

    def close(self) -> None:
        """Let the port go."""
        if (link := self._open_link()) is not None and link.transport is not None:
            link.transport.abort()
        self._link = None

    async def _ask(
        self, request: Request, wake_bytes: int, timeout_s: float
    ) -> tuple[Frame, bytes]:
        link = await self._open()
        question = _Question(link, request, self.settings.name, self._byte_s)
        try:
            return await question.ask(wake_bytes, timeout_s)
        finally:
            self.passed_over += question.passed_over
            self.strangers |= question.strangers
            self._silences = 0 if question.bytes_heard else self._silences + 1
            if self._silences >= SILENCES_MAX and not self.settings.path:
                self.close()  # a server that came back without telling hears nothing of us
                self._silences = 0

    def _open_link(self) -> _Link | None:
        link = self._link
        if link is None or link.transport is None or link.transport.is_closing():
            return None
        return link

    async def _open(self) -> _Link:
        link = self._open_link()
        if link is None:
            link = await self._reopen()
        elif self.settings.path:
            from tanzheng.edge.serial_port import SerialTransport

            if isinstance(link.transport, SerialTransport):
                link.transport.flush_input()
        return link

    async def _reopen(self) -> _Link:
        if not self._backoff.ready(time.monotonic()):
            raise CommsError(self._refusal, self.settings.name)
        try:
            self._link = self._open_port() if self.settings.path else await self._connect()
        except CommsError as error:
            self._refusal = error.reason
            self._backoff.failed(time.monotonic())
            raise
        self._backoff.succeeded()
        return self._link

    def _new_link(self) -> _Link:
        return _Link(self._drop)

    def _drop(self, data: bytes) -> None:
        """What comes while nobody asks: too late, or not for us."""
        self.unasked_bytes += len(data)

    def _open_port(self) -> _Link:
        # Imported here: a gateway with TCP meters only needs no pyserial.
        from tanzheng.edge.serial_port import SerialPortError, open_serial

        port = self.settings
        try:
            return open_serial(port.path, port.baud, port.parity, port.stop, self._new_link)[1]
        except SerialPortError as error:
            raise CommsError(error.reason, port.path) from error

    async def _connect(self) -> _Link:
        port, loop = self.settings, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(3.0):
                return (await loop.create_connection(self._new_link, port.host, port.port))[1]
        except TimeoutError:
            raise CommsError("connect_timeout", port.name) from None
        except ConnectionRefusedError:
            raise CommsError("refused", port.name) from None
        except OSError:
            raise CommsError("unreachable", port.name) from None
