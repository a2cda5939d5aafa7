"""TCP connections behind one epoll descriptor, which the event loop watches as if it were a socket.

A transport of asyncio costs a selector key, a handle and a turn of the loop for each answer. Here
all answers that are there together are taken in one turn, and a request is one `send`. What is
ready is asked for again before each turn (level-triggered), and bytes are only ever read from the
connection that gets them: an event of a connection that is gone says nothing about another one
that was given its number. Linux: `select.epoll` is missing elsewhere.
"""

import asyncio
import errno
import select
import socket
from collections.abc import Callable
from typing import Any, TypeVar

RECEIVE_BYTES = 2048
"""So much is read in one turn from one connection; the rest in the next."""
UNSENT_BYTES_MAX = 1 << 16
"""A connection whose peer does not take that is closed: it asks and waits, so that is a fault."""

P = TypeVar("P", bound=asyncio.Protocol)


class PooledTransport(asyncio.Transport):
    """One connection. `connection_lost` comes once: after `abort`, an end or an error.

    The protocol is called in the loop, never from a call of its own.
    """

    def __init__(self, pool: "SocketPool", sock: socket.socket, protocol: asyncio.Protocol) -> None:
        super().__init__({"socket": sock})
        self._pool, self._sock, self._protocol = pool, sock, protocol
        self._send = sock.send
        self.receive, self.received = sock.recv, protocol.data_received
        self._unsent = b""
        self._loop = asyncio.get_running_loop()

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send, or keep what the peer's window does not take yet."""
        if self._unsent:
            self._keep(self._unsent + data)
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._loop.call_soon(self.lose, error)
            return
        if sent < len(data):
            self._keep(bytes(data[sent:]))

    def get_write_buffer_size(self) -> int:
        """Bytes that the peer's window has not taken yet."""
        return len(self._unsent)

    def is_closing(self) -> bool:
        """True from `close`, `abort`, an end or an error on."""
        return self._sock.fileno() < 0

    def close(self) -> None:
        """Let the connection go at once: no answer would be read to what is not sent yet."""
        self.lose(None)

    def abort(self) -> None:
        """The same as `close`."""
        self.lose(None)

    def flush(self) -> None:
        """Send what waits: for the pool, when there is room."""
        unsent, self._unsent = self._unsent, b""
        self.write(unsent)
        if not self._unsent:
            self._pool.watch(self._sock, writing=False)

    def lose(self, error: Exception | None) -> None:
        """Close; nothing more is read from here on."""
        if not self.is_closing():
            self._pool.leave(self._sock)
            self._sock.close()
            self._loop.call_soon(self._protocol.connection_lost, error)

    def _keep(self, unsent: bytes) -> None:
        self._unsent = unsent
        self._pool.watch(self._sock, writing=True)
        if len(unsent) > UNSENT_BYTES_MAX:
            self._loop.call_soon(self.lose, OSError(errno.ENOBUFS, "the peer takes no bytes"))


class SocketPool:
    """Any number of connections; one descriptor of its own while there is at least one."""

    def __init__(self) -> None:
        self._members: dict[int, PooledTransport] = {}
        self._epoll: select.epoll | None = None

    async def create_connection(
        self, protocol_factory: Callable[[], P], host: str, port: int
    ) -> tuple[PooledTransport, P]:
        """As the loop's own; the protocol's `connection_made` has been called on return."""
        sock = await _connected(host, port)
        protocol = protocol_factory()
        member = PooledTransport(self, sock, protocol)
        if self._epoll is None:
            self._epoll = select.epoll()
            asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._ready)
        self._members[sock.fileno()] = member
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        protocol.connection_made(member)
        return member, protocol

    def watch(self, sock: socket.socket, writing: bool) -> None:
        """Whether to be told when there is room to write; always when there is something to read."""
        if self._epoll is not None and sock.fileno() >= 0:
            events = select.EPOLLIN | select.EPOLLOUT if writing else select.EPOLLIN
            self._epoll.modify(sock.fileno(), events)

    def leave(self, sock: socket.socket) -> None:
        """Forget a connection that is about to be closed, while its number is still its own."""
        assert self._epoll is not None
        del self._members[sock.fileno()]
        self._epoll.unregister(sock.fileno())
        if not self._members:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _ready(self) -> None:
        """Take what has come, of every connection: answers go before the loop's timers."""
        members = self._members
        assert self._epoll is not None
        for number, events in self._epoll.poll(0, len(members)):
            member = members.get(number)
            if member is None:  # closed by what another one brought
                continue
            if events & select.EPOLLOUT:
                member.flush()
                if events == select.EPOLLOUT:
                    continue
            try:
                data = member.receive(RECEIVE_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                member.lose(error)
                continue
            if data:
                member.received(data)
            else:
                member.lose(None)


async def _connected(host: str, port: int) -> socket.socket:
    """A connected socket that does not block; the last address's error where none answers."""
    loop = asyncio.get_running_loop()
    kind = socket.SOCK_STREAM
    try:  # an address is no question for a name server, and needs no thread
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await loop.getaddrinfo(host, port, type=kind)
    failed: OSError = OSError(errno.EADDRNOTAVAIL, f"no address, at {host}")
    for family, _, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failed = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failed
