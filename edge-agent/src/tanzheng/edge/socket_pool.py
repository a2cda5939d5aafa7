"""TCP connections behind one epoll descriptor, which the event loop watches as if it were a socket.

A transport of asyncio costs a turn of the loop, a handle and a selector's key for each answer.
Here all answers that are there together are taken in one turn, and a request is one `send`. What is
ready is asked for anew in each turn (level-triggered), and bytes are only ever read from the socket
of the connection that gets them: an event of a connection that is gone can at most make a reading
of nothing from the one that was given its number. Where there is no epoll (not Linux) connections
are the event loop's own.
"""

import asyncio
import errno
import select
import socket
from collections.abc import Callable
from typing import Any, TypeVar

RECEIVE_BYTES = 2048
"""So much is read of one connection in one turn; the rest in the next."""
UNSENT_BYTES_MAX = 1 << 16
"""A peer that lets so much wait is given up: whoever asks one thing at a time never has that."""

P = TypeVar("P", bound=asyncio.Protocol)


class SocketPool:
    """Any number of connections; one descriptor of its own while there is at least one."""

    def __init__(self) -> None:
        self._members: dict[int, _Connection] = {}
        self._epoll: select.epoll | None = None

    async def create_connection(
        self, protocol_factory: Callable[[], P], host: str, port: int
    ) -> tuple[asyncio.Transport, P]:
        """As the loop's own: `connection_made` has been called on return, `OSError` where nobody
        answers."""
        if not hasattr(select, "epoll"):
            return await asyncio.get_running_loop().create_connection(protocol_factory, host, port)
        sock = await _connected(host, port)
        protocol = protocol_factory()
        connection = _Connection(self, sock, protocol)
        try:
            self._join(sock.fileno(), connection)
        except OSError:
            sock.close()
            raise
        protocol.connection_made(connection)
        return connection, protocol

    def watch(self, number: int, writing: bool) -> None:
        """Tell of what there is to read and, where `writing`, of room to write."""
        assert self._epoll is not None
        self._epoll.modify(number, select.EPOLLIN | (select.EPOLLOUT if writing else 0))

    def leave(self, number: int) -> None:
        """Forget a connection about to be closed, while its number is still its own."""
        assert self._epoll is not None
        del self._members[number]
        self._epoll.unregister(number)
        self._rest()

    def _join(self, number: int, connection: "_Connection") -> None:
        try:
            if self._epoll is None:
                self._epoll = select.epoll()
                asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._ready)
            self._epoll.register(number, select.EPOLLIN)
            self._members[number] = connection
        finally:
            self._rest()

    def _rest(self) -> None:
        """Without a member there is nothing to watch."""
        if not self._members and self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _ready(self) -> None:
        """Take what has come, of all connections: the loop's timers are told after that."""
        assert self._epoll is not None
        members = self._members
        for number, events in self._epoll.poll(0, len(members)):
            connection = members.get(number)
            if connection is None:  # closed by what another one brought
                continue
            if events & select.EPOLLOUT:
                connection.flush()
                if events == select.EPOLLOUT:
                    continue
            try:
                data = connection.receive(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                connection.end(error)
                continue
            if data:
                connection.received(data)
            else:
                connection.end(None)


class _Connection(asyncio.Transport):
    """One connection. `connection_lost` comes once: on `close`, `abort`, an end or an error.

    The protocol is called by the loop, never from within a call of its own.
    """

    def __init__(self, pool: SocketPool, sock: socket.socket, protocol: asyncio.Protocol) -> None:
        super().__init__({"socket": sock})
        self._loop = asyncio.get_running_loop()
        self._pool, self._socket, self._protocol = pool, sock, protocol
        self._send, self._unsent = sock.send, b""
        self.receive, self.received = sock.recv, protocol.data_received

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send, or keep what the peer's window does not take yet; over `UNSENT_BYTES_MAX` the
        connection is lost. Nothing happens on a closing transport."""
        if self._unsent:
            self._keep(self._unsent + data)
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._loop.call_soon(self.end, error)
            return
        if sent < len(data):
            self._keep(bytes(data[sent:]))

    def get_write_buffer_size(self) -> int:
        """Bytes that the peer's window has not taken yet."""
        return len(self._unsent)

    def is_closing(self) -> bool:
        """True from `close`, `abort`, an end or an error on."""
        return self._socket.fileno() < 0

    def close(self) -> None:
        """Let the connection go at once: no answer would be read to what is not sent yet."""
        self.end(None)

    def abort(self) -> None:
        """The same as `close`."""
        self.end(None)

    def flush(self) -> None:
        """Send on: there is room."""
        unsent, self._unsent = self._unsent, b""
        self.write(unsent)
        if not self._unsent:
            self._pool.watch(self._socket.fileno(), writing=False)

    def end(self, error: Exception | None) -> None:
        """Close; nothing is read from here on."""
        if not self.is_closing():
            self._pool.leave(self._socket.fileno())
            self._socket.close()
            self._unsent = b""
            self._loop.call_soon(self._protocol.connection_lost, error)

    def _keep(self, unsent: bytes) -> None:
        if len(unsent) > UNSENT_BYTES_MAX:
            self._loop.call_soon(self.end, OSError(errno.ENOBUFS, "the peer takes no bytes"))
            return
        self._unsent = unsent
        self._pool.watch(self._socket.fileno(), writing=True)


async def _connected(host: str, port: int) -> socket.socket:
    """A socket connected to the first address of `host` that answers; the last one's error."""
    loop, kind = asyncio.get_running_loop(), socket.SOCK_STREAM
    try:  # an address is no question to a name server, and needs no thread
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await loop.getaddrinfo(host, port, type=kind)
    refusal = OSError(errno.EADDRNOTAVAIL, f"expected an address, got none, at {host}")
    for family, _, protocol, _, address in found:
        try:
            return await _open(socket.socket(family, kind, protocol), address)
        except OSError as error:
            refusal = error
    raise refusal


async def _open(sock: socket.socket, address: Any) -> socket.socket:
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:  # cancelled, too: nobody else has it
        sock.close()
        raise
    return sock
