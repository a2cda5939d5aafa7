"""Tells the service manager how the agent is: sd_notify(3), in the lean process.

Does nothing where no service manager listens (`NOTIFY_SOCKET` unset). A message is a datagram;
one that cannot be sent is dropped: a manager that does not hear from us acts by its watchdog.
"""

import contextlib
import os
import socket


class Notifier:
    """The manager's socket, if there is one."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def ready(self) -> None:
        """The first slot can come; also after a reload."""
        self._send("READY=1")

    def alive(self) -> None:
        """Feed the watchdog: call it only from what proves that slots are taken."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end was asked for and has begun."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Let the socket go."""
        if self._socket is not None:
            self._socket.close()

    def _send(self, text: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(text.encode(), self._address)
