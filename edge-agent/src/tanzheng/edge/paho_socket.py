"""The socket of a paho client, watched by an event loop.

paho asks for what it needs by callbacks, some of them in the thread that connects. The loop reads
and writes; nothing here knows what the packets say.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

from paho.mqtt import client as mqtt

Option = tuple[int, int, int]
"""Level, name and value, as for `setsockopt`."""


class PahoSocket:
    """One client's socket, for the length of one connection.

    `readable` is called in the loop when there is something to read.
    """

    def __init__(
        self, client: mqtt.Client, readable: Callable[[], None], options: tuple[Option, ...] = ()
    ) -> None:
        self._client, self._readable = client, readable
        self._options = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), *options)
        self._loop = asyncio.get_running_loop()
        self._socket: Any = None
        self._closed = self._paused = False
        client.on_socket_open = self._opened
        client.on_socket_close = self._closing
        client.on_socket_register_write = self._want_write
        client.on_socket_unregister_write = self._no_more_write

    @property
    def fileno(self) -> int:
        """Of the open socket; -1 without one."""
        return -1 if self._socket is None else int(self._socket.fileno())

    @property
    def decrypted(self) -> bool:
        """Whether TLS holds bytes back that make no socket readable."""
        sock = self._socket
        return isinstance(sock, ssl.SSLSocket) and sock.fileno() >= 0 and sock.pending() > 0

    def pause(self) -> None:
        """Read no further until `resume`: the broker keeps what is to come."""
        if self.fileno >= 0 and not self._paused:
            self._paused = True
            self._loop.remove_reader(self._socket)

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            if self.fileno >= 0:
                self._loop.add_reader(self._socket, self._readable)
                self._read_on(self._socket)

    def read_on(self) -> None:
        """Call `readable` again in the loop's next turn, if the socket is still this one."""
        self._loop.call_soon(self._read_on, self._socket)

    def unwatch(self) -> None:
        """Neither read nor write any more."""
        if self.fileno >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def close(self) -> None:
        """Drop it without a word; safe to call again."""
        self._closed = True
        self.unwatch()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for name in ("open", "close", "register_write", "unregister_write"):
            setattr(self._client, f"on_socket_{name}", None)  # the collector calls them, too

    # These may come from the thread that connects.

    def _opened(self, _client: object, _userdata: object, sock: Any) -> None:
        for option in self._options:
            sock.setsockopt(*option)
        self._loop.call_soon_threadsafe(self._watch, sock)

    def _closing(self, _client: object, _userdata: object, sock: Any) -> None:
        if sock is self._socket:
            self.unwatch()  # while its number is still its own

    def _want_write(self, _client: object, _userdata: object, sock: Any) -> None:
        self._loop.call_soon_threadsafe(self._add_writer, sock)

    def _no_more_write(self, _client: object, _userdata: object, sock: Any) -> None:
        self._loop.call_soon_threadsafe(self._remove_writer, sock)

    # And these are in the loop.

    def _watch(self, sock: Any) -> None:
        if self._closed or sock.fileno() < 0:
            sock.close()
            return
        self._socket = sock
        self._loop.add_reader(sock, self._readable)

    def _add_writer(self, sock: Any) -> None:
        if sock is self._socket and sock.fileno() >= 0:
            self._loop.add_writer(sock, self._client.loop_write)

    def _remove_writer(self, sock: Any) -> None:
        if sock is self._socket and sock.fileno() >= 0:
            self._loop.remove_writer(sock)

    def _read_on(self, sock: Any) -> None:
        if sock is self._socket and sock is not None and not self._paused:
            self._readable()
