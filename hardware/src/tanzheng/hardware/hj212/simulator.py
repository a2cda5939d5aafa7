"""A simulated data logger: sends what it measures until the platform has answered for it.

It connects to a platform, as loggers do, or listens for one. Its faults are those of real
loggers. It counts what it offered and what was acknowledged, so that a test can compare.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

from tanzheng.hardware.hj212.codec import CrcMode, Upload, Version, build, frame, split_content

RECEIVED_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with this logger. Counts are in frames; 0 or empty: never."""

    bad_crc_every: int = 0
    wrong_length: int = 0
    """Added to each declared length."""
    noise: bytes = b""
    """Sent before each frame."""
    chunk_bytes: int = 0
    """Frames leave in pieces of that many bytes."""
    lower_case: bool = False
    drop_packets: frozenset[int] = frozenset()
    """Packet numbers (PNO) that are never sent."""
    reverse_packets: bool = False
    cut_every: int = 0
    """The connection breaks in the middle of each n-th frame; the frame is sent again."""


@dataclass(slots=True)
class Counts:
    """What happened so far, in frames (`values`: in measured values, each offered once)."""

    sent: int = 0
    resent: int = 0
    acknowledged: int = 0
    values: int = 0
    connections: int = 0


@dataclass(frozen=True, slots=True)
class LoggerSettings:
    """One logger. `utc_offset_h` is the zone of its time stamps, which they do not name."""

    mn: str = "010000A8900016F000169DC0"
    pw: str = "123456"
    st: str = "31"
    version: Version = 2017
    crc: CrcMode = "hj212"
    sm4_key: bytes | None = None
    answer: bool = True
    answer_s_max: float = 5.0
    content_bytes_max: int = 900
    utc_offset_h: int = 8
    faults: Faults = field(default_factory=Faults)


@dataclass(slots=True)
class _Waiting:
    upload: Upload
    tries: int = 0


class DataLogger:
    """Queues frames (`measure`, `send`), sends them in order, and again until answered."""

    def __init__(self, settings: LoggerSettings | None = None) -> None:
        self.settings = settings or LoggerSettings()
        self.counts = Counts()
        self.commands: list[bytes] = []
        """Frames of the platform that are no answers: a well-behaved one sends none."""
        self._queue: deque[_Waiting] = deque()
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._serial = 0
        self._cut = 0

    def measure(
        self, cn: str, t_ms: int, values: Mapping[str, str], mark: str = "N", resent: bool = False
    ) -> None:
        """Queue one upload of `values` ("a05001-Rtd": "12.3"), split where it is too long."""
        groups = [
            f"{name}={text},{name.partition('-')[0]}-Flag={mark}".encode()
            for name, text in values.items()
        ]
        self.counts.values += len(values)
        contents = split_content(self.stamp(t_ms), groups, self.settings.content_bytes_max)
        for upload in self._packets(cn, t_ms, contents):
            self.send(replace(upload, resent=resent))

    def _packets(self, cn: str, t_ms: int, contents: Sequence[bytes]) -> list[Upload]:
        settings, total = self.settings, len(contents)
        numbers = list(range(1, total + 1))
        if settings.faults.reverse_packets:
            numbers.reverse()
        return [
            Upload(
                cn,
                contents[number - 1],
                self._qn(t_ms),
                settings.st,
                settings.pw,
                settings.mn,
                settings.version,
                settings.answer,
                (total, number) if total > 1 else None,
            )
            for number in numbers
            if number not in settings.faults.drop_packets
        ]

    def send(self, upload: Upload) -> None:
        """Queue a frame as it is."""
        self._queue.append(_Waiting(upload))
        self._idle.clear()
        self._more.set()

    async def idle(self) -> None:
        """Wait until every frame was sent and, where asked for, answered."""
        await self._idle.wait()

    def stamp(self, t_ms: int) -> str:
        """`t_ms` (UTC) as the logger writes it: YYYYMMDDhhmmss of its own zone."""
        zone = timezone(timedelta(hours=self.settings.utc_offset_h))
        return datetime.fromtimestamp(t_ms / 1000, UTC).astimezone(zone).strftime("%Y%m%d%H%M%S")

    def _qn(self, t_ms: int) -> str:
        self._serial += 1
        return f"{self.stamp(t_ms)}{self._serial % 1000:03d}"

    async def connect(self, host: str, port: int, retry_s: float = 0.05) -> None:
        """Serve a platform that listens, until cancelled; a lost connection is made again."""
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, port)
                await self._talk(reader, writer)
            except OSError:
                pass
            await asyncio.sleep(retry_s)

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
        """Listen for a platform that connects; one at a time is served with the queue."""
        return await asyncio.start_server(self._talk, host, port)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.connections += 1
        try:
            while True:
                await self._more.wait()
                while self._queue:
                    if not await self._offer(self._queue[0], reader, writer):
                        return
                    self._queue.popleft()
                self._more.clear()
                self._idle.set()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _offer(
        self, waiting: _Waiting, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Send one frame until it is answered; False where the connection is to be cut."""
        while True:
            raw = self._wire(waiting)
            waiting.tries += 1
            faults = self.settings.faults
            self._cut += 1
            if faults.cut_every and self._cut % faults.cut_every == 0:
                writer.write(raw[: len(raw) // 2])
                return False
            await self._write(raw, writer)
            if not waiting.upload.flag & 1:
                return True
            if await self._answered(waiting.upload.qn, reader):
                self.counts.acknowledged += 1
                return True

    async def _write(self, raw: bytes, writer: asyncio.StreamWriter) -> None:
        size = self.settings.faults.chunk_bytes or len(raw)
        for start in range(0, len(raw), size):
            writer.write(raw[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)

    async def _answered(self, qn: str, reader: asyncio.StreamReader) -> bool:
        try:
            async with asyncio.timeout(self.settings.answer_s_max):
                while True:
                    line = await reader.readuntil(b"\r\n")
                    if b"CN=9014" not in line and b"CN=9013" not in line:
                        self.commands.append(line[:RECEIVED_BYTES_MAX])
                    elif f"QN={qn};".encode() in line:
                        return True
        except TimeoutError:
            return False

    def _wire(self, waiting: _Waiting) -> bytes:
        settings, faults, upload = self.settings, self.settings.faults, waiting.upload
        if waiting.tries:
            self.counts.resent += 1
        self.counts.sent += 1
        raw = build(upload, settings.crc, settings.sm4_key)
        segment, carried = raw[6:-6], raw[-6:-2]
        if faults.bad_crc_every and self.counts.sent % faults.bad_crc_every == 0:
            carried = b"FFFF"  # no check sum of Annex A ends in FF
        if faults.lower_case:
            carried = carried.lower()
        return faults.noise + frame(segment, carried, len(segment) + faults.wrong_length)
