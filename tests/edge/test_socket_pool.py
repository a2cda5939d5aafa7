"""Connections behind one epoll: what peers do to a socket, and what the pool makes of it."""

import asyncio
import contextlib
import errno
import resource
import select
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.rounds import (
    INTERVAL_MS,
    Handler,
    Slave,
    World,
    floats,
    placed,
    read,
    tcp_server,
    tcp_slaves,
)
from edge.test_modbus_driver import CEMS, CEMS_FIELDS, CEMS_TABLE, CEMS_VALUES, cems
from edge.world import closed_port
from tanzheng.edge.abc import Round
from tanzheng.edge.drivers.modbus.driver import make_lines
from tanzheng.edge.socket_pool import RECEIVE_BYTES, UNSENT_BYTES_MAX, SocketPool

REAL_EPOLL = select.epoll


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


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever the loop is told that a pool has something to do."""
    told: list[int] = []
    ready = SocketPool._ready

    def counted(pool: SocketPool) -> None:
        told.append(1)
        ready(pool)

    monkeypatch.setattr(SocketPool, "_ready", counted)
    return told


async def rests(turns: list[int]) -> bool:
    """Whether nothing turns and turns on some descriptor."""
    before = len(turns)
    await asyncio.sleep(0.05)
    return len(turns) - before <= 1


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


async def test_bytes_go_both_ways_unchanged(server: socket.socket) -> None:
    every_byte = bytes(range(256)) * 40
    async with opened(SocketPool(), server) as (transport, ear, far):
        assert ear.made == 1
        far.sendall(every_byte)
        await until(lambda: len(ear.heard) == len(every_byte))
        assert (bytes(ear.heard), len(every_byte) > RECEIVE_BYTES) == (every_byte, True)
        transport.write(every_byte)
        assert far.recv(1 << 16, socket.MSG_WAITALL | socket.MSG_DONTWAIT) == every_byte


async def test_one_descriptor_for_all_and_none_for_none(server: socket.socket) -> None:
    before, pool = epolls(), SocketPool()
    async with opened(pool, server), opened(pool, server):
        assert epolls() == before + 1
    assert epolls() == before
    async with opened(pool, server) as (_, ear, far):  # and again
        assert epolls() == before + 1
        far.sendall(b"x")
        await until(lambda: ear.heard == b"x")


async def test_answers_that_are_there_together_are_taken_in_one_turn(
    server: socket.socket, turns: list[int]
) -> None:
    pool = SocketPool()
    async with opened(pool, server) as a, opened(pool, server) as b, opened(pool, server) as c:
        for _, _, far in (a, b, c):
            far.sendall(b"answer")
        await asyncio.sleep(0.01)
        assert [ear.heard for _, ear, _ in (a, b, c)] == [b"answer"] * 3
        assert len(turns) == 1


async def test_what_the_window_does_not_take_is_kept_and_sent_when_it_does(
    server: socket.socket,
) -> None:
    """A peer that does not read: the kernel takes a part, and then nothing at all."""
    async with opened(SocketPool(), server) as (transport, ear, far):
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sent = bytearray()
        while transport.get_write_buffer_size() == 0:
            sent += (chunk := bytes(at % 251 for at in range(60_000)))
            transport.write(chunk)
        assert 0 < transport.get_write_buffer_size() < len(chunk)
        transport.write(b"the rest")
        sent += b"the rest"
        far.sendall(b"still heard")
        await until(lambda: ear.heard == b"still heard")
        got = bytearray()
        while len(got) < len(sent):
            got += await asyncio.to_thread(far.recv, 1 << 16)
        assert got == sent
        await until(lambda: transport.get_write_buffer_size() == 0)
        assert (ear.ends, transport.is_closing()) == ([], False)


async def test_room_to_write_is_no_reason_to_turn_and_turn(
    server: socket.socket, turns: list[int]
) -> None:
    async with opened(SocketPool(), server) as (transport, _, far):
        while transport.get_write_buffer_size() == 0:
            transport.write(bytes(30_000))
        held = transport.get_write_buffer_size()
        assert await rests(turns)
        assert transport.get_write_buffer_size() == held
        while transport.get_write_buffer_size():
            await asyncio.to_thread(far.recv, 1 << 20)
        assert await rests(turns)


async def test_a_peer_that_never_reads_is_given_up(server: socket.socket) -> None:
    async with opened(SocketPool(), server) as (transport, ear, _far):
        for _ in range(1000):
            transport.write(bytes(UNSENT_BYTES_MAX))
            assert transport.get_write_buffer_size() <= UNSENT_BYTES_MAX
        assert ear.ends == []  # never from within a call
        await until(lambda: bool(ear.ends))
        (end,) = ear.ends
        assert isinstance(end, OSError)
        assert end.errno == errno.ENOBUFS
        transport.write(b"nothing happens")
        await asyncio.sleep(0.01)
        assert len(ear.ends) == 1


async def test_a_peer_that_closes_is_an_end_after_its_last_bytes(server: socket.socket) -> None:
    async with opened(SocketPool(), server) as (transport, ear, far):
        far.sendall(b"half an ans")
        far.close()
        await until(lambda: bool(ear.ends))
        assert ear.heard == b"half an ans"
        assert ear.ends == [None]
        assert transport.is_closing()


async def test_a_reset_is_an_error_told_once(server: socket.socket, turns: list[int]) -> None:
    async with opened(SocketPool(), server) as (transport, ear, far):
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        await until(lambda: bool(ear.ends))
        assert isinstance(ear.ends[0], ConnectionResetError)
        transport.abort()
        assert await rests(turns)
        assert len(ear.ends) == 1


async def test_a_reset_that_a_write_finds_first(server: socket.socket) -> None:
    async with opened(SocketPool(), server) as (transport, ear, far):
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        transport.write(b"question")
        transport.write(b"question")
        assert ear.ends == []
        await until(lambda: bool(ear.ends))
        await asyncio.sleep(0.01)
        assert len(ear.ends) == 1


async def test_nothing_is_heard_after_abort(server: socket.socket) -> None:
    async with opened(SocketPool(), server) as (transport, ear, far):
        far.sendall(b"late")
        transport.abort()
        assert ear.ends == []
        await asyncio.sleep(0.02)
        assert ear.heard == b""
        assert ear.ends == [None]


async def test_a_number_given_anew_gets_nothing_of_its_last_owner(server: socket.socket) -> None:
    """Both are ready in one turn; what the first brings closes the second, whose number goes to a
    stranger before the turn is over."""
    pool = SocketPool()
    async with opened(pool, server) as one, opened(pool, server) as two:
        strangers: list[socket.socket] = []

        def close(other: asyncio.Transport) -> None:
            number = other.get_extra_info("socket").fileno()
            other.abort()
            strangers.append(socket.create_connection(server.getsockname()))
            assert strangers[0].fileno() == number

        one[1].on_data, two[1].on_data = lambda: close(two[0]), lambda: close(one[0])
        for _, _, far in (one, two):
            far.sendall(b"answer")
        await until(lambda: bool(strangers))
        with strangers[0], server.accept()[0] as far:
            far.sendall(b"a stranger's")
            await asyncio.sleep(0.02)
            assert strangers[0].recv(100) == b"a stranger's"
        assert sorted(bytes(ear.heard) for _, ear, _ in (one, two)) == [b"", b"answer"]


async def test_a_stale_event_makes_a_reading_of_nothing(server: socket.socket) -> None:
    """An event names a number; the member that has it now is asked, and has nothing."""
    pool = SocketPool()
    async with opened(pool, server) as (transport, ear, _far):
        number = transport.get_extra_info("socket").fileno()

        class Stale:
            def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
                assert (timeout, most) == (0, 1)
                return [(number, select.EPOLLIN), (number + 1000, select.EPOLLIN)]

        real, pool._epoll = pool._epoll, Stale()  # type: ignore[assignment]
        pool._ready()
        pool._epoll = real
        assert (ear.calls, ear.ends) == (0, [])


async def test_who_answers_first_does_not_keep_the_others_waiting(server: socket.socket) -> None:
    """A flood on one connection: others are heard in the same turns."""
    pool = SocketPool()
    async with opened(pool, server) as (_, flooded, flood), opened(pool, server) as (_, ear, far):
        flood.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                flood.send(bytes(1 << 16))
        before, turns = flooded.calls, list[int]()
        ear.on_data = lambda: turns.append(flooded.calls - before)
        far.sendall(b"answer")
        await until(lambda: bool(turns))
        assert turns[0] <= 1


async def test_a_thousand_connections(server: socket.socket) -> None:
    """Numbers beyond 1,024, where select(2) ends."""
    count = 1200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * count + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"expected leave for {wanted} descriptors, got {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    pool, made, far = SocketPool(), list[tuple[asyncio.Transport, Ear]](), list[socket.socket]()
    server.listen(count)
    try:
        for _ in range(count):
            made.append(await pool.create_connection(Ear, *server.getsockname()))
            far.append(server.accept()[0])
        for number, each in enumerate(far):
            each.sendall(str(number).encode())
        await until(lambda: all(ear.heard for _, ear in made))
        assert sorted(int(ear.heard) for _, ear in made) == list(range(count))
        assert max(t.get_extra_info("socket").fileno() for t, _ in made) > 1024
    finally:
        for transport, _ in made:
            transport.abort()
        for each in far:
            each.close()
        await asyncio.sleep(0)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_nobody_there() -> None:
    before = descriptors()
    with pytest.raises(ConnectionRefusedError):
        await SocketPool().create_connection(Ear, "127.0.0.1", await closed_port())
    assert len(descriptors()) == len(before)


async def test_a_name_is_tried_at_each_of_its_addresses(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = server.getsockname()[1]
    family, kind = socket.AF_INET, socket.SOCK_STREAM
    found = [(family, kind, 0, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]

    async def resolve(*_: object, **__: object) -> list[object]:
        return list(found)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    transport, _ = await SocketPool().create_connection(Ear, "plant.invalid", port)
    assert transport.get_extra_info("socket").getpeername() == ("127.0.0.1", port)
    transport.abort()
    await asyncio.sleep(0)


async def test_a_connection_given_up_while_it_opens_leaves_nothing_behind() -> None:
    """A listener whose queue is full answers no SYN: connecting takes until somebody cancels."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        filling = []
        for _ in range(3):
            filling.append(sock := socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listening.getsockname())
        before = len(descriptors())
        pool = SocketPool()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await pool.create_connection(Ear, *listening.getsockname())
        assert len(descriptors()) == before
        for sock in filling:
            sock.close()


