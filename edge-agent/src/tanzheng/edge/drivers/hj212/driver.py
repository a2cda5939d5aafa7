"""HJ 212 as a source: loggers connect to us, or we connect to a logger that listens.

A frame is answered only after it is durable; a frame that cannot be stored, or is not believed,
is not answered, and its sender keeps it. Nothing is ever commanded: no 1012, no 3xxx, for the
logger also serves the authority (一点多发).
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Final

from tanzheng.core.batch import Event
from tanzheng.core.errors import BadInput, TanzhengError
from tanzheng.edge.abc import Line, Placed, Round, Sink, Surroundings
from tanzheng.edge.backoff import Backoff
from tanzheng.edge.drivers.hj212.codec import Frame, parse
from tanzheng.edge.drivers.hj212.logger import (
    INTERACTION,
    Arrived,
    Group,
    Logger,
    answer_to,
)
from tanzheng.edge.drivers.hj212.packets import Packets
from tanzheng.edge.drivers.hj212.quarantine import Quarantine
from tanzheng.edge.drivers.hj212.settings import LoggerLink
from tanzheng.edge.drivers.hj212.splitter import Piece, Splitter
from tanzheng.edge.owed import OwedSlots

CONNECTIONS_MAX: Final = 64
READ_BYTES: Final = 1 << 14
SEND_BYTES: Final = 1 << 16
"""Answers that the system holds for a peer that does not take them."""
FRAME_S_MAX: Final = 15.0
"""A frame that has begun is taken as it is after that time: no peer holds on by a byte a minute."""
REFUSED_IN_A_ROW_MAX: Final = 50
NOISE_BYTES_MAX: Final = 1 << 20
WRITE_S_MAX: Final = 10.0
CONNECT_S_MAX: Final = 10.0


def make_lines(devices: Sequence[Placed], around: Surroundings) -> list[Line]:
    """One line for each address listened on or connected to; `BadInput` names what is wrong."""
    endpoints: dict[tuple[str, str, int], list[LoggerLink]] = {}
    for placed in devices:
        link = LoggerLink.of(placed)
        members = endpoints.setdefault((link.mode, link.host, link.port), [])
        if any(other.mn == link.mn for other in members):
            raise BadInput(f"device {link.id}: expected an MN of its own, got {link.mn} again")
        members.append(link)
    return [Hj212Line(members, around) for members in endpoints.values()]


@dataclass(eq=False, slots=True)
class _Peer:
    """One connection."""

    name: str
    writer: asyncio.StreamWriter
    splitter: Splitter
    since_s: float
    known: bool = False
    """True once it sent a frame that was accepted."""
    refused: int = 0
    """Frames refused since the last accepted one."""

    @property
    def hopeless(self) -> bool:
        """True for one that sends nothing but what is refused, or noise."""
        return self.refused > REFUSED_IN_A_ROW_MAX or self.splitter.skipped > NOISE_BYTES_MAX


class Hj212Line:
    """A `Source`: the loggers behind one listening address, or one logger that listens."""

    def __init__(self, links: Sequence[LoggerLink], around: Surroundings) -> None:
        first = links[0]
        self._mode, self._host, self._port = first.mode, first.host, first.port
        self._loggers = {link.mn: Logger(link, around) for link in links}
        self._idle_s = max(link.idle_s_max for link in links)
        self._around = around
        self._packets = Packets()
        folder = next((link.quarantine for link in links if link.quarantine), None)
        self._quarantine = Quarantine(f"{first.mode}-{first.port}", folder)
        self._peers: set[_Peer] = set()
        self._tasks: set[asyncio.Future[None]] = set()
        self._closed = False
        self._server: asyncio.Server | None = None
        self._sink: Sink | None = None
        self._backoff = Backoff()
        self._problem = ""
        self._turned_away = self._noise = 0

    @property
    def name(self) -> str:
        """`hj212 :9212` for one that listens, `hj212 192.0.2.5:9212` for one that connects."""
        return f"hj212 {'' if self._mode == 'listen' else self._host}:{self._port}"

    @property
    def port(self) -> int:
        """The port listened on (where 0 was asked for: the one that was given)."""
        if self._server is not None and self._server.sockets:
            return int(self._server.sockets[0].getsockname()[1])
        return self._port

    # -- rounds

    def due(self, slot_ms: int) -> tuple[int, ...]:
        """Every point of the loggers that have this slot."""
        return tuple(point for owed in self.owed for point in owed.due(slot_ms))

    @property
    def owed(self) -> list[OwedSlots]:
        """The account of each logger."""
        return [logger.owed for logger in self._loggers.values()]

    def start(self, slot_ms: int, finished: Callable[[Round], None]) -> None:
        """Say which points have had no value for too long; values come through the sink."""
        misses = [miss for logger in self._loggers.values() for miss in logger.misses(slot_ms)]
        self._give_up_packets()
        finished(Round(misses=misses))

    def status(self) -> Mapping[str, Any]:
        """Per device and for the endpoint: frames, refusals by reason, unknown MNs, peers."""
        return {
            "devices": {logger.link.id: logger.status() for logger in self._loggers.values()},
            "connections": len(self._peers),
            "turned_away": self._turned_away,
            "noise_bytes": self._noise + sum(peer.splitter.skipped for peer in self._peers),
            "open_split_uploads": len(self._packets),
            "problem": self._problem,
            **self._quarantine.status(),
        }

    def close(self) -> None:
        """Stop listening and cut every connection, also what was accepted just before."""
        self._closed = True
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        for peer in self._peers:
            peer.writer.transport.abort()

    # -- connections

    async def run(self, sink: Sink) -> None:
        """Receive until cancelled."""
        self._sink, self._closed = sink, False
        try:
            while True:
                try:
                    await (self._listen() if self._mode == "listen" else self._connect())
                except (OSError, TimeoutError) as error:
                    self._problem = str(error) or type(error).__name__
                self._backoff.failed(time.monotonic())
                await asyncio.sleep(max(0.2, self._backoff.next_try_s - time.monotonic()))
        finally:
            self.close()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, self._host, self._port, limit=READ_BYTES
        )
        self._problem = ""
        self._backoff.succeeded()
        await self._server.serve_forever()

    async def _connect(self) -> None:
        async with asyncio.timeout(CONNECT_S_MAX):
            reader, writer = await asyncio.open_connection(self._host, self._port, limit=READ_BYTES)
        self._problem = ""
        await self._serve(reader, writer)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One more logger, where there is room; one that never sent a right frame makes room.

        No coroutine: asyncio leaves a connection open whose handler is cancelled before it began.
        """
        if self._closed:
            writer.transport.abort()
            return
        if len(self._peers) >= CONNECTIONS_MAX:
            self._turned_away += 1
            strangers = [peer for peer in self._peers if not peer.known]
            if not strangers:
                writer.transport.abort()
                return
            oldest = min(strangers, key=lambda peer: peer.since_s)
            oldest.writer.transport.abort()
            self._peers.discard(oldest)
        task = asyncio.ensure_future(self._serve_logger(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(partial(self._served, writer))

    def _served(self, writer: asyncio.StreamWriter, task: "asyncio.Future[None]") -> None:
        self._tasks.discard(task)
        writer.close()
        if not task.cancelled() and (fault := task.exception()) is not None:
            raise fault  # in a callback: the agent's handler ends the process

    async def _serve_logger(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            await self._serve(reader, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("peername") or ("?",)
        link: socket.socket = writer.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        peer = _Peer(str(address[0]), writer, Splitter(), time.monotonic())
        self._peers.add(peer)
        try:
            async with contextlib.aclosing(self._pieces(reader, peer)) as arriving:
                async for pieces in arriving:
                    await self._take(pieces, peer)
                    if peer.hopeless:
                        return
        finally:
            self._noise += peer.splitter.skipped
            self._peers.discard(peer)
            writer.close()

    async def _pieces(
        self, reader: asyncio.StreamReader, peer: _Peer
    ) -> AsyncGenerator[list[Piece], None]:
        """Frames as they come. Nothing is read while those before are not durable."""
        begun_s: float | None = None
        while True:
            left_s = self._idle_s if begun_s is None else begun_s + FRAME_S_MAX - time.monotonic()
            try:
                async with asyncio.timeout(max(0.0, left_s)):
                    data = await reader.read(READ_BYTES)
            except TimeoutError:
                if begun_s is None:
                    return
                begun_s = None
                yield peer.splitter.flush()
                continue
            pieces = peer.splitter.feed(data) if data else peer.splitter.flush()
            if not peer.splitter.pending:
                begun_s = None
            elif begun_s is None or pieces:
                begun_s = time.monotonic()
            yield pieces
            if not data:
                return

    # -- frames

    async def _take(self, pieces: Sequence[Piece], peer: _Peer) -> None:
        """Store the frames of one read, then answer them; a logger at a time, in their order."""
        frames = [(logger, frame) for piece in pieces for logger, frame in self._known(piece, peer)]
        for logger, group in groupby(frames, key=lambda pair: pair[0]):
            answers = await self._store(logger, [frame for _, frame in group])
            if answers:
                await self._answer(b"".join(answers), peer)

    async def _answer(self, data: bytes, peer: _Peer) -> None:
        peer.writer.write(data)
        try:
            async with asyncio.timeout(WRITE_S_MAX):
                await peer.writer.drain()
        except TimeoutError:  # it does not take its answers: nothing piles up for it
            peer.writer.transport.abort()
            raise

    def _known(self, piece: Piece, peer: _Peer) -> list[tuple[Logger, Frame]]:
        """The frame with its logger where it is to be believed, else nothing: kept aside."""
        frame = parse(piece)
        logger = self._loggers.get(frame.mn or "")
        if logger is not None and frame.encrypted and logger.link.sm4_key is not None:
            frame = parse(piece, logger.link.sm4_key)
        reason = "unknown_mn" if logger is None else logger.refusal(frame)
        if logger is None or reason:
            peer.refused += 1
            self._quarantine.keep(self._around.now_ms(), reason, peer.name, frame.mn, frame.raw)
            if logger is not None:
                logger.refused(frame, reason, time.monotonic())
            return []
        peer.known, peer.refused = True, 0
        self._backoff.succeeded()
        if frame.cn in INTERACTION:  # an answer to what nobody asked
            logger.counts["answers_unasked"] += 1
            return []
        return [(logger, frame)]

    async def _store(self, logger: Logger, frames: Sequence[Frame]) -> list[bytes]:
        """The answers to what is durable now. What cannot be stored is not answered."""
        assert self._sink is not None
        async with logger.lock:
            new = self._new(logger, frames)
            takes = [arrived.take for arrived in new if arrived.take is not None]
            try:
                if new:
                    await self._sink.commit(takes, [e for each in new for e in each.events])
            except (TanzhengError, OSError) as error:
                logger.counts["frames_not_stored"] += len(new)
                logger.last_reason = f"not_stored: {error}"
                return [answer for f in frames if logger.repeated(f) and (answer := answer_to(f))]
            for arrived in new:
                logger.durable(arrived)
                self._packets.add(arrived.frame, time.monotonic())
        self._give_up_packets()
        return [answer for frame in frames if (answer := answer_to(frame))]

    def _new(self, logger: Logger, frames: Sequence[Frame]) -> list[Arrived]:
        """What is not durable yet; the very bytes of a frame before are counted only."""
        group, new = Group(), []
        for frame in frames:
            arrived = None if logger.repeated(frame) else logger.arrived(frame, group)
            if arrived is None:
                logger.counts["frames_repeated"] += 1
            else:
                new.append(arrived)
        return new

    def _give_up_packets(self) -> None:
        for lost in self._packets.overdue(time.monotonic()):
            logger = self._loggers[lost.mn]
            logger.counts["packets_missing"] += len(lost.numbers)
            detail: dict[str, str | int] = {
                "device": logger.link.id,
                "cn": lost.cn,
                "data_time": lost.data_time,
                "packets": lost.total,
                "missing": " ".join(map(str, lost.numbers)),
            }
            self._around.note(Event(self._around.now_ms(), "packets_missing", detail))
