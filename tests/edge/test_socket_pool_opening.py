"""How connections of a pool begin and end: names, limits, cancelled attempts, whole lines."""

import asyncio
import contextlib
import errno
import resource
import select
import socket
import struct
from collections.abc import Iterator

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
from edge.sockets import Ear, descriptors, epolls, opened, until
from edge.test_modbus_driver import CEMS, CEMS_FIELDS, CEMS_TABLE, CEMS_VALUES, cems
from edge.world import closed_port
from parts import missing
from tanzheng.edge.abc import Round
from tanzheng.edge.drivers.modbus.driver import make_lines
from tanzheng.edge.socket_pool import SocketPool

REAL_EPOLL = select.epoll


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


async def test_a_thousand_connections(server: socket.socket) -> None:
    """Numbers beyond 1,024, where select(2) ends."""
    count = 1200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * count + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        missing(f"leave for {wanted} descriptors, of which there are {hard}")
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