async def test_a_socket_that_a_child_still_holds_is_not_watched_any_more(
    server: socket.socket, turns: list[int]
) -> None:
    """The kernel goes on watching what another process has: closing is not enough."""
    pool = SocketPool()
    async with opened(pool, server), opened(pool, server) as (transport, ear, far):
        with transport.get_extra_info("socket").dup():
            transport.abort()
            far.sendall(b"answer")
            assert await rests(turns)
        assert ear.heard == b""


def no_descriptor() -> None:
    raise OSError(errno.EMFILE, "no room")


class NoWatch:
    """An epoll in a kernel that takes no more watches (fs.epoll.max_user_watches)."""

    def __init__(self) -> None:
        self._real = REAL_EPOLL()
        self.fileno, self.close = self._real.fileno, self._real.close

    def register(self, _number: int, _events: int) -> None:
        raise OSError(errno.ENOSPC, "no room")


@pytest.mark.parametrize("epoll", [no_descriptor, NoWatch])
async def test_no_room_in_the_kernel(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch, epoll: object
) -> None:
    before, pool = len(descriptors()), SocketPool()
    with monkeypatch.context() as patch:
        patch.setattr(select, "epoll", epoll)
        with pytest.raises(OSError, match="no room"):
            await pool.create_connection(Ear, *server.getsockname())
    assert len(descriptors()) == before
    server.accept()[0].close()
    async with opened(pool, server) as (_, ear, far):
        far.sendall(b"x")
        await until(lambda: ear.heard == b"x")


