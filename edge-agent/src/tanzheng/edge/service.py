"""What systemd is told (sd_notify(3)): a datagram to the socket it names, nothing without one."""

import contextlib
import os
import socket
import time


class Service:
    """The manager of this process. A message that it cannot take is not worth a failure."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watched = mine and microseconds.isdecimal() and int(microseconds) > 0
        self.watchdog_s: float | None = int(microseconds) / 1e6 if watched else None
        """How long it waits for a sign of life; None where it does not watch."""
        self._signed_s = float("-inf")

    def ready(self) -> None:
        """The start is done, or the reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={microseconds}")

    def stopping(self) -> None:
        """The end begins."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """A sign of life, as often as the manager asks for (called oftener)."""
        now_s = time.monotonic()
        if self.watchdog_s is not None and now_s - self._signed_s >= self.watchdog_s / 4:
            self._signed_s = now_s
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.setblocking(False)
            sender.sendto(message.encode(), self._address)
