"""HJ 212 data loggers that count: each sends numbers, one after another, until they are answered.

Written for the judge after the text of the standard, with nothing of the product in it.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from acceptance.slaves import Endpoint, Slave
from tanzheng.ingest.broker import free_port

CHINA_S = 8 * 3600
ANSWER_S = 2.0


def crc(segment: bytes) -> int:
    """The check sum of HJ 212-2017 Annex A, bit by bit."""
    register = 0xFFFF
    for byte in segment:
        register = (register >> 8) ^ byte
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return register


def frame(segment: bytes, check: bytes | None = None) -> bytes:
    """A segment on the wire; `check` instead of the check sum that the standard has."""
    return b"##%04d%s%s\r\n" % (len(segment), segment, check or b"%04X" % crc(segment))


@dataclass(slots=True)
class Upload:
    """What is sent and answered at once: segments of TCP, and the QN that is to be answered
    (empty: none)."""

    pieces: list[bytes]
    qn: bytes = b""


@dataclass
class Logger(Slave):
    """A logger; `make` says how a number goes over the wire.

    Numbers count up; number n is of the instant `start_s` + n s. `sent` counts the sendings of
    the upload that is not answered yet. `offers` False: what it sends must not be believed.
    """

    mn: str = ""
    make: Callable[["Logger", int], Upload] | None = None
    link: dict[str, object] = field(default_factory=dict)
    offers: bool = True
    start_s: int = 0
    number: int = 0
    sent: int = 0
    times: dict[float, int] = field(default_factory=dict)
    waits: bool = False
    """True: nothing new is sent for now."""
    last: int | None = None
    """The number after which it falls silent."""

    @property
    def is_silent(self) -> bool:
        """True while it has nothing new to send."""
        return bool(self.fault) or self.waits or self.number == self.last

    def next(self) -> Upload:
        """The upload of the next number."""
        self.number += 1
        if self.offers:
            self.offer(self.number, self.number)
        return (self.make or plain)(self, self.number)

    def offer(self, value: float, second: int) -> None:
        """`value` is sent as of that second from the start."""
        self.answered.append(value)  # type: ignore[arg-type]
        self.times[value] = (self.start_s + second) * 1000

    def time_text(self, second: int) -> str:
        """DataTime, in China."""
        return time.strftime("%Y%m%d%H%M%S", time.gmtime(self.start_s + second + CHINA_S))

    def segment(self, number: int, content: str = "", fields: str = "", cp: bytes = b"") -> bytes:
        """The data segment of a 2011 that wants an answer; `content` behind the value, `cp`
        (ciphertext) instead of all of it."""
        qn = self.qn(number)
        head = f"QN={qn};ST=31;CN=2011;PW=123456;MN={self.mn};Flag={5 + 2 * ('PNUM' in fields)};"
        return (
            head.encode() + fields.encode() + b"CP=&&" + (cp or self.text(number, content)) + b"&&"
        )

    def text(self, number: int, content: str = "") -> bytes:
        """What stands between && and &&."""
        value = f"a21026-Rtd={number},a21026-Flag=N"
        return f"DataTime={self.time_text(number)};{value}{content}".encode()

    def qn(self, number: int) -> str:
        """A number that no other upload has."""
        return f"{self.time_text(number)}{number % 1000:03d}"

    def upload(self, number: int, segment: bytes, check: bytes | None = None) -> Upload:
        """One frame in one piece."""
        return Upload([frame(segment, check)], self.qn(number).encode())


def _is_joined_to_itself(link: socket.socket) -> bool:
    """What the kernel may do where nobody listens; else the link sends at once from now on."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bool(link.getsockname() == link.getpeername())


def plain(logger: Logger, number: int) -> Upload:
    """A frame as it should be."""
    return logger.upload(number, logger.segment(number))


class LoggerSide(Endpoint):
    """Loggers that connect to the agent's port, each on a connection of its own."""

    def __init__(self, loggers: Sequence[Logger]) -> None:
        super().__init__(loggers)
        self.port = free_port()
        self._tasks: list[asyncio.Task[None]] = []

    def link(self, unit: int, timeout_ms: int) -> dict[str, object]:
        del timeout_ms
        logger = self.slaves[unit]
        assert isinstance(logger, Logger)
        return {
            "protocol": "hj212", "mode": "listen", "host": "127.0.0.1", "port": self.port,
            "mn": logger.mn, **logger.link,
        }  # fmt: skip

    async def listen(self) -> None:
        """The loggers begin to connect."""
        for logger in self.slaves.values():
            assert isinstance(logger, Logger)
            logger.start_s = logger.start_s or int(time.time())
            self._tasks.append(asyncio.create_task(self._live(logger)))

    async def hang_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _live(self, logger: Logger) -> None:
        pending: Upload | None = None
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            try:
                if _is_joined_to_itself(writer.get_extra_info("socket")):
                    continue
                while True:
                    if pending is None and logger.is_silent:
                        await asyncio.sleep(0.02)
                        continue
                    if pending is None:
                        logger.sent, pending = 0, logger.next()
                    if await self._send(pending, logger, reader, writer):
                        pending = None
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

    async def _send(
        self, upload: Upload, logger: Logger, reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:  # fmt: skip
        """Whether it is done with: answered, or nobody is to answer it."""
        logger.sent += 1
        for piece in upload.pieces:
            writer.write(piece)
            await writer.drain()
            if len(upload.pieces) > 1:
                await asyncio.sleep(0.002)
        if not upload.qn:
            await asyncio.sleep(0.02)
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                while True:
                    line = await reader.readuntil(b"\r\n")
                    if b"QN=" + upload.qn in line and b"CN=9014" in line:
                        return True
        return False
