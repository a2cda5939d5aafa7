"""Plant time for an agent: slots as fast as it takes them, up to where the test lets it go."""

import contextlib
import json
import socket
import threading
from pathlib import Path
from typing import Self

from tanzheng.hardware.unix_socket import short_address

START_MS = 1_782_864_000_000
"""2026-07-01 00:00 UTC."""


class PlantHours:
    """Speaks the protocol of `tanzheng.hardware.plant_time_server` in a thread of its own.

    `taken` slots are durable; no slot is offered beyond `allowed`. `end` lets time end there.
    """

    def __init__(self, path: Path, interval_ms: int) -> None:
        self.path, self.interval_ms = path, interval_ms
        self.taken = 0
        self._allowed, self._ended = 0, False
        self._moved = threading.Condition()
        self._server = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        with short_address(self.path) as address:
            self._server.bind(address)
        self._server.listen()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._server.close()

    def allow(self, slots: int) -> None:
        """So many slots more."""
        with self._moved:
            self._allowed += slots
            self._moved.notify()

    def end(self) -> None:
        """Time ends where it may go to now."""
        with self._moved:
            self._ended = True
            self._moved.notify()

    @property
    def now_ms(self) -> int:
        """The newest slot that is durable."""
        return START_MS + (self.taken - 1) * self.interval_ms

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection, connection.makefile("rb") as stream:
            for line in stream:
                answer = json.dumps(self._answer(json.loads(line))).encode() + b"\n"
                with contextlib.suppress(OSError):  # the agent went away
                    connection.sendall(answer)

    def _answer(self, asked: dict[str, object]) -> dict[str, object]:
        if asked["op"] == "hello":
            end_ms = START_MS + (1 << 40)
            return {"now_ms": START_MS, "start_ms": START_MS, "end_ms": end_ms}
        with self._moved:
            if asked["done_ms"] is not None:
                self.taken += 1
            self._moved.wait_for(lambda: self.taken < self._allowed or self._ended)
            if self.taken >= self._allowed:
                return {"end": True}
            return {"slot_ms": START_MS + self.taken * self.interval_ms}