async def test_a_machine_without_epoll_reads_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "epoll")
    async with tcp_server(tcp_slaves(Slave(CEMS_TABLE))) as port:
        line = cems(port)
        assert await read(line) == CEMS_VALUES
        line.close()


def hangs_up_after_an_answer(slave: Slave) -> Handler:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(12)
        pdu = slave.pdu(request[6], request[7:])
        assert pdu is not None
        writer.write(request[:2] + struct.pack(">HHB", 0, len(pdu) + 1, request[6]) + pdu)

    return once


async def test_lines_that_share_a_pool_mix_nothing_up() -> None:
    """Forty lines, each with values of its own; every fourth peer hangs up after each answer, so
    that numbers change hands all the time."""
    async with contextlib.AsyncExitStack() as stack:
        devices, wanted = [], []
        for number in range(40):
            values = [number + 0.5, number + 0.25]
            slave = Slave({**CEMS_TABLE, **floats(0, values)})
            handler = tcp_slaves(slave) if number % 4 else hangs_up_after_an_answer(slave)
            port = await stack.enter_async_context(tcp_server(handler))
            devices.append(placed(CEMS, CEMS_FIELDS, 3 * number, f"d{number}", port=port))
            wanted.append([*values, 1.0])
        lines = make_lines(devices, World().around())
        for _ in range(8):
            assert await asyncio.gather(*map(read, lines)) == wanted
        for line in lines:
            line.close()


async def test_lines_closed_in_a_round_close_their_sockets() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    before = epolls()
    async with tcp_server(silent) as port:
        line, rounds = cems(port, 5000), list[Round]()
        line.start(INTERVAL_MS, rounds.append)
        await asyncio.sleep(0.05)
        assert epolls() == before + 1
        line.close()
        assert (rounds, epolls()) == ([Round([])], before)
