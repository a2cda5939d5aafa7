"""Connections behind one epoll: what peers do to a socket, and what the pool makes of it."""

import asyncio
import contextlib
import errno
import select
import socket
import struct
from collections.abc import Iterator

import pytest

from edge.sockets import epolls, opened, until
from tanzheng.edge.socket_pool import RECEIVE_BYTES, UNSENT_BYTES_MAX, SocketPool


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
        sent, chunk = bytearray(), bytes(at % 251 for at in range(60_000))
        while transport.get_write_buffer_size() == 0:
            sent += chunk
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
